"""Makes one partition and a file system on a disk. A power cut after any step does no harm.

Before anything is overwritten, a mark is written to the disk. As long as the mark is there, the
next run recognises the disk and starts again. This file decides nothing: the caller has checked
that the disk has no user's data.
"""

from __future__ import annotations

import logging
import os
from typing import List

from lightinit.errors import ProvisioningError
from lightinit.host.disks import block
from lightinit.host.disks.block import BlockDevice
from lightinit.host.disks.open_disk import OpenDisk
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.disk_format")
MIB = 1024 * 1024
FORMAT_LIMIT_S = 300.0
TABLE_LIMIT_S = 60.0
NODE_LIMIT_S = 15.0
SETTLE_LIMIT_S = 15.0
TABLES = {
    "mbr": "label: dos\nstart=%d, type=83\n",
    "gpt": "label: gpt\nstart=%d, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n",
}
# LABEL and NODE stand for the label and the partition. The options prevent that the tools discard
# all blocks, which can take minutes.
MKFS = {
    "ext4": ("mkfs.ext4", "-q", "-L", "LABEL", "-E", "nodiscard", "NODE"),
    "xfs": ("mkfs.xfs", "-q", "-K", "-L", "LABEL", "NODE"),
}


class FormatPlan(NamedTuple):
    """The file system and the partition to make.

    Attributes:
        filesystem: ``ext4`` or ``xfs``.
        label: the label of the file system. mkfs writes it last, so a file system with the label is
            complete.
        mark_at, mark: the offset of the mark in bytes, and the mark.
        number, start_bytes: the existing partition; 0 if there is none.
        table: the partition table to make, ``mbr`` or ``gpt``; "" if the partition stays.
    """

    filesystem: str
    label: str
    mark_at: int
    mark: bytes
    number: int = 0
    start_bytes: int = 0
    table: str = ""


def missing_tools(system: System, filesystem: str, table: str) -> List[str]:
    """The names of the needed tools that are not installed."""
    needed = [MKFS[filesystem][0]]
    if table:
        needed.append("sfdisk")
    return [name for name in needed if system.tool(name) is None]


def make_filesystem(system: System, disk: BlockDevice, device: OpenDisk, plan: FormatPlan) -> None:
    """Make the partition, if the plan says so, and the file system.

    The mark stays. The caller removes it after checking the file system.

    Args:
        system: the machine.
        disk: the disk.
        device: the same disk, open for writing.
        plan: the partition and the file system to make.

    Raises:
        ProvisioningError: a tool failed. The next run starts again.
    """
    device.write(plan.mark_at, plan.mark)
    number = plan.number or 1
    if plan.start_bytes:
        # Erase the old file system, so that no tool asks whether to overwrite it.
        device.write(plan.start_bytes, bytes(MIB))
    if plan.table:
        after_mark = plan.mark_at + len(plan.mark)
        device.write(after_mark, bytes(2 * MIB - after_mark))
        number = 1
        script = TABLES[plan.table] % (MIB // device.sector_bytes)
        _run(
            system,
            ["sfdisk", "--quiet", "--wipe", "always", "--wipe-partitions", "always", disk.node],
            script.encode("ascii"),
            TABLE_LIMIT_S,
        )
    node = _wait_for_partition(system, disk, number)
    if plan.table:
        device.write(MIB, bytes(MIB))
    values = {"LABEL": plan.label, "NODE": node}
    _run(system, [values.get(each, each) for each in MKFS[plan.filesystem]], b"", FORMAT_LIMIT_S)
    device.drop_caches()


def settle(system: System) -> None:
    """Wait until udev has handled its events, at most SETTLE_LIMIT_S seconds."""
    udevadm = system.tool("udevadm")
    if udevadm is not None and system.exists("/run/udev/control"):
        try:
            system.run(
                [udevadm, "settle", "--timeout=%d" % SETTLE_LIMIT_S], timeout_s=SETTLE_LIMIT_S + 5
            )
        except ProvisioningError as error:
            LOG.debug("udev: %s", error)


def tool_is_missing(tool: str) -> ProvisioningError:
    """The error for a tool that is not installed."""
    return ProvisioningError(
        "tool for the resource disk is missing", tool=tool, hint="install it in the image"
    )


def wait_for_partitions(system: System, disk: BlockDevice, count: int) -> bool:
    """Wait until the kernel shows so many partitions of a disk, and udev has their names. Returns
    whether it does.
    """
    deadline_s = system.clock.monotonic() + NODE_LIMIT_S
    while True:
        found = block.partitions(system, disk)
        if len(found) == count and all(
            os.path.exists(system.path(each.node)) for each in found.values()
        ):
            settle(system)
            return True
        if system.clock.monotonic() > deadline_s:
            return False
        system.clock.sleep(0.1)


def _run(system: System, argv: List[str], stdin: bytes, limit_s: float) -> None:
    tool = system.tool(argv[0])
    if tool is None:
        raise tool_is_missing(argv[0])
    ended = system.run([tool] + argv[1:], stdin, limit_s)
    if not ended.ok:
        raise ProvisioningError(
            "resource disk could not be formatted",
            command=argv[0],
            status=ended.returncode,
            said=ended.last_words,
            hint="the next boot tries again",
        )


def _wait_for_partition(system: System, disk: BlockDevice, number: int) -> str:
    """Wait until the kernel shows the partition. Returns its node."""
    deadline_s = system.clock.monotonic() + NODE_LIMIT_S
    while True:
        found = block.partitions(system, disk).get(number)
        if found is not None and os.path.exists(system.path(found.node)):
            return found.node
        if system.clock.monotonic() > deadline_s:
            raise ProvisioningError(
                "resource disk could not be formatted",
                partition=number,
                said="the kernel does not show the partition",
                hint="the next boot tries again",
            )
        system.clock.sleep(0.1)
