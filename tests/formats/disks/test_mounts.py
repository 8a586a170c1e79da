"""/proc/self/mountinfo and /proc/swaps."""

from __future__ import annotations

import pytest

from lightinit.formats.disks.mounts import Mount, find_mount, parse_mounts, parse_swaps

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


def test_mounts_and_swaps() -> None:
    text = (
        "36 35 98:0 /mnt1 /mnt/a\\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
        "37 35 8:17 / /mnt/resource rw - ext4 /dev/sdb1 rw\nnonsense\n38 35\n"
    )
    assert parse_mounts(text) == [
        Mount(
            "98:0", "/mnt/a b", "ext3", "/dev/root", ("rw", "noatime"), ("rw", "errors=continue")
        ),
        Mount("8:17", "/mnt/resource", "ext4", "/dev/sdb1", ("rw",), ("rw",)),
    ]
    swaps = (
        "Filename\tType\tSize\tUsed\n/a\\040b file 1048572 0 -2\n/gone\\040(deleted) file 12 0"
        " -3\n/x partition y\n"
    )
    assert parse_swaps(swaps) == [("/a b", 1048572), ("/gone", 12)] and parse_swaps("") == []
