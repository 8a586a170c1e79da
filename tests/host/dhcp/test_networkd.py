"""systemd-networkd: when it is restarted, and how it is asked for its leases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Sequence

import pytest

from lightinit.formats.dhcp.clients import read_leases
from lightinit.host.dhcp.networkd import SOCKET, peek
from tests.lib.dhcp_machine import TOOLS, Machine
from tests.lib.leases import NETWORKD_JSON, NOW_S
from tests.lib.varlink_service import VarlinkService


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


def answers(root: Path, message: bytes) -> VarlinkService:
    """networkd, which answers everything with ``message``."""
    return VarlinkService(Path(str(root) + SOCKET), message)


LEASED = b'{"parameters":%s}' % NETWORKD_JSON


def test_without_lease_files_it_is_asked(short_root: Path) -> None:
    with answers(short_root, LEASED) as networkd:
        where, data = peek(Machine(short_root))
    assert networkd.asked == [{"method": "io.systemd.Network.Describe", "parameters": {}}]
    (lease,) = read_leases("networkd", data, NOW_S, where)
    assert (lease.address, lease.wireserver) == ("10.99.0.92", "168.63.129.16")
    assert (lease.interface, lease.source) == ("eth7", SOCKET)


def test_with_lease_files_it_is_not_asked(short_root: Path) -> None:
    with answers(short_root, LEASED) as networkd:
        machine = Machine(short_root)
        machine.put("/run/systemd/netif/leases/2", "ADDRESS=10.0.0.4\n")
        assert peek(machine) == (SOCKET, b"")
    assert networkd.asked == []


NO_LEASE: Any = {"Interfaces": [{"Name": "eth7", "DHCPv4Client": {"ClientIdentifier": [1]}}]}


@pytest.mark.parametrize(
    "message, restarted",
    [
        (LEASED, True),
        (json.dumps({"parameters": NO_LEASE}).encode("ascii"), False),
        (b'{"error":"org.varlink.service.MethodNotFound","parameters":{}}', False),
        (b'{"parameters":{"Interfaces":[1,{"DHCPv4Client":2}]}}', False),
        (b'{"parameters":{"Interfaces":{}}}', False),
    ],
)
def test_without_lease_files_it_is_restarted_if_it_says_that_it_has_a_lease(
    short_root: Path, message: bytes, restarted: bool
) -> None:
    machine = Machine(short_root)
    machine.process(700, "systemd-network", "/usr/lib/systemd/systemd-networkd")
    machine.put("/run/systemd/system/unit")
    with answers(short_root, message):
        renewal = machine.renew()
    assert bool(machine.ran) is bool(renewal.told) is restarted
    assert renewal.warnings == ()


def test_a_networkd_that_does_not_answer_is_a_warning(short_root: Path) -> None:
    """It may have a lease, so the server may keep the old name."""
    machine = Machine(short_root)
    machine.process(700, "systemd-network", "/usr/lib/systemd/systemd-networkd")
    machine.put("/run/systemd/system/unit")
    with answers(short_root, b"no json"):
        assert peek(machine) == (SOCKET, b"")
        renewal = machine.renew()
    (warning,) = renewal.warnings
    assert "it does not say whether it has a lease" in warning
    assert machine.ran == [] and renewal.told == ()
