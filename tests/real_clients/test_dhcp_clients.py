"""Real DHCP clients each take a lease from a real server, and the local stage finds it in what they
really wrote.

Each test makes a server and a client machine out of network namespaces. In the client's machine the
whole search runs as it would at boot: at the same time as the client, with the real interfaces,
until the address is configured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from tests.lib.netns import Namespace, find_tool, need
from tests.real_clients.client_files import (
    CONNECTION,
    FIND,
    NETWORK_FILE,
    NETWORKD,
    NM_CONFIGURATION,
)

TOP = Path(__file__).resolve().parents[2]
HOOK = TOP / "etc/udhcpc/lightinit-hook"
OPTION_245 = "245,a8:3f:81:10"
ROUTES = ["168.63.129.16/32 10.99.0.1", "0.0.0.0/0 10.99.0.1", "169.254.169.254/32 10.99.0.1"]
OPTION_121 = "121," + ",".join(ROUTES).replace(" ", ",")


class Pair:
    """A client machine with ``eth7``, cabled to a server that hands out 10.99.0.50 to
    10.99.0.99.
    """

    def __init__(self, client: Namespace, server: Namespace, folder: Path) -> None:
        self.client = client
        self.server = server
        self.folder = folder
        self.log = folder / "client.log"

    def serve(self, *options: str) -> None:
        self.server.serve_dhcp("vs", "10.99.0.50", "10.99.0.99", self.folder, options)

    def start(self, *argv: str, **env: str) -> "subprocess.Popen[bytes]":
        return self.client.start(*argv, log=self.log, env=env)

    def find(self, timeout_s: float = 120.0, grace_s: float = 60.0) -> Dict[str, Any]:
        """What the local stage finds in the client machine, and every lease that its readers read
        there.
        """
        printed = self.client.run(
            sys.executable, "-c", FIND, str(timeout_s), str(grace_s), env={"PYTHONPATH": str(TOP)}
        )
        return dict(json.loads(printed))

    def check(self, client: str, source: str, routes: List[str]) -> Dict[str, Any]:
        """Find the network, and check all that the server said against it."""
        found = self.find()
        network = found["network"]
        assert network["client"] == client, self.log.read_text()
        assert network["source"] == source
        assert network["interface"] == "eth7"
        assert network["server"] == "168.63.129.16"
        assert network["server_from_lease"] is True
        assert network["warnings"] == []
        assert 50 <= int(network["address"].rpartition(".")[2]) <= 99
        (lease,) = [lease for lease in found["leases"] if lease["source"] == source]
        assert lease["address"] == network["address"]
        assert lease["interface"] == "eth7"
        assert lease["routers"] == ["10.99.0.1"]
        assert ["%s %s" % (one["destination"], one["gateway"]) for one in lease["routes"]] == routes
        assert 3500 < lease["expires_s"] - time.time() < 3700
        return found


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    need("dnsmasq")
    private = ["/run", "/var/lib/dhcp", "/var/lib/dhcpcd", "/var/lib/NetworkManager", "/var/log"]
    with Namespace() as server, Namespace(private) as client:
        server.connect("vs", client, "eth7")
        server.add_address("vs", "10.99.0.1/24")
        yield Pair(client, server, tmp_path)


@pytest.mark.parametrize("routes", [[], ROUTES], ids=["plain", "routes"])
def test_dhclient(pair: Pair, routes: List[str]) -> None:
    need("dhclient")
    pair.serve(OPTION_245, *[OPTION_121][: len(routes)])
    pair.start(
        "dhclient",
        "-d",
        "-v",
        "-pf",
        "/run/dhclient.pid",
        "-lf",
        "/var/lib/dhcp/dhclient.eth7.leases",
        "eth7",
    )
    pair.check("dhclient", "/var/lib/dhcp/dhclient.eth7.leases", routes)


def test_dhclient_prints_an_address_of_printable_characters_as_text(pair: Pair) -> None:
    need("dhclient")
    pair.serve("245,22:5c:3b:7d")  # the characters " \ ; }
    pair.start(
        "dhclient",
        "-d",
        "-v",
        "-pf",
        "/run/dhclient.pid",
        "-lf",
        "/var/lib/dhcp/dhclient.leases",
        "eth7",
    )
    assert pair.find()["network"]["server"] == "34.92.59.125"
    assert 'unknown-245 "' in pair.client.run("cat", "/var/lib/dhcp/dhclient.leases")


@pytest.mark.parametrize("routes", [[], ROUTES], ids=["plain", "routes"])
def test_dhcpcd(pair: Pair, routes: List[str]) -> None:
    need("dhcpcd")
    pair.serve(OPTION_245, *[OPTION_121][: len(routes)])
    pair.start("dhcpcd", "-4", "-B", "-d", "--noarp", "eth7")
    pair.check("dhcpcd", "/var/lib/dhcpcd/eth7.lease", routes)


@pytest.mark.parametrize("routes", [[], ROUTES], ids=["plain", "routes"])
def test_udhcpc_with_the_hook_as_its_script(pair: Pair, routes: List[str]) -> None:
    need("busybox")
    pair.serve(OPTION_245, *[OPTION_121][: len(routes)])
    pair.start("busybox", "udhcpc", "-f", "-i", "eth7", "-O", "245", "-O", "121", "-s", str(HOOK))
    pair.check("udhcpc", "/run/lightinit/leases/eth7.udhcpc", routes)
    assert pair.client.run("stat", "-c", "%a", "/run/lightinit/leases/eth7.udhcpc") == "644\n"
    assert pair.client.run("ls", "-A", "/run/lightinit/leases") == "eth7.udhcpc\n"


def test_udhcpc_with_the_hook_as_a_drop_in(pair: Pair) -> None:
    need("busybox")
    pair.serve(OPTION_245)
    script = (
        '#!/bin/sh\nbusybox sh %s "$@"\n[ "$1" != bound ] || exec'
        ' /etc/udhcpc/post-bound/lightinit\n[ "$1" != deconfig ] || exec'
        " /etc/udhcpc/post-deconfig/lightinit\n" % "/etc/udhcpc/default.script"
    )
    pair.client.write("/etc/alpine.script", script, 0o755)
    for folder in ("post-bound", "post-renew", "post-deconfig"):
        pair.client.write("/etc/udhcpc/%s/lightinit" % folder, HOOK.read_text(), 0o755)
    client = pair.start(
        "busybox", "udhcpc", "-f", "-R", "-i", "eth7", "-O", "245", "-s", "/etc/alpine.script"
    )
    pair.check("udhcpc", "/run/lightinit/leases/eth7.udhcpc", [])
    client.terminate()  # -R: the lease is given back, and the script called with deconfig
    client.wait(300)
    assert pair.client.run("ls", "-A", "/run/lightinit/leases") == ""


@pytest.mark.parametrize("routes", [[], ROUTES], ids=["plain", "routes"])
def test_systemd_networkd(pair: Pair, routes: List[str]) -> None:
    need(NETWORKD)
    pair.serve(OPTION_245, *[OPTION_121][: len(routes)])
    pair.client.write("/run/systemd/network/10-eth7.network", NETWORK_FILE)
    # Without an init system nobody makes these; they belong to the user that the daemon becomes.
    for folder in ("leases", "links", "lldp"):
        pair.client.run("mkdir", "-p", "/run/systemd/netif/" + folder)
    pair.client.run("chown", "-R", "systemd-network:", "/run/systemd/netif")
    pair.start(NETWORKD, SYSTEMD_LOG_TARGET="console")
    index = pair.client.run("cat", "/sys/class/net/eth7/ifindex").strip()
    pair.check("networkd", "/run/systemd/netif/leases/" + index, routes)


@pytest.mark.parametrize("asked", ["file", "nmcli"])
def test_networkmanager(pair: Pair, asked: str) -> None:
    need("NetworkManager", "nmcli", "dbus-daemon")
    pair.serve(OPTION_245, OPTION_121)
    pair.client.write("/etc/NetworkManager/NetworkManager.conf", NM_CONFIGURATION)
    pair.client.write("/etc/NetworkManager/system-connections/eth7.nmconnection", CONNECTION, 0o600)
    # A packet's rule may leave all but wireless devices to other tools; an empty file of the same
    # name undoes it.
    pair.client.write("/etc/NetworkManager/conf.d/10-globally-managed-devices.conf", "")
    pair.client.run("mkdir", "-p", "/run/dbus", "/run/NetworkManager")
    pair.start("dbus-daemon", "--system", "--nofork", "--nopidfile")
    pair.client.run(
        "sh", "-c", "until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done", timeout_s=60.0
    )
    pair.start("NetworkManager", "--debug")
    index = pair.client.run("cat", "/sys/class/net/eth7/ifindex").strip()
    # It notes the option a little later than the address; a search that comes in between rightly
    # asks nmcli.
    pair.client.run(
        "sh",
        "-c",
        "until grep -q private_245 /run/NetworkManager/devices/%s; do sleep 0.05; done" % index,
        timeout_s=60.0,
    )
    pair.check("networkmanager", "/run/NetworkManager/devices/" + index, ROUTES)
    if asked == "nmcli":  # an older release notes no options there
        pair.client.write("/run/NetworkManager/devices/" + index, "[device]\nmanaged=true\n")
        network = pair.find()["network"]
        assert (network["source"], network["server"]) == ("nmcli device show", "168.63.129.16")


def test_a_stale_lease_of_the_image_loses(pair: Pair) -> None:
    need("busybox")
    pair.serve(OPTION_245)
    pair.client.write(
        "/var/lib/dhcp/dhclient.eth7.leases",
        'lease {\n interface "eth7";\n fixed-address 10.99.0.200;\n option unknown-245 a:0:0:1;\n'
        " expire never;\n}\n",
    )
    pair.start("busybox", "udhcpc", "-f", "-i", "eth7", "-O", "245", "-s", str(HOOK))
    pair.check("udhcpc", "/run/lightinit/leases/eth7.udhcpc", [])


def test_an_address_without_a_lease_file_is_enough(pair: Pair) -> None:
    pair.client.add_address("eth7", "10.99.0.5/24")
    pair.client.run("ip", "route", "add", "default", "via", "10.99.0.1")
    network = pair.find(grace_s=0.5)["network"]
    assert (network["server"], network["interface"], network["address"]) == (
        "168.63.129.16",
        "eth7",
        "10.99.0.5",
    )
    assert len(network["warnings"]) == 1


# -- the hook by itself: no network is needed
# ----------------------------------------------------------------------


def hook(
    folder: Path, *argv: str, program: str = str(HOOK), **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run the hook under busybox's shell, as udhcpc would."""
    busybox = find_tool("busybox")
    if busybox is None:
        need("busybox")
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LIGHTINIT_LEASES": str(folder),
        "LIGHTINIT_UDHCPC_SCRIPT": "/bin/true",
        "interface": "eth0",
        "ip": "10.0.0.4",
    }
    environment.update(variables)
    return subprocess.run(
        [str(busybox), "sh", program, *argv],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )


@pytest.mark.parametrize("event", ["bound", "renew"])
def test_the_hook_records(tmp_path: Path, event: str) -> None:
    assert (
        hook(
            tmp_path / "a/b", event, opt245="a83f8110", lease="3600", router="10.0.0.1 10.0.0.2"
        ).returncode
        == 0
    )
    assert (
        (tmp_path / "a/b/eth0.udhcpc").read_text()
        == "interface=eth0\nip=10.0.0.4\nopt245=a83f8110\nrouter=10.0.0.1 10.0.0.2\nlease=3600\n"
    )


def test_the_hook_replaces_and_removes(tmp_path: Path) -> None:
    hook(tmp_path, "bound", opt245="a83f8110")
    hook(tmp_path, "renew", ip="10.0.0.5")
    assert (tmp_path / "eth0.udhcpc").read_text() == "interface=eth0\nip=10.0.0.5\n"
    for event in ("leasefail", "nak", "", "other"):
        hook(tmp_path, event)
        assert (tmp_path / "eth0.udhcpc").exists()
    hook(tmp_path, "deconfig")
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize(
    "value",
    [
        "$(touch pwned)",
        "`id`",
        "a83f8110\nip=6.6.6.6",
        "a'b",
        'a"b',
        "a;b",
        "a\\b",
        "a=b",
        "a&b",
        "a|b",
        "a>b",
        "a*b",
        "\u00e4",
        "\x1b[2J",
        "x" * 2000,
        "a\tb",
        "a\x7fb",
        "~root",
        "{a,b}",
        "[a]",
        "a?b",
        "a!b",
        "a#b",
        "%s",
    ],
)
def test_the_hook_leaves_out_what_a_hostile_server_sends(tmp_path: Path, value: str) -> None:
    for name in ("opt245", "router", "staticroutes", "lease", "opt121", "opt249", "msstaticroutes"):
        hook(tmp_path, "bound", **{name: value})
        assert (tmp_path / "eth0.udhcpc").read_text() == "interface=eth0\nip=10.0.0.4\n"
    hook(tmp_path, "bound", ip=value, opt245="a83f8110")
    assert (tmp_path / "eth0.udhcpc").read_text() == "interface=eth0\nopt245=a83f8110\n"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "-n x", "a b", ".hidden", "sixteen-letters-x", "a\nb"]
)
def test_the_hook_writes_no_file_of_a_strange_name(tmp_path: Path, name: str) -> None:
    assert hook(tmp_path / "leases", "bound", interface=name).returncode == 0
    assert os.listdir(str(tmp_path)) == []


def test_the_hook_ends_as_the_distributions_script_does(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('#!/bin/sh\necho "$@" "$ip"\nexit 7\n')
    script.chmod(0o755)
    ended = hook(tmp_path / "leases", "bound", "more", LIGHTINIT_UDHCPC_SCRIPT=str(script))
    assert (ended.returncode, ended.stdout) == (7, b"bound more 10.0.0.4\n")
    # Its directory cannot be made.
    blocked = hook(script, "bound", LIGHTINIT_UDHCPC_SCRIPT=str(script))
    assert (blocked.returncode, blocked.stdout) == (7, b"bound 10.0.0.4\n")


def test_the_hook_as_a_drop_in_runs_nothing_else(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    for folder, there in (("post-bound", True), ("post-deconfig", False), ("post-renew", True)):
        program = tmp_path / folder / "lightinit"
        program.parent.mkdir()
        program.symlink_to(HOOK)
        ended = hook(tmp_path / "leases", program=str(program), LIGHTINIT_UDHCPC_SCRIPT=str(script))
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
        assert (tmp_path / "leases/eth0.udhcpc").exists() is there
