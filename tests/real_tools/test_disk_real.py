"""ephemeral_disk with this machine's own sfdisk, mkfs, mount and mkswap on loop devices, and NTFS
by ntfs-3g.

Each test runs tests/real_tools/namespaced/disk.py in a mount namespace of its own, where the
machine's own root file system is read-only.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.namespaced import MOUNT, need_loop_devices, run_scenario

pytestmark = pytest.mark.long

TOOLS = (
    "losetup",
    "sfdisk",
    "partx",
    "blockdev",
    "blkid",
    "findmnt",
    "mkfs.ext4",
    "mkfs.xfs",
    "mkfs.btrfs",
    "xfs_repair",
    "mkswap",
    "mkfs.ntfs",
    "ntfs-3g",
)
OURS = "LABEL=lightinit /mnt/resource %s %snofail 0 2 # lightinit\n"
BEFORE = "UUID=1 / ext4 defaults 0 1\n"


def inside(scenario: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/disk.py and give what it saw."""
    need_loop_devices(*TOOLS)
    return run_scenario("disk.py", scenario, namespaces=MOUNT)


@pytest.mark.parametrize(
    "scenario, kind, start, options",
    [
        ("mbr", "ext4", 128, "defaults,"),
        ("gpt", "ext4", 2048, "defaults,"),
        ("blank", "ext4", 2048, "defaults,"),
        ("mbr_xfs", "xfs", 128, "defaults,"),
        ("blank_xfs", "xfs", 2048, "noatime,"),
    ],
)
def test_a_fresh_disk_is_formatted_once_and_then_mounted(
    scenario: str, kind: str, start: int, options: str
) -> None:
    seen = inside(scenario)
    assert seen["first"] == ["resource disk DISK formatted, mounted at /mnt/resource", []]
    assert seen["second"] == ["resource disk DISK was mounted at /mnt/resource", []]
    assert seen["third"] == ["resource disk DISK mounted at /mnt/resource", []]
    assert seen["kept"] == "data\n" and seen["same"] and seen["fsck"] == 0
    assert seen["fstab"] == BEFORE + OURS % (kind, options)
    assert seen["files"][0] == "DATALOSS_WARNING_README.txt" and seen["mount"].endswith(
        "p1 " + kind
    )
    assert seen["label"] == ["lightinit"] and not seen["mark"] and seen["mode"] == "40755"
    assert seen["table"].split(": ")[1].replace(" ", "").startswith("start=%d," % start)
    assert seen["table"].endswith("type=83")


def test_what_is_somebodys_stays_byte_for_byte() -> None:
    seen = inside("left_alone")
    assert len(seen) == 16
    for name, (answers, same, fstab, place) in seen.items():
        assert same, "%s was changed" % name
        assert fstab and not place, name
        for answer in answers:
            assert len(answer) == 1 and answer[0].startswith("resource disk holds data ("), (
                name,
                answer,
            )
            assert "it was not changed" in answer[0]
    assert "found=NTFS with 1 files or folders" in seen["ntfs_with_a_file"][0][0][0]
    assert "found=an empty NTFS that has neither" in seen["ntfs_of_another_label"][0][0][0]
    assert "found=2 partitions" in seen["two_partitions"][0][0][0]
    assert "found=NTFS that cannot be read to its end" in seen["damaged_ntfs"][0][0][0]


def test_a_fresh_disk_that_is_not_taken_stays_as_it_is() -> None:
    seen = inside("refusals")
    said = seen["said"]
    assert seen["same"] and seen["fstab"]
    for name, why in (
        ("not empty", "why=it is not empty"),
        ("mounted", "something else is mounted there"),
        ("link", "a symbolic link"),
        ("fstab", "/etc/fstab mounts /dev/sdz1 there"),
    ):
        assert said[name][0].startswith("mount point cannot be used (") and why in said[name][0]
    assert said["never"] == ["resource disk DISK left as it is, as the settings say", []]
    places = [name for name in said if name.startswith("place ")]
    assert len(places) == 7 and all(
        said[name][0].startswith("mount point cannot be used (") for name in places
    )
    options = [name for name in said if name.startswith("options ")]
    assert len(options) == 4 and all(
        said[name][0].startswith("mount options cannot be used (") for name in options
    )
    assert "name the whole disk, not a partition" in said["partition"][0]
    assert said["file"][0].startswith("device is not a disk (")
    assert said["missing"] == said["auto"] == ["no resource disk", []]
    assert said["no mkfs"][0].startswith("tool for the resource disk is missing (tool=mkfs.ext4)")
    assert said["no mkfs.xfs"][0].startswith(
        "tool for the resource disk is missing (tool=mkfs.xfs)"
    )


def test_a_disk_that_somebody_uses() -> None:
    seen = inside("in_use")
    assert (
        "by=mounted at /run/there" in seen["mounted"][0]
        and "by=claimed" in seen["claimed"][0]
        and seen["same"]
    )
    assert seen["moved"][1] == ["it is mounted at /mnt/other from the next boot on"]
    assert seen["fstab"] == BEFORE + (OURS % ("ext4", "defaults,")).replace(
        "/mnt/resource", "/mnt/other"
    )
    assert seen["then"] == ["resource disk DISK mounted at /mnt/other", []]
    assert seen["late"] == ["resource disk DISK mounted at /mnt/resource", []], (
        "what udev has not come to yet is waited for"
    )
    assert seen["gone"] == ["no resource disk", []] and seen["fstab gone"] == BEFORE


def test_what_the_kernel_has_in_its_caches() -> None:
    seen = inside("caches")
    assert "found=ext4" in seen["old"][0] and seen["old"][1]
    assert "resource disk holds data" in seen["dirty"][0] and seen["dirty"][1] == "a database"


@pytest.mark.parametrize("scenario", ["crashes_mbr", "crashes_gpt", "crashes_blank"])
def test_a_power_cut_at_any_step_is_completed(scenario: str) -> None:
    seen = inside(scenario)
    assert "error" not in seen, seen["error"]
    assert seen["crashes"] >= 15 and len(seen["results"]) == seen["crashes"] + 1
    words = set()
    for was_mounted, again, found in seen["results"]:
        words.add(again[0])
        assert (
            again[1] == []
            and (again[0] == "resource disk DISK was mounted at /mnt/resource") == was_mounted
        )
        assert (
            found["label"] == ["lightinit"]
            and not found["mark"]
            and found["table"].endswith("type=83")
        )
        assert (
            found["fstab"].count("# lightinit\n") == 1
            and "DATALOSS_WARNING_README.txt" in found["files"]
        )
    assert len(words) == 3, "crashes before, between and after"


def test_a_file_system_that_was_not_finished() -> None:
    seen = inside("unfinished")
    formatted = ["resource disk DISK formatted, mounted at /mnt/resource", []]
    assert seen["ext4"] == formatted and seen["xfs"] == formatted
    assert seen["only the mark left"] == ["resource disk DISK mounted at /mnt/resource", [], False]
    assert seen["no mark"][0].startswith("resource disk holds data (") and seen["no mark"][1]


def test_swap() -> None:
    seen = inside("swap")
    ours = BEFORE + OURS % ("ext4", "defaults,")
    assert seen["first"] == [
        "resource disk DISK formatted, mounted at /mnt/resource, with 32 MiB of swap",
        [],
    ]
    assert seen["file"] == ["100600", 0, 32 * 1024 * 1024, True] and seen["kind"] == "swap"
    assert seen["fstab"] == ours + "/mnt/resource/swapfile none swap sw,noauto 0 0 # lightinit\n"
    assert seen["log"] == "swapon /mnt/resource/swapfile\n"
    assert seen["larger"][1:] == [[], 48 * 1024 * 1024]
    assert "which is not enough" in seen["too large"][1][0] and seen["too large"][2:] == [
        ours,
        False,
    ]
    assert "users may write to its top folder" in seen["open folder"][1][0]
    assert "is something else" in seen["link"][1][0] and seen["link"][2] == "mine"
    assert seen["again"][1] == [] and seen["none"][1:] == [[], False, ours]
    assert "mkswap is missing" in seen["no tool"][1][0]


def test_systemds_units() -> None:
    seen = inside("systemd")
    assert seen["first"] == [
        "resource disk DISK formatted, mounted at /mnt/resource, with 16 MiB of swap",
        [],
    ]
    assert seen["units"] == [
        "daemon-reload",
        "start mnt-resource.mount",
        "start mnt-resource-swapfile.swap",
        "",
    ]
    # Swap is no more than pretended, so it is started again; nothing else is done.
    assert seen["second"][0].startswith("resource disk DISK was mounted") and seen["again"] == [
        "start mnt-resource-swapfile.swap",
        "",
    ]
    assert seen["failed"][0].startswith("resource disk could not be mounted (")
    assert "said=a dependency failed" in seen["failed"][0]


def test_our_reader_of_ntfs_sees_what_ntfs_3g_sees() -> None:
    seen = inside("survey")
    assert (
        seen["missing"] == []
        and seen["more"] == []
        and seen["count"] == 415
        and seen["big"] == [3 * 1024 * 1024]
    )
