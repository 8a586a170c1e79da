"""The table of SSH servers, and the search for the one that this host has."""

from __future__ import annotations

from typing import List, Tuple

from lightinit.host.ssh.dropbear import Dropbear
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.sshd import Sshd
from lightinit.host.system import System

# If a host has several, lightinit configures the first one.
SERVERS: Tuple[SshServer, ...] = (Sshd(), Dropbear())


def list_servers(system: System) -> List[SshServer]:
    """The servers that this host has."""
    return [server for server in SERVERS if server.is_there(system)]


def find_server(system: System) -> SshServer:
    """The server that this host has; if it has none, an object that does nothing."""
    for server in list_servers(system):
        return server
    return SshServer()
