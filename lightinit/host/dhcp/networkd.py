"""systemd-networkd: where its leases are, how to ask it for them, and how to make it send the host
name.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Optional, Tuple

from lightinit.host.dhcp.client import INDEX, DhcpClient, LeasePlace, Renewing
from lightinit.host.dhcp.processes import Process
from lightinit.host.init import systemd
from lightinit.host.system import System

NAME = "systemd-networkd"
LEASES = "/run/systemd/netif/leases"
SOCKET = "/run/systemd/netif/io.systemd.Network"
METHOD = "io.systemd.Network.Describe"
PEEK_TIMEOUT_S = 1.0


def peek(system: System) -> Tuple[str, bytes]:
    """networkd's leases over varlink, for releases that write no lease files (262); see
    :class:`DhcpClient`.
    """
    if system.list_dir(LEASES):
        return SOCKET, b""
    answer = _describe(system)
    if not answer:
        return SOCKET, b""
    return SOCKET, json.dumps(answer).encode("ascii")


def _describe(system: System) -> Optional[Dict[str, Any]]:
    """networkd's answer; empty if it does not run or has no such method (258); None if it does not
    answer.
    """
    if not system.exists(SOCKET):
        return {}
    from lightinit.host.network import varlink  # other releases have lease files

    return varlink.call(system, SOCKET, METHOD, PEEK_TIMEOUT_S)


def _has_lease(answer: Dict[str, Any]) -> bool:
    links = answer.get("Interfaces")
    if not isinstance(links, list):
        return False
    clients = [link.get("DHCPv4Client") for link in links if isinstance(link, dict)]
    return any(isinstance(client, dict) and client.get("Lease") for client in clients)


def renew(renewing: Renewing, _processes: Tuple[Process, ...]) -> None:
    """Restart systemd-networkd, which reads the host name only when it configures a link.

    ``networkctl renew`` would send the old name, and ``networkctl reconfigure`` would remove the
    address for a moment. At a restart, networkd keeps addresses and routes. lightinit does not wait
    for the restart, since nothing in this boot depends on DNS.
    """
    system = renewing.system
    if not system.list_dir(LEASES):
        answer = _describe(system)
        if answer is None:
            renewing.fail(NAME, "it does not say whether it has a lease")
        if not answer or not _has_lease(answer):
            return
    systemctl = system.tool("systemctl")
    if systemctl is None or not systemd.is_running(system):
        renewing.fail(NAME, "there is no systemd to restart it")
        return
    # Ignore dependencies, so that units which depend on networkd, such as
    # systemd-networkd-wait-online, are not restarted.
    renewing.run(
        [systemctl, "restart", "--no-block", "--job-mode=ignore-dependencies", NAME + ".service"]
    )
    renewing.tell(NAME, "restarts, keeping its lease, to send it to the DHCP server")


CLIENT = DhcpClient(
    name="networkd",
    title=NAME,
    processes=("systemd-network",),
    places=(LeasePlace(LEASES + "/[0-9]*", INDEX),),
    renew=renew,
    peek=peek,
)
