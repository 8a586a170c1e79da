"""wicked: how it is asked to renew. Debian has no wicked, so the commands are those of its manual
(ifup(8), ifcfg-dhcp(5)); what it does with them is not tested.
"""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from tests.lib.dhcp_machine import Machine

LEASE = "/var/lib/wicked/lease-%s-dhcp-ipv4.xml"


def machine_with(root: Any, *interfaces: str, **named: Any) -> Machine:
    machine = Machine(root, **named)
    machine.process(700, "wickedd-dhcp4", "/usr/lib/wicked/bin/wickedd-dhcp4 --foreground")
    for interface in interfaces:
        machine.put(LEASE % interface)
    return machine


def test_each_interface_with_a_lease_is_renewed(tmp_path: Any) -> None:
    machine = machine_with(tmp_path, "eth0", "eth1", tools=("wicked",))
    machine.put("/run/wicked/lease-eth1-dhcp-ipv4.xml")
    machine.put("/var/lib/wicked/lease-eth2-dhcp-ipv6.xml")
    renewal = machine.renew()
    ran = [command[:2] + command[-1:] for command in machine.ran]
    assert ran == [["/usr/bin/wicked", "ifup", name] for name in ("eth0", "eth1")]
    assert len(renewal.told) == 2 and renewal.warnings == ()


@pytest.mark.parametrize(
    "of_all, of_eth0, said",
    [
        ('DHCLIENT_HOSTNAME_OPTION="AUTO"', "", "was asked to send it"),
        ("DHCLIENT_HOSTNAME_OPTION=AUTO # yes", "", "was asked to send it"),
        ('DHCLIENT_HOSTNAME_OPTION=""', "", "sends no host name"),
        ("DHCLIENT_HOSTNAME_OPTION='fixed'", "", "sends the name fixed"),
        ('DHCLIENT_HOSTNAME_OPTION=""', 'DHCLIENT_HOSTNAME_OPTION="AUTO"', "was asked to send it"),
        ('DHCLIENT_HOSTNAME_OPTION="web-1"', "", "was asked to send it"),
        ('#DHCLIENT_HOSTNAME_OPTION="fixed"', "", "was asked to send it"),
    ],
)
def test_the_configuration_decides(tmp_path: Any, of_all: str, of_eth0: str, said: str) -> None:
    machine = machine_with(tmp_path, "eth0", tools=("wicked",))
    machine.put("/etc/sysconfig/network/dhcp", of_all + "\n")
    machine.put("/etc/sysconfig/network/ifcfg-eth0", "BOOTPROTO='dhcp'\n" + of_eth0 + "\n")
    renewal = machine.renew()
    assert said in renewal.told[0] and renewal.warnings == ()
    assert bool(machine.ran) is ("was asked" in said)


def test_a_failure_is_a_warning(tmp_path: Any) -> None:
    answers = {"ifup": ProvisioningError("command took too long")}
    assert len(machine_with(tmp_path, "eth0", tools=("wicked",), answers=answers).renew().warnings)
    assert "its program is missing" in machine_with(tmp_path, "eth0", tools=()).renew().warnings[0]
    assert machine_with(tmp_path / "b", tools=("wicked",)).renew().warnings == ()
