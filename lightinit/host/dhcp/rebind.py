"""Has DHCP clients that go by their lease alone ask anew, when the machine has been moved to
another network.

systemd-networkd, NetworkManager and dhcpcd see a link that went down and came up, and do so by
themselves. dhclient and udhcpc keep an address that is nobody's in the new network until half of
their lease is over.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from typing import Callable, List

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.client import Process, running_processes
from lightinit.host.init import systemd
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.rebinding")
GONE_WITHIN_S = 3.0
POLL_S = 0.05


def rebind(system: System, kill: Callable[[int, int], None] = os.kill) -> List[str]:
    """Make each such client that runs drop its lease and ask for another one.

    Args:
        system: the machine.
        kill: sends a signal to a process: ``os.kill``.

    Returns:
        What was done, or why not, a sentence each. It never fails: whoever waits for the network
        goes on waiting.
    """
    told: List[str] = []
    if not system.live:
        return told
    for process in running_processes(system, {"dhclient", "udhcpc", "busybox"}):
        name = next(
            (
                word.rpartition("/")[2]
                for word in process.argv[:2]
                if word.rpartition("/")[2] in ("dhclient", "udhcpc")
            ),
            "",
        )
        try:
            if name == "udhcpc":
                # udhcpc(8): give the lease back, which also takes the address away, then ask anew.
                kill(process.pid, signal.SIGUSR2)
                kill(process.pid, signal.SIGUSR1)
                told.append("udhcpc was asked for another lease")
            elif (
                name == "dhclient"
                and "-6" not in process.argv
                and "nm-dhcp" not in " ".join(process.argv)
            ):
                _restart_dhclient(system, process, kill)
                told.append("dhclient was started anew, to ask for another lease")
        except (ProvisioningError, OSError) as error:
            told.append("%s could not be made to ask for another lease: %s" % (name, error))
    return told


def _restart_dhclient(system: System, process: Process, kill: Callable[[int, int], None]) -> None:
    """No signal makes it ask: it is ended, without giving anything back, and started again as it
    was.
    """
    kill(process.pid, signal.SIGTERM)
    give_up_s = system.clock.monotonic() + GONE_WITHIN_S
    while _runs(system, process) and system.clock.monotonic() < give_up_s:
        system.clock.sleep(POLL_S)
    if _runs(system, process):
        kill(process.pid, signal.SIGKILL)
    argv = [system.tool("dhclient") or process.argv[0]] + list(process.argv[1:])
    systemd_run = system.tool("systemd-run")
    if systemd_run is not None and systemd.is_running(system):
        # Outside of our own service, whose sandbox has no raw sockets. It goes into the background
        # by itself unless -d says otherwise, so systemd is not to take the end of what it started
        # for the end of all.
        system.run_checked(
            [
                systemd_run,
                "--quiet",
                "--collect",
                "--no-block",
                "--property=RemainAfterExit=yes",
                "--description=dhclient, started anew in another network",
                "--",
            ]
            + argv
        )
        return
    subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def _runs(system: System, process: Process) -> bool:
    return any(each.pid == process.pid for each in running_processes(system, {process.comm}))
