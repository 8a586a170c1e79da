"""The description of a DHCP client, and one round of renewal, which all clients share."""

from __future__ import annotations

import logging
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.host.command import Completed
from lightinit.host.dhcp.processes import Process
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.dhcp")
LEAST_S = 3.0  # each command gets at least this much, even if the time is used up
INDEX = "index"

Kill = Callable[[int, int], None]
# Returns the command or socket, for messages, and the answer, b"" if there is none.
Ask = Callable[[System], Tuple[str, bytes]]


class LeasePlace(NamedTuple):
    """A place where a client keeps lease files.

    Attributes:
        pattern: a shell pattern of their paths.
        interface: how the file's name gives the interface. :data:`INDEX` if the file's name is the
            interface's index; else a regular expression whose group is the interface's name.
    """

    pattern: str
    interface: str


class DhcpClient(NamedTuple):
    """A DHCP client.

    Attributes:
        name: its name in this table and in the table of ``formats/dhcp/clients.py``.
        title: its name in messages.
        processes: the names of its processes; the kernel cuts them to 15 characters.
        places: where its lease files are.
        renew: makes the given processes send the host name, and records in :class:`Renewing` what
            it did. It may raise ProvisioningError, MalformedError and OSError.
        rebind: makes a process give up its lease and request another one. Returns what it did; ""
            if the process is not this client. It may raise ProvisioningError and OSError. None: the
            client does this by itself when its link goes down and up.
        ask: asks the client for its leases. Returns the command, for messages, and its output, b""
            if there is none. None: the lease files have everything.
        peek: as ``ask``, but it starts no process, and is for clients that may have no lease files.
            It returns b"" without asking if there are files.
        explain: says why a process of this client has left no lease; "" if the process is not this
            client. None: it always leaves one when it has one.
        option_hint: what makes the client ask for the platform's option; "" if it needs nothing.
    """

    name: str
    title: str
    processes: Tuple[str, ...]
    places: Tuple[LeasePlace, ...]
    renew: "Callable[[Renewing, Tuple[Process, ...]], None]"
    rebind: Optional[Callable[[System, Process, Kill], str]] = None
    ask: Optional[Ask] = None
    peek: Optional[Ask] = None
    explain: Optional[Callable[[System, Process], str]] = None
    option_hint: str = ""


class Renewing:
    """One round of renewal: the host name, the time that is left, and the results.

    Args:
        system: the machine.
        name: the host name that the clients are to send.
        deadline_s: the end of the round, by the machine's monotonic clock.
        kill: sends a signal to a process.

    Attributes:
        told: as in :class:`lightinit.host.dhcp.renew.Renewal`.
        warnings: as there.
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
        """The time limit for the next command, in seconds."""
        return max(LEAST_S, self._deadline_s - self.system.clock.monotonic())

    def run(self, argv: Sequence[str]) -> Completed:
        """As ``System.run_checked``, with the remaining time as its limit."""
        return self.system.run_checked(argv, timeout_s=self.left_s)

    def tell(self, client: str, what: str) -> None:
        """Record what the client did, or why it sends another name or none. ``client`` includes the
        interface.
        """
        LOG.debug("host name %s: %s %s", self.name, client, what)
        self.told.append("%s %s" % (client, what))

    def warn(self, client: str, what: str) -> None:
        """Record a warning."""
        self.warnings.append("%s %s" % (client, what))

    def fail(self, client: str, why: str) -> None:
        """Record that the server may not have received the name."""
        self.warn(
            client,
            "could not be made to send the host name: the DHCP server, and so DNS, may keep the old"
            " name until the next boot (%s)" % why,
        )
