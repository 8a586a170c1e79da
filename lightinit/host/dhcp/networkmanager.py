"""NetworkManager: where its leases are, how to ask it for them, and how to make it send the host
name.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.client import INDEX, DhcpClient, LeasePlace, Renewing
from lightinit.host.dhcp.processes import Process
from lightinit.host.system import System

NAME = "NetworkManager"
ASK_TIMEOUT_S = 10.0
ASKED = "was asked to send it to the DHCP server"
_INTERNAL = r"internal-[0-9a-f-]{36}-(.+)\.lease\Z"
_METHOD_AND_NAMES = "ipv4.method,ipv4.dhcp-send-hostname,ipv4.dhcp-hostname"


def nmcli_leases(system: System) -> bytes:
    """nmcli's output with NetworkManager's leases; b"" if nmcli is missing, or NetworkManager does
    not run.

    This starts a process, so use it only if the files do not have enough.
    """
    nmcli = system.tool("nmcli")
    if nmcli is None:
        return b""
    command = [nmcli, "-f", "GENERAL.DEVICE,DHCP4", "device", "show"]
    try:
        ended = system.run(command, timeout_s=ASK_TIMEOUT_S)
    except ProvisioningError:
        return b""
    if not ended.ok:
        return b""
    return ended.stdout.encode("utf-8")


def ask(system: System) -> Tuple[str, bytes]:
    """NetworkManager's leases as nmcli shows them; see :class:`DhcpClient`."""
    answer = nmcli_leases(system)
    if b"DHCP4" not in answer:
        answer = b""
    return "nmcli device show", answer


def renew(renewing: Renewing, _processes: Tuple[Process, ...]) -> None:
    """Set the host name that each device with DHCP sends. The profiles stay unchanged.

    NetworkManager reads the machine's host name when a device connects. ``nmcli device reapply``
    alone sends nothing.
    """
    nmcli = renewing.system.tool("nmcli")
    if nmcli is None:
        renewing.fail(NAME, "nmcli is missing")
        return
    command = [nmcli, "-t", "-f", "UUID,DEVICE", "connection", "show", "--active"]
    for line in renewing.run(command).stdout.splitlines():
        uuid, _, device = line.partition(":")
        if not device or device == "lo":
            continue
        client = "%s on %s" % (NAME, device)
        try:
            _renew_device(renewing, nmcli, client, uuid, device)
        except ProvisioningError as error:
            renewing.fail(client, str(error))


def _renew_device(renewing: Renewing, nmcli: str, client: str, uuid: str, device: str) -> None:
    profile = renewing.run([nmcli, "-g", _METHOD_AND_NAMES, "connection", "show", uuid])
    method, sends, name = (profile.stdout.split("\n") + ["", "", ""])[:3]
    if method != "auto":
        return
    if sends in ("no", "false", "0"):
        renewing.tell(client, "sends no host name, as its profile says")
    elif name not in ("", "--", renewing.name):
        renewing.tell(client, "sends the name %s, as its profile says" % name)
    else:
        renewing.run([nmcli, "device", "modify", device, "ipv4.dhcp-hostname", renewing.name])
        renewing.tell(client, ASKED)


CLIENT = DhcpClient(
    name="networkmanager",
    title=NAME,
    processes=("NetworkManager",),
    places=(
        LeasePlace("/run/NetworkManager/devices/[0-9]*", INDEX),
        LeasePlace("/var/lib/NetworkManager/internal-*.lease", _INTERNAL),
        LeasePlace("/run/NetworkManager/internal-*.lease", _INTERNAL),
    ),
    renew=renew,
    ask=ask,
)
