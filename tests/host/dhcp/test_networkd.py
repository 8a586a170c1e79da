"""systemd-networkd: when it is restarted."""

from __future__ import annotations

from typing import Any, Sequence

import pytest

from tests.lib.dhcp_machine import TOOLS, Machine


@pytest.mark.parametrize(
    "lease, systemd, tools, ran, warned",
    [
        (True, True, TOOLS, True, False),
        (False, True, TOOLS, False, False),
        (True, False, TOOLS, False, True),
        (True, True, (), False, True),
    ],
)
def test_networkd(
    tmp_path: Any, lease: bool, systemd: bool, tools: Sequence[str], ran: bool, warned: bool
) -> None:
    machine = Machine(tmp_path, tools=tools)
    machine.process(700, "systemd-network", "/usr/lib/systemd/systemd-networkd")
    if lease:
        machine.put("/run/systemd/netif/leases/2", "ADDRESS=10.0.0.4\n")
    if systemd:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
    renewal = machine.renew()
    assert machine.ran == (
        [
            [
                "/usr/bin/systemctl",
                "restart",
                "--no-block",
                "--job-mode=ignore-dependencies",
                "systemd-networkd.service",
            ]
        ]
        if ran
        else []
    )
    assert (bool(renewal.told), bool(renewal.warnings)) == (ran, warned)
