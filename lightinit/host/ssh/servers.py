"""The table of SSH servers, and the search for the one that this host has."""

from __future__ import annotations

from typing import List, Tuple

from lightinit.host.ssh.dropbear import Dropbear
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.sshd import Sshd
from lightinit.host.system import System

# If a host has several, lightinit configures the first one.
SERVERS: Tuple[SshServer, ...] = (Sshd(), Dropbear())
# Where init systems keep what they start: systemd, OpenRC, System V, busybox, OpenWrt, runit,
# dinit; and the process that runs already.
STARTED_AT = (
    "/etc/systemd/system/*.wants/%s.*",
    "/usr/lib/systemd/system/*.wants/%s.*",
    "/lib/systemd/system/*.wants/%s.*",
    "/etc/runlevels/*/%s",
    "/etc/rc[2-5].d/S[0-9][0-9]%s",
    "/etc/init.d/S[0-9][0-9]%s",
    "/etc/rc.d/S[0-9][0-9]%s",
    "/var/service/%s",
    "/etc/runit/runsvdir/*/%s",
    "/etc/dinit.d/boot.d/%s",
    "/run/%s.pid",
)


def list_servers(system: System) -> List[SshServer]:
    """The servers that this host has."""
    return [server for server in SERVERS if server.is_there(system)]


def find_server(system: System) -> SshServer:
    """The server that this host has; if it has none, an object that does nothing."""
    for server in list_servers(system):
        return server
    return SshServer()


def list_answering(system: System) -> List[SshServer]:
    """The servers that answer logins: those that the init system starts, or that run already. If
    that is known of none, the first one.
    """
    there = list_servers(system)
    if len(there) < 2:
        return there
    return [server for server in there if _is_started(system, server)] or there[:1]


def find_answering(system: System, name: str = "") -> SshServer:
    """The first server that answers logins, or the one called ``name``; an object that does nothing
    if there is none.
    """
    for server in list_answering(system):
        if name in ("", server.name):
            return server
    return SshServer()


def _is_started(system: System, server: SshServer) -> bool:
    return any(system.glob(place % name) for name in server.services for place in STARTED_AT)
