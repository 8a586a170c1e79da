"""Reads the values in DHCP leases: addresses, option 245, classless routes, dates.

Pure functions over text and bytes, without I/O and without a clock. The other files of this folder
know which client writes a value in which form.

A value that cannot be read gives None or an empty tuple, not an error. A lease with a damaged
option 245 or 121 is still usable: its address is configured and its server answered. It is kept
without that value, and the local stage uses the well-known address of the WireServer.
"""

from __future__ import annotations

import re
import socket
from typing import List, Optional, Tuple

from lightinit.model import Route

OPTION_ROUTER = 3
OPTION_LEASE_TIME = 51
OPTION_OVERLOAD = 52
OPTION_MESSAGE_TYPE = 53
OPTION_CLASSLESS_ROUTES = 121
OPTION_WIRESERVER = 245
OPTION_MS_CLASSLESS_ROUTES = 249
ACK = b"\x05"  # the value of OPTION_MESSAGE_TYPE that grants a lease
FOREVER_S = 0xFFFFFFFF  # RFC 2131, section 3.3: a lease time of all ones never ends

_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_ROUTE = re.compile(r"([0-9.]{7,15})/([0-9]{1,2})[\s,]+([0-9.]{7,15})(?=[\s,]|\Z)")
_DECIMAL = re.compile(r"[0-9]{1,3}\Z")
_HEX_GROUPS = re.compile(r"[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2})+\Z")
_HEX_RUN = re.compile(r"(?:0[xX])?((?:[0-9A-Fa-f]{2})+)\Z")
_INTERFACE = re.compile(r"[^\s/:\x00-\x20\x7f]{1,15}\Z")
_DATE = re.compile(
    r"[0-6]\s+([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})\s+([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})"
    r"(?:\s+(?:UTC|GMT))?\Z"
)


def address_from_text(text: str) -> Optional[str]:
    """A dotted IPv4 address without leading zeros, or None if ``text`` is not an address."""
    text = text.strip()
    if not _ADDRESS.match(text):
        return None
    parts = [int(part) for part in text.split(".")]
    if max(parts) > 255:
        return None
    return "%d.%d.%d.%d" % tuple(parts)


def lease_address(text: str) -> Optional[str]:
    """As :func:`address_from_text`, but None also for 0.0.0.0, which means no address yet."""
    address = address_from_text(text)
    if address == "0.0.0.0":  # noqa: S104  (no socket is bound to it)
        return None
    return address


def addresses_from_text(text: str) -> Tuple[str, ...]:
    """The addresses in a list that is separated by blanks or commas. 0.0.0.0 and anything that is
    not an address are left out.
    """
    found = (lease_address(part) for part in re.split(r"[\s,]+", text))
    return tuple(address for address in found if address)


def addresses_from_bytes(data: bytes) -> Tuple[str, ...]:
    """The addresses in an option of 4-byte addresses; an empty tuple if its length is wrong."""
    if len(data) % 4:
        return ()
    found = (socket.inet_ntoa(data[at : at + 4]) for at in range(0, len(data), 4))
    # No socket is bound to that address.
    return tuple(address for address in found if address != "0.0.0.0")  # noqa: S104


def bytes_from_hex(text: str) -> Optional[bytes]:
    """Bytes written as hex: groups of one or two digits with colons or dashes between them, or
    pairs of digits.

    Returns:
        The bytes, or None if ``text`` is neither.
    """
    text = text.strip()
    if _HEX_GROUPS.match(text):
        return bytes(int(group, 16) for group in re.split("[:-]", text))
    run = _HEX_RUN.match(text)
    if run is None:
        return None
    return bytes.fromhex(run.group(1))


def wireserver_from_bytes(data: Optional[bytes]) -> Optional[str]:
    """The address in option 245.

    Args:
        data: the option's bytes. The platform sends exactly four: ``a8 3f 81 10`` for
            168.63.129.16.

    Returns:
        The address. None if the length is wrong, or if no HTTP request can go there: 0.0.0.0/8, and
        224.0.0.0 and above (multicast, reserved, broadcast). Loopback is allowed, since the
        emulator listens there.
    """
    if data is None or len(data) != 4 or data[0] == 0 or data[0] >= 224:
        return None
    return socket.inet_ntoa(data)


def wireserver_from_text(text: str) -> Optional[str]:
    """The address in option 245 as text: hex with or without colons, or a dotted address.

    Returns:
        As :func:`wireserver_from_bytes`; also None if ``text`` has another form.
    """
    dotted = address_from_text(text)
    if dotted:
        return wireserver_from_bytes(socket.inet_aton(dotted))
    return wireserver_from_bytes(bytes_from_hex(text))


def routes_from_bytes(data: bytes) -> Tuple[Route, ...]:
    """The routes in option 121 or 249. RFC 3442: prefix length, as many bytes of the address as it
    needs, gateway.

    Returns:
        The routes in order; an empty tuple if one of them is cut off or has a prefix length above
        32.
    """
    routes: List[Route] = []
    at = 0
    while at < len(data):
        length = data[at]
        width = (length + 7) // 8
        gateway_at = at + 1 + width
        if length > 32 or gateway_at + 4 > len(data):
            return ()
        network = data[at + 1 : gateway_at] + bytes(4 - width)
        gateway = data[gateway_at : gateway_at + 4]
        routes.append(
            Route("%s/%d" % (socket.inet_ntoa(network), length), socket.inet_ntoa(gateway))
        )
        at = gateway_at + 4
    return tuple(routes)


def routes_from_text(text: str) -> Tuple[Route, ...]:
    """Classless routes as text, in one of three forms.

    - pairs ``168.63.129.16/32 10.0.0.1``, with a blank (NetworkManager, udhcpc) or a comma
      (networkd) before the gateway
    - the option's bytes in decimal, ``32,168,63,129,16,10,0,0,1`` (dhclient's rfc3442 option). One
      distribution's dhclient has dots and blanks between the numbers
    - the option's bytes in hex, with or without colons
    """
    text = text.strip()
    if "/" in text:
        return _route_pairs(text)
    words = re.split(r"[\s,.]+", text)
    if len(words) < 2 or not all(_DECIMAL.match(word) for word in words):
        return routes_from_bytes(bytes_from_hex(text) or b"")
    numbers = [int(word) for word in words]
    if max(numbers) > 255:
        return ()
    return routes_from_bytes(bytes(numbers))


def _route_pairs(text: str) -> Tuple[Route, ...]:
    routes = []
    for network_text, length_text, gateway_text in _ROUTE.findall(text):
        network, gateway = address_from_text(network_text), address_from_text(gateway_text)
        if network and gateway and int(length_text) <= 32:
            routes.append(Route("%s/%d" % (network, int(length_text)), gateway))
    return tuple(routes)


def interface_from_text(text: str) -> Optional[str]:
    """An interface's name, or None if the kernel would not accept it (at most 15 bytes, no blank,
    slash or colon).
    """
    if not _INTERFACE.match(text) or text in (".", ".."):
        return None
    return text


def is_forever(lifetime_text: str) -> bool:
    """Whether a lease time, in decimal seconds, means that the lease never ends."""
    text = lifetime_text.strip()
    return bool(re.match(r"[0-9]{1,20}\Z", text)) and int(text) >= FOREVER_S


def lifetime_end_s(lifetime_text: str, written_s: Optional[float]) -> Optional[float]:
    """When a lease expires, computed from its lease time.

    Args:
        lifetime_text: the lease time: seconds, in decimal.
        written_s: Unix time at which the file was written; None if it is unknown.

    Returns:
        Unix time in seconds; None if the lease never expires, or if either value is unknown.
    """
    text = lifetime_text.strip()
    if written_s is None or not re.match(r"[0-9]{1,10}\Z", text) or is_forever(text):
        return None
    return written_s + int(text)


def time_from_date(text: str) -> Optional[float]:
    """Unix time of dhclient's ``2 2026/11/23 03:13:27``: weekday, date and time of day, in UTC.

    Returns:
        Seconds; None if ``text`` is not such a date.
    """
    matched = _DATE.match(text.strip())
    if not matched:
        return None
    year, month, day, hour, minute, second = (int(part) for part in matched.groups())
    is_date = year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31
    if not is_date or hour > 23 or minute > 59 or second > 60:
        return None
    import calendar  # only dhclient writes dates

    return float(calendar.timegm((year, month, day, hour, minute, second)))
