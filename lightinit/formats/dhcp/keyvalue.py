"""Reads what a DHCP client wrote about its lease: dhclient, systemd-networkd, NetworkManager,
dhcpcd or udhcpc.

Pure functions: bytes in, :class:`~lightinit.model.Lease` out. Where the files are, whether their
address is really configured and which interface is the primary one is not known here.

Every reader has the same promise: whatever the bytes are, it returns leases or raises
MalformedError; a file that was cut in the middle never gives a wrong value, at worst a missing one.
For lines of KEY=VALUE this means that a last line without its newline does not count: ``10.0.0.1``
may have been ``10.0.0.15``.

Option 245 of a wrong length, or one that no request can be sent to, leaves the lease without a
``wireserver`` (see ``options.py`` for the reason).
"""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.dhcp import options
from lightinit.formats.dhcp.dhclient import read_dhclient
from lightinit.formats.dhcp.dhcpcd import read_dhcpcd
from lightinit.model import Lease

__all__ = [
    "CLIENTS",
    "read_dhclient",
    "read_dhcpcd",
    "read_leases",
    "read_networkd",
    "read_networkmanager",
    "read_udhcpc",
]

CLIENTS = ("networkd", "networkmanager", "dhclient", "dhcpcd", "udhcpc")

# One concept under the name that each writer gives it: networkd (and the older NetworkManager,
# whose internal client was networkd's), then NetworkManager's own, then udhcpc's. The first that is
# there and can be read counts.
ADDRESS_KEYS = ("ADDRESS", "ip_address", "ip")
WIRESERVER_KEYS = ("OPTION_245", "private_245", "unknown_245", "option_245", "opt245")
ROUTER_KEYS = ("ROUTER", "routers", "router")
ROUTE_KEYS = (
    "CLASSLESS_ROUTES",
    "ROUTES",
    "rfc3442_classless_static_routes",
    "staticroutes",
    "opt121",
    "unknown_121",
    "ms_classless_static_routes",
    "msstaticroutes",
    "opt249",
    "unknown_249",
)
LIFETIME_KEYS = ("LIFETIME", "lease")
INTERFACE_KEYS = ("interface",)
EXPIRY_KEYS = ("expiry",)

_NMCLI_LINE = re.compile(r"(DHCP4\.OPTION\[[0-9]+\]|GENERAL\.DEVICE):\s*(.*)\Z")
_ESCAPED = re.compile(r"\\([sntr\\;])")
_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\", ";": ";"}


def read_leases(
    client: str,
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The unexpired leases in a file that ``client`` wrote.

    Args:
        client: one of :data:`CLIENTS`.
        data: the file's bytes (for networkmanager also what ``nmcli -f DHCP4 device show``
            printed).
        now_s: Unix time in seconds; a lease that ends at or before it is left out.
        source: the file's path, to be noted in the leases.
        interface: the interface's name when the file's name says it; what the file itself says
            comes first.
        written_s: Unix time of the file's last change. networkd, dhcpcd and udhcpc note only how
            long a lease lasts, so without it ``expires_s`` is None for them.

    Returns:
        The leases, the best (which is the latest) last; none when all have ended.

    Raises:
        MalformedError: the bytes do not follow the client's format.
        ValueError: there is no such client.
    """
    if client == "dhclient":
        return read_dhclient(data, now_s, source, interface)
    readers: Dict[str, Callable[..., Tuple[Lease, ...]]] = {
        "networkd": read_networkd,
        "networkmanager": read_networkmanager,
        "dhcpcd": read_dhcpcd,
        "udhcpc": read_udhcpc,
    }
    if client not in readers:
        raise ValueError("no such DHCP client: %s" % client)
    return readers[client](data, now_s, source, interface, written_s)


def read_networkd(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The lease in /run/systemd/netif/leases/<ifindex>: ``ADDRESS=``, ``OPTION_245=a83f8110``,
    ``LIFETIME=`` seconds, ``CLASSLESS_ROUTES=168.63.129.16/32,10.0.0.1 …`` (``ROUTES=`` before
    release 246).

    networkd rewrites the file whenever the link's state changes, so ``expires_s`` is the latest
    that it can be. Arguments, result and errors are those of :func:`read_leases`.
    """
    return _one("networkd", _pairs(data), now_s, source, interface, written_s)


def read_udhcpc(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The lease that our hook recorded (etc/udhcpc/lightinit-hook): udhcpc's own variables,
    ``ip=``, ``opt245=``, ``staticroutes=``, ``lease=`` seconds.

    Arguments, result and errors are those of :func:`read_leases`.
    """
    return _one("udhcpc", _pairs(data), now_s, source, interface, written_s)


def read_networkmanager(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The lease in one of NetworkManager's three forms, told apart by their content.

    - ``/var/lib/NetworkManager/internal-*.lease``: KEY=VALUE. Current releases write ``ADDRESS=``
      alone, so that the rest has to come from one of the other two.
    - ``/run/NetworkManager/devices/<ifindex>``: a keyfile; the section ``[dhcp4]``, where there is
      one, holds the options under the names that nmcli shows with ``dhcp4.`` before them.
    - the output of ``nmcli -f GENERAL.DEVICE,DHCP4 device show``: ``DHCP4.OPTION[3]:  private_245 =
      a8:3f:81:10``, a paragraph for each device.

    Arguments, result and errors are those of :func:`read_leases`.
    """
    text = data.decode("utf-8", "replace")
    if re.search(r"^DHCP4\.OPTION\[", text, re.MULTILINE):
        return _read_nmcli(text, now_s, source, interface)
    if re.search(r"^\[(?:device|dhcp4)\]", text, re.MULTILINE):
        found = _section(text, "dhcp4")
        if not found:
            return ()  # a device without a DHCP lease, or a release that does not note it here
        return _one("networkmanager", found, now_s, source, interface, written_s)
    return _one("networkmanager", _pairs(data), now_s, source, interface, written_s)


def _read_nmcli(
    text: str, now_s: float, source: str, interface: Optional[str]
) -> Tuple[Lease, ...]:
    devices: List[Dict[str, str]] = [{}]
    for line in _whole_lines(text):
        matched = _NMCLI_LINE.match(line)
        if matched is None:
            if not line.strip():
                devices.append({})
        elif matched.group(1) == "GENERAL.DEVICE":
            if "interface" in devices[-1]:
                devices.append({})
            devices[-1]["interface"] = matched.group(2).strip()
        else:
            name, equals, value = matched.group(2).partition(" = ")
            if equals and name.strip() != "interface":
                devices[-1][name.strip()] = value.strip()
    leases: List[Lease] = []
    for found in devices:
        if _first(found, ADDRESS_KEYS):
            leases.extend(_one("networkmanager", found, now_s, source, interface, None))
    return tuple(leases)


def _one(
    client: str,
    found: Dict[str, str],
    now_s: float,
    source: str,
    interface: Optional[str],
    written_s: Optional[float],
) -> Tuple[Lease, ...]:
    address = options.lease_address(_first(found, ADDRESS_KEYS))
    if address is None:
        raise MalformedError("lease has no address", path=source, client=client)
    expiry = _first(found, EXPIRY_KEYS)
    if re.match(r"[0-9]{1,15}\Z", expiry):
        expires_s: Optional[float] = float(expiry)
    else:
        expires_s = options.lifetime_end_s(_first(found, LIFETIME_KEYS), written_s)
    if expires_s is not None and expires_s <= now_s:
        return ()
    routes = [options.routes_from_text(found[key]) for key in ROUTE_KEYS if key in found]
    wireservers = [
        options.wireserver_from_text(found[key]) for key in WIRESERVER_KEYS if key in found
    ]
    return (
        Lease(
            client=client,
            address=address,
            source=source,
            expires_s=expires_s,
            interface=options.interface_from_text(_first(found, INTERFACE_KEYS)) or interface,
            wireserver=next((one for one in wireservers if one), None),
            routers=options.addresses_from_text(_first(found, ROUTER_KEYS)),
            routes=next((one for one in routes if one), ()),
        ),
    )


def _first(found: Dict[str, str], keys: Tuple[str, ...]) -> str:
    return next((found[key] for key in keys if key in found), "")


def _whole_lines(text: str) -> List[str]:
    return [line.rstrip("\r") for line in text.split("\n")[:-1]]


def _pairs(data: bytes) -> Dict[str, str]:
    """KEY=VALUE lines; comments and anything else are passed over. Of a key that is there twice the
    last counts.
    """
    found: Dict[str, str] = {}
    for line in _whole_lines(data.decode("utf-8", "replace")):
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            found[key.strip()] = _unquoted(value.strip())
    return found


def _section(text: str, name: str) -> Dict[str, str]:
    """The pairs below ``[name]`` of a keyfile (GLib's), its backslash escapes undone; ``name.key``
    is ``key``.
    """
    found: Dict[str, str] = {}
    inside = False
    for line in map(str.strip, _whole_lines(text)):
        if line.startswith("[") and line.endswith("]"):
            inside = line[1:-1] == name
        elif inside and not line.startswith("#"):
            key, equals, value = line.partition("=")
            if equals:
                key = key.strip()
                key = key[len(name) + 1 :] if key.startswith(name + ".") else key
                found[key] = _ESCAPED.sub(lambda matched: _ESCAPES[matched.group(1)], value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value
