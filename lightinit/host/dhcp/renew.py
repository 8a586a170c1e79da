"""Has the DHCP client that runs tell its server the host name that has just been set, without
losing the address.

A server puts the name that the client sent into DNS, and a client that took its lease before the
name was known has sent the image's. Which clients run is seen in /proc and /run; no distribution is
asked for. What each of them needs was found out with the real ones (docs/protocol.md). It knows
neither where the name comes from nor who has set it.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Callable, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.dhcp.client import Errand, Process, running_processes
from lightinit.host.dhcp.daemons import renew_dhcpcd, renew_networkd, renew_networkmanager
from lightinit.host.dhcp.second_client import renew_dhclient, renew_udhcpc
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.renewal")
# Ready waits for this, so all clients together get no more. A server answers within milliseconds,
# but on the first boot of a small VM nmcli alone may take seconds.
LIMIT_S = 20.0

# The client, the names of its process (as the kernel cuts them), and what renews its leases.
CLIENTS: Tuple[Tuple[str, Tuple[str, ...], Callable[[Errand, Tuple[Process, ...]], None]], ...] = (
    ("systemd-networkd", ("systemd-network",), renew_networkd),
    ("NetworkManager", ("NetworkManager",), renew_networkmanager),
    ("dhclient", ("dhclient",), renew_dhclient),
    ("dhcpcd", ("dhcpcd",), renew_dhcpcd),
    ("udhcpc", ("udhcpc", "busybox"), renew_udhcpc),
)


@dataclass(frozen=True)
class Renewal:
    """What became of it.

    Attributes:
        told: what each client did, as ``dhclient on eth0 sent it to the DHCP server``, or what its
            owner has told it to send instead.
        warnings: where the server does not hear the name, or not for long, although the client
            sends one.
    """

    told: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()


def renew_leases(
    system: System, name: str, limit_s: float = LIMIT_S, kill: Callable[[int, int], None] = os.kill
) -> Renewal:
    """Have every DHCP client that runs send ``name``. Never fails: DNS is no reason to lose a VM.

    A client that holds no lease is left alone: when it gets one, it sends the name that is live by
    then.

    Args:
        system: the machine.
        name: the host name; it is live already.
        limit_s: seconds that all of it may take.
        kill: ends a process: ``os.kill``.
    """
    errand = Errand(system, name, system.clock.monotonic() + limit_s, kill)
    processes = running_processes(
        system, {comm for _client, comms, _renew in CLIENTS for comm in comms}
    )
    for client, comms, renew in CLIENTS:
        found = tuple(process for process in processes if process.comm in comms)
        if not found:
            continue
        LOG.debug("%s runs", client)
        try:
            renew(errand, found)
        except (ProvisioningError, MalformedError, OSError) as error:
            errand.fail(client, str(error))
    return Renewal(tuple(errand.told), tuple(errand.warnings))
