"""The disks of a cloud-config with this machine's own tools, on loop devices.

Each test runs tests/real_tools/namespaced/cloud_mounts.py in a mount namespace of its own.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.namespaced import MOUNT, need_loop_devices, run_scenario

pytestmark = pytest.mark.long

TOOLS = ("losetup", "sfdisk", "partx", "blkid", "findmnt", "findfs", "busybox", "mkswap")
MKFS = ("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs")
WAIT = "nofail,x-systemd.device-timeout=30s"
MARK = "# lightinit mounts"


def inside(scenario: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/cloud_mounts.py and give what it saw."""
    need_loop_devices(*TOOLS, *MKFS)
    return run_scenario("cloud_mounts.py", scenario, namespaces=MOUNT)


def test_mounts_of_each_kind() -> None:
    """Also of a disk that is not there: a warning, and a line that stops no boot. mount -a of
    util-linux and of busybox mount the same, and stop only at the disk that has no file system.
    """
    seen = inside("mount_all")
    message, warnings = seen["first"]
    assert message == "5 of 8 mounts are done" and seen["second"] == seen["first"] and seen["same"]
    assert warnings == [
        "/mnt/empty is not mounted now: it has no file system: `fs_setup` makes one",
        "/mnt/gone is not mounted now: there is no such disk or partition",
        "/mnt/gone2 is not mounted now: there is no such disk or partition",
    ]
    kinds = {place: told.split()[:2] for place, told in seen["mounts"].items()}
    assert kinds == {
        "/mnt/part": ["DISK0p1", "ext4"],
        "/mnt/xfs": ["DISK1", "xfs"],
        "/mnt/btrfs": ["DISK2", "btrfs"],
        "/mnt/scratch": ["tmpfs", "tmpfs"],
    }
    assert "noexec" in seen["mounts"]["/mnt/part"] and seen["swaps"] == "swapon DISK4\n"
    lines = [
        line.replace("," + WAIT, "").replace(",nofail", "") for line in seen["fstab"].split("\n")
    ]
    # A link of udev's to the disk alone does not name its partition.
    assert lines[1] == (
        "UUID=11111111-2222-3333-4444-555555555555 /mnt/part auto defaults,noexec 0 2 " + MARK
    )
    assert lines[6] == "/dev/disk/azure/scsi1/lun7 /mnt/gone auto defaults 0 0 " + MARK
    assert lines[8] == "DISK4 none swap sw 0 0 " + MARK
    assert seen["fstab"].count("nofail") == 8
    for tool in ("mount", "busybox mount"):
        _, said, same = seen[tool]
        assert same, tool
        assert {word.strip(":") for word in said.split() if "/mnt" in word} == {"/mnt/empty"}


def test_a_swap_file_on_each_file_system() -> None:
    seen = inside("swap_files")
    for kind, place in (("ext4", "/mnt/part"), ("xfs", "/mnt/xfs"), ("btrfs", "/mnt/btrfs")):
        path = place + "/deep/swap"
        assert seen[kind] == [
            ["48 MiB of swap in " + path, []],
            "100600",
            48,
            48,
            "swap",
            kind == "btrfs",
            1,
        ]
        error, names = seen[kind + " full"]
        assert error.startswith("swap file cannot be made (path=%s/more" % place)
        assert "which is not enough" in error and "more" not in str(names)
    # An instance has one swap file; what failed has changed nothing.
    assert seen["fstab"] == ["/mnt/btrfs/deep/swap none swap sw,nofail 0 0 # lightinit swap"]
