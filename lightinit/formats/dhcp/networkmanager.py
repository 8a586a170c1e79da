"""Reads the leases of NetworkManager, which come in three forms.

- ``/var/lib/NetworkManager/internal-*.lease``: KEY=VALUE lines. Current releases write only
  ``ADDRESS=``, so the options must come from one of the other forms.
- ``/run/NetworkManager/devices/<ifindex>``: a keyfile. It may have a section ``[dhcp4]`` with the
  options. The keys are nmcli's names with ``dhcp4.`` before them.
- the output of ``nmcli -f GENERAL.DEVICE,DHCP4 device show``: a paragraph for each device, with
  lines such as ``DHCP4.OPTION[3]:  private_245 = a8:3f:81:10``.
"""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from lightinit.formats.dhcp.keyvalue import (
    Keys,
    first_value,
    lease_from_pairs,
    read_pairs,
    whole_lines,
)
from lightinit.model import Lease

NAME = "networkmanager"
# The internal client of older releases was networkd's, so its keys are networkd's, in upper case.
KEYS = Keys(
    address=("ADDRESS", "ip_address"),
    wireserver=("OPTION_245", "private_245", "unknown_245", "option_245"),
    routers=("ROUTER", "routers"),
    routes=(
        "CLASSLESS_ROUTES",
        "ROUTES",
        "rfc3442_classless_static_routes",
        "unknown_121",
        "ms_classless_static_routes",
        "unknown_249",
    ),
    lifetime=("LIFETIME", "dhcp_lease_time"),
    expiry=("expiry",),
)

_NMCLI_LINE = re.compile(r"(DHCP4\.OPTION\[[0-9]+\]|GENERAL\.DEVICE):\s*(.*)\Z")
_ESCAPED = re.compile(r"\\([sntr\\;])")
_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\", ";": ";"}


def read_leases(
    data: bytes,
    now_s: float,
    source: str = "",
    interface: Optional[str] = None,
    written_s: Optional[float] = None,
) -> Tuple[Lease, ...]:
    """The leases in data of one of the three forms. The content shows which form it is.

    Arguments, result and errors are those of ``clients.read_leases``.
    """
    text = data.decode("utf-8", "replace")
    if re.search(r"^DHCP4\.OPTION\[", text, re.MULTILINE):
        return _read_nmcli(text, now_s, source, interface)
    if re.search(r"^\[(?:device|dhcp4)\]", text, re.MULTILINE):
        found = _read_section(text, "dhcp4")
        if not found:
            return ()  # a device without a DHCP lease, or a release that does not store it here
    else:
        found = read_pairs(data)
    return lease_from_pairs(NAME, KEYS, found, now_s, source, interface, written_s)


def _read_nmcli(
    text: str, now_s: float, source: str, interface: Optional[str]
) -> Tuple[Lease, ...]:
    devices: List[Dict[str, str]] = [{}]
    for line in whole_lines(text):
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
        if first_value(found, KEYS.address):
            leases.extend(lease_from_pairs(NAME, KEYS, found, now_s, source, interface, None))
    return tuple(leases)


def _read_section(text: str, name: str) -> Dict[str, str]:
    """The pairs in the section ``name`` of a GLib keyfile, without escapes and without ``name.``
    before their keys.
    """
    found: Dict[str, str] = {}
    inside = False
    for line in map(str.strip, whole_lines(text)):
        if line.startswith("[") and line.endswith("]"):
            inside = line[1:-1] == name
        elif inside and not line.startswith("#"):
            key, equals, value = line.partition("=")
            if equals:
                key = key.strip()
                if key.startswith(name + "."):
                    key = key[len(name) + 1 :]
                found[key] = _ESCAPED.sub(lambda matched: _ESCAPES[matched.group(1)], value.strip())
    return found
