"""The new host name reaches the DHCP server's lease database by way of each real client, and the
address never goes.

In each test a client has a lease under the image's name; then the real module hostname runs beside
it. Of systemd as the init system there is only a stand-in here (service_manager.py): a virtual
machine is the place for the rest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from tests.lib.netns import Namespace, need, wait_until
from tests.lib.scratch import DMI, SPARE_THE_DISK
from tests.real_clients.azure_side import ENV, Azure
from tests.real_clients.client_files import (
    CONNECTION,
    MODULE,
    NETWORK_FILE,
    NETWORKD,
    NM_CONFIGURATION,
    SYSTEMCTL,
)

pytestmark = pytest.mark.long

PRIVATE = [
    "/run",
    "/var/lib/dhcp",
    "/var/lib/dhcpcd",
    "/var/lib/NetworkManager",
    "/var/lib/lightinit",
    "/var/log",
    "/home",
    "/var/mail",
    "/var/lib/hyperv",
]


def proc_text(pid: str, name: str) -> str:
    """The text of a file of /proc/PID, "" when the process has just ended."""
    try:
        return Path("/proc/%s/%s" % (pid, name)).read_text()
    except OSError:
        return ""


class Rename:
    """A VM named ``image`` with a lease on eth7, and the means to see what renaming it does."""

    def __init__(self, vm: Namespace, server: Namespace, folder: Path) -> None:
        self.vm = vm
        self.folder = folder
        self.log = folder / "client.log"
        self.leases = server.serve_dhcp(
            "vs", "10.99.0.50", "10.99.0.99", folder, ["245,a8:3f:81:10"]
        )

    def start(self, *argv: str, **env: str) -> None:
        """Start the client and wait until it has a lease."""
        self.vm.start(*argv, log=self.log, env=env)
        wait_until(
            lambda: self.address() and self.leases.exists() and self.leases.read_text(),
            60,
            "no lease",
        )

    def address(self) -> str:
        """The address on eth7, "" without one."""
        words = self.vm.run("ip", "-4", "-brief", "address", "show", "dev", "eth7").split()
        return words[2].partition("/")[0] if len(words) > 2 else ""

    def name(self) -> str:
        """The name of the one lease in the server's database."""
        wait_until(lambda: len(self._lease()) == 5, 60, "the server does not write its database")
        assert self._lease()[2] == self.address()
        return self._lease()[3]

    def _lease(self) -> List[str]:
        """The words of the one lease. The server empties its database to write it anew."""
        return self.leases.read_text().split()

    def processes(self, comm: str) -> List[str]:
        """The processes of that name in the VM."""
        listed = subprocess.run(
            ["ip", "netns", "pids", self.vm.name], stdout=subprocess.PIPE, check=True
        )
        return [
            pid
            for pid in listed.stdout.decode().split()
            if proc_text(pid, "comm").rstrip("\n") == comm
        ]

    def rename(self, name: str = "web-1", is_sent: bool = False, **settings: Any) -> Dict[str, Any]:
        """Run the module, and check that the address stayed all the time, also until the server has
        the name, where it ``is_sent``: a client may do so long after it was asked. Returns the
        module's outcome.
        """
        changes = self.folder / "changes"
        self.vm.start("ip", "-4", "monitor", "address", "route", log=changes)
        wait_until(
            lambda: (
                self.vm.run("ip", "address", "replace", "10.98.0.1/32", "dev", "lo")
                or "10.98.0.1" in changes.read_text()
            ),
            60,
            "ip monitor does not see",
        )
        before = self.address()
        outcome = json.loads(
            self.vm.run(sys.executable, "-c", MODULE, name, json.dumps(settings), env=ENV)
        )
        assert self.vm.run("uname", "-n") == name + "\n"
        if is_sent:
            wait_until(lambda: self._lease()[3:4] == [name], 60, "the name is not sent")
        self._wait_for_quiet()
        assert self.address() == before
        lost = [line for line in changes.read_text().splitlines() if line.startswith("Deleted")]
        assert [line for line in lost if "inet" in line or "default" in line] == []
        said = (self.folder / "dnsmasq.log").read_text()
        assert "DHCPRELEASE" not in said and "DHCPDECLINE" not in said and "DHCPNAK" not in said
        return dict(outcome)

    def _wait_for_quiet(self) -> None:
        """Wait until the server has had nothing to say for a while."""
        seen: List[str] = []
        while len(seen) < 4 or len(set(seen[-4:])) > 1:
            seen.append((self.folder / "dnsmasq.log").read_text())
            assert len(seen) < 240, "the client does not rest"
            subprocess.run(["sleep", "0.5"], check=True)


@pytest.fixture
def vm(tmp_path: Path) -> Iterator[Rename]:
    need("dnsmasq")
    with Namespace() as server, Namespace(PRIVATE, hostname="image") as vm:
        server.connect("vs", vm, "eth7")
        server.add_address("vs", "10.99.0.1/24")
        yield Rename(vm, server, tmp_path)


IFUPDOWN = [
    "dhclient",
    "-4",
    "-v",
    "-i",
    "-pf",
    "/run/dhclient.eth7.pid",
    "-lf",
    "/var/lib/dhcp/dhclient.eth7.leases",
    "-I",
    "-df",
    "/var/lib/dhcp/dhclient6.eth7.leases",
    "eth7",
]


@pytest.mark.parametrize(
    "argv", [IFUPDOWN, ["dhclient", "-d", "eth7"]], ids=["ifupdown", "foreground"]
)
def test_dhclient(vm: Rename, argv: List[str]) -> None:
    need("dhclient")
    vm.start(*argv)
    wait_until(lambda: vm.vm.run("sh", "-c", "cat /var/lib/dhcp/*"), 60, "no lease file")
    assert vm.name() == "image"
    before = vm.processes("dhclient")
    assert vm.rename(is_sent=True) == {
        "message": "host name is web-1; dhclient on eth7 sent it to the DHCP server",
        "warnings": [],
        "skipped": False,
    }
    assert vm.name() == "web-1"
    assert vm.processes("dhclient") == before and len(before) == 1
    assert "lightinit" not in vm.vm.run("ls", "/run", "/var/lib/dhcp")


@pytest.mark.parametrize(
    "configured, said",
    [("", "sends no host name"), ('send host-name "fixed";', "sends the name fixed")],
)
def test_dhclient_set_up_not_to_send_the_live_name(vm: Rename, configured: str, said: str) -> None:
    need("dhclient")
    vm.vm.write("/etc/dhcp/dhclient.conf", configured + "\n")
    vm.start(*IFUPDOWN)
    outcome = vm.rename()
    assert said in outcome["message"] and "/etc/dhcp/dhclient.conf" in outcome["message"]
    assert outcome["warnings"] == []


@pytest.mark.parametrize(
    "argv",
    [["-4", "eth7"], ["-B", "-4", "eth7"], ["eth7"], []],
    ids=["background", "foreground", "both-families", "manager"],
)
def test_dhcpcd(vm: Rename, argv: List[str]) -> None:
    need("dhcpcd")
    vm.vm.write("/etc/dhcpcd.conf", "hostname\nnodev\nallowinterfaces eth7\n")
    vm.start("dhcpcd", "--noarp", *argv)
    assert vm.name() == "image"
    before = vm.processes("dhcpcd")
    outcome = vm.rename(is_sent=True)
    assert (
        "was asked to send it to the DHCP server" in outcome["message"]
        and outcome["warnings"] == []
    )
    assert vm.name() == "web-1"
    # Its helpers come and go. A second one would have written the pid file anew.
    assert vm.vm.run("sh", "-c", "cat /run/dhcpcd/*pid").strip() in before, vm.log.read_text()


def test_dhcpcd_set_up_to_send_none(vm: Rename) -> None:
    need("dhcpcd")
    vm.vm.write("/etc/dhcpcd.conf", "#hostname\n")
    vm.start("dhcpcd", "-4", "--noarp", "eth7")
    assert "/etc/dhcpcd.conf has no `hostname`" in vm.rename()["message"]


def test_udhcpc(vm: Rename) -> None:
    need("busybox")
    vm.start(
        "busybox", "udhcpc", "-f", "-R", "-a", "-i", "eth7", "-O", "245", "-x", "hostname:image"
    )
    assert vm.name() == "image"
    outcome = vm.rename(is_sent=True)
    assert outcome["message"] == "host name is web-1; udhcpc on eth7 sent it to the DHCP server"
    (warning,) = outcome["warnings"]
    assert "was started with the host name image" in warning and "from the next boot" in warning
    assert vm.name() == "web-1"
    assert len(vm.processes("busybox")) == 1


def test_udhcpc_that_sends_no_name(vm: Rename) -> None:
    need("busybox")
    vm.start("busybox", "udhcpc", "-fi", "eth7")
    outcome = vm.rename()
    assert "udhcpc on eth7 sends no host name" in outcome["message"] and outcome["warnings"] == []
    assert vm.name() == "*"


def start_networkmanager(vm: Rename, profile: str) -> None:
    need("NetworkManager", "nmcli", "dbus-daemon")
    vm.vm.write("/etc/hostname", "image\n")
    vm.vm.write("/etc/NetworkManager/NetworkManager.conf", NM_CONFIGURATION)
    vm.vm.write("/etc/NetworkManager/system-connections/eth7.nmconnection", profile, 0o600)
    vm.vm.write("/etc/NetworkManager/conf.d/10-globally-managed-devices.conf", "")
    vm.vm.run("mkdir", "-p", "/run/dbus", "/run/NetworkManager")
    vm.vm.start("dbus-daemon", "--system", "--nofork", "--nopidfile")
    vm.vm.run(
        "sh", "-c", "until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done", timeout_s=60.0
    )
    vm.start("NetworkManager", "--debug")
    vm.vm.run(
        "sh",
        "-c",
        "until nmcli -g STATE device | grep -qx connected; do sleep 0.1; done",
        timeout_s=60.0,
    )


def test_networkmanager(vm: Rename) -> None:
    start_networkmanager(vm, CONNECTION)
    outcome = vm.rename(is_sent=True)
    assert (
        outcome["message"]
        == "host name is web-1; NetworkManager on eth7 was asked to send it to the DHCP server"
    )
    assert outcome["warnings"] == []
    assert vm.name() == "web-1"
    # The profile does not keep it: the next boot takes the name that is live then.
    assert (
        vm.vm.run("cat", "/etc/NetworkManager/system-connections/eth7.nmconnection") == CONNECTION
    )
    assert (
        vm.vm.run("nmcli", "-g", "ipv4.dhcp-hostname", "connection", "show", "eth7").strip() == ""
    )


@pytest.mark.parametrize(
    "line, said",
    [
        ("dhcp-send-hostname=false", "sends no host name"),
        ("dhcp-hostname=fixed", "sends the name fixed"),
    ],
)
def test_networkmanager_whose_profile_says_otherwise(vm: Rename, line: str, said: str) -> None:
    start_networkmanager(vm, CONNECTION.replace("method=auto", "method=auto\n" + line))
    outcome = vm.rename()
    assert said in outcome["message"] and outcome["warnings"] == []


def test_networkd(vm: Rename) -> None:
    need(NETWORKD)
    vm.vm.write("/run/systemd/network/10-eth7.network", NETWORK_FILE)
    for folder in ("leases", "links", "lldp"):
        vm.vm.run("mkdir", "-p", "/run/systemd/netif/" + folder)
    vm.vm.run("chown", "-R", "systemd-network:", "/run/systemd/netif")
    vm.vm.run("mkdir", "-p", "/run/manager", "/run/systemd/system")
    vm.vm.write("/run/systemctl", SYSTEMCTL, 0o755)
    vm.vm.run("mount", "--bind", "/run/systemctl", "/usr/bin/systemctl")
    vm.start(
        sys.executable,
        str(Path(__file__).with_name("service_manager.py")),
        "/run/manager",
        NETWORKD,
        SYSTEMD_LOG_TARGET="console",
    )
    vm.vm.run(
        "sh",
        "-c",
        'until [ -n "$(ls /run/systemd/netif/leases)" ]; do sleep 0.05; done',
        timeout_s=60.0,
    )
    assert vm.name() == "image"
    before = vm.processes("systemd-network")
    outcome = vm.rename(is_sent=True)
    assert (
        "systemd-networkd restarts, keeping its lease" in outcome["message"]
        and outcome["warnings"] == []
    )
    assert vm.name() == "web-1", vm.log.read_text()
    assert vm.processes("systemd-network") != before


def test_networkd_without_systemd_is_a_warning(vm: Rename) -> None:
    need(NETWORKD)
    vm.vm.write("/run/systemd/network/10-eth7.network", NETWORK_FILE)
    vm.vm.run("mkdir", "-p", "/run/systemd/netif/leases", "/run/systemd/netif/links")
    vm.vm.run("chown", "-R", "systemd-network:", "/run/systemd/netif")
    vm.start(NETWORKD, SYSTEMD_LOG_TARGET="console")
    vm.vm.run(
        "sh",
        "-c",
        'until [ -n "$(ls /run/systemd/netif/leases)" ]; do sleep 0.05; done',
        timeout_s=60.0,
    )
    (warning,) = vm.rename()["warnings"]
    assert "until the next boot" in warning


def test_the_settings_can_forbid_it(vm: Rename) -> None:
    need("dhclient")
    vm.start(*IFUPDOWN)
    assert vm.rename(renew_lease=False)["message"] == "host name is web-1"
    assert vm.name() == "image"


def test_a_server_that_does_not_answer_costs_seconds_only(vm: Rename) -> None:
    need("dhclient")
    vm.start(*IFUPDOWN)
    for pid in subprocess.run(
        ["pidof", "dnsmasq"], stdout=subprocess.PIPE, check=False
    ).stdout.split():
        if str(vm.leases) in proc_text(pid.decode(), "cmdline"):
            subprocess.run(["kill", "-STOP", pid.decode()], check=True)
    outcome = vm.rename()
    (warning,) = outcome["warnings"]
    assert (
        "dhclient on eth7 could not be made to send the host name" in warning
        and "command took too long" in warning
    )
    assert len(vm.processes("dhclient")) == 1
    assert "lightinit" not in vm.vm.run("ls", "/run", "/var/lib/dhcp")


def test_a_whole_boot(tmp_path: Path) -> None:
    """The real command, from lease to Ready: the name is in the database, and the boot is done
    without warnings.
    """
    need("dnsmasq", "dhclient", "ssh-keygen", "sudo", "visudo", "useradd")
    with Namespace() as machine, Namespace(PRIVATE, hostname="image") as vm:
        azure = Azure(machine, tmp_path)
        machine.connect("vs", vm, "eth7")
        machine.add_address("vs", "10.99.0.1/24")
        vm.run("sh", "-c", DMI)
        vm.write("/etc/lightinit/conf.d/05-test.conf", SPARE_THE_DISK)
        azure.start()
        rename = Rename(vm, machine, tmp_path)
        rename.start(*IFUPDOWN)
        assert rename.name() == "image"
        said = vm.run(
            "sh",
            "-c",
            '"$0" -m lightinit boot 2>&1 || echo "exit status $?"',
            sys.executable,
            env=ENV,
        )
        assert "exit status" not in said, said
        assert "host name is web-1; dhclient on eth7 sent it to the DHCP server" in said
        assert rename.name() == "web-1"
        assert [post["status"] for post in azure.posts()] == [200]
        assert vm.run(sys.executable, "-m", "lightinit", "status", env=ENV) == "status: done\n"
