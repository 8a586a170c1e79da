"""The swap file, with stand-ins for the tools. Real ones are in tests/real_tools."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.host.disks.block import number_of
from lightinit.host.disks.mounts import MountedFolder
from lightinit.host.disks.swap import SwapFile
from lightinit.host.system import Completed
from tests.lib.stand_in import StandIn

TOOLS = ("mkswap", "swapon", "swapoff")
PLACE, PATH, UNIT = "/mnt/x", "/mnt/x/swapfile", "mnt-x-swapfile.swap"
MIB = 1024 * 1024
MADE = "/sbin/mkswap /mnt/x/.swapfile.lightinit-new"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")


def swap_file(system: StandIn) -> SwapFile:
    system.make_dir(PLACE)
    device = number_of(os.stat(system.path(PLACE)).st_dev)
    return SwapFile(system, MountedFolder(system, PLACE, device), UNIT)


def test_it_is_made_used_and_removed(tmp_path: Any) -> None:
    system = StandIn(tmp_path, TOOLS)
    file = swap_file(system)
    assert file.have(2, is_active=False, allocate=True) == "" and file.size_bytes() == 2 * MIB
    assert system.runs == [MADE, "/sbin/swapon " + PATH]
    status = os.stat(system.path(PATH))
    assert status.st_mode & 0o7777 == 0o600 and status.st_blocks * 512 >= 2 * MIB
    del system.runs[:]
    assert file.have(2, is_active=True, allocate=True) == "" and system.runs == []
    assert file.have(3, is_active=True, allocate=False) == "" and file.size_bytes() == 3 * MIB
    assert system.runs == ["/sbin/swapoff " + PATH, MADE, "/sbin/swapon " + PATH]
    assert (
        file.have(0, is_active=False, allocate=True) == "" and os.listdir(system.path(PLACE)) == []
    )


def test_systemd_uses_it_by_its_unit(tmp_path: Any) -> None:
    system = StandIn(tmp_path, TOOLS + ("systemctl",))
    system.make_dir("/run/systemd/system")
    assert swap_file(system).have(1, is_active=False, allocate=True) == ""
    assert system.runs == [MADE, "/sbin/systemctl start " + UNIT]


def test_a_tool_that_fails_or_is_missing(tmp_path: Any) -> None:
    system = StandIn(tmp_path, TOOLS, Completed(1, "", "mkswap: no\n"))
    file = swap_file(system)
    assert file.have(1, is_active=False, allocate=True) == "mkswap: mkswap: no"
    assert file.size_bytes() is None and os.listdir(system.path(PLACE)) == []
    assert "could not be switched off" in file.have(1, is_active=True, allocate=True)
    system.tools = ("mkswap",)
    system.ended = Completed(0, "", "")
    assert file.have(1, is_active=False, allocate=True) == "swapon is missing"
    system.tools = ()
    assert file.have(2, is_active=False, allocate=True) == "mkswap is missing"


def test_a_disk_that_is_too_small_keeps_its_room(tmp_path: Any) -> None:
    file = swap_file(StandIn(tmp_path, TOOLS))
    assert "which is not enough" in file.have(10**9, is_active=False, allocate=True)


def test_a_file_that_users_can_replace_is_not_made(tmp_path: Any) -> None:
    system = StandIn(tmp_path, TOOLS)
    file = swap_file(system)
    os.chmod(system.path(PLACE), 0o777)
    assert "users may write" in file.have(1, is_active=False, allocate=True)
    assert os.listdir(system.path(PLACE)) == []


@pytest.mark.parametrize("kind", ["link", "second name", "readable", "a user's", "folder"])
def test_what_is_somebody_elses_is_neither_used_nor_removed(tmp_path: Any, kind: str) -> None:
    system = StandIn(tmp_path, TOOLS)
    file = swap_file(system)
    path, other = system.path(PATH), system.path("/other")
    if kind == "folder":
        os.mkdir(path, 0o600)
    else:
        system.write("/other", b"data", 0o600)
    if kind == "link":
        os.symlink(other, path)
    elif kind == "second name":
        os.link(other, path)
    elif kind in ("readable", "a user's"):
        os.rename(other, path)
    if kind == "readable":
        os.chmod(path, 0o644)
    elif kind == "a user's":
        os.chown(path, 4711, 4711)
    assert file.size_bytes() is None
    assert file.have(1, is_active=False, allocate=True) == PATH + " is something else"
    assert file.have(0, is_active=False, allocate=True) == "" and os.path.lexists(path)
    assert system.runs == []
