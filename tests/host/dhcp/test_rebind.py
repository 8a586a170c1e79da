"""Clients that go by their lease alone are made to ask for another one in another network."""

from __future__ import annotations

import os
import signal
from typing import Any, List, Tuple

import pytest

from lightinit.host.dhcp import rebind
from tests.lib.dhcp_machine import Machine


class Live(Machine):
    """A scratch root that passes for the live machine, with one process that a signal ends.

    Args:
        root: an empty directory.
        comm, command: of the process.
        deaf: whether SIGTERM does not end it.
    """

    def __init__(self, root: Any, comm: str, command: str, deaf: bool = False) -> None:
        super().__init__(root)
        self.live = True
        self.deaf = deaf
        self.process(700, comm, command)
        os.makedirs(self.root + "/run/systemd/system")

    def path(self, name: str, follow_last: bool = True) -> str:
        return self.root + name

    def signal(self, pid: int, number: int) -> None:
        self.killed.append((pid, number))
        if number == signal.SIGKILL or (number == signal.SIGTERM and not self.deaf):
            self.put("/proc/%d/cmdline" % pid)

    def rebind(self) -> List[str]:
        """What was said; the signals are in ``killed``."""
        return rebind.rebind(self, self.signal)


@pytest.mark.parametrize(
    "deaf, signals",
    [(False, [signal.SIGTERM]), (True, [signal.SIGTERM, signal.SIGKILL])],
)
def test_dhclient_is_ended_and_started_as_it_was(
    tmp_path: Any, deaf: bool, signals: List[int]
) -> None:
    machine = Live(tmp_path, "dhclient", "/sbin/dhclient -4 -v eth0", deaf=deaf)
    assert machine.rebind() == ["dhclient was restarted to ask for another lease"]
    assert machine.killed == [(700, number) for number in signals]
    (argv,) = machine.ran
    assert argv[:3] == ["/usr/bin/systemd-run", "--quiet", "--collect"]
    assert "--no-block" in argv and "--property=RemainAfterExit=yes" in argv
    assert argv[argv.index("--") + 1 :] == ["/usr/bin/dhclient", "-4", "-v", "eth0"]


@pytest.mark.parametrize(
    "comm, command",
    [("udhcpc", "udhcpc -i eth0"), ("busybox", "/bin/busybox udhcpc -i eth0")],
)
def test_udhcpc_gives_its_lease_back_and_asks_anew(tmp_path: Any, comm: str, command: str) -> None:
    machine = Live(tmp_path, comm, command)
    assert machine.rebind() == ["udhcpc was asked for another lease"]
    assert machine.killed == [(700, signal.SIGUSR2), (700, signal.SIGUSR1)]


@pytest.mark.parametrize(
    "comm, command",
    [
        ("dhclient", "dhclient -6 eth0"),
        ("dhclient", "dhclient -sf /usr/lib/NetworkManager/nm-dhcp-helper eth0"),
        ("busybox", "busybox syslogd"),
        ("dhcpcd", "dhcpcd: eth0"),
        ("NetworkManager", "/usr/sbin/NetworkManager"),
        ("systemd-network", "/usr/lib/systemd/systemd-networkd"),
    ],
)
def test_others_are_left_alone(tmp_path: Any, comm: str, command: str) -> None:
    machine = Live(tmp_path, comm, command)
    assert (machine.rebind(), machine.killed, machine.ran) == ([], [], [])


def test_a_failure_is_told(tmp_path: Any) -> None:
    machine = Live(tmp_path, "udhcpc", "udhcpc")

    def kill(_pid: int, _number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    (said,) = rebind.rebind(machine, kill)
    assert said.startswith("udhcpc could not be made to ask for another lease: ")


def test_a_scratch_root_has_no_clients(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.process(700, "udhcpc", "udhcpc")
    killed: List[Tuple[int, int]] = []
    assert rebind.rebind(machine, lambda *what: killed.append(what)) == [] and killed == []
