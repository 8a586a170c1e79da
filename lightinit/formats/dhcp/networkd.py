"""Reads the leases of systemd-networkd, which come in two forms.

- ``/run/systemd/netif/leases/<ifindex>``: KEY=VALUE lines.
- JSON: the answer of its varlink method ``io.systemd.Network.Describe``, or the output of
  ``networkctl --json=short status``. Release 262 writes no lease files.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.dhcp import options
from lightinit.formats.dhcp.keyvalue import Keys, lease_from_pairs, read_pairs
from lightinit.formats.dhcp.option_bytes import lease_from_options
from lightinit.model import Lease

NAME = "networkd"
KEYS = Keys(
    address=("ADDRESS",),
    wireserver=("OPTION_245",),
    routers=("ROUTER",),
    routes=("CLASSLESS_ROUTES", "ROUTES"),  # ROUTES before release 246
    lifetime=("LIFETIME",),
)
Object = Dict[str, Any]


def read_leases(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The leases in a file with lines such as ``ADDRESS=10.0.0.4`` and ``OPTION_245=a83f8110``, or
    in JSON.

    networkd rewrites the file whenever the state of the link changes, and the JSON has no date by
    this clock, so the lease may expire earlier than ``expires_s``.

    Arguments, result and errors are those of ``clients.read_leases``.
    """
    if data.lstrip().startswith(b"{"):
        return _read_json(data, now_s, source, interface, written_s)
    found = read_pairs(data)
    return lease_from_pairs(NAME, KEYS, found, now_s, source, interface, written_s)


def _read_json(
    data: bytes, now_s: float, source: str, interface: Optional[str], written_s: Optional[float]
) -> Tuple[Lease, ...]:
    leases: List[Lease] = []
    problem: Optional[MalformedError] = None
    for link in _links(data, source):
        try:
            leases += _lease_of_link(link, now_s, source, interface, written_s)
        except MalformedError as error:
            problem = error  # the other interfaces' leases still count
    if problem is not None and not leases:
        raise problem
    return tuple(leases)


def _links(data: bytes, source: str) -> List[Object]:
    """The interfaces that have a lease."""
    try:
        document = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise MalformedError("lease is not json", path=source, client=NAME) from None
    if not isinstance(document, dict):
        raise MalformedError("lease is not json", path=source, client=NAME)
    links = _list(document, "Interfaces")
    if "Interfaces" not in document:
        links = [document]
    return [link for link in links if _object(_object(link, "DHCPv4Client"), "Lease")]


def _lease_of_link(
    link: Object, now_s: float, source: str, interface: Optional[str], written_s: Optional[float]
) -> Tuple[Lease, ...]:
    client = _object(link, "DHCPv4Client")
    message = _object(_object(client, "Lease"), "Message")
    name = options.interface_from_text(_text(link, "Name")) or interface
    # Before release 261 there is no message, only the private options.
    entries = _options(_list(client, "PrivateOptions"), "Option", "PrivateOptionData")
    if message:
        entries = _options(_list(message, "options"), "tag", "data")
    pieces: Dict[int, List[bytes]] = {}
    for key, value in entries:
        pieces.setdefault(key, []).append(value)
    found = {key: b"".join(values) for key, values in pieces.items()}  # split: RFC 3396
    address = _hex_address(_text(message, "yiaddr")) or _configured(link)
    return lease_from_options(NAME, address, found, now_s, source, name, written_s)


def _options(entries: List[Object], number: str, data: str) -> List[Tuple[int, bytes]]:
    found = []
    for entry in entries:
        key, value = entry.get(number), options.bytes_from_hex(_text(entry, data))
        if isinstance(key, int) and value is not None:
            found.append((key, value))
    return found


def _hex_address(text: str) -> str:
    data = options.bytes_from_hex(text) or b""
    if len(data) != 4:
        return ""
    return ".".join(map(str, data))


def _configured(link: Object) -> str:
    """The address that networkd has configured from the lease."""
    for entry in _list(link, "Addresses"):
        numbers = entry.get("Address")
        if entry.get("ConfigSource") == "DHCPv4" and isinstance(numbers, list):
            return ".".join(map(str, numbers))
    return ""


def _object(parent: Object, key: str) -> Object:
    value = parent.get(key)
    if isinstance(value, dict):
        return value
    return {}


def _list(parent: Object, key: str) -> List[Object]:
    """The objects in a list."""
    value = parent.get(key)
    if isinstance(value, list):
        return [each for each in value if isinstance(each, dict)]
    return []


def _text(parent: Object, key: str) -> str:
    value = parent.get(key)
    if isinstance(value, str) and value.isascii():
        return value
    return ""
