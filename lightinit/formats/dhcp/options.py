"""The values inside a DHCP lease, however its client wrote them: addresses, option 245, classless
routes, dates.

Pure functions over text and bytes; no I/O, no clock. Which client writes which form, and in what
kind of file, is known to the readers in ``leases.py`` and its neighbours, not here.

A value that cannot be read gives None or nothing instead of an error. A lease whose option 245 or
121 is damaged is still a lease: its address is configured and its server answered, so it is kept
without that value, and the local stage falls back to the well-known address. Refusing the whole
lease would lose more than the option says.
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
FOREVER_S = 0xFFFFFFFF  # RFC 2131, section 3.3: a lease time of all ones never ends

_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}\Z")
_ROUTE = re.compile(r"([0-9.]{7,15})/([0-9]{1,2})[\s,]+([0-9.]{7,15})(?=[\s,]|\Z)")
_DECIMALS = re.compile(r"[0-9]{1,3}(?:[\s,.]+[0-9]{1,3})+\Z")
_HEX_GROUPS = re.compile(r"[0-9A-Fa-f]{1,2}(?:[:-][0-9A-Fa-f]{1,2})+\Z")
_HEX_RUN = re.compile(r"(?:0[xX])?((?:[0-9A-Fa-f]{2})+)\Z")
_INTERFACE = re.compile(r"[^\s/:\x00-\x20\x7f]{1,15}\Z")
_DATE = re.compile(
    r"[0-6]\s+([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})\s+([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})"
    r"(?:\s+(?:UTC|GMT))?\Z"
)


def address_from_text(text: str) -> Optional[str]:
    """A dotted IPv4 address in its plain form, or None when ``text`` is none."""
    text = text.strip()
    if not _ADDRESS.match(text):
        return None
    parts = [int(part) for part in text.split(".")]
    return "%d.%d.%d.%d" % tuple(parts) if max(parts) <= 255 else None


def lease_address(text: str) -> Optional[str]:
    """As :func:`address_from_text`, but 0.0.0.0 (no address yet) is None as well."""
    address = address_from_text(text)
    return None if address == "0.0.0.0" else address  # noqa: S104  (nothing is bound to it)


def addresses_from_text(text: str) -> Tuple[str, ...]:
    """The addresses in a list separated by blanks or commas; anything else in it is left out, as is
    0.0.0.0.
    """
    found = (lease_address(part) for part in re.split(r"[\s,]+", text))
    return tuple(address for address in found if address)


def addresses_from_bytes(data: bytes) -> Tuple[str, ...]:
    """The addresses in an option made of 4-byte addresses; none when its length is wrong."""
    if len(data) % 4:
        return ()
    found = (socket.inet_ntoa(data[at : at + 4]) for at in range(0, len(data), 4))
    # Nothing is bound to that address.
    return tuple(address for address in found if address != "0.0.0.0")  # noqa: S104


def bytes_from_hex(text: str) -> Optional[bytes]:
    """Bytes written as hex: groups of one or two digits between colons (or dashes), or pairs
    without any.

    Returns:
        The bytes, or None when ``text`` is neither.
    """
    text = text.strip()
    if _HEX_GROUPS.match(text):
        return bytes(int(group, 16) for group in re.split("[:-]", text))
    run = _HEX_RUN.match(text)
    return bytes.fromhex(run.group(1)) if run else None


def wireserver_from_bytes(data: Optional[bytes]) -> Optional[str]:
    """The address in option 245.

    Args:
        data: the option's bytes: the platform sends exactly four, ``a8 3f 81 10`` for
            168.63.129.16.

    Returns:
        The address; None for another length, for 0.0.0.0/8 and for 224.0.0.0 upwards (multicast,
        reserved, broadcast), to which no HTTP request can go. Loopback is allowed: the emulator
        listens there.
    """
    if data is None or len(data) != 4 or data[0] == 0 or data[0] >= 224:
        return None
    return socket.inet_ntoa(data)


def wireserver_from_text(text: str) -> Optional[str]:
    """The address in option 245 as text: hex with or without colons, or a dotted address. None when
    it is neither.
    """
    dotted = address_from_text(text)
    return wireserver_from_bytes(socket.inet_aton(dotted) if dotted else bytes_from_hex(text))


def routes_from_bytes(data: bytes) -> Tuple[Route, ...]:
    """The routes in option 121 or 249 (RFC 3442: prefix length, as many address bytes as it needs,
    gateway).

    Returns:
        The routes, in order; none at all when any of them is cut or has an impossible prefix
        length.
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
    """Classless routes as text.

    Four forms occur: ``168.63.129.16/32 10.0.0.1`` pairs, the gateway after a blank
    (NetworkManager, udhcpc) or a comma (networkd); the option's bytes in decimal,
    ``32,168,63,129,16,10,0,0,1`` (dhclient's rfc3442 option; one distribution's dhclient writes
    dots and blanks between the same numbers); and its bytes in hex, with or without colons.
    """
    text = text.strip()
    if "/" in text:
        return _route_pairs(text)
    if _DECIMALS.match(text):
        numbers = [int(number) for number in re.split(r"[\s,.]+", text)]
        return routes_from_bytes(bytes(numbers)) if max(numbers) <= 255 else ()
    return routes_from_bytes(bytes_from_hex(text) or b"")


def _route_pairs(text: str) -> Tuple[Route, ...]:
    routes = []
    for network_text, length_text, gateway_text in _ROUTE.findall(text):
        network, gateway = address_from_text(network_text), address_from_text(gateway_text)
        if network and gateway and int(length_text) <= 32:
            routes.append(Route("%s/%d" % (network, int(length_text)), gateway))
    return tuple(routes)


def interface_from_text(text: str) -> Optional[str]:
    """An interface's name, or None when the kernel would not accept it (15 bytes, no blank, slash
    or colon).
    """
    return text if _INTERFACE.match(text) and text not in (".", "..") else None


def lifetime_end_s(lifetime_text: str, written_s: Optional[float]) -> Optional[float]:
    """When a lease that says only how long it lasts comes to its end.

    Args:
        lifetime_text: seconds, in decimal.
        written_s: Unix time at which the file was written, None when that is not known.

    Returns:
        Unix time in seconds; None for 'forever', and when either is not known.
    """
    text = lifetime_text.strip()
    if written_s is None or not re.match(r"[0-9]{1,10}\Z", text):
        return None
    return None if int(text) >= FOREVER_S else written_s + int(text)


def time_from_date(text: str) -> Optional[float]:
    """Unix time of dhclient's ``2 2026/11/23 03:13:27``: weekday, date and time of day, in UTC.

    Written out by hand because importing ``datetime`` or ``calendar`` would be paid at every first
    boot.
    """
    matched = _DATE.match(text.strip())
    if not matched:
        return None
    year, month, day, hour, minute, second = (int(part) for part in matched.groups())
    if not (
        year >= 1970
        and 1 <= month <= 12
        and 1 <= day <= 31
        and hour < 24
        and minute < 60
        and second <= 60
    ):
        return None
    # Count years from March, so that the leap day is the last of its year; a month then starts (153
    # m + 2) / 5 days in.
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    days = (
        365 * year
        + year // 4
        - year // 100
        + year // 400
        + (153 * month + 2) // 5
        + day
        - 1
        - 719468
    )
    return float(days * 86400 + hour * 3600 + minute * 60 + second)
