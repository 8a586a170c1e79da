"""systemd-networkd of Debian's unstable (262 and later), which writes no lease files: its lease is
found, and the new host name reaches the server.

It runs in a root that has nothing but systemd, with /run of the machine that lightinit sees.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.lib.extracted import NEWEST, extracted_root
from tests.lib.netns import Namespace, need, wait_until
from tests.real_clients.azure_side import ENV, Azure
from tests.real_clients.client_files import FIND, MODULE, NETWORK_FILE, SYSTEMCTL

pytestmark = pytest.mark.long

SOCKET = "/run/systemd/netif/io.systemd.Network"
ROUTES = "121,168.63.129.16/32,10.99.0.1,0.0.0.0/0,10.99.0.1"
ENTER = """set -e
mount --bind /run "$1/run"
mount --bind /dev "$1/dev"
mount -t proc none "$1/proc"
mount --rbind /sys "$1/sys"
mkdir -p /run/systemd/netif/leases /run/systemd/netif/links /run/manager /run/systemd/system
chown -R 998:998 /run/systemd/netif
[ -e "$1/etc/machine-id" ] || echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
"""
# What its hardware database says on Azure, here on the kernel's command line.
LOCKED = (
    "systemd.imds.network=locked systemd.imds.vendor=microsoft-azure"
    " systemd.imds.data_url=http://169.254.169.254/metadata"
    " systemd.imds.address_ipv4=169.254.169.254"
)
BOOT = '"$0" -m lightinit boot 2>&1 || echo "exit status $?"'
IMDS_NETWORK = "/run/systemd/network/85-imds-early.network"


def test_the_lease_is_found_and_the_name_is_sent(tmp_path: Path) -> None:
    need("dnsmasq", "mmdebstrap", "chroot")
    root = extracted_root(*NEWEST)
    with Namespace() as server, Namespace(["/run", "/var/lib/lightinit"], "image") as vm:
        server.connect("vs", vm, "eth7")
        server.add_address("vs", "10.99.0.1/24")
        leases = server.serve_dhcp(
            "vs", "10.99.0.50", "10.99.0.99", tmp_path, ["245,a8:3f:81:10", ROUTES]
        )
        vm.run("sh", "-c", ENTER, "sh", root)
        vm.write("/run/systemd/network/10-eth7.network", NETWORK_FILE)
        vm.write("/run/systemctl", SYSTEMCTL, 0o755)
        vm.run("mount", "--bind", "/run/systemctl", "/usr/bin/systemctl")
        vm.start(
            sys.executable,
            str(Path(__file__).with_name("service_manager.py")),
            "/run/manager",
            "chroot",
            root,
            "/usr/lib/systemd/systemd-networkd",
            log=tmp_path / "networkd.log",
            env={"SYSTEMD_LOG_TARGET": "console"},
        )
        found = json.loads(vm.run(sys.executable, "-c", FIND, "120", "60", env=ENV))["network"]
        assert vm.run("ls", "-A", "/run/systemd/netif/leases") == "", "it writes lease files again"
        assert (found["client"], found["source"]) == ("networkd", SOCKET)
        assert (found["server"], found["server_from_lease"]) == ("168.63.129.16", True)
        assert (found["interface"], found["warnings"]) == ("eth7", [])

        assert "image" in leases.read_text().split()
        outcome = json.loads(vm.run(sys.executable, "-c", MODULE, "web-1", "{}", env=ENV))
        assert "systemd-networkd restarts, keeping its lease" in outcome["message"]
        assert outcome["warnings"] == []
        wait_until(lambda: "web-1" in leases.read_text().split(), 60, "the name is not sent")
        assert leases.read_text().split()[2] == found["address"]
        said = (tmp_path / "dnsmasq.log").read_text()
        assert "DHCPRELEASE" not in said and "DHCPDECLINE" not in said and "DHCPNAK" not in said


def test_imds_is_locked_by_systemd_itself(azure: Azure, vm: Namespace) -> None:
    """systemd-imdsd writes the network's file, networkd makes the routes, and lightinit boots."""
    need("mmdebstrap", "chroot")
    root = extracted_root(*NEWEST)
    azure.start()
    azure.machine.serve_dhcp("vs", "10.99.0.50", "10.99.0.99", azure.folder, ["245,a8:3f:81:10"])
    vm.run("sh", "-c", ENTER, "sh", root)
    vm.run("mkdir", "-p", "/run/systemd/network")
    setup = ("/usr/lib/systemd/systemd-imdsd", "--setup-network")
    vm.run("chroot", root, *setup, env={"SYSTEMD_PROC_CMDLINE": LOCKED})
    vm.run("sed", "-i", "/^Kind=/d", IMDS_NETWORK)  # the end of a cable between namespaces has one
    vm.start(
        "chroot",
        root,
        "/usr/lib/systemd/systemd-networkd",
        log=azure.folder / "networkd.log",
        env={"SYSTEMD_LOG_TARGET": "console"},
    )
    said = vm.run("unshare", "--uts", "sh", "-c", BOOT, sys.executable, env=ENV)
    assert "prohibit 169.254.169.254" in vm.run("ip", "route"), said
    assert "imds is locked" not in said
    assert "<State>Ready</State>" in azure.posts()[0]["body"], said
    assert vm.run("cat", "/etc/hostname") == "web-1\n"  # IMDS alone knows it
    assert "WireServer 168.63.129.16 (%s)" % SOCKET in said
