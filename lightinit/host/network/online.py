"""Whether this machine can reach others, and waiting until it can: it has an address and a default
route of the same IP version.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import Callable

from lightinit.host.network.interfaces import DEFAULT, kernel_routes, reachable_addresses
from lightinit.host.network.watch import Watch
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.network")

# Without any interface for so long, none is expected: its driver would have been loaded.
NO_INTERFACE_S = 10.0
# A router may announce IPv6 at once, where only IPv4 leads on: DHCP gets some time.
ONLY_IPV6_S = 10.0
SAY_EVERY_S = 30.0
NO_PREFIX = "0" * 32
ROUTE_UP, ROUTE_REJECT = 0x1, 0x200  # linux/ipv6_route.h


class Links(NamedTuple):
    """What there is at one moment.

    Attributes:
        interface: whether there is any interface but loopback.
        ipv4, ipv6: whether there are an address that others can reach, and a default route.
    """

    interface: bool = False
    ipv4: bool = False
    ipv6: bool = False


def look(system: System) -> Links:
    """What there is now.

    Raises:
        LibraryError: netifaces cannot be loaded, or does not work.
    """
    addresses = [ipaddress.ip_address(each) for each in reachable_addresses()]
    by_version = {each.version for each in addresses}
    return Links(
        any(name not in ("lo", "bonding_masters") for name in system.list_dir("/sys/class/net")),
        4 in by_version and any(each.destination == DEFAULT for each in kernel_routes(system)),
        6 in by_version and has_ipv6_default(system.read_text("/proc/net/ipv6_route")),
    )


def has_ipv6_default(text: str) -> bool:
    """Whether a default route is in the text of /proc/net/ipv6_route: destination, its length,
    source, its length, gateway, metric, two counters, flags, interface; all in hex. The kernel's
    own one on lo rejects.
    """
    for line in text.splitlines():
        fields = line.split()
        try:
            is_default = (fields[0], int(fields[1], 16)) == (NO_PREFIX, 0) and fields[9] != "lo"
            if is_default and int(fields[8], 16) & (ROUTE_UP | ROUTE_REJECT) == ROUTE_UP:
                return True
        except (IndexError, ValueError):
            continue
    return False


def wait_until_online(
    system: System, timeout_s: float, look_now: Callable[[System], Links] = look
) -> bool:
    """Wait for an address and a default route.

    Args:
        system: the machine.
        timeout_s: seconds until giving up. Where there is no interface, that is earlier.
        look_now: looks at the machine; for tests.

    Returns:
        Whether they are there.

    Raises:
        LibraryError: netifaces cannot be loaded, or does not work.
    """
    clock = system.clock
    began_s = clock.monotonic()
    said_s = began_s
    with Watch(system, (), inotify=False) as watch:
        while True:
            now_s = clock.monotonic()
            found, waited_s = look_now(system), now_s - began_s
            is_over = waited_s >= timeout_s
            if found.ipv4 or (found.ipv6 and (is_over or waited_s >= ONLY_IPV6_S)):
                return True
            if is_over or (not found.interface and waited_s >= NO_INTERFACE_S):
                return False
            if now_s - said_s >= SAY_EVERY_S:
                said_s = now_s
                LOG.info("still waiting for an address and a default route")
            watch.wait(timeout_s - waited_s)
