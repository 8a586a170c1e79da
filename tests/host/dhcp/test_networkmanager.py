"""NetworkManager: what nmcli is asked and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.networkmanager import nmcli_leases
from lightinit.host.system import System
from tests.lib.dhcp_machine import Machine
from tests.lib.planned_clock import put


@pytest.mark.parametrize(
    "profile, says",
    [
        ("auto\nyes\n\n", "was asked to send it"),
        ("auto\n-1\n\n", "was asked to send it"),
        ("auto\n\nweb-1\n", "was asked to send it"),
        ("auto\nno\n\n", "sends no host name"),
        ("auto\n0\n\n", "sends no host name"),
        ("auto\nyes\nfixed\n", "sends the name fixed"),
        ("manual\nyes\n\n", ""),
        ("", ""),
    ],
)
def test_networkmanager(tmp_path: Any, profile: str, says: str) -> None:
    machine = Machine(tmp_path, {"--active": "u-u-1:eth0\nu-u-2:lo\nu-u-3:\n", "u-u-1": profile})
    machine.process(700, "NetworkManager", "/usr/sbin/NetworkManager --no-daemon")
    renewal = machine.renew()
    assert renewal.warnings == () and len(renewal.told) == bool(says)
    assert (machine.ran[-1][1:] == ["device", "modify", "eth0", "ipv4.dhcp-hostname", "web-1"]) is (
        "asked" in says
    )
    assert not says or says in renewal.told[0]


@pytest.mark.parametrize("word", ["--active", "u-u-1", "modify"])
def test_nmcli_that_fails_is_a_warning(tmp_path: Any, word: str) -> None:
    answers: Dict[str, Any] = {word: ProvisioningError("command failed")}
    answers.update(
        {"--active": "u-u-1:eth0\n", "u-u-1": "auto\nyes\n\n"}
        if word == "modify"
        else {"--active": "u-u-1:eth0\n"}
        if word == "u-u-1"
        else {}
    )
    machine = Machine(tmp_path, answers)
    machine.process(700, "NetworkManager", "/usr/sbin/NetworkManager")
    assert len(machine.renew().warnings) == 1


def test_nmcli_is_not_asked_in_a_scratch_root(tmp_path: Path) -> None:
    put(tmp_path, "/usr/bin/nmcli", b"#!/bin/sh\necho DHCP4\n").chmod(0o755)
    assert nmcli_leases(System(str(tmp_path))) == b""
