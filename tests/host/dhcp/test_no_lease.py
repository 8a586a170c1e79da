"""Why there is no lease: what the machine's processes say."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.host.dhcp.clients import explain_no_lease, running_clients
from tests.lib.dhcp_machine import Machine


def test_nobody(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.process(1, "init", "/sbin/init")
    machine.process(2, "busybox", "busybox syslogd -n")
    machine.process(3, "dhclient", "dhclient eth0")  # it may just have no lease yet
    assert explain_no_lease(machine) == []
    assert explain_no_lease(Machine(tmp_path / "without-proc")) == []


def test_a_process_that_is_hidden(tmp_path: Any) -> None:
    """lightinit's own sandbox hides the sockets of processes with more privileges."""
    machine = Machine(tmp_path)
    machine.put("/proc/net/udp", "head\n 1: 00000000:0044 0:0 07 0:0 0:0 0 0 0 800 2 0 0\n")
    machine.process(7, "strange-dhcp", "strange-dhcp eth0")
    (told,) = explain_no_lease(machine)
    assert "holds UDP port 68: `ss -ulpn 'sport = 68'` names it" in told
    machine.process(8, "dhclient", "dhclient eth0")  # this may be it
    assert explain_no_lease(machine) == []


@pytest.mark.parametrize(
    "command, lacks_option",
    [
        ("udhcpc -b -R -p /var/run/udhcpc.eth0.pid -i eth0", True),  # ifupdown-ng
        ("udhcpc -b -R -p /var/run/udhcpc.eth0.pid -i eth0 -O 245", False),
        (
            "/bin/busybox udhcpc -x hostname:vm --interface=eth0 --now"
            " --script=/lib/netifrc/sh/udhcpc-hook.sh --pidfile=/run/udhcpc-eth0.pid",
            True,
        ),
        ("busybox udhcpc --request-option=0xf5 -i eth0", False),
    ],
)
def test_udhcpc_without_the_hook(tmp_path: Any, command: str, lacks_option: bool) -> None:
    machine = Machine(tmp_path)
    machine.process(7, "busybox", command)
    (told,) = explain_no_lease(machine)
    assert told.startswith("udhcpc (process 7) left no lease in /run/lightinit/leases")
    assert "/usr/lib/lightinit/udhcpc-hook say how to install" in told
    assert told.endswith("and it needs -O 245") is lacks_option


@pytest.mark.parametrize(
    "comm, path, text, told",
    [
        ("connmand", "/var/lib/connman/ethernet_0_cable/settings", "IPv4.method=dhcp", "connman"),
        ("connmand", "/var/lib/connman/ethernet_0_cable/settings", "IPv4.method=manual", ""),
        ("iwd", "/etc/iwd/main.conf", "[General]\nEnableNetworkConfiguration=true", "iwd"),
        ("iwd", "/etc/iwd/main.conf", "#EnableNetworkConfiguration=true", ""),  # NetworkManager's
        ("iwd", "/etc/iwd/other.conf", "EnableNetworkConfiguration=true", ""),
    ],
)
def test_clients_that_keep_their_leases(
    tmp_path: Any, comm: str, path: str, text: str, told: str
) -> None:
    machine = Machine(tmp_path)
    machine.process(7, comm, "/usr/sbin/" + comm)
    machine.put(path, text + "\n")
    expected = ["%s (process 7) keeps its leases to itself" % told] if told else []
    assert explain_no_lease(machine) == expected
    warnings = machine.renew().warnings  # the name is not sent, either
    assert [each.startswith(told + " could not be made to send") for each in warnings] == [
        True
    ] * bool(told)


def test_which_clients_run(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    names = {"dhclient", "udhcpc", "networkmanager"}
    machine.process(5, "NetworkManager", "NetworkManager --no-daemon")
    machine.process(6, "dhclient", "dhclient -sf /usr/libexec/nm-dhcp-helper eth0")
    machine.process(7, "busybox", "busybox syslogd")
    assert running_clients(machine, names) == ["NetworkManager"]
    machine.process(8, "dhclient", "dhclient eth0")
    machine.process(9, "udhcpc", "udhcpc -i eth0")
    assert running_clients(machine, names) == ["NetworkManager", "dhclient", "udhcpc"]
    assert running_clients(machine, {"dhcpcd"}) == []
