"""Makes the running DHCP clients send the new host name to their servers. The addresses stay.

A DHCP server puts the name that a client sends into DNS. A client that got its lease before the
name was known has sent the image's name. /proc and /run show which clients run; the name of the
distribution is not used. docs/protocol.md has the command for each client, as tested with it.
"""

from __future__ import annotations

import logging
import os
from typing import Callable, Optional, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.clock import Errand
from lightinit.host.dhcp.client import Kill, Renewing
from lightinit.host.dhcp.clients import CLIENTS, silent_clients
from lightinit.host.dhcp.processes import running_processes
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.dhcp")
# The limit for all clients together, since Ready waits for the renewal. A server answers within
# milliseconds, but on the first boot of a small VM nmcli alone may take seconds.
LIMIT_S = 20.0


class Renewal(NamedTuple):
    """The results.

    Attributes:
        told: what each client did, such as ``dhclient on eth0 sent it to the DHCP server``, or
            which other name it sends because of its configuration.
        warnings: the clients whose servers do not get the name, or will get the old one again.
    """

    told: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()


class Sending(Errand):
    """A renewal beside other work.

    Args:
        renew: does it.
    """

    def __init__(self, renew: Callable[[], Renewal]) -> None:
        super().__init__("lightinit-renew")
        self._renew = renew
        self._renewal = Renewal()
        self._error: Optional[BaseException] = None
        self.begin()

    def run(self) -> None:
        """Renew, in the thread."""
        try:
            self._renewal = self._renew()
        except BaseException as error:
            self._error = error

    def wait(self, limit_s: Optional[float] = None) -> Renewal:
        """The results; none if it has not ended within ``limit_s`` seconds (None: any time).

        Raises:
            BaseException: what the function has raised.
        """
        self.await_end(limit_s)
        if self._error is not None:
            raise self._error
        return self._renewal


def renew_leases(
    system: System, name: str, limit_s: float = LIMIT_S, kill: Kill = os.kill
) -> Renewal:
    """Make every running DHCP client send ``name``.

    This raises no error, since a VM also works without its name in DNS. A client without a lease is
    left alone. When it gets one, it sends the new name.

    Args:
        system: the machine.
        name: the host name, which is already set.
        limit_s: seconds that all clients together may take.
        kill: sends a signal to a process.
    """
    renewing = Renewing(system, name, system.clock.monotonic() + limit_s, kill)
    processes = running_processes(system, {comm for client in CLIENTS for comm in client.processes})
    for client in CLIENTS:
        found = tuple(process for process in processes if process.comm in client.processes)
        if not found:
            continue
        LOG.debug("%s runs", client.title)
        try:
            client.renew(renewing, found)
        except (ProvisioningError, MalformedError, OSError) as error:
            renewing.fail(client.title, str(error))
    for title, _pid in silent_clients(system):
        renewing.fail(title, "it has no command that renews its lease")
    return Renewal(tuple(renewing.told), tuple(renewing.warnings))
