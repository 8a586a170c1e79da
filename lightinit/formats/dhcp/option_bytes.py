"""Makes a lease of the options of a DHCP message, as bytes by their numbers."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.dhcp import options
from lightinit.model import Lease, Route


def lease_from_options(
    client: str,
    address_text: str,
    found: Dict[int, bytes],
    now_s: float,
    source: str,
    interface: Optional[str],
    written_s: Optional[float],
) -> Tuple[Lease, ...]:
    """The lease of a message; an empty tuple if it has expired.

    Args:
        client: its name in the table of ``clients.py``.
        address_text: the leased address.
        found: the message's options. Split ones are joined.
        now_s, source, interface, written_s: as in ``clients.read_leases``.

    Raises:
        MalformedError: it is not an acknowledgement, or has no address.
    """
    if found.get(options.OPTION_MESSAGE_TYPE, options.ACK) != options.ACK:
        raise MalformedError("dhcp packet is no acknowledgement", path=source)
    address = options.lease_address(address_text)
    if address is None:
        raise MalformedError("lease has no address", path=source)
    expires_s = _expires_s(found, written_s)
    if expires_s is not None and expires_s <= now_s:
        return ()
    lease = Lease(
        client=client,
        address=address,
        interface=interface,
        source=source,
        expires_s=expires_s,
        wireserver=options.wireserver_from_bytes(found.get(options.OPTION_WIRESERVER)),
        routers=options.addresses_from_bytes(found.get(options.OPTION_ROUTER, b"")),
        routes=_routes(found),
    )
    return (lease,)


def _expires_s(found: Dict[int, bytes], written_s: Optional[float]) -> Optional[float]:
    """When the lease expires, as Unix time. The message has only the lease time in seconds."""
    lifetime = found.get(options.OPTION_LEASE_TIME, b"")
    if len(lifetime) != 4:
        return None
    return options.lifetime_end_s(str(int.from_bytes(lifetime, "big")), written_s)


def _routes(found: Dict[int, bytes]) -> Tuple[Route, ...]:
    # Option 249 is the older number of option 121 (RFC 3442). It is used if 121 gives no routes.
    routes = options.routes_from_bytes(found.get(options.OPTION_CLASSLESS_ROUTES, b""))
    return routes or options.routes_from_bytes(found.get(options.OPTION_MS_CLASSLESS_ROUTES, b""))
