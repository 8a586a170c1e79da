"""The table of the DHCP clients that lightinit knows. Each client has a file of its own.

To add a client, write its file here with a ``CLIENT``, add that to :data:`CLIENTS`, and add its
reader to ``formats/dhcp/`` under the same name.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.host.dhcp import dhclient, dhcpcd, networkd, networkmanager, udhcpc
from lightinit.host.dhcp.client import DhcpClient

CLIENTS: Tuple[DhcpClient, ...] = (
    networkd.CLIENT,
    networkmanager.CLIENT,
    dhclient.CLIENT,
    dhcpcd.CLIENT,
    udhcpc.CLIENT,
)


def known_clients() -> str:
    """The titles of all clients, for a message: ``a, b or c``."""
    titles = [client.title for client in CLIENTS]
    return "%s or %s" % (", ".join(titles[:-1]), titles[-1])
