"""What all ways to renew a lease share: the processes that run, the time that is left, and the
account of what was done.
"""

from __future__ import annotations

import logging
import os
import re
from typing import AbstractSet, Callable, List, NamedTuple, Optional, Sequence, Tuple

from lightinit.errors import MalformedError
from lightinit.host.system import Completed, System

LOG = logging.getLogger("lightinit.renewal")
LEAST_S = 3.0  # what the last one still gets when the others have used up the time
# These run as users of their own, and nothing of their command lines is used.
UNPRIVILEGED = ("systemd-network", "dhcpcd")


class Process(NamedTuple):
    """A process that runs: its number, its name as the kernel cuts it (15 characters), its command
    line.
    """

    pid: int
    comm: str
    argv: Tuple[str, ...]


class Errand:
    """One round: the name, the time, and what came of it.

    Args:
        system: the machine.
        name: the host name to be sent.
        deadline_s: when, by the machine's monotonic clock, it must be over.
        kill: ends a process.

    Attributes:
        told: as in :class:`lightinit.host.dhcp.renew.Renewal`.
        warnings: likewise.
    """

    def __init__(
        self, system: System, name: str, deadline_s: float, kill: Callable[[int, int], None]
    ) -> None:
        self.system = system
        self.name = name
        self.kill = kill
        self._deadline_s = deadline_s
        self.told: List[str] = []
        self.warnings: List[str] = []

    @property
    def left_s(self) -> float:
        """Seconds that a command may take now."""
        return max(LEAST_S, self._deadline_s - self.system.clock.monotonic())

    def run(self, argv: Sequence[str]) -> Completed:
        """As ``System.run_checked``, within the time that is left."""
        return self.system.run_checked(argv, timeout_s=self.left_s)

    def tell(self, client: str, what: str) -> None:
        """Note ``what`` the ``client`` (with its interface) did; also that its owner has set it up
        to send another name.
        """
        LOG.debug("host name %s: %s %s", self.name, client, what)
        self.told.append("%s %s" % (client, what))

    def warn(self, client: str, what: str) -> None:
        """Note what went less well than asked for."""
        self.warnings.append("%s %s" % (client, what))

    def fail(self, client: str, why: str) -> None:
        """Note that the server may not have heard the name."""
        self.warn(
            client,
            "could not be made to send the host name: the DHCP server, and so DNS, may keep the old"
            " one until the next boot (%s)" % why,
        )


def running_processes(system: System, comms: AbstractSet[str]) -> List[Process]:
    """The processes of these names that run on this machine's network.

    Passed over are those of a container, whose network namespace is another, and those of users:
    what we run upon their command lines we run as root. Where the namespace cannot be read (it
    takes a capability), it counts as ours.

    Args:
        system: the machine.
        comms: names as /proc/PID/comm has them.
    """
    found = []
    ours = _namespace(system, "self")
    for entry in system.list_dir("/proc"):
        if not re.match(r"[1-9][0-9]*\Z", entry):
            continue
        comm = _read(system, "/proc/%s/comm" % entry).rstrip("\n")
        if comm not in comms or (ours and _namespace(system, entry) not in (ours, None)):
            continue
        try:
            owner = os.stat(system.path("/proc/" + entry)).st_uid
        except OSError:
            continue  # it has just ended
        if owner != os.geteuid() and comm not in UNPRIVILEGED:
            continue
        argv = _read(system, "/proc/%s/cmdline" % entry).rstrip("\0").split("\0")
        if argv != [""]:  # which is one that has ended
            found.append(Process(int(entry), comm, tuple(argv)))
    return sorted(found)


def _namespace(system: System, entry: str) -> Optional[str]:
    try:
        return os.readlink(system.path("/proc/%s/ns/net" % entry, follow_last=False))
    except OSError:
        return None


def _read(system: System, path: str) -> str:
    try:
        return system.read(path).decode("utf-8", "surrogateescape")
    except (OSError, MalformedError):
        return ""
