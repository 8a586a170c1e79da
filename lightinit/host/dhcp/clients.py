"""The table of the DHCP clients that lightinit knows. Each client has a file of its own.

To add a client, write its file here with a ``CLIENT``, add that to :data:`CLIENTS`, and add its
reader to ``formats/dhcp/`` under the same name.
"""

from __future__ import annotations

import re
from typing import AbstractSet, Dict, List, Tuple

from lightinit.host.dhcp import dhclient, dhcpcd, networkd, networkmanager, udhcpc, wicked
from lightinit.host.dhcp.client import DhcpClient
from lightinit.host.dhcp.processes import running_processes
from lightinit.host.system import System

CLIENTS: Tuple[DhcpClient, ...] = (
    networkd.CLIENT,
    networkmanager.CLIENT,
    dhclient.CLIENT,
    dhcpcd.CLIENT,
    udhcpc.CLIENT,
    wicked.CLIENT,
)

# Clients that keep their leases, and option 245, to themselves: the name of the process; the title;
# files and an expression in them that says that it does DHCP. Source: the files that connman 1.45
# writes; iwd.config(5).
SILENT: Dict[str, Tuple[str, str, str]] = {
    "connmand": ("connman", "/var/lib/connman/*/settings", r"(?m)^IPv4\.method=dhcp$"),
    "iwd": ("iwd", "/etc/iwd/main.conf", r"(?mi)^\s*EnableNetworkConfiguration\s*=\s*(true|1)\s*$"),
}


def known_clients() -> str:
    """The titles of all clients, for a message: ``a, b or c``."""
    titles = [client.title for client in CLIENTS]
    return "%s or %s" % (", ".join(titles[:-1]), titles[-1])


def option_hint(name: str) -> str:
    """What makes the client ``name`` ask for the platform's option; "" if it needs nothing."""
    return "".join(client.option_hint for client in CLIENTS if client.name == name)


def silent_clients(system: System) -> List[Tuple[str, int]]:
    """The running clients that do DHCP and keep their leases to themselves: (title, pid)."""
    found = []
    for process in running_processes(system, SILENT.keys()):
        title, pattern, says = SILENT[process.comm]
        if any(re.search(says, system.read_text(path)) for path in system.glob(pattern)):
            found.append((title, process.pid))
    return found


def running_clients(system: System, names: AbstractSet[str]) -> List[str]:
    """The titles of those of the clients ``names`` that run. A dhclient of NetworkManager's is no
    client of its own.
    """
    titles = []
    for client in CLIENTS:
        if client.name in names:
            found = [
                process
                for process in running_processes(system, set(client.processes))
                if "nm-dhcp" not in " ".join(process.argv)
                and (client.explain is None or client.explain(system, process))
            ]
            titles += [client.title] * bool(found)
    return titles


def explain_no_lease(system: System) -> List[str]:
    """Why there is no lease although there is an address: a sentence for each DHCP client that
    runs and leaves none, and for each process that holds the DHCP port and is unknown.

    It looks at all processes, so use it only for a warning.
    """
    from lightinit.host.network.dhcp_port import is_port_held, port_holders  # rarely needed

    known = {comm: client for client in CLIENTS for comm in client.processes}
    told = [
        "%s (process %d) keeps its leases to itself" % silent for silent in silent_clients(system)
    ]
    seen = {pid for _title, pid in silent_clients(system)}
    for process in running_processes(system, known.keys()):
        seen.add(process.pid)
        client = known[process.comm]
        why = ""
        if client.explain is not None:
            why = client.explain(system, process)
        if why:
            told.append("%s (process %d) %s" % (client.title, process.pid, why))
    for pid, comm in port_holders(system):
        if pid not in seen:
            told.append(
                "%s (process %d) holds UDP port 68 or a packet socket, and is no DHCP client that"
                " lightinit knows" % (comm, pid)
            )
    if not seen and not told and is_port_held(system):
        told.append(
            "a process that is hidden from this one holds UDP port 68: `ss -ulpn 'sport = 68'`"
            " names it"
        )
    return told
