"""Which block devices are looked at for provisioning media, and in which order."""

from __future__ import annotations

from pathlib import Path

from lightinit.host.media import devices
from lightinit.host.system import System
from tests.lib.sysfs import Sysfs


def test_drives_first_then_only_what_the_platform_attaches(tmp_path: Path) -> None:
    """S1: no loop device, no partition, and no disk of data, however small or read-only."""
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
        ("loop10", small, {"virtual": True, "ro": 1}),
        ("loop11", small, {"virtual": True, "removable": 1}),
        ("zram0", small, {"virtual": True}),
        ("dm-0", small, {"virtual": True, "ro": 1}),
        ("vda", small, {"ro": 1}),
        ("vdb", small, {}),
        ("vdc", devices.SMALL_BYTES // 512, {"ro": 1}),
        ("vdd", devices.SMALL_BYTES // 512 + 1, {"ro": 1}),
        ("xvdd", large, {"kind": "5"}),
        ("cciss!c0d1", small, {}),
        ("sdd", 0, {"ro": 1}),
        ("sde", small, {}),
        ("sdf", small, {"ro": 1}),
        ("sdg", small, {"removable": 1}),
        ("sdh", large, {"removable": 1}),
        ("nvme0n2", small, {"ro": 1}),
    ):
        sysfs.add(name, size, **more)
    found = devices.candidates(System(str(tmp_path)))
    assert [each.path for each in found if each.first] == ["/dev/sr2", "/dev/sr10", "/dev/xvdd"]
    assert [each.path for each in found if not each.first] == ["/dev/sdg", "/dev/vdc"]
    assert [each.first for each in found] == sorted((each.first for each in found), reverse=True)


def test_no_sysfs_no_devices(tmp_path: Path) -> None:
    assert devices.candidates(System(str(tmp_path))) == []
