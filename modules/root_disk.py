"""Grow the root partition and its file system, ext4, xfs or btrfs, to the end of the disk.

It only ever grows: where anything is not as it has to be, all stays as it is, and the outcome says
why. First the table on the disk is changed, then the kernel told, then the file system grown; each
step leaves a machine that boots, and a second run completes what was cut short.
"""

from __future__ import annotations

import logging
import os
from typing import List, Optional, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.disks.mounts import Mount, find_mount
from lightinit.formats.disks.partition_table import (
    ALIGN_SECTORS,
    HEAD_BYTES,
    SECTOR_BYTES,
    Partition,
    Table,
    edit_dump,
    parse_table,
    plan_growth,
)
from lightinit.host.disks import block
from lightinit.host.disks.block import Device
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.root_disk")

NAME = "root_disk"
FREQUENCY = Frequency.INSTANCE
REQUIRED = False
NEEDS_INSTANCE = False
SETTINGS: Tuple[Setting, ...] = ()

MOUNTS = "/proc/self/mountinfo"
TABLE_LIMIT_S = 120.0
# Enough for the largest disks. The kernel does the work; to end the tool does no harm.
FILE_SYSTEM_LIMIT_S = 300.0
# By type of file system: the tool, what brings it, and its arguments; DEVICE and POINT stand for
# the device and the mount point.
TOOLS = {
    "ext2": ("resize2fs", "e2fsprogs", ("DEVICE",)),
    "ext3": ("resize2fs", "e2fsprogs", ("DEVICE",)),
    "ext4": ("resize2fs", "e2fsprogs", ("DEVICE",)),
    "xfs": ("xfs_growfs", "xfsprogs", ("-d", "POINT")),
    "btrfs": ("btrfs", "btrfs-progs", ("filesystem", "resize", "max", "POINT")),
}


class _LeftAlone(Exception):
    """Nothing is to be done here; the text says why."""


def apply(
    instance: Instance, system: System, settings: ModuleSettings, mount_point: str = "/"
) -> Outcome:
    """Grow the partition and the file system that are mounted at ``mount_point``.

    Args:
        instance: not used.
        system: the machine.
        settings: there are none.
        mount_point: where it is mounted.

    Returns:
        What was grown, or why nothing was; a warning when there was room that could not be used.

    Raises:
        ProvisioningError: a tool failed; what was there before still is, or is a step further.
    """
    if not system.live:
        system.skip("the size of the root disk")
        return Outcome("root disk left as it is: this is a scratch root", skipped=True)
    try:
        mount, device = _find(system, mount_point)
        warnings: List[str] = []
        told = _grow_partition(system, mount, device, device.disk, warnings) if device.disk else []
        if not warnings:
            told += _grow_file_system(system, mount, device)
    except _LeftAlone as why:
        return Outcome("root disk left as it is: %s" % why, skipped=True)
    return Outcome("; ".join(told) or "nothing was grown", tuple(warnings))


def _find(system: System, mount_point: str) -> Tuple[Mount, Device]:
    """What is mounted there, and the one block device that it lies on."""
    mount = find_mount(system.read_text(MOUNTS), mount_point)
    if mount is None:
        raise _LeftAlone("nothing is mounted at %s" % mount_point)
    if mount.kind not in TOOLS:
        raise _LeftAlone("a file system of type %s is not grown" % mount.kind)
    if mount.read_only:
        raise _LeftAlone("it is mounted read-only")
    numbers = (
        block.find_btrfs_devices(system, mount_point) if mount.kind == "btrfs" else [mount.device]
    )
    if len(numbers) > 1:
        raise _LeftAlone("it lies on %d devices" % len(numbers))
    device = block.find_device(system, numbers[0]) if numbers else None
    if device is None:
        raise _LeftAlone("the kernel does not tell which device it lies on")
    if device.mapped:
        raise _LeftAlone("it lies on %s, which is not grown" % device.mapped)
    if device.read_only or (device.disk and device.disk.read_only):
        raise _LeftAlone("%s is read-only" % device.node)
    return mount, device


# -- the partition
# --------------------------------------------------------------------------------------------------


def _grow_partition(
    system: System, mount: Mount, device: Device, disk: Device, warnings: List[str]
) -> List[str]:
    """Let the partition end where the disk does; what was done. With a warning there is no more to
    be done.
    """
    table, ours = _read_table(system, device, disk)
    if ours is not None and ours.start != device.start:
        raise _LeftAlone(
            "the kernel and the table on %s do not say the same of %s" % (disk.node, device.node)
        )
    growth = plan_growth(table, device.partition, disk.sectors)
    told = ["%s: %s" % (disk.node, growth.note)] if growth.note else []
    if growth.why or ours is None:
        return told + ["partition %s left as it is: %s" % (device.node, growth.why)]
    if growth.end - ours.end >= ALIGN_SECTORS:
        missing = _missing_tools(system, mount)
        if missing:
            warnings.append(
                "%s could grow by %s, but %s missing: install %s in the image"
                % ((device.node, _size(growth.end - ours.end)) + missing)
            )
            return told
        _change_table(system, device, disk, table, ours, growth.end)
        after = _read_table(system, device, disk)[1]
        if after is None or after.start != ours.start or after.sectors < ours.sectors:
            raise ProvisioningError(
                "partition table is not as it was meant",
                device=disk.node,
                partition=device.partition,
                hint="look at it with `sfdisk --list` before the machine is restarted",
            )
        if after.sectors > ours.sectors:
            told.append(
                "partition %s grown from %s to %s"
                % (device.node, _size(ours.sectors), _size(after.sectors))
            )
        ours = after
    now = block.find_device(system, device.number)
    if now is not None and now.sectors < ours.sectors:
        block.resize_partition(system, device, ours.sectors)
    return told


def _read_table(system: System, device: Device, disk: Device) -> Tuple[Table, Optional[Partition]]:
    try:
        table = parse_table(block.read_head(system, disk, HEAD_BYTES), disk.block_bytes)
    except MalformedError as error:
        raise _LeftAlone(
            "the partition table of %s: %s" % (disk.node, error.details.get("why", error.reason))
        ) from error
    return table, table.find(device.partition)


def _missing_tools(system: System, mount: Mount) -> Tuple[str, ...]:
    """Of what is needed the first that is not there, and what brings it; nothing when all is
    there.
    """
    if system.tool("growpart") is None and system.tool("sfdisk") is None:
        return "growpart and sfdisk are", "one of them"
    tool, package, _ = TOOLS[mount.kind]
    return () if system.tool(tool) else (tool + " is", package)


def _change_table(
    system: System, device: Device, disk: Device, table: Table, ours: Partition, end: int
) -> None:
    growpart, sfdisk = system.tool("growpart"), system.tool("sfdisk")
    if growpart:
        ended = system.run([growpart, disk.node, str(device.partition)], timeout_s=TABLE_LIMIT_S)
        if ended.returncode == 1 and "NOCHANGE" in ended.stdout:
            return
    else:
        dump = system.run([str(sfdisk), "--dump", disk.node], timeout_s=TABLE_LIMIT_S)
        try:
            script = edit_dump(dump.stdout, ours, end, table.block_sectors)
        except MalformedError as error:
            raise ProvisioningError(
                "partition cannot be grown",
                tool="sfdisk",
                device=disk.node,
                said=dump.last_words if not dump.ok else error.details["why"],
            ) from error
        # The kernel would refuse to read the table anew while the disk is in use; it is told of
        # this one partition.
        ended = system.run(
            [str(sfdisk), "--no-reread", "--force", disk.node], script.encode(), TABLE_LIMIT_S
        )
    if not ended.ok:
        raise ProvisioningError(
            "partition cannot be grown",
            tool="growpart" if growpart else "sfdisk",
            device=disk.node,
            partition=device.partition,
            said=ended.last_words,
        )


# -- the file system
# --------------------------------------------------------------------------------------------------


def _grow_file_system(system: System, mount: Mount, device: Device) -> List[str]:
    """Let the file system fill its device; what was done. The tools themselves find out whether
    there is anything to do.
    """
    name, package, arguments = TOOLS[mount.kind]
    tool = system.tool(name)
    if tool is None:
        return ["%s file system left as it is: %s is missing (%s)" % (mount.kind, name, package)]
    before = _file_system_bytes(system, mount)
    places = {"DEVICE": device.node, "POINT": mount.place}
    argv: Sequence[str] = [tool] + [places.get(each, each) for each in arguments]
    ended = system.run(argv, timeout_s=FILE_SYSTEM_LIMIT_S)
    if not ended.ok:
        raise ProvisioningError(
            "root file system cannot be grown",
            tool=name,
            device=device.node,
            said=ended.last_words,
            hint="look at the kernel log; run again: lightinit module root_disk --force",
        )
    after = _file_system_bytes(system, mount)
    if after <= before:
        return ["%s file system fills %s" % (mount.kind, device.node)]
    return [
        "%s file system grown from %s to %s"
        % (mount.kind, _size(before // SECTOR_BYTES), _size(after // SECTOR_BYTES))
    ]


def _file_system_bytes(system: System, mount: Mount) -> int:
    told = os.statvfs(system.path(mount.place))
    return told.f_blocks * told.f_frsize


def _size(sectors: int) -> str:
    return (
        "%.1f GiB" % (sectors * SECTOR_BYTES / 2**30)
        if sectors >= 2**21
        else "%.1f MiB" % (sectors * SECTOR_BYTES / 2**20)
    )
