"""Making a file system, with stand-ins for the tools. Real ones are in tests/real_tools."""

from __future__ import annotations

from typing import Any, Sequence

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.disks import block, make
from lightinit.host.disks.make import FormatPlan, make_filesystem, missing_tools
from lightinit.host.disks.open_disk import OpenDisk
from lightinit.host.system import Completed
from tests.lib.stand_in import StandIn

MIB = 1024 * 1024
SYSFS = "/sys/class/block/sdb"
MARK = b"the mark".ljust(512, b"\0")
TOOLS = ("mkfs.ext4", "mkfs.xfs", "sfdisk", "udevadm")


def machine(root: Any, tools: Sequence[str] = TOOLS, ended: Any = None) -> StandIn:
    """One whose disk, of ones only, has a partition."""
    system = StandIn(root, tools, ended)
    for name, text in (("dev", "8:16"), ("sdb1/dev", "8:17"), ("sdb1/partition", "1")):
        system.write("%s/%s" % (SYSFS, name), text.encode())
    system.write("/dev/sdb", b"\1" * 4 * MIB)
    system.write("/dev/sdb1", b"")
    return system


def made(system: StandIn, plan: FormatPlan) -> bytes:
    """The disk's bytes after the plan."""
    disk = block.find_by_name(system, "sdb")
    assert disk is not None
    with OpenDisk(system, disk, writable=True) as device:
        make_filesystem(system, disk, device, plan)
        return device.read(0, 4 * MIB)


def test_the_platforms_partition_stays(tmp_path: Any) -> None:
    system = machine(tmp_path)
    data = made(system, FormatPlan("ext4", "label", 32768, MARK, 1, 65536))
    assert system.runs == ["/sbin/mkfs.ext4 -q -L label -E nodiscard /dev/sdb1"]
    assert data[:32768] == b"\1" * 32768 and data[32768:33280] == MARK
    assert data[65536 : 65536 + MIB] == bytes(MIB) and data[65536 + MIB] == 1


@pytest.mark.parametrize("table, label", [("mbr", "dos"), ("gpt", "gpt")])
def test_a_new_table(tmp_path: Any, table: str, label: str) -> None:
    system = machine(tmp_path)
    data = made(system, FormatPlan("xfs", "label", 32768, MARK, table=table))
    assert [each.split()[0] for each in system.runs] == ["/sbin/sfdisk", "/sbin/mkfs.xfs"]
    assert system.runs[1] == "/sbin/mkfs.xfs -q -K -L label /dev/sdb1"
    assert data[32768:33280] == MARK and data[33280 : 2 * MIB] == bytes(2 * MIB - 33280)
    assert make.TABLES[table].startswith("label: " + label)


def test_a_tool_that_fails_or_is_missing_is_told(tmp_path: Any) -> None:
    system = machine(tmp_path, ("mkfs.ext4",), Completed(1, "", "no space\n"))
    assert missing_tools(system, "ext4", "") == []
    assert missing_tools(system, "xfs", "mbr") == ["mkfs.xfs", "sfdisk"]
    plan = FormatPlan("ext4", "label", 32768, MARK, 1, 65536)
    with pytest.raises(ProvisioningError, match="resource disk could not be formatted") as caught:
        made(system, plan)
    assert caught.value.details["said"] == "no space"
    system.tools = ()
    with pytest.raises(ProvisioningError, match="tool for the resource disk is missing"):
        made(system, plan)


def test_udev_is_waited_for_where_it_runs(tmp_path: Any) -> None:
    system = machine(tmp_path)
    make.settle(system)
    assert system.runs == []
    system.write("/run/udev/control", b"")
    make.settle(system)
    assert system.runs == ["/sbin/udevadm settle --timeout=15"]
