"""Partitions a disk as a user wants it, unless it may have data or is in use."""

from __future__ import annotations

from typing import Optional, Sequence

from lightinit.disks import safety
from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.disks.partition_plan import (
    ALIGN_BYTES,
    WishedPartition,
    has_layout,
    make_plan,
)
from lightinit.formats.disks.partition_table import Table, read_table
from lightinit.host.disks import block, make
from lightinit.host.disks.block import BlockDevice
from lightinit.host.disks.open_disk import OpenDisk
from lightinit.host.system import System

TABLE_LIMIT_S = 60.0


def read_disks_table(opened: OpenDisk) -> Optional[Table]:
    """The partition table of a disk; None if it is damaged."""
    try:
        return read_table(opened.read, opened.size_bytes, opened.sector_bytes)
    except MalformedError:
        return None


def make_partitions(
    system: System,
    disk: BlockDevice,
    table_kind: str,
    wishes: Sequence[WishedPartition],
    overwrite: bool,
) -> bool:
    """Make a partition table. Returns False if the disk has these partitions already.

    Args:
        system: the machine.
        disk: a whole disk.
        table_kind: ``mbr`` or ``gpt``.
        wishes: the partitions.
        overwrite: whether what is on the disk may be lost.

    Raises:
        ProvisioningError: it may not be changed, or sfdisk failed.
    """
    with OpenDisk(system, disk, wished=True) as opened:
        table = read_disks_table(opened)
        if table is not None and has_layout(table, table_kind, wishes):
            return False
        plan = make_plan(table_kind, wishes, opened.size_bytes, opened.sector_bytes)
        if plan.why:
            raise safety.leave_alone(disk, plan.why)
    safety.check_unused(system, disk)
    with OpenDisk(system, disk, writable=True, wished=True) as opened:
        if not overwrite:
            safety.check_disk_content(disk, opened)
        _run_sfdisk(system, disk, plan.script)
        _show(system, disk, len(wishes))
        # What was at these places must not appear as file systems of the new partitions.
        for part in block.partitions(system, disk).values():
            opened.write(part.start_bytes, bytes(min(ALIGN_BYTES, part.size_bytes)))
        opened.drop_caches()
    make.settle(system)
    return True


def remove_partitions(system: System, disk: BlockDevice, overwrite: bool) -> bool:
    """Remove the partition table. Returns False if there is nothing to remove.

    Args:
        system: the machine.
        disk: a whole disk.
        overwrite: whether what is on the disk may be lost.

    Raises:
        ProvisioningError: it may not be changed.
    """
    with OpenDisk(system, disk, wished=True) as opened:
        table = read_disks_table(opened)
        if table is not None and not table.kind:
            return False
    safety.check_unused(system, disk)
    with OpenDisk(system, disk, writable=True, wished=True) as opened:
        if not overwrite:
            safety.check_disk_content(disk, opened)
        parts = list(block.partitions(system, disk).values())
        for part in parts:
            opened.write(part.start_bytes, bytes(min(ALIGN_BYTES, part.size_bytes)))
        opened.write(opened.size_bytes - ALIGN_BYTES, bytes(ALIGN_BYTES))
        opened.write(0, bytes(ALIGN_BYTES))
        for part in parts:
            block.forget_partition(system, part)
    make.settle(system)
    return True


def _run_sfdisk(system: System, disk: BlockDevice, script: str) -> None:
    tool = system.tool("sfdisk")
    if tool is None:
        raise safety.leave_alone(
            disk, "sfdisk is missing", "install util-linux, or its part sfdisk, in the image"
        )
    argv = [tool, "--quiet", "--wipe", "always", "--wipe-partitions", "always", disk.node]
    ended = system.run(argv, script.encode("ascii"), TABLE_LIMIT_S)
    if not ended.ok:
        raise ProvisioningError(
            "disk cannot be prepared", device=disk.node, why="sfdisk failed", said=ended.last_words
        )


def _show(system: System, disk: BlockDevice, count: int) -> None:
    if not make.wait_for_partitions(system, disk, count):
        raise safety.leave_alone(
            disk, "the kernel does not show its partitions", "restart the machine"
        )
