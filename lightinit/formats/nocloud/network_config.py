"""Tells whether a seed's network-config asks for anything but DHCP, which every image does.

Source: cloud-init's documentation, "Networking config version 1" and "version 2".
"""

from __future__ import annotations

from typing import Any, Tuple

from lightinit.errors import LightinitError, MalformedError
from lightinit.formats.json_document import read_json

# What only says which interface is meant, or what DHCP does anyway.
V1_INTERFACE = {"type", "name", "mac_address", "subnets"}
V1_SUBNET = {"type", "control"}
V2_INTERFACE = {"dhcp4", "dhcp6", "match", "optional", "critical"}
DHCP = ("dhcp", "dhcp4")
# "Disabling network configuration": it stays as the image has it.
NOTHING: Tuple[Any, ...] = ({"config": "disabled"}, {"version": 1, "config": "disabled"})
SHARED = {"version", "renderer", "config", "ethernets"}


def asks_only_for_dhcp(data: bytes) -> bool:
    """Whether a network-config asks for DHCP alone, or for nothing. False if it cannot be read."""
    if not data.strip():
        return True
    found = _read(data)
    if isinstance(found, dict) and set(found) == {"network"}:
        found = found["network"]
    if found in NOTHING:
        return True
    if not isinstance(found, dict) or not set(found) <= SHARED:
        return False
    if found.get("version") == 1:
        config = found.get("config")
        return isinstance(config, list) and all(map(_is_plain_v1, config))
    ethernets = found.get("ethernets")
    if found.get("version") != 2 or not isinstance(ethernets, dict):
        return False
    return all(map(_is_plain_v2, ethernets.values()))


def _read(data: bytes) -> Any:
    try:
        return read_json(data, "network-config")
    except MalformedError:
        pass  # it is YAML
    from lightinit.formats.cloud_config import document

    try:
        return document.read(data).values
    except LightinitError:
        return None


def _is_plain_v1(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("type") != "physical":
        return False
    subnets = item.get("subnets")
    if not set(item) <= V1_INTERFACE or not isinstance(subnets, list):
        return False
    return all(
        isinstance(each, dict) and set(each) <= V1_SUBNET and each.get("type") in DHCP
        for each in subnets
    )


def _is_plain_v2(item: Any) -> bool:
    return isinstance(item, dict) and set(item) <= V2_INTERFACE and item.get("dhcp4") is True
