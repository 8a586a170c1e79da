"""Which block devices are looked at for provisioning media, and in which order."""

from __future__ import annotations

from pathlib import Path

from lightinit.host.media import devices
from lightinit.host.system import System
from tests.lib.sysfs import Sysfs


def test_drives_first_then_what_is_small_or_read_only_and_loop_devices_last(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    small, large = 2048, 64 * 1024 * 1024
    for name, size, more in (
        ("sda", large, {}),
        ("sda15", small, {}),
        ("sdb", large, {"ro": 1}),
        ("sdc", 0, {}),
        ("sr10", 4, {}),
        ("sr2", 0, {}),
        ("loop0", small, {"virtual": True}),
        ("loop1", 0, {"virtual": True}),
        ("loop2", large, {"virtual": True}),
        ("loop10", large, {"virtual": True, "ro": 1}),
        ("zram0", small, {"virtual": True}),
        ("dm-0", small, {"virtual": True}),
        ("vdb", devices.SMALL_BYTES // 512, {}),
        ("vdc", devices.SMALL_BYTES // 512 + 1, {}),
        ("xvdd", large, {"kind": "5"}),
        ("cciss!c0d1", small, {}),
        ("sdd", 0, {"ro": 1}),
    ):
        sysfs.add(name, size, **more)
    found = devices.candidates(System(str(tmp_path)))
    assert [each.path for each in found if each.first] == ["/dev/sr2", "/dev/sr10", "/dev/xvdd"]
    assert [each.path for each in found if not each.first] == [
        "/dev/cciss/c0d1",
        "/dev/sda15",
        "/dev/sdb",
        "/dev/vdb",
        "/dev/loop0",
        "/dev/loop10",
    ]
    assert [each.first for each in found] == sorted((each.first for each in found), reverse=True)


def test_no_sysfs_no_devices(tmp_path: Path) -> None:
    assert devices.candidates(System(str(tmp_path))) == []
