"""Runs a second DHCP client beside one that no command makes renew: dhclient, udhcpc.

The second client has the same arguments, so the server takes it for the first one. It requests the
same address. Its script does nothing, so it cannot remove the address, and the distribution's
script does not run twice. After the answer it is ended without releasing the lease. The first
client does not notice this.
"""

from __future__ import annotations

from typing import List

from lightinit.host.dhcp.client import Renewing
from lightinit.host.init.transient_unit import find_systemd_run, unit_command

NO_SCRIPT = "/bin/true"
SENT = "sent it to the DHCP server"


def run_second_client(renewing: Renewing, argv: List[str]) -> None:
    """Run the client, and wait for its end. If systemd runs, the client gets its own unit.

    The sandbox of our service has no raw sockets. At the end of the unit, systemd kills processes
    that the client has left behind.

    Raises:
        ProvisioningError: it could not be started, failed, or took too long.
    """
    systemd_run = find_systemd_run(renewing.system)
    if systemd_run is None:
        renewing.run(argv)
        return
    limit_s = renewing.left_s
    options = [
        "--service-type=oneshot",
        "--property=KillSignal=SIGKILL",
        "--property=TimeoutStartSec=%.1f" % limit_s,
    ]
    command = unit_command(systemd_run, argv, "Send the host name to the DHCP server", options)
    renewing.system.run_checked(command, timeout_s=limit_s + 2)  # systemd ends it first


def warn_of_fixed_name(renewing: Renewing, client: str, name: str) -> None:
    """Warn that the first client will send the name on its command line again."""
    renewing.warn(
        client,
        "was started with the host name %s and sends that again at its next renewal; DNS has the"
        " new name until then, and again from the next boot" % name,
    )
