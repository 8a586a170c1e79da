"""The disks of a cloud-config with this machine's own tools, on loop devices.

Each test runs tests/real_tools/namespaced/cloud_mounts.py in a mount namespace of its own.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any, Dict

import pytest

from lightinit.formats.disks.device_names import swap_unit
from lightinit.formats.disks.fstab import unit_name
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import mounts
from tests.lib.namespaced import MOUNT, need_loop_devices, run_scenario

pytestmark = pytest.mark.long

TOOLS = (
    "losetup",
    "sfdisk",
    "partx",
    "blkid",
    "findmnt",
    "findfs",
    "busybox",
    "mkswap",
    "blockdev",
)
MKFS = ("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs")
WAIT = "nofail,x-systemd.device-timeout=30s"
MARK = "# lightinit mounts"
GENERATOR = "/usr/lib/systemd/system-generators/systemd-fstab-generator"


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


def test_an_empty_disk_is_prepared_once() -> None:
    seen = inside("prepared")
    assert seen["first"] == [
        "DISK0 has 2 partitions now; ext4 made on DISK0p1; swap made on DISK0p2; xfs made on DISK1",
        [],
    ]
    assert seen["table"] == [
        "label: gpt",
        "1 199 0FC63DAF-8483-4772-8E79-3D69D8477DE4",
        "200 199 0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    ]
    assert seen["probes"] == [
        ["LABEL=data", "TYPE=ext4"],
        ["LABEL=s", "TYPE=swap"],
        ["LABEL=raw", "TYPE=xfs"],
    ]
    assert seen["mounted"] == ["1 of 1 mounts are done", []]
    assert seen["second"][0].count("already") == 4 and "file" in seen["kept"]
    assert "it is in use: mounted at /mnt/part" in seen["mounted, overwrite"][1][0]
    assert seen["same"], "not even with overwrite"


def test_what_may_be_data_stays_byte_for_byte() -> None:
    seen = inside("data_stay")
    assert len(seen) == 42
    for name, (said, same) in seen.items():
        assert same, "%s was changed" % name
        # A disk that has what is wished, or nothing to remove, is no mistake.
        fits = name in ("part table", "whole remove", "raw remove", "lvm remove")
        assert len(said[1]) == int(not fits), (name, said)
        assert fits or "it was not changed" in said[1][0], name
    assert "it has data of an unknown kind" in seen["bios one"][0][1][0]
    assert "it has XFS" in seen["part replace"][0][1][0]


def test_with_overwrite_nothing_old_appears() -> None:
    for name, (made, again, probes, gone, last) in inside("overwritten").items():
        assert made == ["DISK0 has 2 partitions now", []], name
        assert again == ["DISK0 has its partitions already; ext4 made on DISK0p1", []], name
        assert probes == [["TYPE=ext4"], []], name
        assert gone == ["partitions of DISK0 removed", []] and not last, name


def test_what_cannot_be_made_is_told_and_a_command_is_run() -> None:
    seen = inside("commands")
    for name, why in {
        "label": "the label has 18 bytes, and a label of xfs at most 12",
        "tool": "mkfs.reiserfs is missing",
        "name": "`filesystem` is not the name of one",
        "gone": "there is no such disk",
        "number": "it has no partition 7",
        "fails": "/bin/sh failed, said=no such thing",
        "options": "mkfs.ext4 failed",
        "five": "an mbr has at most four partitions",
        "type": "the type of partition 1 is unknown",
        "partition": "it is a partition; name the whole disk",
    }.items():
        message, [warning] = seen[name]
        assert message == "no disk was changed" and why in warning, name
    assert seen["untouched"]
    assert seen["text made"] == ["LABEL=a", "TYPE=ext4"]
    assert seen["words made"] == ["LABEL=two\\ words", "TYPE=ext4"]


def test_the_resource_disk_as_azures_users_prepare_it() -> None:
    """Fresh from the platform it takes no overwrite; with a file of somebody's it stays."""
    need_loop_devices("mkfs.ntfs", "ntfs-3g")
    seen = inside("resource")
    (alone, made, mounted), kind, _ = seen["fresh"]
    assert "it has the platform's NTFS" in alone[1][0]
    assert made == ["DISK0 has 1 partitions now; ext4 made on DISK0p1", []]
    assert mounted == ["1 of 1 mounts are done", []] and kind == ["ext4"]
    (_, made, mounted), kind, same = seen["used"]
    assert same and not kind and len(made[1]) == 2
    assert "NTFS with 1 files or folders that are not the platform's" in made[1][0]


@pytest.mark.skipif(not os.access(GENERATOR, os.X_OK), reason="systemd's generator is needed")
def test_systemds_own_generator_requires_no_line_of_ours(tmp_path: Any) -> None:
    """What a boot requires holds it up. It only wants our units, whose names we know."""
    system = System(str(tmp_path))
    system.write("/usr/lib/systemd/systemd", b"")
    system.write("/etc/fstab", b"")
    lines = [
        ["/dev/disk/azure/scsi1/lun0", "/data", "auto", "defaults"],
        ["UUID=1-2", "/my data", "xfs", "noatime"],
        ["nas:/x", "/net/share-1", "nfs", "ro"],
        ["tmpfs", "/scratch", "tmpfs", "size=1M"],
    ]
    mounts.apply(Instance("real"), system, mounts.from_cloud_config({"mounts": lines}))
    folders = [str(tmp_path / name) for name in ("normal", "early", "late")]
    for folder in folders:
        os.mkdir(folder)
    environment = dict(os.environ, SYSTEMD_FSTAB=str(tmp_path / "etc/fstab"))
    subprocess.run([GENERATOR, *folders], env=environment, check=True, stderr=subprocess.DEVNULL)
    made = {name for _, folders, files in os.walk(str(tmp_path)) for name in folders + files}
    assert not [name for name in made if name.endswith(".target.requires")]
    wanted = set()
    for target in ("local-fs", "remote-fs"):
        wanted |= set(os.listdir(str(tmp_path / "normal" / (target + ".target.wants"))))
    assert {unit_name(line[1], "mount") for line in lines} <= wanted


def test_the_names_of_units_of_swap() -> None:
    """As `systemd-escape --path --suffix=swap` prints them for udev's links."""
    assert swap_unit("UUID=a-b") == "dev-disk-by\\x2duuid-a\\x2db.swap"
    assert swap_unit("LABEL=a b") == "dev-disk-by\\x2dlabel-a\\x5cx20b.swap"
    assert swap_unit("/dev/sdc2") == "dev-sdc2.swap"
