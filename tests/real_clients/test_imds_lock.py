"""A machine on which systemd has locked IMDS (``systemd.imds.network=locked``): a real boot with
the routes that systemd 261 makes.

The routes and the rule are those of its 85-imds-early.network. Who may set the mark is up to the
real kernel.
"""

from __future__ import annotations

import sys

import pytest

from tests.lib.netns import Namespace, need
from tests.real_clients.azure_side import ENV, Azure, start_dhcp

pytestmark = pytest.mark.long

LOCK = """set -e
ip route add prohibit 169.254.169.254
ip route add 169.254.169.254 dev eth0 scope link table 0x7FFF0815
ip rule add fwmark 0x7FFF0815 lookup 0x7FFF0815
"""
BOOT = (
    "until ip -4 route | grep -q default; do sleep 0.1; done; %s"
    ' "$0" -m lightinit boot 2>&1 || echo "exit status $?"'
)


def boot(vm: Namespace, prefix: str = "") -> str:
    """What a boot says. ``prefix`` begins its command line."""
    return vm.run("unshare", "--uts", "sh", "-c", BOOT % prefix, sys.executable, env=ENV)


def test_the_mark_opens_the_lock(azure: Azure, vm: Namespace) -> None:
    azure.start()
    start_dhcp(azure, vm)
    vm.run("sh", "-c", LOCK)
    said = boot(vm)
    assert "exit status" not in said, said
    assert "<State>Ready</State>" in azure.posts()[0]["body"]
    assert vm.run("cat", "/etc/hostname") == "web-1\n"  # IMDS alone knows it


def test_without_the_privilege_the_reason_says_what_to_change(azure: Azure, vm: Namespace) -> None:
    need("setpriv")
    azure.start()
    start_dhcp(azure, vm)
    vm.run("sh", "-c", LOCK)
    said = boot(vm, "setpriv --bounding-set=-net_admin,-net_raw")
    assert "imds is locked" in said and "systemd.imds.network=unlocked" in said, said
    (post,) = azure.posts()
    assert "<State>NotReady</State>" in post["body"] and "imds is locked" in post["body"]


def test_an_open_imds_gets_no_mark(azure: Azure, vm: Namespace) -> None:
    """The mark needs a privilege that a site may have taken away. (Here that leads to a warning
    about DNS: dhclient needs it.)
    """
    need("setpriv")
    azure.start()
    start_dhcp(azure, vm)
    said = boot(vm, "setpriv --bounding-set=-net_admin,-net_raw")
    assert "imds is locked" not in said, said
    assert "<State>Ready</State>" in azure.posts()[0]["body"]
