"""Reads the leases of wicked (openSUSE, SLES): /var/lib/wicked/lease-<interface>-dhcp-ipv4.xml.

Written by hand from wicked's source (src/leasefile.c, src/dhcp4/lease.c of openSUSE/wicked), since
no distribution here has it: an option that wicked does not know is ``<unknown-245>`` with its bytes
in hex.
"""

from __future__ import annotations

import re
from typing import Any, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.dhcp import options
from lightinit.model import Lease, Route

NAME = "wicked"
# The prefix is declared nowhere, so a parser that knows namespaces refuses it.
_PREFIX = re.compile(rb"(</?)ipv4:")
_MAX_TEXT = 4096


def read_leases(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The lease in such a file. It has the time when the lease was acquired, and the lease time.

    Arguments, result and errors are those of ``clients.read_leases``.
    """
    from lightinit.formats import xml  # few machines have such a file

    document = xml.parse(_PREFIX.sub(rb"\1ipv4-", data), "lease")
    lease = document.find("ipv4-dhcp")
    if lease is None or document.value("state") not in ("granted", ""):
        return ()
    address = options.lease_address(lease.value("address"))
    if address is None:
        raise MalformedError("lease has no address", path=source, client=NAME)
    acquired = document.value("acquired")
    if re.match(r"[0-9]{1,12}\Z", acquired):
        written_s = float(acquired)
    expires_s = options.lifetime_end_s(lease.value("lease-time"), written_s)
    if expires_s is not None and expires_s <= now_s:
        return ()
    routers, routes = _routes(lease)
    return (
        Lease(
            client=NAME,
            address=address,
            source=source,
            expires_s=expires_s,
            interface=interface,
            wireserver=_wireserver(lease),
            routers=routers,
            routes=routes,
        ),
    )


def _wireserver(lease: Any) -> Optional[str]:
    found = lease.find("options", "unknown-%d" % options.OPTION_WIRESERVER)
    if found is None:
        return None
    return options.wireserver_from_bytes(options.bytes_from_hex(found.value("data")))


def _routes(lease: Any) -> Tuple[Tuple[str, ...], Tuple[Route, ...]]:
    """The default gateways, and the routes. wicked writes a default route, from whichever option,
    without a destination.
    """
    routers: List[str] = []
    routes: List[Route] = []
    parent = lease.find("routes")
    for each in parent.find_all("route") if parent is not None else []:
        gateway = options.lease_address(each.value("nexthop", "gateway", limit=_MAX_TEXT))
        network, _, length = each.value("destination", limit=_MAX_TEXT).partition("/")
        address = options.address_from_text(network)
        if gateway is None:
            continue
        if not network:
            routers.append(gateway)
            routes.append(Route("0.0.0.0/0", gateway))
        elif address is not None and re.match(r"[0-9]{1,2}\Z", length) and int(length) <= 32:
            routes.append(Route("%s/%d" % (address, int(length)), gateway))
    return tuple(routers), tuple(routes)
