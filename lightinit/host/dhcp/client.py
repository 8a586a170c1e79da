"""What a DHCP client is to lightinit, and one round of renewal, which all clients share."""

from __future__ import annotations

import logging
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from lightinit.host.command import Completed
from lightinit.host.dhcp.processes import Process
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.dhcp")
LEAST_S = 3.0  # the last command still gets this much if the others have used up the time
INDEX = "index"

Kill = Callable[[int, int], None]


class LeasePlace(NamedTuple):
    """A place where a client keeps lease files.

    Attributes:
        pattern: a shell pattern of their paths.
        interface: how the file's name tells the interface. :data:`INDEX` if the name is the
            kernel's number of it; else an expression whose group is its name.
    """

    pattern: str
    interface: str


class DhcpClient(NamedTuple):
    """A DHCP client.

    Attributes:
        name: its name in this table and in that of ``formats/dhcp/clients.py``.
        title: its name for people.
        processes: the names of its processes; the kernel cuts them to 15 characters.
        places: where its lease files are.
        renew: makes these processes of it send the host name. It tells the :class:`Renewing` what
            it did. It may raise ProvisioningError, MalformedError and OSError.
        rebind: makes a process of it give up its lease and ask for another one, and returns what it
            did; "" if the process is not of that kind. It may raise ProvisioningError and OSError.
            None for a client that does so by itself when its link goes down and comes up.
        ask: asks the client itself for its leases, which may be more than its files tell. Returns
            what was asked, for messages, and the answer, b"" if there is none. None for a client
            whose files tell all.
    """

    name: str
    title: str
    processes: Tuple[str, ...]
    places: Tuple[LeasePlace, ...]
    renew: "Callable[[Renewing, Tuple[Process, ...]], None]"
    rebind: Optional[Callable[[System, Process, Kill], str]] = None
    ask: Optional[Callable[[System], Tuple[str, bytes]]] = None


class Renewing:
    """One round of renewal: the host name, the time that is left, and the results.

    Args:
        system: the machine.
        name: the host name that the clients are to send.
        deadline_s: when, by the machine's monotonic clock, the round must be over.
        kill: sends a signal to a process.

    Attributes:
        told: as in :class:`lightinit.host.dhcp.renew.Renewal`.
        warnings: likewise.
    """

    def __init__(self, system: System, name: str, deadline_s: float, kill: Kill) -> None:
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
        """Note ``what`` the ``client`` did, or why it sends another name or none. ``client``
        includes the interface.
        """
        LOG.debug("host name %s: %s %s", self.name, client, what)
        self.told.append("%s %s" % (client, what))

    def warn(self, client: str, what: str) -> None:
        """Note a problem."""
        self.warnings.append("%s %s" % (client, what))

    def fail(self, client: str, why: str) -> None:
        """Note that the server may not have got the name."""
        self.warn(
            client,
            "could not be made to send the host name: the DHCP server, and so DNS, may keep the old"
            " name until the next boot (%s)" % why,
        )
