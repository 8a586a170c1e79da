"""What all clients share in a round of renewal."""

from __future__ import annotations

from typing import Any

from lightinit.errors import ProvisioningError
from lightinit.host.dhcp.renew import LIMIT_S, Renewal
from tests.lib.dhcp_machine import LEASES, Machine, dhclient


def test_no_client_nothing_done(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.process(1, "init", "/sbin/init")
    machine.process(2, "busybox", "busybox syslogd -n")
    assert machine.renew() == Renewal() and machine.ran == []


def test_a_machine_without_proc(tmp_path: Any) -> None:
    assert Machine(tmp_path).renew() == Renewal()


def test_all_together_have_a_limit(tmp_path: Any) -> None:
    machine = dhclient(tmp_path, answers={"-1": ProvisioningError("command took too long")})
    machine.process(800, "dhclient", "dhclient -lf %s eth1" % LEASES)
    assert len(machine.renew().warnings) == 2
    assert machine.limits_s[0] == LIMIT_S and sum(machine.limits_s) <= LIMIT_S + 3
