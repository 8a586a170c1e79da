"""Finds the DHCP leases in force on this machine, and the lease of the primary NIC.

It combines ``formats/dhcp/`` (what the files say) and ``host/`` (what is on the machine). It knows
nothing of file formats or sockets.
"""

from __future__ import annotations

import logging
from typing import Dict, List, Optional, Sequence, Set, Tuple

from lightinit.datasources.base import Datasource
from lightinit.errors import MalformedError
from lightinit.formats.dhcp.clients import read_leases
from lightinit.host.dhcp.clients import CLIENTS
from lightinit.host.dhcp.lease_files import LeaseFile, asked_leases, lease_files, peeked_leases
from lightinit.host.network.interfaces import Interface, KernelRoute, Scene
from lightinit.host.system import System
from lightinit.model import Lease

LOG = logging.getLogger("lightinit.local")

# Only a long route proves that a NIC is the primary one: the platform hands out /32 routes. Shorter
# ones prove nothing: some distributions put 169.254.0.0/16 on every interface, and a VPN splits the
# default route into two /1.
MARK_PREFIX_MIN = 24
# Clients that know more than is in one of their files. NetworkManager's lease file has only the
# address; another file, which may come later, has the options.
NO_DATE_S = float("-inf")  # no lease has ended by then
# A client that hangs must not slow down each look.
SLOW_PEEK_S, SLOW_PEEKS = 0.5, 3
ASKABLE = {client.name for client in CLIENTS if client.ask is not None}


def choose_lease(
    leases: Sequence[Lease],
    routes: Sequence[KernelRoute],
    default_interface: str,
    source: Datasource,
) -> Lease:
    """The lease of the primary NIC.

    In this order: the lease whose own classless routes, or the kernel's routes over its interface,
    lead to most of the platform's addresses; the lease on the interface of the default route; a
    lease that names the platform's server; the first lease.

    Args:
        leases: at least one; one for each interface, in the order of the interfaces' indices.
        routes: the kernel's routes.
        default_interface: the interface of the default route, "" if there is none.
        source: knows the platform's addresses, and reads the server's address from a lease.
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
    """Reads the lease files, each time that it is called, and tells which leases count.

    Args:
        system: the machine.
        source: reads the server's address from a lease.
        interface: the only interface that counts, "" for any.

    Attributes:
        passed_over: path of a lease file -> why it does not count, from the latest look.
        clients: interface -> the clients whose leases for it count, from the latest look.
    """

    def __init__(self, system: System, source: Datasource, interface: str) -> None:
        self._system = system
        self._source = source
        self._interface = interface
        self._scene = Scene()
        self._logged: Set[Tuple[str, str]] = set()
        self._asked: Set[str] = set()
        self._ended: Set[Tuple[str, str]] = set()  # (source, address)
        self._answers: List[LeaseFile] = []
        self._peeked: List[LeaseFile] = []
        self._peeked_at: Tuple[Tuple[str, Tuple[str, ...]], ...] = ()
        self._slow_peeks = 0
        self.passed_over: Dict[str, str] = {}
        self.clients: Dict[str, Set[str]] = {}

    def look(self, scene: Scene) -> List[Lease]:
        """The newest lease in force for each interface, in the order of the interfaces' indices.

        Args:
            scene: the network as it is now.
        """
        self._scene = scene
        self.passed_over = {}
        self.clients = {}
        self._ended = set()
        newest: Dict[str, Lease] = {}
        names = None
        if scene.of_root:
            names = {one.number: one.name for one in scene.interfaces}
            self._peek(scene.interfaces)
        # The list is sorted by time: the file that was written last comes last.
        for file in lease_files(self._system, names) + self._peeked + self._answers:
            for lease in self._leases_in(file):
                key = lease.interface or "?" + lease.address
                newest[key] = self._newer(newest.get(key), lease)
                self.clients.setdefault(key, set()).add(lease.client)
        order = {one.name: position for position, one in enumerate(scene.interfaces)}

        def rank(lease: Lease) -> Tuple[int, str]:
            name = lease.interface or ""
            return order.get(name, len(order)), name

        return sorted(newest.values(), key=rank)

    def _peek(self, interfaces: Tuple[Interface, ...]) -> None:
        """Peek whenever an address has come or gone: no lease counts without its address."""
        addresses = tuple((one.name, one.addresses) for one in interfaces if one.addresses)
        if addresses == self._peeked_at or self._slow_peeks >= SLOW_PEEKS:
            return
        self._peeked_at = addresses
        started_s = self._system.clock.monotonic()
        self._peeked = peeked_leases(self._system)
        if self._system.clock.monotonic() - started_s > SLOW_PEEK_S:
            self._slow_peeks += 1

    def ask_clients(self, occasion: str) -> List[Lease]:
        """Ask the clients too, then look again. They are asked once on each occasion. The result is
        empty after that, and if they know no lease.
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
        """Whether ``lease`` lacks the server, but another file of its client may name it."""
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
        if not self._scene.of_root:
            return self._leases_at(file, now_s)
        # A written date proves little: an infinite lease's may have wrapped, and at boot the clock
        # may jump by years. When a lease ends, its client removes the address.
        leases = self._leases_at(file, NO_DATE_S)
        if file.path.startswith("/run/"):
            return leases  # of this boot
        ended = [one for one in leases if one.expires_s is not None and one.expires_s <= now_s]
        if ended:
            leases = self._leases_at(file, now_s)
            known = {one.interface for one in leases}
            ended = [one for one in ended if one.interface not in known]
            self._ended.update((one.source, one.address) for one in ended)
        return leases + ended

    def _leases_at(self, file: LeaseFile, now_s: float) -> List[Lease]:
        """The leases in ``file`` that count and have not ended at ``now_s``."""
        try:
            leases = read_leases(
                file.client, file.data, now_s, file.path, file.interface, file.written_s
            )
        except MalformedError as error:
            self._pass_over(file.path, error.reason)
            return []
        if not leases and (now_s == NO_DATE_S or not self._scene.of_root):
            self._pass_over(file.path, "it holds no unexpired lease")
        return [lease for lease in map(self._checked, leases) if lease is not None]

    def has_ended(self, lease: Lease) -> bool:
        """Whether ``lease`` counts only because its address is on an interface: by its date it has
        ended. A better one may come.
        """
        return (lease.source, lease.address) in self._ended

    def _checked(self, lease: Lease) -> Optional[Lease]:
        """The lease with the interface that really has its address; None if it does not count."""
        if self._scene.of_root:
            holders = [one.name for one in self._scene.interfaces if lease.address in one.addresses]
            if not holders:
                self._pass_over(
                    lease.source, "its address %s is on no interface now" % lease.address
                )
                return None
            lease = lease._replace(interface=holders[0])
        if self._interface and lease.interface != self._interface:
            self._pass_over(
                lease.source,
                "it is for %s, but the settings name %s"
                % (lease.interface or "an unknown interface", self._interface),
            )
            return None
        return lease

    def _newer(self, known: Optional[Lease], lease: Lease) -> Lease:
        """The one of two leases for an interface that counts: ``lease``, whose file is newer.

        Exceptions: ``known`` counts if only ``lease`` has ended by its date. It also counts if both
        are from a client in ``ASKABLE`` and for the same address, and only ``known`` names the
        server.
        """
        if known is None:
            return lease
        if self.has_ended(lease) and not self.has_ended(known):
            return known
        if (
            known.client == lease.client
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
