"""The local stage's search for the network: which interface is primary, and where the platform's
server is.
"""

from __future__ import annotations

import logging
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.datasources.base import Datasource
from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.clients import (
    explain_no_lease,
    known_clients,
    option_hint,
    running_clients,
)
from lightinit.host.dhcp.lease_files import lease_folders
from lightinit.host.network.interfaces import Interface, Scene, Viewer
from lightinit.host.network.watch import Watch
from lightinit.host.system import System
from lightinit.model import Lease, Network
from lightinit.stages.leases import LeaseSearch, choose_lease, count_routes

LOG = logging.getLogger("lightinit.local")

SAY_EVERY_S = 30.0
EXPLAIN_EVERY_S = 10.0  # this looks at all processes
NEVER_S = float("inf")  # only the deadline ends the wait
NO_LEASE_SOURCE = "address and route without a lease"
# Where a lease says nothing that is needed: a DHCP client writes it right after the address.
BRIEF_GRACE_S = 0.2
# For platforms without a well-known address: only the default route leads to this one (RFC 5737).
ANYWHERE = "192.0.2.1"


def find_network(
    system: System,
    source: Datasource,
    timeout_s: float = 300.0,
    grace_s: float = 2.0,
    interface: str = "",
    while_waiting: Optional[Callable[[], None]] = None,
    look: Optional[Callable[[], Scene]] = None,
    needs_server: bool = False,
) -> Network:
    """Wait until this machine has a network, and return it.

    On the live machine a lease counts only while its address is on an interface: a lease file from
    the image never counts. In a scratch root this cannot be checked, so every unexpired lease
    counts. If no lease counts, an address and a route to the platform are enough after ``grace_s``,
    with a warning, and the server's well-known address. Without LEASE_OPTION they are as good.

    Args:
        system: the machine. Its clock measures the deadline.
        source: knows the platform's addresses, and reads the server's address from a lease.
        timeout_s: seconds until giving up; 0 means a single look.
        grace_s: seconds to wait for a better answer: a lease for the address that is there, a lease
            for another NIC if no route proves this one primary, NetworkManager's second file.
        interface: the primary one if the settings name one; if it is there, no other will do.
        while_waiting: called once, if the first look was not enough: time to import more.
        look: returns the network's state; by default that of the real machine. For tests.
        needs_server: wait for a lease that names the server, as long as one may come.

    Returns:
        The network, with a warning for each assumption.

    Raises:
        ProvisioningError: there was no network before the deadline; details say what was seen.
    """
    search = _Search(system, source, grace_s, interface, look, needs_server)
    deadline_s = system.clock.monotonic() + timeout_s
    with Watch(system, lease_folders(), picture=search.picture) as watch:
        while True:
            found, due_s = search.step()
            now_s = system.clock.monotonic()
            if found is not None and (now_s >= due_s or now_s >= deadline_s):
                return found
            if now_s >= deadline_s:
                return search.find_elsewhere(timeout_s)
            if while_waiting is not None:
                while_waiting()
                while_waiting = None
            # The first wait only arms the watch: the next look sees what changed before that.
            search.log_waiting(now_s)
            until_s = min(deadline_s, now_s + SAY_EVERY_S)
            if found is not None:
                until_s = min(until_s, due_s)
            if not watch.wait(until_s - now_s):
                search.picture.doubt()


def other_ways(source: Datasource) -> str:
    """What will do instead of a DHCP lease, for the log; "" for nothing."""
    return "" if source.LEASE_OPTION else ", or an address and a route"


def look_for_network(
    system: System, source: Datasource, grace_s: float, interface: str
) -> Callable[[], bool]:
    """A function that looks whether there is a network that :func:`find_network` would take now,
    without waiting. The arguments are those of that function.
    """
    search = _Search(system, source, grace_s, interface)

    def look() -> bool:
        found, due_s = search.step()
        return found is not None and system.clock.monotonic() >= due_s

    return look


class _Search:
    """One search: what was seen, and since when."""

    def __init__(
        self,
        system: System,
        source: Datasource,
        grace_s: float,
        interface: str,
        look: Optional[Callable[[], Scene]] = None,
        needs_server: bool = False,
    ) -> None:
        target = (source.ADDRESSES + (ANYWHERE,))[0]
        self._system = system
        self._clock = system.clock
        self._source = source
        self._grace_s = grace_s
        self._interface = interface
        viewer = Viewer(system, target)
        self.picture = viewer.picture
        self._look = look or viewer.look
        self._needs_server = needs_server
        self._leases = LeaseSearch(system, source, interface)
        self._scene = Scene()
        self._logged_s = system.clock.monotonic()
        self._since_s: Dict[str, float] = {}  # a state that needs grace -> when it began
        self._explained_s = -EXPLAIN_EVERY_S
        self._explanation = ""

    def step(self) -> Tuple[Optional[Network], float]:
        """Look once.

        Returns:
            The network found so far (or None), and the monotonic time from which it may be used.
        """
        self._scene = self._look()
        leases = self._leases.look(self._scene)
        lease = self._choose(leases)
        if lease is not None and self._leases.lacks_server(lease):
            leases = self._leases.ask_clients("lease without the server") or leases
            lease = self._choose(leases)
        pair = None
        if lease is None:
            pair = self._address()
        needs_lease = bool(self._source.LEASE_OPTION)
        grace_s = self._grace_s
        if not needs_lease and not any(one.physical for one in self._silent(())):
            grace_s = min(grace_s, BRIEF_GRACE_S)
        due_s = self._due("no lease", pair is not None, grace_s)
        if needs_lease and pair is not None and self._clock.monotonic() >= due_s:
            leases = self._leases.ask_clients("no lease")
            lease = self._choose(leases)
        if lease is not None:
            due_s = self._due("unsettled", not self._is_settled(lease, leases), self._grace_s)
            found = self._with_lease(lease, leases)
            if self._needs_server and not found.server_from_lease and self._silent(leases):
                due_s = NEVER_S
            return found, due_s
        if pair is None:
            return None, due_s
        is_late = self._clock.monotonic() >= due_s
        if self._needs_server or not self._is_sound(pair):
            due_s = NEVER_S
        return self._without_lease(pair, is_late), due_s

    def log_waiting(self, now_s: float) -> None:
        """Log from time to time that the wait goes on, so that the boot does not seem to hang."""
        if now_s - self._logged_s >= SAY_EVERY_S:
            self._logged_s = now_s
            or_else, seen = other_ways(self._source), self._describe() or "none"
            LOG.info("still waiting for a DHCP lease%s; interfaces: %s", or_else, seen)

    def find_elsewhere(self, timeout_s: float) -> Network:
        """The network at the deadline, if the settings name an interface that is not there: names
        depend on the kernel and on udev, and a wrong one must not cost the login.

        Raises:
            ProvisioningError: the interface is there, or there is no other network either.
        """
        names = {one.name for one in self._scene.interfaces}
        if not self._interface or self._interface in names or not self._scene.of_root:
            raise self._failure(timeout_s)
        other = _Search(self._system, self._source, 0.0, "", self._look, self._needs_server)
        found, due_s = other.step()
        if found is None or due_s > self._clock.monotonic():
            raise self._failure(timeout_s)
        text = "there is no interface %s, which the settings name: %s is used"
        return found._replace(warnings=(text % (self._interface, found.interface), *found.warnings))

    def _failure(self, timeout_s: float) -> ProvisioningError:
        """The error at the deadline, with what was seen last."""
        return ProvisioningError(
            "no network before the deadline",
            waited_s="%g" % timeout_s,
            interfaces=self._describe() or "none",
            default_route=self._scene.default_interface or "none",
            leases=self._passed_over() or "none",
            hint=(
                "check whether the image starts a DHCP client on its NIC%s, and whether a NIC is"
                " attached to the VM"
            )
            % ("" if self._source.LEASE_OPTION else " or gives it an address and a route"),
        )

    def _describe(self) -> str:
        return "; ".join(map(_describe, self._scene.interfaces))

    def _passed_over(self) -> str:
        return "; ".join("%s: %s" % item for item in self._leases.passed_over.items())

    def _choose(self, leases: Sequence[Lease]) -> Optional[Lease]:
        if not leases:
            return None
        if self._needs_server:
            leases = [one for one in leases if self._source.server_in(one)] or leases
        return choose_lease(leases, self._scene.routes, self._scene.default_interface, self._source)

    def _due(self, state: str, holds: bool, grace_s: float) -> float:
        """The monotonic time at which the grace for ``state`` ends. It begins when the state begins
        to hold, and starts again after each break.
        """
        now_s = self._clock.monotonic()
        if not holds:
            self._since_s.pop(state, None)
            return now_s
        return self._since_s.setdefault(state, now_s) + grace_s

    def _is_settled(self, lease: Lease, leases: Sequence[Lease]) -> bool:
        if self._leases.lacks_server(lease) or self._leases.has_ended(lease):
            return False
        if self._interface or count_routes(lease, self._scene.routes, self._source.ADDRESSES):
            return True
        return not any(one.physical for one in self._silent(leases))

    def _silent(self, leases: Sequence[Lease]) -> List[Interface]:
        """The interfaces that may still get a lease: with a carrier, and without a lease and an
        address. Where there are NICs with a device, only these.
        """
        with_lease = {one.interface for one in leases}
        has_device = any(one.physical for one in self._scene.interfaces)
        return [
            one
            for one in self._scene.interfaces
            if one.carrier
            and (one.physical or not has_device)
            and one.name not in with_lease
            and not any(map(_usable, one.addresses))
        ]

    def _with_lease(self, lease: Lease, leases: Sequence[Lease]) -> Network:
        named = self._source.server_in(lease)
        warnings: Tuple[str, ...] = ()
        if not named and self._source.LEASE_OPTION:
            warnings = (self._warn_without_option(lease, leases),)
        warnings += self._warn_of_two_clients(lease.interface or "")
        return Network(
            named or self._well_known(),
            interface=lease.interface or "",
            address=lease.address,
            client=lease.client,
            source=lease.source,
            server_from_lease=bool(named),
            warnings=warnings,
        )

    def _warn_without_option(self, lease: Lease, leases: Sequence[Lease]) -> str:
        # Another NIC's lease may name a server. Do not use it: that NIC may be on a foreign
        # network, whose DHCP server must not decide where this VM's keys and accounts come from.
        # The well-known address is the platform's everywhere.
        text = "the lease in %s has no usable %s%s" % (
            lease.source,
            self._source.LEASE_OPTION,
            self._fallback(),
        )
        hint = option_hint(lease.client)
        if hint:
            text += "; " + hint
        for one in leases:
            other = self._source.server_in(one)
            if other:
                text += "; %s on %s is not used, since that is not the primary interface" % (
                    other,
                    one.interface or "an unknown interface",
                )
        return text

    def _warn_of_two_clients(self, interface: str) -> Tuple[str, ...]:
        clients = self._leases.clients.get(interface, set())
        if len(clients) < 2 or not self._scene.of_root:
            return ()
        running = running_clients(self._system, clients)
        if len(running) < 2:
            return ()  # the image's, and the one that runs here
        text = (
            "%s have a lease for %s each and change its address and routes; leave only one enabled"
        )
        return (text % (" and ".join(running), interface),)

    def _address(self) -> Optional[Tuple[str, str]]:
        """The (interface, address) for reaching the platform without a lease; None if there is
        none.

        This is the source address that the kernel would use, else an address on the interface of
        the default route. No other one will do.
        """
        scene = self._scene
        if not scene.platform_source and not scene.default_interface:
            return None
        found: List[Tuple[str, str]] = []
        for one in scene.interfaces:
            if not self._interface or one.name == self._interface:
                found += [(one.name, address) for address in one.addresses if _usable(address)]

        def rank(pair: Tuple[str, str]) -> Tuple[bool, bool, bool]:
            is_source = pair[1] == scene.platform_source
            is_default = pair[0] == scene.default_interface
            return self._leads(pair[0]), is_source, is_default

        fit = [pair for pair in found if self._interface or any(rank(pair)[1:])]
        return max(fit, key=rank, default=None)

    def _leads(self, interface: str) -> bool:
        """Whether packets to the platform leave by this interface, or may do so."""
        scene = self._scene
        return interface in (scene.platform_interface or interface, scene.default_interface)

    def _is_sound(self, pair: Tuple[str, str]) -> bool:
        """Whether the (interface, address) may be the VM's network although no lease is there.

        Not if packets leave by another interface: the kernel took this address for want of one
        there. Nor if there is no device behind the interface, while a NIC has no address yet.
        """
        if self._interface:
            return True
        if not self._leads(pair[0]):
            return False
        waiting = [
            one
            for one in self._scene.interfaces
            if one.physical and not any(map(_usable, one.addresses))
        ]
        is_backed = any(
            one.name == pair[0] and (one.backed or one.physical) for one in self._scene.interfaces
        )
        return is_backed or not waiting

    def _without_lease(self, pair: Tuple[str, str], is_late: bool) -> Network:
        """The network of an (interface, address); ``is_late``: it may be used now."""
        warnings: Tuple[str, ...] = ()
        if self._source.LEASE_OPTION:
            text = "no usable lease of %s was found (%s)%s%s" % (
                known_clients(),
                self._passed_over() or "no lease file is there",
                self._fallback(),
                self._explain() if is_late else "",
            )
            warnings = (text,)
        return Network(
            self._well_known(),
            interface=pair[0],
            address=pair[1],
            source=NO_LEASE_SOURCE,
            warnings=warnings,
        )

    def _explain(self) -> str:
        """The end of a warning: which DHCP client leaves no lease, and what to do."""
        now_s = self._clock.monotonic()
        if self._scene.of_root and now_s - self._explained_s >= EXPLAIN_EVERY_S:
            self._explained_s = now_s
            self._explanation = "".join("; " + why for why in explain_no_lease(self._system))
        return self._explanation

    def _well_known(self) -> str:
        return (self._source.ADDRESSES + ("",))[0]

    def _fallback(self) -> str:
        """The end of a warning: which address is used because no lease names the server."""
        if not self._well_known():
            return ""
        return ": the well-known %s address %s is used" % (self._source.SERVER, self._well_known())


def _describe(interface: Interface) -> str:
    facts = ["no carrier"]
    if interface.carrier:
        facts = ["carrier"]
    return "%s (%s)" % (interface.name, ", ".join(facts + list(interface.addresses)))


def _usable(address: str) -> bool:
    return not address.startswith(("127.", "169.254.", "0."))
