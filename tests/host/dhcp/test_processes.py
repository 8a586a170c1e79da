"""Which processes are clients of this machine."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.host.dhcp.renew import Renewal
from tests.lib.dhcp_machine import dhclient


@pytest.mark.parametrize(
    "ours, its, runs", [("1", "1", True), ("1", "2", False), ("1", "", True), ("", "2", True)]
)
def test_a_containers_client_is_not_ours(tmp_path: Any, ours: str, its: str, runs: bool) -> None:
    machine = dhclient(tmp_path)
    if ours:
        machine.enter("self", ours)
    if its:
        machine.enter("700", its)
    machine.renew()
    assert bool(machine.ran) is runs


def test_a_users_process_of_that_name_is_not_believed(tmp_path: Any) -> None:
    if os.geteuid():
        pytest.skip("root is needed: files change owners")
    machine = dhclient(tmp_path, "dhclient -cf /home/eve/conf eth0")
    os.chown(machine.root + "/proc/700", 1000, 1000)
    assert machine.renew() == Renewal() and machine.ran == []


def test_a_process_that_has_ended_has_no_command_line(tmp_path: Any) -> None:
    machine = dhclient(tmp_path)
    machine.put("/proc/700/cmdline")
    assert machine.renew() == Renewal() and machine.ran == []
