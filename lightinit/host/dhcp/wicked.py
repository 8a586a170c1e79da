"""wicked (openSUSE, SLES): where its leases are, and how to make it send the host name."""

from __future__ import annotations

import os
import re
from typing import Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.client import DhcpClient, LeasePlace, Renewing
from lightinit.host.dhcp.processes import Process

ASKED = "was asked to send it to the DHCP server"
CONFIGURATION = "/etc/sysconfig/network/dhcp"
OF_INTERFACE = "/etc/sysconfig/network/ifcfg-%s"
_LEASE_NAME = r"lease-(.+)-dhcp-ipv4\.xml\Z"
_PLACES = (
    LeasePlace("/var/lib/wicked/lease-*-dhcp-ipv4.xml", _LEASE_NAME),
    # wicked writes here if the other folder is read-only.
    LeasePlace("/run/wicked/lease-*-dhcp-ipv4.xml", _LEASE_NAME),
)


def renew(renewing: Renewing, _processes: Tuple[Process, ...]) -> None:
    """Run ``wicked ifup`` for each interface with a lease.

    It renews the lease (ifup(8): "Former iprenew operation is performed upon each successful ifup
    call") and reads the name from /etc/hostname for that (ifcfg-dhcp(5)). The address stays: in
    wicked's source, the lease that it has goes on with a DHCPREQUEST.
    """
    wicked = renewing.system.tool("wicked")
    found = [
        re.match(_LEASE_NAME, os.path.basename(path))
        for place in _PLACES
        for path in renewing.system.glob(place.pattern)
    ]
    for interface in sorted({match.group(1) for match in found if match is not None}):
        client = "wicked on %s" % interface
        sent, where = _configured_name(renewing, interface)
        if not sent:
            renewing.tell(client, "sends no host name, as %s says" % where)
        elif sent not in ("AUTO", renewing.name):
            renewing.tell(client, "sends the name %s, as %s says" % (sent, where))
        elif wicked is None:
            renewing.fail(client, "its program is missing")
        else:
            _renew_one(renewing, wicked, client, interface)


def _renew_one(renewing: Renewing, wicked: str, client: str, interface: str) -> None:
    try:
        renewing.run([wicked, "ifup", "--timeout", "%d" % renewing.left_s, interface])
    except ProvisioningError as error:
        renewing.fail(client, str(error))
        return
    renewing.tell(client, ASKED)


def _configured_name(renewing: Renewing, interface: str) -> Tuple[str, str]:
    """What DHCLIENT_HOSTNAME_OPTION says: a name, "AUTO" or "", and the file that says it."""
    for path in (OF_INTERFACE % interface, CONFIGURATION):
        found = re.findall(
            r"^[ \t]*DHCLIENT_HOSTNAME_OPTION=(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^\s#]*))",
            renewing.system.read_text(path),
            re.MULTILINE,
        )
        if found:
            return "".join(found[-1]), path
    return "AUTO", CONFIGURATION


CLIENT = DhcpClient(
    name="wicked",
    title="wicked",
    processes=("wickedd-dhcp4",),
    places=_PLACES,
    renew=renew,
    option_hint='put DHCLIENT_REQUEST_OPTION_245="245" into ' + CONFIGURATION,
)
