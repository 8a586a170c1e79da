"""DHCP clients that leave no lease, or that something else starts: real ones of Debian's unstable,
out of a root of their own, with /run of the machine that lightinit sees.

connman keeps its leases to itself. ifupdown-ng starts busybox udhcpc with its own arguments.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from tests.lib.extracted import NEWEST, extracted_root
from tests.lib.netns import Namespace, need, wait_until
from tests.lib.scratch import HERE
from tests.real_clients.azure_side import ENV
from tests.real_clients.client_files import FIND, MODULE

pytestmark = pytest.mark.long

HOOK = HERE + "/etc/udhcpc/lightinit-hook"
PLAIN_SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/24" dev "$interface" && ip route replace default via "$router"
"""
ENTER = """set -e
for folder in /run /dev /var/lib/connman; do
    mkdir -p "$1$folder"
    mount --bind "$folder" "$1$folder"
done
mount -t proc none "$1/proc"
mount --rbind /sys "$1/sys"
mkdir -p /run/dbus
"""
HOLD_PORT = """import socket, time
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("0.0.0.0", 68))
open("/run/held", "w").close()
time.sleep(60)
"""
PRIVATE = ("/run", "/var/lib/dhcp", "/var/lib/dhcpcd", "/var/lib/connman", "/var/lib/lightinit")


class Machines:
    """A VM named ``image`` with eth7, and the DHCP server at the other end of its cable."""

    def __init__(self, vm: Namespace, server: Namespace, folder: Path) -> None:
        self.vm = vm
        self.folder = folder
        self.leases = server.serve_dhcp(
            "vs", "10.99.0.50", "10.99.0.99", folder, ["245,a8:3f:81:10", "3,10.99.0.1"]
        )

    def start(self, *argv: str, **env: str) -> "subprocess.Popen[bytes]":
        return self.vm.start(*argv, log=self.folder / "client.log", env=env)

    def wait_for_address(self) -> None:
        self.vm.run("sh", "-c", "until ip -4 route | grep -q default; do sleep 0.1; done")

    def find(self, grace_s: float = 1.0) -> Dict[str, Any]:
        printed = self.vm.run(sys.executable, "-c", FIND, "120", str(grace_s), env=ENV)
        return dict(json.loads(printed)["network"])

    def rename(self) -> Dict[str, Any]:
        return dict(json.loads(self.vm.run(sys.executable, "-c", MODULE, "web-1", "{}", env=ENV)))

    def name(self) -> str:
        return "".join(self.leases.read_text().split()[3:4])  # the server empties it to rewrite it

    def wait_for_name(self, name: str) -> None:
        wait_until(lambda: self.name() == name, 60, "the server does not have the name %s" % name)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    need("dnsmasq", "busybox", "chroot")
    with Namespace() as server, Namespace(PRIVATE, "image") as vm:
        server.connect("vs", vm, "eth7")
        server.add_address("vs", "10.99.0.1/24")
        yield Machines(vm, server, tmp_path)


def well_known(network: Dict[str, Any]) -> str:
    """The one warning of a network that was found without a lease."""
    assert (network["server"], network["server_from_lease"]) == ("168.63.129.16", False)
    (warning,) = network["warnings"]
    assert "the well-known WireServer address 168.63.129.16 is used" in warning
    return str(warning)


def test_connman(machines: Machines) -> None:
    need("mmdebstrap")
    vm, root = machines.vm, extracted_root(*NEWEST)
    vm.run("sh", "-c", ENTER, "sh", root)
    machines.start("chroot", root, "dbus-daemon", "--system", "--nofork", "--nopidfile")
    vm.run("sh", "-c", "until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done")
    machines.start("chroot", root, "/usr/sbin/connmand", "-n", "-i", "eth7")
    machines.wait_for_address()
    vm.run("sh", "-c", "until grep -qs IPv4.method /var/lib/connman/*/settings; do sleep 0.1; done")
    warning = well_known(machines.find())
    assert "connman (process " in warning and ") keeps its leases to itself" in warning
    (warning,) = machines.rename()["warnings"]
    assert "connman could not be made to send the host name" in warning
    machines.wait_for_name("image")


@pytest.mark.parametrize("hook", [True, False])
def test_udhcpc_that_ifupdown_ng_starts(machines: Machines, hook: bool) -> None:
    """Its own script starts udhcpc, with what /etc/network/interfaces says in IF_* variables."""
    need("mmdebstrap", "/sbin/udhcpc")
    root = extracted_root(*NEWEST)
    machines.vm.write("/etc/plain.script", PLAIN_SCRIPT, 0o755)
    variables = {"IF_DHCP_SCRIPT": "/etc/plain.script"}
    if hook:
        variables = {"IF_DHCP_SCRIPT": HOOK, "IF_UDHCPC_OPTS": "-O 245"}
        variables["LIGHTINIT_UDHCPC_SCRIPT"] = "/etc/plain.script"
    machines.start(
        "sh",
        root + "/usr/libexec/ifupdown-ng/dhcp",
        IFACE="eth7",
        PHASE="up",
        IF_DHCP_PROGRAM="udhcpc",
        IF_DHCP_HOSTNAME="image",
        **variables,
    )
    machines.wait_for_address()
    if not hook:
        warning = well_known(machines.find())
        assert "udhcpc (process " in warning and "/usr/lib/lightinit/udhcpc-hook say" in warning
        assert "and it needs -O 245" in warning
        return
    network = machines.find()
    assert (network["client"], network["server_from_lease"]) == ("udhcpc", True)
    assert network["warnings"] == []
    assert "udhcpc on eth7 sent it to the DHCP server" in machines.rename()["message"]
    machines.wait_for_name("web-1")


def test_udhcpc_as_netifrc_starts_it(machines: Machines) -> None:
    """The arguments are those of netifrc's net/udhcpc.sh: Debian has no netifrc."""
    machines.vm.write("/etc/plain.script", PLAIN_SCRIPT, 0o755)
    machines.start(
        "busybox",
        "udhcpc",
        "-O",
        "245",
        "-x",
        "hostname:image",
        "--interface=eth7",
        "--now",
        "--script=" + HOOK,
        "--pidfile=/run/udhcpc-eth7.pid",
        "--foreground",
        LIGHTINIT_UDHCPC_SCRIPT="/etc/plain.script",
    )
    machines.wait_for_address()
    assert machines.find()["server_from_lease"] is True
    assert "udhcpc on eth7 sent it to the DHCP server" in machines.rename()["message"]
    machines.wait_for_name("web-1")


def test_a_client_that_nobody_knows(machines: Machines) -> None:
    machines.vm.add_address("eth7", "10.99.0.5/24")
    machines.vm.run("ip", "route", "add", "default", "via", "10.99.0.1")
    machines.start(sys.executable, "-c", HOLD_PORT)
    machines.vm.run("sh", "-c", "until [ -e /run/held ]; do sleep 0.05; done")
    warning = well_known(machines.find())
    assert ") holds UDP port 68 or a packet socket, and is no DHCP client that" in warning
    assert "python" in warning


def start_dhclient(machines: Machines) -> None:
    need("dhclient")
    leases = "/var/lib/dhcp/dhclient.eth7.leases"
    machines.start("dhclient", "-d", "-pf", "/run/dhclient.pid", "-lf", leases, "eth7")
    machines.wait_for_address()


def test_two_clients_on_one_nic(machines: Machines) -> None:
    start_dhclient(machines)
    machines.vm.write("/etc/plain.script", PLAIN_SCRIPT, 0o755)
    options = ["-f", "-i", "eth7", "-O", "245", "-s", HOOK]
    machines.start("busybox", "udhcpc", *options, LIGHTINIT_UDHCPC_SCRIPT="/etc/plain.script")
    machines.vm.run(
        "sh", "-c", "until [ -e /run/lightinit/leases/eth7.udhcpc ]; do sleep 0.1; done"
    )
    network = machines.find()
    assert network["server_from_lease"] is True
    (warning,) = network["warnings"]
    assert warning.startswith("dhclient and udhcpc have a lease for eth7 each")


@pytest.mark.parametrize("missing", [["/sys"], ["/proc", "/sys"]], ids=["sys", "both"])
def test_a_machine_without_proc_and_sys(machines: Machines, missing: List[str]) -> None:
    start_dhclient(machines)
    for folder in missing:
        machines.vm.run("mount", "-t", "tmpfs", "none", folder)
    network = machines.find()
    found: Tuple[Any, ...] = (network["client"], network["interface"], network["warnings"])
    assert found == ("dhclient", "eth7", []) and network["server_from_lease"] is True


def test_dhcpcd_10(machines: Machines) -> None:
    """The other tests have release 9, that of bookworm."""
    need("mmdebstrap")
    vm, root = machines.vm, extracted_root(*NEWEST)
    vm.run("sh", "-c", ENTER + 'mount --bind /var/lib/dhcpcd "$1/var/lib/dhcpcd"\n', "sh", root)
    vm.write("/run/dhcpcd-10", '#!/bin/sh\nexec chroot %s /usr/sbin/dhcpcd "$@"\n' % root, 0o755)
    vm.run("mount", "--bind", "/run/dhcpcd-10", "/usr/sbin/dhcpcd")
    for path in ("/run/dhcpcd.conf", "/etc/dhcpcd.conf"):  # the latter is what lightinit looks at
        vm.write(path, "hostname\nnodev\n")
    machines.start("dhcpcd", "--noarp", "-f", "/run/dhcpcd.conf", "-4", "eth7")
    machines.wait_for_address()
    assert vm.run("dhcpcd", "--version").startswith("dhcpcd 10.")
    network = machines.find()
    assert (network["client"], network["source"]) == ("dhcpcd", "/var/lib/dhcpcd/eth7.lease")
    assert network["server_from_lease"] is True and network["warnings"] == []
    outcome = machines.rename()
    assert "dhcpcd on eth7 was asked to send it" in outcome["message"], outcome
    machines.wait_for_name("web-1")
