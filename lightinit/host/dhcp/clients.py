"""The table of the DHCP clients that lightinit knows. Each client has a file of its own.

To add a client, write its file here with a ``CLIENT``, add that to :data:`CLIENTS`, and add its
reader to ``formats/dhcp/`` under the same name.
"""

from __future__ import annotations

from typing import Dict, List, Tuple

from lightinit.host.dhcp import dhclient, dhcpcd, networkd, networkmanager, udhcpc, wicked
from lightinit.host.dhcp.client import DhcpClient
from lightinit.host.dhcp.processes import running_processes
from lightinit.host.network.dhcp_port import port_holders
from lightinit.host.system import System

CLIENTS: Tuple[DhcpClient, ...] = (
    networkd.CLIENT,
    networkmanager.CLIENT,
    dhclient.CLIENT,
    dhcpcd.CLIENT,
    udhcpc.CLIENT,
    wicked.CLIENT,
)

# Clients that keep their leases, and option 245, to themselves; by the names of their processes.
# Source: their sources (connman's gdhcp, iwd's use of ell) and connmanctl(1).
SILENT: Dict[str, str] = {"connmand": "connman", "iwd": "iwd"}


def known_clients() -> str:
    """The titles of all clients, for a message: ``a, b or c``."""
    titles = [client.title for client in CLIENTS]
    return "%s or %s" % (", ".join(titles[:-1]), titles[-1])


def explain_no_lease(system: System) -> List[str]:
    """Why there is no lease although there is an address: a sentence for each DHCP client that
    runs and leaves none, and for each process that holds the DHCP port and is unknown.

    It looks at all processes, so use it only for a warning.
    """
    known = {comm: client for client in CLIENTS for comm in client.processes}
    told: List[str] = []
    seen = set()
    for process in running_processes(system, known.keys() | SILENT.keys()):
        title, why = SILENT.get(process.comm, ""), "keeps its leases to itself"
        if not title:
            client = known[process.comm]
            title, why = client.title, ""
            if client.explain is not None:
                why = client.explain(system, process)
        if why:
            told.append("%s (process %d) %s" % (title, process.pid, why))
        seen.add(process.pid)
    for pid, comm in port_holders(system):
        if pid not in seen:
            told.append(
                "%s (process %d) holds UDP port 68 or a packet socket, and is no DHCP client that"
                " lightinit knows" % (comm, pid)
            )
    return told
