"""Which DHCP leases are in force on this machine, and which of them is the primary NIC's.

It joins ``formats/dhcp/`` (what the files say) and ``host/`` (what is on the machine), and knows
nothing of files' formats or of sockets itself.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Set, Tuple

from lightinit.datasources.base import Datasource
from lightinit.errors import MalformedError
from lightinit.formats.dhcp.clients import read_leases
from lightinit.host.dhcp.clients import CLIENTS
from lightinit.host.dhcp.lease_files import LeaseFile, asked_leases, lease_files
from lightinit.host.network.interfaces import KernelRoute, Scene
from lightinit.host.system import System
from lightinit.model import Lease

LOG = logging.getLogger("lightinit.local")

# A route that marks a NIC is the platform's own /32. Shorter ones say nothing: 169.254.0.0/16 is on
# every interface of some distributions, and a VPN splits the default route into two /1.
MARK_PREFIX_MIN = 24
# Clients that know more than one file of theirs tells. NetworkManager's lease file has the address
# alone; another one, which may come later, has the options.
ASKABLE = {client.name for client in CLIENTS if client.ask is not None}


def choose_lease(
    leases: Sequence[Lease],
    routes: Sequence[KernelRoute],
    default_interface: str,
    source: Datasource,
) -> Lease:
    """The lease of the primary NIC.

    First the one whose own classless routes, or the kernel's routes over its interface, lead to the
    platform's addresses; then the one on the interface of the default route; then one that names
    the platform's server; then the first.

    Args:
        leases: at least one; one for each interface, in the order of the interfaces' indices.
        routes: the kernel's routes.
        default_interface: where the default route leads, "" if there is none.
        source: knows the platform's addresses, and what a lease says of its server.
    """

    def rank(position: int) -> Tuple[int, bool, bool, int]:
        lease = leases[position]
        return (
            count_routes(lease, routes, source.ADDRESSES),
            bool(default_interface) and lease.interface == default_interface,
            source.server_in(lease) is not None,
            -position,
        )

    return leases[max(range(len(leases)), key=rank)]


def count_routes(lease: Lease, routes: Sequence[KernelRoute], addresses: Sequence[str]) -> int:
    """How many of the ``addresses`` have a route of their own over this lease's interface."""
    destinations = [route.destination for route in lease.routes]
    destinations += [route.destination for route in routes if route.interface == lease.interface]
    return sum(
        any(_leads_to(destination, address) for destination in destinations)
        for address in addresses
    )


def _leads_to(destination: str, address: str) -> bool:
    network, _, length = destination.partition("/")
    prefix = int(length or "32")
    shift = 32 - prefix
    return prefix >= MARK_PREFIX_MIN and _number(network) >> shift == _number(address) >> shift


def _number(address: str) -> int:
    number = 0
    for part in address.split("."):
        number = number << 8 | int(part)
    return number


class LeaseSearch:
    """Reads the lease files, as often as it is asked, and says which leases count.

    Args:
        system: the machine.
        source: knows what a lease says of the platform's server.
        interface: the only interface that counts, "" for any.

    Attributes:
        passed_over: path of a lease file -> why it does not count, as of the latest look.
    """

    def __init__(self, system: System, source: Datasource, interface: str) -> None:
        self._system = system
        self._source = source
        self._interface = interface
        self._scene = Scene()
        self._logged: Set[Tuple[str, str]] = set()
        self._asked: Set[str] = set()
        self._answers: List[LeaseFile] = []
        self.passed_over: Dict[str, str] = {}

    def look(self, scene: Scene) -> List[Lease]:
        """The newest lease in force for each interface, in the order of the interfaces' indices.

        Args:
            scene: the network as it is now.
        """
        self._scene = scene
        self.passed_over = {}
        newest: Dict[str, Lease] = {}
        # The file written last is the last.
        for file in lease_files(self._system) + self._answers:
            for lease in self._leases_in(file):
                key = lease.interface or "?" + lease.address
                newest[key] = self._newer(newest.get(key), lease)
        order = {one.name: position for position, one in enumerate(scene.interfaces)}

        def rank(lease: Lease) -> Tuple[int, str]:
            name = lease.interface or ""
            return order.get(name, len(order)), name

        return sorted(newest.values(), key=rank)

    def ask_clients(self, occasion: str) -> List[Lease]:
        """As :meth:`look`, with the answers of the clients themselves counted too. They are asked
        once on each occasion; after that, and if they know nothing, there are none.
        """
        if occasion in self._asked:
            return []
        self._asked.add(occasion)
        answers = asked_leases(self._system)
        if not answers:
            return []
        self._answers = answers
        return self.look(self._scene)

    def lacks_server(self, lease: Lease) -> bool:
        """Whether the platform's server may still be named by a file of the same client."""
        return (
            bool(self._source.LEASE_OPTION)
            and lease.client in ASKABLE
            and not self._source.server_in(lease)
        )

    def _leases_in(self, file: LeaseFile) -> List[Lease]:
        if file.problem:
            self._pass_over(file.path, file.problem)
            return []
        now_s = self._system.clock.time()
        if self._scene.of_root and file.path.startswith("/run/"):
            # Of this boot. Its client takes the address away when it ends, and without its address
            # it does not count: that holds also when the clock, as at boot, has just jumped by
            # years.
            now_s = file.written_s
        try:
            leases = read_leases(
                file.client, file.data, now_s, file.path, file.interface, file.written_s
            )
        except MalformedError as error:
            self._pass_over(file.path, error.reason)
            return []
        if not leases:
            self._pass_over(file.path, "it holds no unexpired lease")
        return [lease for lease in map(self._checked, leases) if lease is not None]

    def _checked(self, lease: Lease) -> Optional[Lease]:
        """The lease with the interface that really has its address; None if it does not count."""
        if self._scene.of_root:
            holders = [one.name for one in self._scene.interfaces if lease.address in one.addresses]
            if not holders:
                self._pass_over(
                    lease.source, "its address %s is on no interface now" % lease.address
                )
                return None
            lease = replace(lease, interface=holders[0])
        if self._interface and lease.interface != self._interface:
            self._pass_over(
                lease.source,
                "it is for %s, and the settings name %s"
                % (lease.interface or "an unknown interface", self._interface),
            )
            return None
        return lease

    def _newer(self, known: Optional[Lease], lease: Lease) -> Lease:
        """Of two leases for one interface the one from the file written last, which is ``lease``.

        But of two files of such a client about one address the one that names the server is kept,
        whichever was written last.
        """
        if (
            known is not None
            and known.client == lease.client
            and lease.client in ASKABLE
            and known.address == lease.address
            and self._source.server_in(known)
            and not self._source.server_in(lease)
        ):
            return known
        return lease

    def _pass_over(self, path: str, why: str) -> None:
        self.passed_over[path] = why
        if (path, why) not in self._logged:
            self._logged.add((path, why))
            LOG.info("lease file passed over: %s: %s", path, why)
