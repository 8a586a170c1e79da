"""Reads lease files of KEY=VALUE lines: those of networkd, NetworkManager and our udhcpc hook.

The file of each client gives the names of its keys. A last line without a newline is ignored, since
the file may have been cut off there: ``10.0.0.1`` may have been ``10.0.0.15``.
"""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.dhcp import options
from lightinit.model import Lease, NamedTuple


class Keys(NamedTuple):
    """The keys of each value in a client's file. The first key that has a usable value counts.

    Attributes:
        address: the leased address.
        wireserver: option 245.
        routers: option 3.
        routes: options 121 and 249.
        lifetime: the lease time, in seconds.
        expiry: when the lease expires, as Unix time.
        interface: the interface's name.
    """

    address: Tuple[str, ...]
    wireserver: Tuple[str, ...]
    routers: Tuple[str, ...]
    routes: Tuple[str, ...]
    lifetime: Tuple[str, ...] = ()
    expiry: Tuple[str, ...] = ()
    interface: Tuple[str, ...] = ("interface",)


def whole_lines(text: str) -> List[str]:
    """The lines of a text that end with a newline; the newlines are removed."""
    return [line.rstrip("\r") for line in text.split("\n")[:-1]]


def read_pairs(data: bytes) -> Dict[str, str]:
    """The KEY=VALUE lines, without the quotes around values.

    Comments and other lines are ignored. If a key occurs twice, its last value counts.
    """
    found: Dict[str, str] = {}
    for line in whole_lines(data.decode("utf-8", "replace")):
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            found[key.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def first_value(found: Dict[str, str], keys: Tuple[str, ...]) -> str:
    """The value of the first of the ``keys`` that is in ``found``; "" if none is."""
    return next((found[key] for key in keys if key in found), "")


def lease_from_pairs(
    client: str,
    keys: Keys,
    found: Dict[str, str],
    now_s: float,
    source: str,
    interface: Optional[str],
    written_s: Optional[float],
) -> Tuple[Lease, ...]:
    """The lease that the pairs ``found`` describe; an empty tuple if it has expired.

    Args:
        client: its name in the table of ``clients.py``.
        keys: the names of its keys.
        found: the pairs.
        now_s, source, interface, written_s: as in ``clients.read_leases``.

    Raises:
        MalformedError: the lease has no address.
    """
    address = options.lease_address(first_value(found, keys.address))
    if address is None:
        raise MalformedError("lease has no address", path=source, client=client)
    expires_s = _expires_s(keys, found, written_s)
    if expires_s is not None and expires_s <= now_s:
        return ()
    routes = [options.routes_from_text(found[key]) for key in keys.routes if key in found]
    wireservers = [
        options.wireserver_from_text(found[key]) for key in keys.wireserver if key in found
    ]
    lease = Lease(
        client=client,
        address=address,
        source=source,
        expires_s=expires_s,
        interface=options.interface_from_text(first_value(found, keys.interface)) or interface,
        wireserver=next((one for one in wireservers if one), None),
        routers=options.addresses_from_text(first_value(found, keys.routers)),
        routes=next((one for one in routes if one), ()),
    )
    return (lease,)


def _expires_s(keys: Keys, found: Dict[str, str], written_s: Optional[float]) -> Optional[float]:
    if options.is_forever(first_value(found, keys.lifetime)):
        return None  # the client's computed expiry date may have overflowed
    expiry = first_value(found, keys.expiry)
    if re.match(r"[0-9]{1,15}\Z", expiry):
        return float(expiry)
    return options.lifetime_end_s(first_value(found, keys.lifetime), written_s)
