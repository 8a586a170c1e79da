"""dhcpcd: where its leases are, and how to make it send the host name."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from lightinit.digits import read_digits
from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.client import DhcpClient, LeasePlace, Renewing
from lightinit.host.dhcp.processes import Process

ASKED = "was asked to send it to the DHCP server"
CONFIGURATION = "/etc/dhcpcd.conf"
# Release 9 and later, and earlier ones. The name of the file shows how dhcpcd was started. With
# another interface or family, dhcpcd would not find its process, and would start a second one.
_PID_FILES = (
    ("/run/dhcpcd/*pid", r"(?:([^/]+?)(-4)?\.)?pid\Z"),
    ("/run/dhcpcd*.pid", r"dhcpcd(?:-([^/]+?)(-4)?)?\.pid\Z"),
)
_LEASE_NAME = r"(?:dhcpcd-)?([^/]+)\.lease\Z"


def renew(renewing: Renewing, processes: Tuple[Process, ...]) -> None:
    """Run ``dhcpcd -N``. It makes the process in its pid file renew with the current host name."""
    system = renewing.system
    alive = {process.pid for process in processes}
    for pattern, expression in _PID_FILES:
        for path in system.glob(pattern):
            match = re.match(expression, path.rpartition("/")[2])
            pid = read_digits(system.read_text(path).strip())
            # Without a running process, dhcpcd would become the daemon itself.
            if match is None or pid not in alive:
                continue
            interface, family = match.groups()
            if interface and interface.endswith("-6"):
                continue
            if _renew_one(renewing, interface, family):
                alive.discard(pid)


def _renew_one(renewing: Renewing, interface: Optional[str], family: Optional[str]) -> bool:
    """Make the process of this pid file renew. Returns whether this was tried."""
    client = "dhcpcd"
    arguments: List[str] = []
    if family:
        arguments.append(family)
    arguments.append("-N")
    if interface:
        client = "dhcpcd on %s" % interface
        arguments.append(interface)
    dhcpcd = renewing.system.tool("dhcpcd")
    if dhcpcd is None:
        renewing.fail(client, "its program is missing")
        return False
    try:
        renewing.run([dhcpcd] + arguments)
    except ProvisioningError as error:
        renewing.fail(client, str(error))
        return True
    _tell_name(renewing, client)
    return True


def _tell_name(renewing: Renewing, client: str) -> None:
    """Record which name dhcpcd sends, according to its configuration. Its command line is unknown,
    since dhcpcd overwrites it.
    """
    names = re.findall(
        r"^[ \t]*hostname(?:[ \t]+([^\s#]+))?[ \t]*(?:#.*)?$",
        renewing.system.read_text(CONFIGURATION),
        re.MULTILINE,
    )
    if not names:
        what = "renews its lease, but %s has no `hostname`, so it sends none" % CONFIGURATION
    elif names[-1].strip('"') not in ("", renewing.name):
        what = "sends the name %s, as %s says" % (names[-1], CONFIGURATION)
    else:
        what = ASKED
    renewing.tell(client, what)


CLIENT = DhcpClient(
    name="dhcpcd",
    title="dhcpcd",
    processes=("dhcpcd",),
    places=(
        LeasePlace("/var/lib/dhcpcd/*.lease", _LEASE_NAME),
        LeasePlace("/var/lib/dhcpcd5/*.lease", _LEASE_NAME),
        LeasePlace("/var/db/dhcpcd/*.lease", _LEASE_NAME),
        LeasePlace("/run/dhcpcd/*.lease", _LEASE_NAME),
    ),
    renew=renew,
)
