"""Real DHCP clients whose lease comes late, while another interface looks like a network."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.lib.netns import Namespace, need, wait_until
from tests.real_clients.azure_side import BOOT, ENV, Azure, open_vm, start_dhclient, start_dhcp

GRACE_S = 0.5
SETTINGS = "[network]\ngrace_s = %g\n" % GRACE_S
NO_DMI = """set -e
umount /sys/class/net
umount /sys/class
mount -t tmpfs none /sys/class
mkdir /sys/class/net
mount --bind /mnt/net /sys/class/net
"""
ROUTES = "121,168.63.129.16/32,10.99.0.1,169.254.169.254/32,10.99.0.1,0.0.0.0/0,10.99.0.1"


@pytest.fixture
def vm(azure: Azure) -> Iterator[Namespace]:
    with open_vm(azure) as vm:
        vm.write("/etc/lightinit/conf.d/10-grace.conf", SETTINGS)
        yield vm


def start_local(vm: Namespace, log: Path) -> "subprocess.Popen[bytes]":
    """Start the local stage. Returns once the grace for what is there is over."""
    process = vm.start(sys.executable, "-m", "lightinit", "stage", "local", log=log, env=ENV)
    wait_until(lambda: "waiting for a DHCP lease" in log.read_text(), 60, "it does not wait")
    time.sleep(2 * GRACE_S)
    assert process.poll() is None, log.read_text()
    return process


def found(vm: Namespace) -> Any:
    return json.loads(vm.run("cat", "/var/lib/lightinit/instance/network.json"))


def test_docker0_is_not_the_network_while_the_nic_has_a_link_local_address(
    azure: Azure, vm: Namespace, tmp_path: Path
) -> None:
    """P6: linuxkit#393: dhcpcd gives eth0 a link-local address with a default route."""
    need("dhcpcd")
    for command in (
        "link add docker0 type bridge",
        "address add 172.17.0.1/16 dev docker0",
        "link set docker0 up",
        "address add 169.254.9.9/16 dev eth0 scope link",
        "route add default dev eth0 metric 1000",
    ):
        vm.run("ip", *command.split())
    log = tmp_path / "local.log"
    process = start_local(vm, log)
    azure.machine.serve_dhcp("vs", "10.99.0.50", "10.99.0.99", tmp_path, ["245,a8:3f:81:10"])
    vm.run("mkdir", "-p", "/var/lib/dhcpcd")
    vm.run("mount", "-t", "tmpfs", "none", "/var/lib/dhcpcd")
    vm.start("dhcpcd", "-4", "-B", "-L", "--noarp", "eth0", log=tmp_path / "dhcpcd.log")
    assert process.wait(300) == 0, log.read_text()
    network = found(vm)
    assert (network["interface"], network["client"]) == ("eth0", "dhcpcd")


def test_without_dmi_the_platform_is_an_open_question_until_the_lease(
    azure: Azure, vm: Namespace, tmp_path: Path
) -> None:
    """P7: another interface has an address and a default route long before."""
    need("dhclient")
    azure.start()
    vm.run("sh", "-c", NO_DMI)
    for command in (
        "link add other0 type bridge",
        "address add 10.5.0.1/24 dev other0",
        "link set other0 up",
        "route add default via 10.5.0.254 dev other0 metric 1000",
    ):
        vm.run("ip", *command.split())
    log = tmp_path / "local.log"
    process = start_local(vm, log)
    start_dhcp(azure, vm, ROUTES)
    assert process.wait(300) == 0, log.read_text()
    network = found(vm)
    assert (network["interface"], network["option_245"]) == ("eth0", True)


def test_option_245_names_an_address_where_nobody_answers(
    azure: Azure, vm: Namespace, tmp_path: Path
) -> None:
    """P12: the well-known address gets the report, and the VM is Ready with a warning."""
    need("dhclient", "sudo", "visudo", "useradd")
    azure.start()
    azure.machine.serve_dhcp("vs", "10.99.0.50", "10.99.0.99", tmp_path, ["245,0a:63:00:07"])
    start_dhclient(azure, vm)
    vm.write("/etc/lightinit/conf.d/short.conf", "[azure]\nrequest_timeout_s = 10\n")
    log = tmp_path / "boot.log"
    assert vm.start(*BOOT, log=log, env=ENV).wait(300) == 0, log.read_text()
    assert "option 245 of the lease names 10.99.0.7" in log.read_text()
    assert found(vm)["wireserver"] == "10.99.0.7"
    assert [post["status"] for post in azure.posts()] == [200]
