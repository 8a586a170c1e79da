"""dhcpcd: which command makes it send the name."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from lightinit.host.dhcp.renew import Renewal
from tests.lib.dhcp_machine import Machine


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/run/dhcpcd/pid", "-N"),
        ("/run/dhcpcd.pid", "-N"),
        ("/run/dhcpcd/eth0.pid", "-N eth0"),
        ("/run/dhcpcd/eth0-4.pid", "-4 -N eth0"),
        ("/run/dhcpcd-eth0.pid", "-N eth0"),
        ("/run/dhcpcd-eth0-4.pid", "-4 -N eth0"),
        ("/run/dhcpcd/eth0-6.pid", None),
    ],
)
def test_dhcpcd_is_called_as_its_pid_file_says(
    tmp_path: Any, path: str, expected: Optional[str]
) -> None:
    machine = Machine(tmp_path)
    machine.process(700, "dhcpcd", "dhcpcd: eth0 [ip4]")
    machine.put(path, "700\n")
    machine.put("/etc/dhcpcd.conf", "hostname\n")
    machine.renew()
    assert machine.ran == ([["/usr/bin/dhcpcd"] + expected.split()] if expected else [])


@pytest.mark.parametrize("text", ["701\n", "", "x\n", "-1\n"])
def test_dhcpcd_is_not_called_without_a_process_since_it_would_become_one(
    tmp_path: Any, text: str
) -> None:
    machine = Machine(tmp_path)
    machine.process(700, "dhcpcd", "dhcpcd: eth0 [ip4]")
    machine.put("/run/dhcpcd/eth0.pid", text)
    assert machine.renew() == Renewal() and machine.ran == []


@pytest.mark.parametrize(
    "text, says",
    [
        ("hostname\n", "was asked to send it"),
        ("hostname web-1\n", "was asked to send it"),
        ("hostname # live\n", "was asked to send it"),
        ("", "sends none"),
        ("#hostname\nhostname_short\n", "sends none"),
        ("hostname\nhostname fixed\n", "sends the name fixed"),
    ],
)
def test_what_dhcpcds_configuration_sends(tmp_path: Any, text: str, says: str) -> None:
    machine = Machine(tmp_path)
    machine.process(700, "dhcpcd", "dhcpcd: [manager]")
    machine.put("/run/dhcpcd/pid", "700\n")
    machine.put("/etc/dhcpcd.conf", text)
    renewal = machine.renew()
    assert says in renewal.told[0] and renewal.warnings == ()
