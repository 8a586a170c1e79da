"""What is said of disks, mounts and swap."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.document import read
from lightinit.formats.cloud_config.readers.disks import (
    GivenDisks,
    GivenFileSystem,
    GivenGrowth,
    GivenPartition,
    GivenTable,
    read_disks,
)
from lightinit.formats.cloud_config.readers.mounts import GivenMount, GivenSwap, read_mounts
from tests.lib.needs_yaml import needs_yaml


@pytest.mark.parametrize(
    "values, expected",
    [
        ({}, GivenGrowth()),
        ({"growpart": {}}, GivenGrowth(True)),
        ({"growpart": {"mode": "off"}}, GivenGrowth(False)),
        ({"growpart": {"mode": False}}, GivenGrowth(False)),
        (
            {"growpart": {"mode": "auto", "devices": ["/", "/dev/sdb1"]}},
            GivenGrowth(True, ("/", "/dev/sdb1")),
        ),
        (
            {"growpart": {"ignore_growroot_disabled": True}},
            GivenGrowth(True, ignores_marker=True),
        ),
        ({"resize_rootfs": False}, GivenGrowth(None, ("/",), False)),
        ({"resize_rootfs": "noblock"}, GivenGrowth(None, ("/",), True, True)),
    ],
)
def test_growth(values: Dict[str, Any], expected: GivenGrowth) -> None:
    assert read_disks(values) == (GivenDisks(expected), [])


@pytest.mark.parametrize(
    "layout, expected",
    [
        (True, GivenTable("/dev/sdc", "gpt", (GivenPartition(100),), False, True)),
        (False, GivenTable("/dev/sdc", "gpt", (), False, True)),
        ([33.3], GivenTable("/dev/sdc", "gpt", (GivenPartition(33),), False, True)),
        ("remove", GivenTable("/dev/sdc", "gpt", (), True, True)),
        (
            [25, [75, 82]],
            GivenTable(
                "/dev/sdc", "gpt", (GivenPartition(25), GivenPartition(75, "82")), False, True
            ),
        ),
    ],
)
def test_tables(layout: Any, expected: GivenTable) -> None:
    section = {"table_type": "gpt", "layout": layout, "overwrite": True}
    found, mistakes = read_disks({"disk_setup": {"/dev/sdc": section}})
    assert found.tables == (expected,) and not mistakes


def test_file_systems_and_aliases() -> None:
    fs = {"device": "data.1", "filesystem": "ext4", "label": "d", "partition": "auto"}
    odd = {"device": "x", "cmd": ["mkfs", "-t", "xfs"], "extra_opts": "-L a"}
    found, mistakes = read_disks(
        {"fs_setup": [fs, odd, dict(fs, partition=1)], "device_aliases": {"data": "/dev/sdc"}}
    )
    assert not mistakes and found.aliases == (("data", "/dev/sdc"),)
    assert found.file_systems == (
        GivenFileSystem("data.1", "ext4", "d", "auto"),
        GivenFileSystem("x", options=("-L", "a"), command=("mkfs", "-t", "xfs")),
        GivenFileSystem("data.1", "ext4", "d", "1"),
    )


@pytest.mark.parametrize(
    "values, says",
    [
        ({"growpart": {"mode": "maybe"}}, "growpart.mode: it is unknown"),
        ({"growpart": False}, "growpart: false is deprecated"),
        ({"growpart": "auto"}, "growpart: it is text, and must be a mapping"),
        ({"resize_rootfs": "later"}, "resize_rootfs: it is text, and must be true or false"),
        ({"disk_setup": {"a": {"table_type": "lvm"}}}, "a.table_type: it is neither mbr nor gpt"),
        ({"disk_setup": {"a": {"layout": [60, 60]}}}, "the sizes are more than 100 percent"),
        ({"disk_setup": {"a": {"layout": ["50"]}}}, "a size is not a percentage"),
        ({"disk_setup": {"a": {"layout": "all"}}}, "layout: it is text, and must be true, false"),
        ({"disk_setup": {"a": True}}, "disk_setup.a: it is a boolean"),
        ({"fs_setup": [{"filesystem": "ext4"}]}, "fs_setup[0].device: it is missing"),
        ({"fs_setup": [{"device": "a"}]}, "fs_setup[0].filesystem: it is missing"),
    ],
)
def test_mistakes_of_disks(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_disks(values)
    assert says in str(mistakes[0])
    assert not found.tables and not found.file_systems


@pytest.mark.parametrize(
    "line, expected",
    [
        (["sdb", "/data"], GivenMount("sdb", "/data", "auto", "defaults,nofail", "0", "2")),
        (["sdb", "/data", "ext4", "ro", 0, 0], GivenMount("sdb", "/data", "ext4", "ro", "0", "0")),
        (["h:/x", "/m", "nfs", None, "0"], GivenMount("h:/x", "/m", "nfs")),
        (["swap", "none", "swap", "sw"], GivenMount("swap", "none", "swap", "sw")),
        (["ephemeral0", None], GivenMount("ephemeral0", "")),
        (["ephemeral0"], GivenMount("ephemeral0", "")),
        (["LABEL=my data", "/my data"], GivenMount("LABEL=my data", "/my data")),
        (["sdb2", "swap", "swap", "sw", 0, 0], GivenMount("sdb2", "none", "swap", "sw", "0", "0")),
    ],
)
def test_mounts(line: Any, expected: GivenMount) -> None:
    found, mistakes = read_mounts({"mounts": [line]})
    assert found.mounts == (expected,) and not mistakes


def test_default_fields() -> None:
    values = {"mounts": [["sdb", "/d"]], "mount_default_fields": ["None", None, "xfs", "rw", None]}
    assert read_mounts(values)[0].mounts == (GivenMount("sdb", "/d", "xfs", "rw", "0", "2"),)


@pytest.mark.parametrize(
    "swap, expected",
    [
        ({"size": "auto", "maxsize": "1G"}, GivenSwap("/swap.img", None, 2**30)),
        ({"filename": "/s", "size": 4096}, GivenSwap("/s", 4096)),
        ({"size": "512M"}, GivenSwap("/swap.img", 512 * 2**20)),
        ({"size": "1.5GB"}, GivenSwap("/swap.img", 3 * 2**29)),
        ({"size": ".5G"}, GivenSwap("/swap.img", 2**29)),
        ({"size": "2GiB"}, GivenSwap("/swap.img", 2**31)),
        ({"size": 0}, None),
        ({}, None),
    ],
)
def test_swap(swap: Any, expected: Any) -> None:
    found, mistakes = read_mounts({"swap": swap})
    assert found.swap == expected and not mistakes


@pytest.mark.parametrize(
    "values, says",
    [
        ({"mounts": ["sdb /data"]}, "mounts[0]: it is text, and must be a list of one to six"),
        ({"mounts": [["sdb", "data"]]}, "mounts[0]: the mount point is not an absolute path"),
        ({"mounts": [["a", "/data", "a b"]]}, "mounts[0]: a field is empty, or has blanks"),
        ({"mounts": [["a", "/d", "ext4", "a, b"]]}, "mounts[0]: a field is empty, or has blanks"),
        ({"mounts": [["a", "/d", "ext4", "rw", "no"]]}, "the last two fields are numbers"),
        ({"mounts": [["a", "none", "ext4"]]}, "the mount point is not an absolute path"),
        ({"mounts": [[None, "/data"]]}, "mounts[0]: a field is empty, or has blanks"),
        ({"mounts": [list("1234567")]}, "mounts[0]: it is a list, and must be"),
        ({"mounts": "x"}, "mounts: it is text, and must be a list"),
        ({"swap": {"size": "big"}}, "swap.size: it is not a size"),
        ({"swap": {"size": "G"}}, "swap.size: it is not a size"),
        ({"swap": {"filename": "swap", "size": 1}}, "swap.filename: it is not an absolute path"),
        ({"swap": "1G"}, "swap: it is text, and must be a mapping"),
        ({"mount_default_fields": "x"}, "mount_default_fields: it is text"),
    ],
)
def test_mistakes_of_mounts(values: Dict[str, Any], says: str) -> None:
    found, mistakes = read_mounts(values)
    assert says in str(mistakes[0]) and not found.mounts and not found.swap


@needs_yaml
def test_types_of_partitions_are_as_written() -> None:
    values = read(b"disk_setup: {/dev/sdc: {layout: [[50, 07], [50, 8e]]}}\n").values
    found, _ = read_disks(values)
    assert [each.type for each in found.tables[0].partitions] == ["07", "8e"]
