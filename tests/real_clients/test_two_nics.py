"""Two NICs, each with a real DHCP client and a server of its own. The one that is not the
platform's has its lease first.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest

from tests.lib.netns import Namespace, need, wait_until
from tests.real_clients.azure_side import BOOT, ENV, Azure, open_vm

ROUTES = "121,168.63.129.16/32,10.99.0.1,169.254.169.254/32,10.99.0.1,0.0.0.0/0,10.99.0.1"


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    need("dnsmasq", "ssh-keygen")
    with Namespace() as machine:
        yield Azure(machine, tmp_path)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Namespace]:
    with Namespace() as machine:
        yield machine


@pytest.fixture
def vm(azure: Azure, other: Namespace) -> Iterator[Namespace]:
    need("dhclient", "sudo", "visudo", "useradd")
    with open_vm(azure) as vm:
        other.connect("vs", vm, "eth1")
        other.add_address("vs", "10.77.0.1/24")
        yield vm


def start_client(vm: Namespace, interface: str, folder: Path) -> None:
    vm.start(
        "dhclient",
        "-d",
        "-pf",
        "/run/dhclient.%s.pid" % interface,
        "-lf",
        "/var/lib/dhcp/dhclient.%s.leases" % interface,
        interface,
        log=folder / ("dhclient.%s.log" % interface),
    )


def test_the_second_nic_has_its_lease_first(
    azure: Azure, other: Namespace, vm: Namespace, tmp_path: Path
) -> None:
    """The ends of a cable between namespaces are no physical NICs, for which lightinit would wait:
    it goes on with what it has, in vain at first, and succeeds as soon as the other lease has led
    to the platform.
    """
    azure.start()
    (tmp_path / "other").mkdir()
    other.serve_dhcp("vs", "10.77.0.50", "10.77.0.99", tmp_path / "other")
    start_client(vm, "eth0", tmp_path)  # asks in vain: the platform's server is not there yet
    start_client(vm, "eth1", tmp_path)
    vm.write("/etc/lightinit/conf.d/short.conf", "[azure]\nrequest_timeout_s = 10\n")
    boot = vm.start(
        *BOOT,
        log=tmp_path / "boot.log",
        env=ENV,
    )
    wait_until(
        lambda: "attempt 1" in (tmp_path / "boot.log").read_text(),
        60,
        "nothing was tried over eth1",
    )
    azure.machine.serve_dhcp(
        "vs", "10.99.0.50", "10.99.0.99", azure.folder, ["245,a8:3f:81:10", ROUTES]
    )
    assert boot.wait(300) == 0, (tmp_path / "boot.log").read_text()
    assert [post["status"] for post in azure.posts()] == [200]
    assert "<State>Ready</State>" in azure.posts()[0]["body"]
    assert vm.run("cat", "/etc/hostname") == "web-1\n"
    network = json.loads(vm.run("cat", "/var/lib/lightinit/instance/network.json"))
    assert (network["interface"], network["option_245"], network["wireserver"]) == (
        "eth1",
        False,
        "168.63.129.16",
    )
