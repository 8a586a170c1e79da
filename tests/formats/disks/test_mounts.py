"""/proc/self/mountinfo: the last one mounted at a place is the one that is seen."""

from __future__ import annotations

import pytest

from lightinit.formats.disks.mounts import find_mount

TEXT = """1 1 0:2 / / rw - rootfs rootfs rw
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard
23 22 0:5 / /dev rw,nosuid shared:2 master:3 - devtmpfs devtmpfs rw,size=4k
30 22 8:2 /sub /mnt/a\\040b\\134c ro - xfs /dev/sda2 rw
31 22 8:3 / /ro rw - ext4 /dev/sda3 ro
rubbish
32 22 8:4 / /short - ext4
"""


@pytest.mark.parametrize(
    "point, device, kind, read_only",
    [
        ("/", "8:1", "ext4", False),
        ("/dev", "0:5", "devtmpfs", False),
        ("/mnt/a b\\c", "8:2", "xfs", True),
        ("/ro", "8:3", "ext4", True),
    ],
)
def test_what_is_mounted_there(point: str, device: str, kind: str, read_only: bool) -> None:
    found = find_mount(TEXT, point)
    assert found and (found.device, found.kind, found.read_only, found.place) == (
        device,
        kind,
        read_only,
        point,
    )


@pytest.mark.parametrize("point", ["/home", "/short", "", "/mnt/a"])
def test_where_nothing_is_mounted(point: str) -> None:
    assert find_mount(TEXT, point) is None
