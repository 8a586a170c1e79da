"""The whole of it with nothing played but the platform: a real DHCP client and server, real
useradd, sudo and sshd.

One network namespace is Azure: dnsmasq with option 245, and the emulator on the platform's real
addresses. The other is the VM, with files of its own; there the real command boots the live root,
and in the end somebody logs in over SSH.
"""

from __future__ import annotations

import json
import sys
from typing import List

import pytest

from tests.lib.netns import Namespace, wait_until
from tests.real_clients.azure_side import BOOT, ENV, Azure, boot, start_dhcp

SSHD_CONFIG = (
    "Port 22\nHostKey /etc/ssh/test_host_key\nPasswordAuthentication no\nPidFile none\n"
    "UsePAM %s\nAuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2\n"
)


@pytest.mark.parametrize("use_pam", ["yes", "no"])
def test_from_lease_to_login(azure: Azure, vm: Namespace, use_pam: str) -> None:
    azure.start()
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "exit status" not in said, said
    assert "name=web-1\n" in said
    assert "sshd does not say" not in said, said  # although its unit has not made /run/sshd yet
    assert [post["status"] for post in azure.posts()] == [200]
    assert "<State>Ready</State>" in azure.posts()[0]["body"].replace("\n", "")
    assert vm.run("cat", "/etc/hostname") == "web-1\n"

    # The account is one that sshd lets in and sudo obeys.
    vm.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/test_host_key")
    vm.write("/etc/ssh/test_config", SSHD_CONFIG % use_pam)
    vm.run("mkdir", "-p", "/run/sshd")
    vm.start(
        "/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/test_config", log=azure.folder / "sshd.log"
    )
    address = json.loads(vm.run("cat", "/var/lib/lightinit/instance/network.json"))["address"]
    wait_until(
        lambda: "Server listening" in (azure.folder / "sshd.log").read_text(),
        60,
        "sshd does not listen",
    )
    login = azure.machine.run(
        "ssh",
        "-i",
        str(azure.key),
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "BatchMode=yes",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "alice@" + address,
        "id -un; sudo -n id -un",
    )
    assert login == "alice\nroot\n"

    # Never again.
    before = len(azure.heard())
    assert "nothing to do" in boot(vm)
    assert len(azure.heard()) == before
    assert vm.run(sys.executable, "-m", "lightinit", "status", env=ENV) == "status: done\n"


def test_the_lease_comes_late(azure: Azure, vm: Namespace) -> None:
    azure.start()
    process = vm.start(
        *BOOT,
        log=azure.folder / "boot.log",
        env=ENV,
    )
    wait_until(
        lambda: (
            "running" in vm.run("sh", "-c", "cat /run/lightinit/status.json 2>/dev/null || true")
        ),
        60,
        "the boot does not start",
    )
    start_dhcp(azure, vm)
    assert process.wait(300) == 0, (azure.folder / "boot.log").read_text()
    assert [post["status"] for post in azure.posts()] == [200]


def test_without_any_lease_an_address_and_a_route_will_do(azure: Azure, vm: Namespace) -> None:
    azure.start()
    vm.add_address("eth0", "10.99.0.77/24")
    vm.run("ip", "route", "add", "default", "via", "10.99.0.1")
    assert "name=web-1\n" in boot(vm)
    assert [post["status"] for post in azure.posts()] == [200]
    ended = vm.run(
        "sh",
        "-c",
        '"$0" -m lightinit status --long || echo "exit status $?"',
        sys.executable,
        env=ENV,
    )
    assert "exit status 2" in ended
    assert "no usable lease" in ended


@pytest.mark.long
@pytest.mark.parametrize(
    "missing", [["/proc"], ["/sys"], ["/proc", "/sys"]], ids=["proc", "sys", "both"]
)
def test_a_boot_where_proc_or_sys_is_missing(
    azure: Azure, vm: Namespace, missing: List[str]
) -> None:
    azure.start()
    start_dhcp(azure, vm)
    vm.run("sh", "-c", "until grep -qs fixed-address /var/lib/dhcp/*.leases; do sleep 0.1; done")
    for folder in missing:
        vm.run("mount", "-t", "tmpfs", "none", folder)
    said = boot(vm)
    assert "name=web-1\n" in said and "Traceback" not in said
    assert "check  root                 ok" in said
    assert [post["status"] for post in azure.posts()] == [200]
    assert "<State>Ready</State>" in azure.posts()[0]["body"]
    result = json.loads(vm.run("cat", "/var/lib/lightinit/instance/result.json"))
    beginnings = [each.partition(":")[2].split(":")[0] for each in result["warnings"]]
    assert beginnings == [" DMI has no product_uuid"] * ("/sys" in missing)
    boot(vm)
    assert len(azure.posts()) == 1


def test_keys_that_nobody_can_log_in_with_are_not_ready(azure: Azure, vm: Namespace) -> None:
    azure.start(
        publicKeys=[
            {
                "keyData": "ssh-dss AAAAB3NzaC1kc3MAAACBAP",
                "path": "/home/alice/.ssh/authorized_keys",
            }
        ]
    )
    start_dhcp(azure, vm)
    said = boot(vm)
    assert "exit status 1" in said
    (post,) = azure.posts()
    assert "<State>NotReady</State>" in post["body"] and post["status"] == 200


def test_a_namespace_with_the_platform_on_its_own_loopback(azure: Azure, vm: Namespace) -> None:
    for address in ("168.63.129.16/32", "169.254.169.254/32"):
        vm.add_address("lo", address)
    ready = azure.folder / "ready"
    vm.start(
        sys.executable,
        "-m",
        "lightinit.emulator",
        "run",
        "--wireserver",
        "168.63.129.16:80",
        "--imds",
        "169.254.169.254:80",
        "--log",
        str(azure.log),
        "--ready-file",
        str(ready),
        env=ENV,
    )
    wait_until(ready.exists, 60, "the emulator does not start")
    assert "exit status" not in boot(vm)
    assert [post["status"] for post in azure.posts()] == [200]
