"""Lease files below a root, the kernel's routes, and waiting: by event, by poll, with a clock of
the test's own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Tuple

import pytest

from lightinit.host.network import interfaces
from lightinit.host.network.interfaces import KernelRoute, Watch
from lightinit.host.system import System
from tests.lib.netns import need
from tests.lib.planned_clock import PlannedClock, put

# -- lease files
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "client", "interface"),
    [
        ("/run/systemd/netif/leases/2", "networkd", "eth0"),
        ("/run/systemd/netif/leases/7", "networkd", None),
        ("/run/NetworkManager/devices/2", "networkmanager", "eth0"),
        (
            "/var/lib/NetworkManager/internal-11111111-2222-3333-4444-555555555555-eth0.lease",
            "networkmanager",
            "eth0",
        ),
        (
            "/var/lib/NetworkManager/internal-11111111-2222-3333-4444-555555555555-br-lan.lease",
            "networkmanager",
            "br-lan",
        ),
        (
            "/run/NetworkManager/internal-11111111-2222-3333-4444-555555555555-eth0.lease",
            "networkmanager",
            "eth0",
        ),
        (
            "/var/lib/NetworkManager/dhclient-11111111-2222-3333-4444-555555555555-eth0.lease",
            "dhclient",
            "eth0",
        ),
        ("/var/lib/dhcp/dhclient.leases", "dhclient", None),
        ("/var/lib/dhcp/dhclient.eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhcp/dhclient-eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhcp/dhclient.lease", "dhclient", None),
        ("/var/lib/dhcp3/dhclient.eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhclient/dhclient--eth0.lease", "dhclient", "eth0"),
        ("/var/lib/dhclient/dhclient.leases", "dhclient", None),
        ("/run/dhclient.eth0.leases", "dhclient", "eth0"),
        ("/var/lib/dhcpcd/eth0.lease", "dhcpcd", "eth0"),
        ("/var/lib/dhcpcd5/dhcpcd-eth0.lease", "dhcpcd", "eth0"),
        ("/var/db/dhcpcd/eth0.lease", "dhcpcd", "eth0"),
        ("/run/lightinit/leases/eth0.udhcpc", "udhcpc", "eth0"),
        ("/run/lightinit/leases/eth0.100.udhcpc", "udhcpc", "eth0.100"),
    ],
)
def test_every_place_is_looked_at(tmp_path: Path, path: str, client: str, interface: str) -> None:
    put(tmp_path, "/sys/class/net/eth0/ifindex", b"2\n")
    put(tmp_path, path, b"data\n", 1234.0)
    (found,) = interfaces.lease_files(System(str(tmp_path)))
    assert found == interfaces.LeaseFile(client, path, b"data\n", 1234.0, interface)
    assert os.path.dirname(path) in interfaces.lease_folders()


@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/dhcp/dhcpd.leases",
        "/var/lib/dhcpcd/duid",
        "/run/systemd/netif/leases/.#2abc",
        "/run/systemd/netif/links/2",
        "/run/lightinit/leases/.eth0.99",
        "/run/NetworkManager/devices/.2",
        "/run/systemd/netif/leases/2x",
        "/var/lib/NetworkManager/timestamps",
        "/var/lib/dhcp/dhclient.leases~",
    ],
)
def test_other_files_are_left_alone(tmp_path: Path, path: str) -> None:
    put(tmp_path, path)
    assert interfaces.lease_files(System(str(tmp_path))) == []


def test_the_file_written_last_is_the_last(tmp_path: Path) -> None:
    put(tmp_path, "/run/lightinit/leases/eth0.udhcpc", written_s=3.0)
    put(tmp_path, "/var/lib/dhcp/dhclient.leases", written_s=1.0)
    put(tmp_path, "/var/lib/dhcpcd/eth0.lease", written_s=2.0)
    clients = [file.client for file in interfaces.lease_files(System(str(tmp_path)))]
    assert clients == ["dhclient", "dhcpcd", "udhcpc"]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    os.mkfifo(str(put(tmp_path, "/var/lib/dhcpcd/x").parent / "eth0.lease"))
    put(tmp_path, "/var/lib/dhcp/dhclient.leases", b"x" * (interfaces.LEASE_LIMIT_BYTES + 1))
    (tmp_path / "var/lib/dhclient/dhclient.leases").mkdir(parents=True)
    (tmp_path / "var/lib/dhcp/dhclient.eth0.leases").symlink_to("dhclient.eth0.leases")
    problems = {file.path: file.problem for file in interfaces.lease_files(System(str(tmp_path)))}
    assert problems == {
        "/var/lib/dhcpcd/eth0.lease": "not a regular file",
        "/var/lib/dhcp/dhclient.leases": "file is too large",
        "/var/lib/dhclient/dhclient.leases": "Is a directory",
        "/var/lib/dhcp/dhclient.eth0.leases": "too many symbolic links",
    }


def test_a_link_out_of_the_root_stays_inside(tmp_path: Path) -> None:
    put(tmp_path, "/root/outside", b"inside\n")
    (tmp_path / "root/var/lib/dhcp").mkdir(parents=True)
    (tmp_path / "root/var/lib/dhcp/dhclient.leases").symlink_to("/outside")
    (tmp_path / "outside").write_bytes(b"outside\n")
    (found,) = interfaces.lease_files(System(str(tmp_path / "root")))
    assert found.data == b"inside\n"


# -- interfaces and routes
# -----------------------------------------------------------------------------------------

ROUTES = (
    b"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    b"eth1\t00000000\t0100010A\t0003\t0\t0\t200\t00000000\t0\t0\t0\n"
    b"eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    b"eth0\t0000000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    b"eth0\t10813FA8\t0100000A\t0007\t0\t0\t100\tFFFFFFFF\t0\t0\t0\n"
    b"eth0\t0000010A\t00000000\t0000\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    b"*\t0000020A\t00000000\t0201\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    b"broken\tline\n\neth0\tzz\t0\t1\t0\t0\t0\t0\t0\t0\t0\n"
)


@pytest.mark.skipif(socket.htonl(1) == 1, reason="the sample is from a little-endian machine")
def test_kernel_routes(tmp_path: Path) -> None:
    put(tmp_path, "/proc/net/route", ROUTES)
    assert interfaces.kernel_routes(System(str(tmp_path))) == [
        KernelRoute("0.0.0.0/0", "eth1", "10.1.0.1", 200),
        KernelRoute("0.0.0.0/0", "eth0", "10.0.0.1", 100),
        KernelRoute("10.0.0.0/24", "eth0", "", 100),
        KernelRoute("168.63.129.16/32", "eth0", "10.0.0.1", 100),
    ]
    assert interfaces.scene(System(str(tmp_path)), "168.63.129.16").default_interface == "eth0"


def test_no_routes_are_no_error(tmp_path: Path) -> None:
    assert interfaces.kernel_routes(System(str(tmp_path))) == []
    assert interfaces.scene(System(str(tmp_path)), "168.63.129.16").default_interface == ""


def test_addresses_of_this_machine() -> None:
    addresses = interfaces.interface_addresses()
    assert set(addresses) <= {name for _index, name in socket.if_nameindex()}
    if "127.0.0.1" in addresses.get("lo", ()):
        assert interfaces.has_route_to("127.0.0.1")
        assert interfaces.source_address_to("127.0.0.1") == "127.0.0.1"


def test_loopback_is_no_interface_of_the_scene() -> None:
    names = [
        interface.name for interface in interfaces.scene(System("/"), "168.63.129.16").interfaces
    ]
    assert sorted(names) == sorted(
        name for name in interfaces.interface_addresses() if name != "lo"
    )


def test_gateways_agree_with_the_kernel() -> None:
    defaults = {
        (route.gateway, route.interface)
        for route in interfaces.kernel_routes(System("/"))
        if route.destination == "0.0.0.0/0"
    }
    assert set(interfaces.gateways()) == defaults


def test_an_address_without_a_route() -> None:
    assert interfaces.source_address_to("255.255.255.255") == ""
    assert not interfaces.has_route_to("255.255.255.255")


def test_nmcli_is_not_asked_in_a_scratch_root(tmp_path: Path) -> None:
    put(tmp_path, "/usr/bin/nmcli", b"#!/bin/sh\necho DHCP4\n").chmod(0o755)
    assert interfaces.nmcli_leases(System(str(tmp_path))) == b""


# -- waiting
# --------------------------------------------------------------------------------------------------


def timed(
    watch: Watch, timeout_s: float, happens: Callable[[], object], after_s: float = 0.05
) -> Tuple[bool, float]:
    """Wait while something happens from another thread: whether an event came, and after how many
    seconds.
    """
    timer = threading.Timer(after_s, happens)
    started_s = time.monotonic()
    timer.start()
    try:
        return watch.wait(timeout_s), time.monotonic() - started_s
    finally:
        timer.join()


FOLDER = "/var/lib/dhcp"


def armed(system: System, **kinds: bool) -> Watch:
    """A watch after its first wait, which returns at once so that its owner looks again."""
    watch = Watch(system, [FOLDER, "/run/systemd/netif/leases"], **kinds)
    started_s = time.monotonic()
    assert watch.wait(60.0)
    assert time.monotonic() - started_s < 0.5
    return watch


def test_a_new_file_is_an_event(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dhcp").mkdir(parents=True)
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert watch.kinds == ("inotify",)
        came, after_s = timed(watch, 0.9, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))
        assert came
        assert after_s < 0.5


def test_a_file_that_is_appended_to_and_kept_open_is_an_event(tmp_path: Path) -> None:
    path = put(tmp_path, FOLDER + "/dhclient.leases")
    with armed(System(str(tmp_path)), netlink=False) as watch, path.open(
        "ab", buffering=0
    ) as handle:
        assert timed(watch, 0.9, lambda: handle.write(b"lease {"))[0]


def test_a_file_that_is_moved_in_is_an_event(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dhcp").mkdir(parents=True)
    scratch = put(tmp_path, "/scratch")
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert timed(watch, 0.9, lambda: scratch.rename(tmp_path / "var/lib/dhcp/dhclient.leases"))[
            0
        ]


def test_directories_that_are_made_later_are_watched(tmp_path: Path) -> None:
    with armed(System(str(tmp_path)), netlink=False) as watch:
        for folder in ("var", "var/lib", "var/lib/dhcp"):
            came, after_s = timed(watch, 0.9, (tmp_path / folder).mkdir)
            assert came, folder
            assert after_s < 0.5
        assert timed(watch, 0.9, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))[0]


def test_directories_that_are_made_at_once_are_watched(tmp_path: Path) -> None:
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert timed(watch, 0.9, lambda: (tmp_path / "var/lib/dhcp").mkdir(parents=True))[0]
        while watch.wait(0.05):
            pass  # what the event of each of the three left over
        assert timed(watch, 0.9, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))[0]


def test_a_directory_that_is_replaced_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dhcp"
    folder.mkdir(parents=True)
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert timed(watch, 0.9, folder.rmdir)[0]
        assert timed(watch, 0.9, folder.mkdir)[0]
        assert timed(watch, 0.9, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))[0]


def test_other_files_in_a_parent_are_no_event(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    with armed(System(str(tmp_path)), netlink=False) as watch:
        came, after_s = timed(watch, 0.3, lambda: put(tmp_path, "/var/lib/other"))
        assert not came
        assert after_s >= 0.3


def test_nothing_happens_for_a_second_at_most(tmp_path: Path) -> None:
    with armed(System(str(tmp_path)), netlink=False) as watch:
        started_s = time.monotonic()
        assert not watch.wait(30.0)
        assert 0.9 < time.monotonic() - started_s < 1.5
        started_s = time.monotonic()
        assert not watch.wait(0.0)
        assert not watch.wait(-1.0)
        assert time.monotonic() - started_s < 0.2


def test_without_any_events_it_polls_ten_times_a_second(tmp_path: Path) -> None:
    with armed(System(str(tmp_path)), netlink=False, inotify=False) as watch:
        assert watch.kinds == ()
        started_s = time.monotonic()
        assert not watch.wait(30.0)
        assert 0.05 < time.monotonic() - started_s < 0.5


def test_a_clock_of_the_tests_own_is_moved_by_sleep(tmp_path: Path) -> None:
    clock = PlannedClock((2.5, lambda: put(tmp_path, FOLDER + "/dhclient.leases")))
    (tmp_path / "var/lib/dhcp").mkdir(parents=True)
    with armed(System(str(tmp_path), clock), netlink=False) as watch:
        assert [watch.wait(60.0) for _ in range(3)] == [False, False, True]
        assert not watch.wait(0.25)
    assert clock.sleeps == [1.0, 1.0, 1.0, 0.25]


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        watch = armed(System(str(tmp_path)))
        assert len(os.listdir("/proc/self/fd")) > before
        watch.close()
        watch.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_is_opened_before_the_first_wait(tmp_path: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    with Watch(System(str(tmp_path)), interfaces.lease_folders()):
        assert sorted(os.listdir("/proc/self/fd")) == before


NETLINK_PROBE = """
import subprocess, sys, threading, time
from lightinit.host.network.interfaces import Watch
from lightinit.host.system import System
subprocess.check_call(["ip", "link", "set", "lo", "up"])
changes = "link set lo mtu 1400", "address add 10.9.9.9/32 dev lo", "route add 10.8.0.0/16 dev lo"
for change in changes:
    with Watch(System(sys.argv[1]), [], inotify=False) as watch:
        watch.wait(9)
        assert watch.kinds == ("netlink",), watch.kinds
        threading.Timer(0.05, subprocess.check_call, [["ip"] + change.split()]).start()
        started_s = time.monotonic()
        assert watch.wait(0.9), change
        assert time.monotonic() - started_s < 0.8, change
print("three events came")
"""


def test_links_addresses_and_routes_are_events(tmp_path: Path) -> None:
    need()
    ended = subprocess.run(
        ["unshare", "-n", sys.executable, "-c", NETLINK_PROBE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert ended.stdout.decode() == "three events came\n"
