"""The places from which logins may come, for a sshd whose configuration treats them differently."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from lightinit.formats.ssh import origins
from lightinit.host.ssh.server import LoginAttempt, SshServer
from lightinit.host.system import System
from lightinit.login import asking
from lightinit.model import NamedTuple

# As asking.ANYWHERE, for IPv6.
ANYWHERE_BY_IPV6 = "2001:db8::1"
MAX_PLACES = 8


class Origin(NamedTuple):
    """One of them.

    Attributes:
        name: for people.
        attempt: a login from there.
        matters: whether a refusal is worth a warning, although others are let in.
    """

    name: str
    attempt: LoginAttempt
    matters: bool = False


def list_places(
    system: System,
    server: SshServer,
    user: str,
    conditions: Sequence[Tuple[str, str]],
    is_outside_shut: bool,
) -> List[Origin]:
    """The places to ask about, besides the outside.

    Args:
        system: the machine.
        server: its SSH server.
        user: who logs in.
        conditions: those of the Match blocks.
        is_outside_shut: whether logins from outside are refused. Then each other way in counts.
    """
    port = asking.read_config(system, server).port
    own = asking.own_address(system)
    addresses: Tuple[str, ...] = ()
    if system.live:
        addresses = asking.own_addresses()[:MAX_PLACES]
    own_ipv6 = next((each for each in addresses if ":" in each), "")
    found: List[Origin] = []

    def add(name: str, address: str, local: str, matters: bool = False) -> None:
        found.append(Origin(name, LoginAttempt(user, address, local, port), matters))

    if own:
        add("this host's own network", _neighbour(own), own, True)
    if own_ipv6 and own_ipv6 != own:
        add("outside by IPv6", ANYWHERE_BY_IPV6, own_ipv6, True)
        add("this host's own network by IPv6", _neighbour(own_ipv6), own_ipv6, True)
    if not is_outside_shut:
        return found
    for address in [asking.ANYWHERE_ELSE] + origins.list_addresses(conditions)[:MAX_PLACES]:
        add(address, address, _local_for(address, own, own_ipv6))
    for address in addresses:
        if address not in (own, own_ipv6):
            add("the network of %s" % address, _neighbour(address), address)
        if any(name == "localaddress" for name, _ in conditions):
            anywhere = asking.ANYWHERE
            if ":" in address:
                anywhere = ANYWHERE_BY_IPV6
            add("anywhere to %s" % address, anywhere, address)
    return found


def _local_for(address: str, own: str, own_ipv6: str) -> str:
    """The address of this host that somebody at an address connects to."""
    if ":" in address and own_ipv6:
        return own_ipv6
    return own


def _neighbour(address: str) -> str:
    """Another address in the network of an address."""
    import ipaddress

    try:
        return str(ipaddress.ip_address(int(ipaddress.ip_address(address)) ^ 1))
    except ValueError:
        return address
