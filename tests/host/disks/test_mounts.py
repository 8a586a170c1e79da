"""Mounting by systemd and by mount(8), and the top folder of a file system.

Real mounts are in tests/real_tools.
"""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.disks.block import number_of
from lightinit.host.disks.mounts import MountedFolder, mount, reload_units
from lightinit.host.system import Completed
from tests.lib.stand_in import StandIn

TOOLS = ("systemctl", "mount")
ARGUMENTS = ("mnt-x.mount", "/dev/sdb1", "/mnt/x", "ext4")


def opened(system: StandIn, place: str = "/mnt/x") -> MountedFolder:
    system.make_dir(place)
    return MountedFolder(system, place, number_of(os.stat(system.path(place)).st_dev))


def test_systemd_mounts_by_its_unit(tmp_path: Any) -> None:
    system = StandIn(tmp_path, TOOLS)
    system.make_dir("/run/systemd/system")
    reload_units(system)
    mount(system, *ARGUMENTS, "defaults,nofail")
    assert system.runs == ["/sbin/systemctl daemon-reload", "/sbin/systemctl start mnt-x.mount"]


@pytest.mark.parametrize(
    "options, given",
    [
        ("defaults,nofail", "defaults"),
        ("nofail,x-systemd.device-timeout=9", "defaults"),
        ("noatime,auto,discard,noauto,nofail", "noatime,discard"),
    ],
)
def test_without_systemd_the_tool_gets_only_what_it_knows(
    tmp_path: Any, options: str, given: str
) -> None:
    system = StandIn(tmp_path, TOOLS)
    reload_units(system)
    mount(system, *ARGUMENTS, options)
    assert system.runs == ["/sbin/mount -t ext4 -o %s /dev/sdb1 /mnt/x" % given]


def test_a_failed_mount_is_told_with_the_tools_words(tmp_path: Any) -> None:
    failed = Completed(32, "", "mount: wrong fs type\n")
    with pytest.raises(ProvisioningError, match="resource disk could not be mounted") as caught:
        mount(StandIn(tmp_path, TOOLS, failed), *ARGUMENTS, "ro")
    assert caught.value.details["said"] == "mount: wrong fs type"
    with pytest.raises(ProvisioningError, match="tool for the resource disk is missing"):
        mount(StandIn(tmp_path), *ARGUMENTS, "ro")


def test_another_file_system_is_refused(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    system.make_dir("/mnt/x")
    with pytest.raises(ProvisioningError, match="another file system is there"):
        MountedFolder(system, "/mnt/x", "0:0")
    with pytest.raises(ProvisioningError, match="resource disk cannot be used"):
        MountedFolder(system, "/mnt/none", "0:0")


def test_a_file_is_written_once_and_for_all_to_read(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    with opened(system) as folder:
        folder.write_once("README", b"first")
        folder.write_once("README", b"second")
    path = system.path("/mnt/x/README")
    with open(path, "rb") as handle:
        assert handle.read() == b"first"
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o444 == 0o444


def test_a_file_that_a_power_cut_left_empty_is_written_again(tmp_path: Any) -> None:
    system = StandIn(tmp_path)
    with opened(system) as folder:
        for name in ("cut", "elsewhere"):
            open(system.path("/mnt/x/" + name), "wb").close()
        os.symlink("elsewhere", system.path("/mnt/x/link"))
        os.mkfifo(system.path("/mnt/x/fifo"))
        os.mkdir(system.path("/mnt/x/folder"))
        for name in ("cut", "link", "fifo", "folder"):
            folder.write_once(name, b"text")
    assert system.read("/mnt/x/cut") == b"text" and system.read("/mnt/x/elsewhere") == b""


@pytest.mark.parametrize("mode, safe", [(0o755, True), (0o775, False), (0o777, False)])
def test_a_folder_is_safe_if_only_root_can_replace_files(
    tmp_path: Any, mode: int, safe: bool
) -> None:
    if os.geteuid():
        pytest.skip("root is needed: files change owners")
    system = StandIn(tmp_path)
    with opened(system) as folder:
        os.chmod(system.path("/mnt/x"), mode)
        assert folder.is_safe is safe
        os.chmod(system.path("/mnt/x"), mode | stat.S_ISVTX)
        assert folder.is_safe
        os.chown(system.path("/mnt/x"), 4711, 4711)
        assert not folder.is_safe
