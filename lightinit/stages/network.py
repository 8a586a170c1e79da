"""The local stage's search for the network: which lease is in force, which interface is primary,
where WireServer is.

It joins ``formats/dhcp/`` (what the files say) and ``host/network/interfaces.py`` (what is on the
machine), and knows nothing of files' formats or of sockets itself.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.dhcp.clients import read_leases
from lightinit.host.dhcp.clients import known_clients
from lightinit.host.dhcp.lease_files import LeaseFile, lease_files, lease_folders
from lightinit.host.dhcp.networkmanager import nmcli_leases
from lightinit.host.network import interfaces as host_network
from lightinit.host.network.interfaces import KernelRoute, Scene
from lightinit.host.network.watch import Watch
from lightinit.host.system import System
from lightinit.model import Lease, Network

LOG = logging.getLogger("lightinit.local")

# The platform's addresses, the same in every region: what is a virtual address of the VM's host.
WIRESERVER = "168.63.129.16"
IMDS = "169.254.169.254"
# A route that marks a NIC is the platform's own /32. Shorter ones say nothing: 169.254.0.0/16 is on
# every interface of some distributions, and a VPN splits the default route into two /1.
MARK_PREFIX_MIN = 24

SAY_EVERY_S = 30.0
NMCLI_SOURCE = "nmcli device show"
NO_LEASE_SOURCE = "address and route without a lease"


def find_network(
    system: System,
    timeout_s: float = 300.0,
    grace_s: float = 2.0,
    interface: str = "",
    while_waiting: Optional[Callable[[], None]] = None,
    look: Optional[Callable[[], Scene]] = None,
) -> Network:
    """Wait until this machine has a network, and say which.

    A lease counts on the live machine only while its address is configured on an interface: a file
    that was baked into the image never wins. In a scratch root that cannot be checked, and every
    unexpired lease counts. Without a lease that counts, an address and a route to the WireServer
    that have been there for ``grace_s`` are enough, and the well-known address is used with a
    warning.

    Args:
        system: the machine. Its clock measures the deadline.
        timeout_s: seconds until giving up; with 0 there is one look.
        grace_s: seconds given to what would make the answer better: a lease file beside an address
            that is already there, a lease for another NIC with a carrier while no route proves this
            one primary, option 245 from NetworkManager, whose files tell it in two steps.
        interface: the primary interface if the settings name one; no other is considered.
        while_waiting: called once, and only if the first look did not settle it: time to import
            what is needed next.
        look: what the network looks like now; for tests, by default the real machine.

    Returns:
        The network, with warnings where something had to be assumed.

    Raises:
        ProvisioningError: there was no network before the deadline; the details say what was seen
            instead.
    """
    search = _Search(
        system, grace_s, interface, look or (lambda: host_network.scene(system, WIRESERVER))
    )
    clock = system.clock
    deadline_s = clock.monotonic() + timeout_s
    with Watch(system, lease_folders()) as watch:
        while True:
            found, due_s = search.step()
            now_s = clock.monotonic()
            if found is not None and (now_s >= due_s or now_s >= deadline_s):
                return found
            if now_s >= deadline_s:
                raise search.failure(timeout_s)
            if while_waiting is not None:
                while_waiting()
                while_waiting = None
            # The first wait only arms the watch: whatever came before it is seen by the look that
            # follows.
            search.say_waiting(now_s)
            watch.wait(
                min(deadline_s, due_s if found is not None else deadline_s, now_s + SAY_EVERY_S)
                - now_s
            )


def choose_lease(
    leases: Sequence[Lease], routes: Sequence[KernelRoute], default_interface: str
) -> Lease:
    """The lease of the primary NIC.

    First the one whose own classless routes, or the kernel's routes over its interface, lead to the
    platform's addresses; then the one on the interface of the default route; then one with option
    245; then the first.

    Args:
        leases: at least one; one for each interface, in the order of the interfaces' indices.
        routes: the kernel's routes.
        default_interface: where the default route leads, "" when there is none.
    """

    def rank(position: int) -> Tuple[int, bool, bool, int]:
        lease = leases[position]
        return (
            marks(lease, routes),
            bool(default_interface) and lease.interface == default_interface,
            lease.wireserver is not None,
            -position,
        )

    return leases[max(range(len(leases)), key=rank)]


def marks(lease: Lease, routes: Sequence[KernelRoute]) -> int:
    """How many of the platform's two addresses have a route of their own over this lease's
    interface.
    """
    destinations = [route.destination for route in lease.routes]
    destinations += [route.destination for route in routes if route.interface == lease.interface]
    return sum(
        any(_leads_to(destination, address) for destination in destinations)
        for address in (WIRESERVER, IMDS)
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


def _usable(address: str) -> bool:
    return not address.startswith(("127.", "169.254.", "0."))


class _Search:
    """One search: what has been seen since when, and what has been said already."""

    def __init__(
        self, system: System, grace_s: float, interface: str, look: Callable[[], Scene]
    ) -> None:
        self._system = system
        self._grace_s = grace_s
        self._interface = interface
        self._look = look
        self._scene = Scene()
        self._said_s = system.clock.monotonic()
        self._passed_over: Dict[str, str] = {}  # path -> why, as of the latest step
        self._said: Set[Tuple[str, str]] = set()
        self._since_s: Dict[str, float] = {}  # a state that needs grace -> when it began
        self._asked: Set[str] = set()
        self._nmcli: Optional[LeaseFile] = None

    def step(self) -> Tuple[Optional[Network], float]:
        """Look once.

        Returns:
            The network as it would be reported now (or None), and the monotonic time from which on
            it may be.
        """
        self._scene = self._look()
        files = lease_files(self._system)
        leases = self._in_force(files)
        lease = self._choose(leases)
        if lease is not None and lease.client == "networkmanager" and not lease.wireserver:
            leases = self._ask_networkmanager("lease without option 245", files) or leases
            lease = self._choose(leases)
        if lease is None:
            due_s = self._due("no lease", bool(self._address()))
            if self._address() and self._system.clock.monotonic() >= due_s:
                leases = self._ask_networkmanager("no lease", files) or []
                lease = self._choose(leases)
        else:
            due_s = self._due("no lease", False)
        if lease is None:
            return self._without_lease(), due_s
        return self._with_lease(lease, leases), self._due(
            "unsettled", not self._is_settled(lease, leases)
        )

    def say_waiting(self, now_s: float) -> None:
        """Say now and then that we still wait: whoever watches the console must not think that we
        hang.
        """
        if now_s - self._said_s >= SAY_EVERY_S:
            self._said_s = now_s
            LOG.info("still waiting for a DHCP lease; interfaces: %s", self._describe() or "none")

    def _describe(self) -> str:
        return "; ".join(
            "%s (%s%s)"
            % (
                one.name,
                "carrier" if one.carrier else "no carrier",
                "".join(", " + address for address in one.addresses),
            )
            for one in self._scene.interfaces
        )

    def failure(self, timeout_s: float) -> ProvisioningError:
        """The error for the deadline, with what was seen last."""
        passed_over = ["%s: %s" % item for item in self._passed_over.items()]
        return ProvisioningError(
            "no network before the deadline",
            waited_s="%g" % timeout_s,
            interfaces=self._describe() or "none",
            default_route=self._scene.default_interface or "none",
            leases="; ".join(passed_over) or "none",
            hint=(
                "look whether the image starts a DHCP client on its NIC, and whether a NIC is"
                " attached to the VM"
            ),
        )

    # -- leases
    # ----------------------------------------------------------------------------------------------

    def _in_force(self, files: Sequence[LeaseFile]) -> List[Lease]:
        """The newest lease in force for each interface, in the order of the interfaces' indices."""
        self._passed_over = {}
        newest: Dict[str, Lease] = {}
        # The file written last is the last.
        for file in list(files) + ([self._nmcli] if self._nmcli else []):
            for lease in self._leases_in(file):
                key = lease.interface or "?" + lease.address
                newest[key] = _newer(newest.get(key), lease)
        order = {one.name: position for position, one in enumerate(self._scene.interfaces)}
        return sorted(
            newest.values(),
            key=lambda lease: (order.get(lease.interface or "", len(order)), lease.interface or ""),
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
        """The lease with the interface that really has its address; None when it does not count."""
        if self._scene.of_root:
            holder = next(
                (one.name for one in self._scene.interfaces if lease.address in one.addresses), None
            )
            if holder is None:
                self._pass_over(
                    lease.source, "its address %s is on no interface now" % lease.address
                )
                return None
            lease = replace(lease, interface=holder)
        if self._interface and lease.interface != self._interface:
            self._pass_over(
                lease.source,
                "it is for %s, and the settings name %s"
                % (lease.interface or "an unknown interface", self._interface),
            )
            return None
        return lease

    def _pass_over(self, path: str, why: str) -> None:
        self._passed_over[path] = why
        if (path, why) not in self._said:
            self._said.add((path, why))
            LOG.info("lease file passed over: %s: %s", path, why)

    def _choose(self, leases: Sequence[Lease]) -> Optional[Lease]:
        return (
            choose_lease(leases, self._scene.routes, self._scene.default_interface)
            if leases
            else None
        )

    def _ask_networkmanager(self, occasion: str, files: Sequence[LeaseFile]) -> List[Lease]:
        """The leases in force when NetworkManager's own answer is counted too; asked once on each
        occasion.
        """
        if occasion in self._asked:
            return []
        self._asked.add(occasion)
        answer = nmcli_leases(self._system)
        if b"DHCP4" not in answer:
            return []
        self._nmcli = LeaseFile("networkmanager", NMCLI_SOURCE, answer, self._system.clock.time())
        return self._in_force(files)

    # -- deciding
    # ----------------------------------------------------------------------------------------------

    def _due(self, state: str, holds: bool) -> float:
        """When a ``state`` that needs grace has had it: counted from when it began to hold without
        a break.
        """
        now_s = self._system.clock.monotonic()
        if not holds:
            self._since_s.pop(state, None)
            return now_s
        return self._since_s.setdefault(state, now_s) + self._grace_s

    def _is_settled(self, lease: Lease, leases: Sequence[Lease]) -> bool:
        if lease.client == "networkmanager" and not lease.wireserver:
            return False  # its device file, with the option, may follow
        if self._interface or marks(lease, self._scene.routes):
            return True
        with_lease = {one.interface for one in leases}
        return not any(
            one.carrier
            and one.physical
            and one.name not in with_lease
            and not any(map(_usable, one.addresses))
            for one in self._scene.interfaces
        )

    def _with_lease(self, lease: Lease, leases: Sequence[Lease]) -> Network:
        warnings: Tuple[str, ...] = ()
        if not lease.wireserver:
            # Another NIC's lease may have the option. It is not used: that NIC may hang on a
            # network that is not the platform's, whose DHCP server must not say where this VM's
            # keys and accounts come from, while the well-known address is the platform's
            # everywhere.
            others = [one for one in leases if one.wireserver]
            warnings = (
                "the lease in %s has no usable option 245: the well-known WireServer address %s is"
                " used%s"
                % (
                    lease.source,
                    WIRESERVER,
                    "".join(
                        "; %s on %s was not, because it is not the primary interface"
                        % (one.wireserver, one.interface or "an unknown interface")
                        for one in others
                    ),
                ),
            )
        return Network(
            lease.wireserver or WIRESERVER,
            interface=lease.interface or "",
            address=lease.address,
            client=lease.client,
            source=lease.source,
            option_245=bool(lease.wireserver),
            warnings=warnings,
        )

    def _address(self) -> Optional[Tuple[str, str]]:
        """(interface, address) with which the WireServer could be reached without a lease; None
        when there is none.

        The address from which the kernel would send there, else one on the default route's
        interface.
        """
        found = [
            (one.name, address)
            for one in self._scene.interfaces
            for address in one.addresses
            if _usable(address) and (not self._interface or one.name == self._interface)
        ]
        if not self._scene.wireserver_source and not self._scene.default_interface:
            return None

        def rank(pair: Tuple[str, str]) -> Tuple[bool, bool]:
            return (
                pair[1] == self._scene.wireserver_source,
                pair[0] == self._scene.default_interface,
            )

        return max(found, key=rank) if found else None

    def _without_lease(self) -> Optional[Network]:
        pair = self._address()
        if pair is None:
            return None
        passed_over = "; ".join("%s: %s" % item for item in self._passed_over.items())
        warning = (
            "no usable lease of %s was found (%s): the well-known WireServer address %s is used"
            % (known_clients(), passed_over or "no lease file is there", WIRESERVER)
        )
        return Network(
            WIRESERVER,
            interface=pair[0],
            address=pair[1],
            source=NO_LEASE_SOURCE,
            warnings=(warning,),
        )


def _newer(known: Optional[Lease], lease: Lease) -> Lease:
    """Of two leases for one interface the one from the file written last, which is ``lease``.

    But NetworkManager's lease file keeps the address alone and its device file the options: of its
    two files about one address the one with option 245 is kept, whichever was written last.
    """
    if (
        known is not None
        and known.client == lease.client == "networkmanager"
        and known.address == lease.address
        and known.wireserver
        and not lease.wireserver
    ):
        return known
    return lease
