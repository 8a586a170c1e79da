"""Whether a network-config asks for more than DHCP."""

from __future__ import annotations

import pytest

from lightinit.formats.nocloud.network_config import asks_only_for_dhcp
from tests.lib.needs_yaml import needs_yaml


@needs_yaml
@pytest.mark.parametrize(
    "data, is_plain",
    [
        (b"", True),
        (b"version: 2\nethernets:\n  any:\n    match: {name: 'e*'}\n    dhcp4: true\n", True),
        (b"network:\n  version: 2\n  ethernets: {e0: {dhcp4: true, dhcp6: true}}\n", True),
        (b'{"version": 1, "config": [{"type": "physical", "subnets": [{"type": "dhcp"}]}]}', True),
        (b"version: 1\nconfig: [{type: physical, subnets: [{type: static}]}]\n", False),
        (b"version: 1\nconfig: [{type: bond, subnets: []}]\n", False),
        (b"version: 1\nconfig: [1]\n", False),
        (b"version: 2\nethernets: {e0: {dhcp4: true, addresses: [10.0.0.1/8]}}\n", False),
        (b"version: 2\nethernets: {e0: {dhcp4: true, set-name: x}}\n", False),
        (b"version: 2\nbonds: {}\n", False),
        (b"version: 2\nethernets: [e0]\n", False),
        (b"network: {config: disabled}\n", True),
        (b"version: 3\n", False),
        (b"- a", False),
        (b"a: [", False),
        (b"\xff", False),
    ],
)
def test_what_is_only_dhcp(data: bytes, is_plain: bool) -> None:
    assert asks_only_for_dhcp(data) is is_plain
