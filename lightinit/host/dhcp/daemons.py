"""Renewal by clients that can be asked for it while they run: systemd-networkd, NetworkManager,
dhcpcd.
"""

from __future__ import annotations

import re
from typing import Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.client import Errand, Process
from lightinit.host.init import systemd

NETWORKD = "systemd-networkd"
NETWORKD_LEASES = "/run/systemd/netif/leases"
NETWORKMANAGER = "NetworkManager"
SENT = "sent it to the DHCP server"
ASKED = "was asked to send it to the DHCP server"

DHCPCD_CONFIGURATION = "/etc/dhcpcd.conf"
# Release 9 and later, and before. The name tells how dhcpcd was started; with another interface or
# family than that it would not find its process and start a second one.
_PID_FILES = (
    ("/run/dhcpcd/*pid", re.compile(r"(?:([^/]+?)(-4)?\.)?pid\Z")),
    ("/run/dhcpcd*.pid", re.compile(r"dhcpcd(?:-([^/]+?)(-4)?)?\.pid\Z")),
)


def renew_networkd(errand: Errand, _processes: Tuple[Process, ...]) -> None:
    """Restart systemd-networkd, which takes the host name when it configures a link and never
    again.

    ``networkctl renew`` would send the old name, and ``networkctl reconfigure`` would take the
    address away for a moment. Over a restart networkd keeps address and routes. It is not waited
    for: nothing in this boot hangs on DNS.
    """
    system = errand.system
    if not system.list_dir(NETWORKD_LEASES):
        return
    systemctl = system.tool("systemctl")
    if systemctl is None or not systemd.is_running(system):
        errand.fail(NETWORKD, "there is no systemd to restart it")
        return
    # Without its dependencies: units that are bound to networkd, such as the one that waits for the
    # network, and what hangs on those, need not restart.
    errand.run(
        [
            systemctl,
            "restart",
            "--no-block",
            "--job-mode=ignore-dependencies",
            NETWORKD + ".service",
        ]
    )
    errand.tell(NETWORKD, "restarts, keeping its lease, to send it to the DHCP server")


def renew_networkmanager(errand: Errand, _processes: Tuple[Process, ...]) -> None:
    """Give each device that DHCP has configured the name to send. The profile on the disk stays as
    it is.

    NetworkManager takes the name from the machine when the device connects; `nmcli device reapply`
    alone sends nothing.
    """
    nmcli = errand.system.tool("nmcli")
    if nmcli is None:
        errand.fail(NETWORKMANAGER, "nmcli is not there")
        return
    for line in errand.run(
        [nmcli, "-t", "-f", "UUID,DEVICE", "connection", "show", "--active"]
    ).stdout.splitlines():
        uuid, _, device = line.partition(":")
        if not device or device == "lo":
            continue
        client = "%s on %s" % (NETWORKMANAGER, device)
        try:
            said = errand.run(
                [
                    nmcli,
                    "-g",
                    "ipv4.method,ipv4.dhcp-send-hostname,ipv4.dhcp-hostname",
                    "connection",
                    "show",
                    uuid,
                ]
            ).stdout.split("\n") + ["", ""]
            if said[0] != "auto":
                continue
            if said[1] in ("no", "false", "0"):
                errand.tell(client, "sends no host name, as its profile says")
            elif said[2] not in ("", "--", errand.name):
                errand.tell(client, "sends the name %s, as its profile says" % said[2])
            else:
                errand.run([nmcli, "device", "modify", device, "ipv4.dhcp-hostname", errand.name])
                errand.tell(client, ASKED)
        except ProvisioningError as error:
            errand.fail(client, str(error))


def renew_dhcpcd(errand: Errand, processes: Tuple[Process, ...]) -> None:
    """``dhcpcd -N``, which tells the process in its pid file to renew; it evaluates the name
    anew.
    """
    system = errand.system
    dhcpcd = system.tool("dhcpcd")
    alive = {process.pid for process in processes}
    for pattern, expression in _PID_FILES:
        for path in system.glob(pattern):
            match = expression.match(path.rpartition("/")[2])
            pid = system.read_text(path).strip()
            # Without a process dhcpcd would become the daemon itself.
            if (
                not match
                or not pid.isdigit()
                or int(pid) not in alive
                or (match.group(1) or "").endswith("-6")
            ):
                continue
            interface, family = match.groups()
            client = "dhcpcd on %s" % interface if interface else "dhcpcd"
            if dhcpcd is None:
                errand.fail(client, "its program is not there")
                continue
            alive.discard(int(pid))
            try:
                errand.run(
                    [dhcpcd] + [family] * bool(family) + ["-N"] + [interface] * bool(interface)
                )
            except ProvisioningError as error:
                errand.fail(client, str(error))
                continue
            _tell_of_dhcpcd(errand, client)


def _tell_of_dhcpcd(errand: Errand, client: str) -> None:
    """What it sends is in its configuration; what its command line said it has overwritten."""
    names = re.findall(
        r"^[ \t]*hostname(?:[ \t]+([^\s#]+))?[ \t]*(?:#.*)?$",
        errand.system.read_text(DHCPCD_CONFIGURATION),
        re.MULTILINE,
    )
    if not names:
        errand.tell(
            client,
            "renews its lease, but %s has no `hostname`, so it sends none" % DHCPCD_CONFIGURATION,
        )
    elif names[-1].strip('"') not in ("", errand.name):
        errand.tell(client, "sends the name %s, as %s says" % (names[-1], DHCPCD_CONFIGURATION))
    else:
        errand.tell(client, ASKED)
