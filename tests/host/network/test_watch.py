"""Waiting for a lease or an address: by event, by poll, with a clock of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable, Set, Tuple

from lightinit.host.dhcp.lease_files import lease_folders
from lightinit.host.network.watch import Watch
from lightinit.host.system import System
from tests.lib.netns import need, wait_until
from tests.lib.planned_clock import PlannedClock, put


def comes(watch: Watch, happens: Callable[[], object], timeout_s: float = 60.0) -> bool:
    """Wait while something happens from another thread: whether an event came. A poll without one
    ends after a second at most. If the thread was slow, it happens before the second wait.
    """
    timer = threading.Timer(0.05, happens)
    timer.start()
    came = watch.wait(timeout_s)
    timer.join()
    return came or watch.wait(timeout_s)


FOLDER = "/var/lib/dhcp"


def armed(system: System, netlink: bool = True, inotify: bool = True) -> Watch:
    """A watch after its first wait, which returns at once so that its owner looks again."""
    watch = Watch(system, [FOLDER, "/run/systemd/netif/leases"], netlink, inotify)
    assert watch.wait(60.0)
    return watch


def test_a_new_file_is_an_event(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dhcp").mkdir(parents=True)
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert watch.kinds == ("inotify",)
        assert comes(watch, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))


def test_a_file_that_is_appended_to_and_kept_open_is_an_event(tmp_path: Path) -> None:
    path = put(tmp_path, FOLDER + "/dhclient.leases")
    with armed(System(str(tmp_path)), netlink=False) as watch, path.open(
        "ab", buffering=0
    ) as handle:
        assert comes(watch, lambda: handle.write(b"lease {"))


def test_a_file_that_is_moved_in_is_an_event(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dhcp").mkdir(parents=True)
    scratch = put(tmp_path, "/scratch")
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert comes(watch, lambda: scratch.rename(tmp_path / "var/lib/dhcp/dhclient.leases"))


def test_directories_that_are_made_later_are_watched(tmp_path: Path) -> None:
    with armed(System(str(tmp_path)), netlink=False) as watch:
        for folder in ("var", "var/lib", "var/lib/dhcp"):
            assert comes(watch, (tmp_path / folder).mkdir), folder
        assert comes(watch, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))


def test_directories_that_are_made_at_once_are_watched(tmp_path: Path) -> None:
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert comes(watch, lambda: (tmp_path / "var/lib/dhcp").mkdir(parents=True))
        while watch.wait(0.05):
            pass  # what the event of each of the three left over
        assert comes(watch, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))


def test_a_directory_that_is_replaced_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dhcp"
    folder.mkdir(parents=True)
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert comes(watch, folder.rmdir)
        assert comes(watch, folder.mkdir)
        assert comes(watch, lambda: put(tmp_path, FOLDER + "/dhclient.leases"))


def test_other_files_in_a_parent_are_no_event(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    with armed(System(str(tmp_path)), netlink=False) as watch:
        assert not comes(watch, lambda: put(tmp_path, "/var/lib/other"), 0.3)


def test_nothing_happens_for_a_second_at_most(tmp_path: Path) -> None:
    with armed(System(str(tmp_path)), netlink=False) as watch:
        started_s = time.monotonic()
        assert not watch.wait(30.0)
        assert 0.9 < time.monotonic() - started_s < 25.0
        assert not watch.wait(0.0)
        assert not watch.wait(-1.0)


def test_without_any_events_it_polls_ten_times_a_second(tmp_path: Path) -> None:
    clock = PlannedClock()
    with armed(System(str(tmp_path), clock), netlink=False, inotify=False) as watch:
        assert watch.kinds == ()
        assert not watch.wait(30.0)
    assert clock.sleeps == [0.1]


def test_a_clock_of_the_tests_own_is_moved_by_sleep(tmp_path: Path) -> None:
    clock = PlannedClock((2.5, lambda: put(tmp_path, FOLDER + "/dhclient.leases")))
    (tmp_path / "var/lib/dhcp").mkdir(parents=True)
    with armed(System(str(tmp_path), clock), netlink=False) as watch:
        assert [watch.wait(60.0) for _ in range(3)] == [False, False, True]
        assert not watch.wait(0.25)
    assert clock.sleeps == [1.0, 1.0, 1.0, 0.25]


def open_files() -> Set[Tuple[str, str]]:
    """The number and the name of each descriptor. What other tests have left may be closed at any
    time, so only what has come is compared.
    """
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink("/proc/self/fd/" + number)))
        except FileNotFoundError:  # that of the list itself
            continue
    return found


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    before = open_files()
    for _ in range(3):
        watch = armed(System(str(tmp_path)))
        assert open_files() - before
        watch.close()
        watch.close()
    # One of them is closed in the background.
    wait_until(lambda: not open_files() - before, 60, "they stay open")


def test_nothing_is_opened_before_the_first_wait(tmp_path: Path) -> None:
    before = open_files()
    with Watch(System(str(tmp_path)), lease_folders()):
        assert not open_files() - before


NETLINK_PROBE = """
import subprocess, sys, threading
from lightinit.host.network.watch import Watch
from lightinit.host.system import System
subprocess.check_call(["ip", "link", "set", "lo", "up"])
changes = "link set lo mtu 1400", "address add 10.9.9.9/32 dev lo", "route add 10.8.0.0/16 dev lo"
for change in changes:
    with Watch(System(sys.argv[1]), [], inotify=False) as watch:
        watch.wait(9)
        assert watch.kinds == ("netlink",), watch.kinds
        timer = threading.Timer(0.05, subprocess.check_call, [["ip"] + change.split()])
        timer.start()
        came = watch.wait(300)
        timer.join()
        assert came or watch.wait(300), change
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
