"""systemd-networkd: where its leases are, and how to make it send the host name."""

from __future__ import annotations

from typing import Tuple

from lightinit.host.dhcp.client import INDEX, DhcpClient, LeasePlace, Renewing
from lightinit.host.dhcp.processes import Process
from lightinit.host.init import systemd

NAME = "systemd-networkd"
LEASES = "/run/systemd/netif/leases"


def renew(renewing: Renewing, _processes: Tuple[Process, ...]) -> None:
    """Restart systemd-networkd, which reads the host name only when it configures a link.

    ``networkctl renew`` would send the old name, and ``networkctl reconfigure`` would remove the
    address for a moment. At a restart, networkd keeps addresses and routes. lightinit does not wait
    for the restart, since nothing in this boot depends on DNS.
    """
    system = renewing.system
    if not system.list_dir(LEASES):
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
)
