"""Makes DHCP clients request another lease after the machine was moved to another network.

systemd-networkd, NetworkManager and dhcpcd do so by themselves when their link goes down and up.
dhclient and udhcpc do not: for half of the lease time they keep an address that is not valid in the
new network.
"""

from __future__ import annotations

import os
from typing import List

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.client import Kill
from lightinit.host.dhcp.clients import CLIENTS
from lightinit.host.dhcp.processes import running_processes
from lightinit.host.system import System


def rebind(system: System, kill: Kill = os.kill) -> List[str]:
    """Make each running dhclient and udhcpc give up its lease and request another one.

    Args:
        system: the machine.
        kill: sends a signal to a process.

    Returns:
        For each client, one sentence: what was done, or why it failed. This raises no error, since
        the caller continues to wait for the network anyway.
    """
    told: List[str] = []
    if not system.live:
        return told
    known = {
        comm: (client.title, client.rebind)
        for client in CLIENTS
        if client.rebind is not None
        for comm in client.processes
    }
    for process in running_processes(system, known.keys()):
        title, rebind_process = known[process.comm]
        try:
            done = rebind_process(system, process, kill)
        except (ProvisioningError, OSError) as error:
            done = "%s could not be made to ask for another lease: %s" % (title, error)
        if done:
            told.append(done)
    return told
