"""/proc/self/mountinfo and /proc/swaps."""

from __future__ import annotations

import pytest

from lightinit.formats.disks.mounts import (
    Mount,
    find_mount,
    is_in_memory,
    parse_mounts,
    parse_swaps,
)

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


IMMUTABLE = """20 1 8:1 / / ro - squashfs /dev/sda1 ro
21 20 0:20 / /run rw - tmpfs tmpfs rw
22 20 8:2 / /state rw - ext4 /dev/sda2 rw
23 20 0:30 / /etc rw - overlay overlay rw,lowerdir=/etc,upperdir=/state/etc,workdir=/state/w
24 23 0:20 /ssh /etc/ssh rw - tmpfs tmpfs rw
25 20 0:31 / /home rw - overlay overlay rw,lowerdir=/home,upperdir=/run/home,workdir=/run/w
26 20 0:32 / /var ro - overlay overlay ro,lowerdir=/a:/b
27 20 0:33 / /srv rw - overlay overlay rw,lowerdir=/srv,upperdir=/sysroot/x,workdir=/sysroot/y
28 20 252:0 / /scratch rw - ext4 /dev/zram0 rw
29 22 0:34 / /state/lightinit rw - tmpfs tmpfs rw
30 20 8:2 /lightinit /state/lightinit rw - ext4 /dev/sda2 rw
"""


@pytest.mark.parametrize(
    "path, lost",
    [
        ("/etc", False),
        ("/etc/sshd", False),
        ("/etc/ssh/key", True),
        ("/home/alice", True),
        ("/var/lib/lightinit", False),  # nothing can be written there
        ("/srv", False),  # only the initial RAM disk has seen its upper layer
        ("/scratch", True),
        ("/state/lightinit", False),  # the later mount counts
        ("/usr", False),
        ("/run", True),
    ],
)
def test_what_a_restart_empties(path: str, lost: bool) -> None:
    assert is_in_memory(parse_mounts(IMMUTABLE), path) is lost
    assert is_in_memory([], path) is False
