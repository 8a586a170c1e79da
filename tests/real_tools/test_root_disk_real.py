"""The module root_disk on disks in memory, with this machine's growpart, sfdisk, resize2fs,
xfs_growfs and btrfs.

The module has the capabilities that lightinit.service leaves it. Each disk is a loop device of this
machine's: partitions are told to the kernel as on a VM, and are gone afterwards.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any, Dict, List, Sequence

import pytest

from tests.lib.namespaced import need_loop_devices, run_program
from tests.lib.netns import wait_until

pytestmark = pytest.mark.long

BIOS = "21686148-6449-6E6F-744E-656564454649"
# As Azure's images have it: the root partition is the first by number and the last by place.
GPT = (
    "label: gpt\n1: start=10240, size=%d, name=root, attrs=LegacyBIOSBootable\n"
    "14: start=2048, size=8192, type=" + BIOS + "\n"
)
DOS = "label: dos\n1: start=2048, size=8192, type=ef\n2: start=10240, size=%d, bootable\n"
TOOLS = (
    "losetup",
    "sfdisk",
    "growpart",
    "partx",
    "setpriv",
    "pivot_root",
    "mkfs.ext4",
    "mkfs.xfs",
    "mkfs.btrfs",
)
SMALL, LARGE = 204800, 819200  # sectors: 100 MiB; 400 MiB, since xfs wants 300
CAP_SYS_RESOURCE = 1 << 24


def may_grow_ext4() -> bool:
    """Whether this machine has the capability that ext4 asks for; containers and some sandboxes
    have not.
    """
    with open("/proc/self/status", encoding="ascii") as handle:
        return any(
            int(line.split()[1], 16) & CAP_SYS_RESOURCE
            for line in handle
            if line.startswith("CapEff:")
        )


def attached() -> str:
    """The files of all loop devices of this machine."""
    listed = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        check=True,
    )
    return listed.stdout


def inside(
    table: str,
    kind: str,
    hidden: Sequence[str] = (),
    number: int = 1,
    new_mib: int = 700,
    before: Sequence[str] = (),
    block: int = 0,
    mib: int = 0,
    values: Any = None,
) -> Dict[str, Any]:
    """A disk with this table and file system is made larger, and the module run on it, twice."""
    need_loop_devices(*TOOLS)
    size = LARGE if kind != "ext4" else SMALL
    wish = {
        "table": table % (size * 512 // (block or 512)) if table else "",
        "kind": kind,
        "hidden": list(hidden),
        "number": number,
        "mib": mib or size // 2048 + (8 if table else 0),
        "new_mib": new_mib,
        "before": list(before),
        "block": block,
        "values": values or {},
    }
    image = "root-disk-%s.img" % uuid.uuid4().hex
    seen = dict(run_program("root_disk.py", "run", json.dumps(wish), LIGHTINIT_TEST_IMAGE=image))
    wait_until(lambda: image not in attached(), 60, "its loop device stays")
    assert seen["kept"] and seen["check"] == 0, (
        "whatever was done, the data are there and the file system is sound"
    )
    assert not table or seen["boot_code"]
    return seen


def partitions(seen: Dict[str, Any], when: str) -> List[str]:
    """The table, without the size of the partition that may grow."""
    return [
        line for line in seen[when]["table"] if not line.startswith(("GPT PMBR", "The backup GPT"))
    ]


def without_size(lines: List[str], number: int) -> List[str]:
    return [
        line.split("size=")[0] + line.split("size=")[1].partition(",")[2]
        if line.startswith("p%d " % number)
        else line
        for line in lines
    ]


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
@pytest.mark.parametrize("hidden", [(), ("growpart",)], ids=["growpart", "sfdisk"])
@pytest.mark.parametrize("table, number", [(GPT, 1), (DOS, 2)], ids=["gpt", "mbr"])
def test_the_root_grows_to_the_end_of_the_disk(
    table: str, number: int, hidden: Sequence[str], kind: str
) -> None:
    seen = inside(table, kind, hidden, number)
    first, second = seen["said"]
    assert (
        "grown from 400.0 MiB to 69" in first["message"]
        and "%s file system grown" % kind in first["message"]
    )
    assert not first["warnings"] and not first["skipped"]
    assert "partition" not in second["message"], "the second run finds nothing to do"
    # growpart keeps 33 blocks of an MBR's disk for a GPT; ours ends at a full MiB.
    assert 693 <= seen["after"]["partition_mib"] <= 695.0
    assert seen["after"]["fs_mib"] > seen["before"]["fs_mib"] + 250
    assert without_size(partitions(seen, "after"), number) == without_size(
        partitions(seen, "before"), number
    )
    assert (
        partitions(seen, "after") != partitions(seen, "before")
        and "No errors detected" in seen["verify"]
    )


@pytest.mark.parametrize("hidden", [(), ("growpart",)], ids=["growpart", "sfdisk"])
def test_ext4(hidden: Sequence[str]) -> None:
    """Growing it while it is mounted takes CAP_SYS_RESOURCE. Without that the failure is told, and
    nothing is lost.
    """
    seen = inside(GPT, "ext4", hidden)
    assert 693 <= seen["after"]["partition_mib"] <= 695.0
    if may_grow_ext4():
        assert (
            "ext4 file system grown" in seen["said"][0]["message"] and seen["after"]["fs_mib"] > 600
        )
    else:
        for said in seen["said"]:
            assert said["error"].startswith(
                "root file system cannot be grown (tool=resize2fs, device=/dev/loop"
            )
            assert "Permission denied" in said["error"]


@pytest.mark.parametrize(
    "before",
    [
        "growpart DISK 1",
        "sfdisk --dump DISK | sed -e /last-lba/d -e 's/10240, size= *819200/"
        "10240, size=1400000/' | sfdisk --no-reread --no-tell-kernel --force DISK",
    ],
    ids=["the partition has grown", "the table alone has grown"],
)
def test_what_was_cut_short_is_completed(before: str) -> None:
    seen = inside(GPT, "xfs", before=[before + " >/dev/null 2>&1"])
    assert "xfs file system grown" in seen["said"][0]["message"]
    assert seen["after"]["partition_mib"] > 680 and seen["after"]["fs_mib"] > 600


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_disk_without_a_table(kind: str) -> None:
    seen = inside("", kind)
    assert seen["said"][0]["message"].startswith("%s file system grown from " % kind)
    assert seen["after"]["fs_mib"] > seen["before"]["fs_mib"] + 250
    assert seen["said"][1]["message"].startswith("%s file system fills /dev/loop" % kind)


@pytest.mark.parametrize("hidden", [(), ("growpart",)], ids=["growpart", "sfdisk"])
def test_a_disk_with_blocks_of_4096_bytes(hidden: Sequence[str]) -> None:
    seen = inside("label: gpt\n1: start=2048, size=%d\n", "xfs", hidden, block=4096, mib=472)
    assert (
        "partition" in seen["said"][0]["message"]
        and "xfs file system grown" in seen["said"][0]["message"]
    )
    assert (
        690 <= seen["after"]["partition_mib"] <= 692
        and "partition" not in seen["said"][1]["message"]
    )


def test_a_partition_behind_it_leaves_it_as_it_is() -> None:
    seen = inside(GPT + "15: size=8192\n", "xfs", mib=420, new_mib=900)
    for said in seen["said"]:
        assert "left as it is: partition 15 follows it; xfs file system fills" in said["message"]
        assert not said["warnings"]
    assert seen["after"] == seen["before"]


def test_a_disk_that_did_not_become_larger() -> None:
    seen = inside(DOS, "xfs", number=2, mib=405, new_mib=405)
    assert [said["message"].partition(" /dev")[0] for said in seen["said"]] == [
        "xfs file system fills"
    ] * 2
    assert seen["after"] == seen["before"]


@pytest.mark.parametrize(
    "hidden, says",
    [
        (
            ("growpart", "sfdisk"),
            "growpart and sfdisk are missing: install one of them in the image",
        ),
        (("xfs_growfs",), "xfs_growfs is missing: install xfsprogs in the image"),
    ],
)
def test_without_the_tools_nothing_is_begun(hidden: Sequence[str], says: str) -> None:
    seen = inside(GPT, "xfs", hidden)
    for said in seen["said"]:
        assert says in said["warnings"][0] and "could grow by 2" in said["warnings"][0]
    assert seen["after"] == seen["before"]


@pytest.mark.parametrize("hidden", [(), ("growpart",)], ids=["growpart", "sfdisk"])
@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_a_disk_that_is_full_to_the_last_block(kind: str, hidden: Sequence[str]) -> None:
    """N7: canonical/cloud-init#1046: growpart itself needs room for its files."""
    if kind == "ext4" and not may_grow_ext4():
        pytest.skip("CAP_SYS_RESOURCE is needed to grow a mounted ext4")
    seen = inside(GPT, kind, tuple(hidden) + ("ROOM",))
    first, _, after = seen["said"]
    assert "file system grown from" in first["message"] and not first["warnings"]
    assert seen["after"]["fs_mib"] > seen["before"]["fs_mib"] + 250 and after["can_write"]


@pytest.mark.parametrize(
    "values, says, partition, file_system",
    [
        ({"growpart": {"mode": "off"}}, "xfs file system fills", False, False),
        ({"resize_rootfs": False}, "grown from 400.0 MiB to 69", True, False),
        ({"growpart": {"devices": ["PART"]}}, "xfs file system grown", True, True),
        ({"growpart": {"devices": ["/data"]}}, "xfs file system fills", False, False),
        (
            {"growpart": {"mode": "off"}, "resize_rootfs": False},
            "root disk left as it is: so it is wished",
            False,
            False,
        ),
    ],
)
def test_what_a_cloud_config_wants_grown(
    values: Any, says: str, partition: bool, file_system: bool
) -> None:
    seen = inside(GPT, "xfs", values=values)
    assert says in seen["said"][0]["message"]
    assert (seen["after"]["partition_mib"] > 690) == partition
    assert (seen["after"]["fs_mib"] > 600) == file_system
    warnings = seen["said"][0]["warnings"]
    if "/data" in str(values):
        assert warnings == [
            "/data is not grown: it is neither a partition nor the mount point of one"
        ]
    else:
        assert not warnings
