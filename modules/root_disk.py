"""Grows the root partition and its file system (ext2 to ext4, xfs, btrfs) to the end of the disk.

It never shrinks anything. If something is not as expected, it changes nothing, and the outcome says
why. The steps: change the table on the disk, tell the kernel, grow the file system. After each step
the machine can boot, and a second run does the remaining steps.

A cloud-config may leave out either, or name more partitions to grow (`growpart`, `resize_rootfs`).
"""

from __future__ import annotations

import logging
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats.disks.growth import ALIGN_BYTES, edit_dump, plan_growth
from lightinit.formats.disks.mounts import Mount, find_mount
from lightinit.formats.disks.partition_table import Partition, Table, read_table
from lightinit.host.command import Completed
from lightinit.host.disks import block
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.root_disk")


MOUNTS = "/proc/self/mountinfo"
ROOT = "/"
# An image with this file does not want its partitions to grow (growroot of cloud-utils).
OFF_MARKER = "/etc/growroot-disabled"
GROWPART_SAYS_DONE = "NOCHANGE"  # with status 1: the partition cannot grow any more
TABLE_LIMIT_S = 120.0
# Enough for the largest disks. The kernel does the work, so killing the tool does no harm.
FILE_SYSTEM_LIMIT_S = 300.0
# By type of file system: the tool, its package, and its arguments. DEVICE and POINT stand for the
# device and the mount point.
TOOLS = {
    "ext2": ("resize2fs", "e2fsprogs", ("DEVICE",)),
    "ext3": ("resize2fs", "e2fsprogs", ("DEVICE",)),
    "ext4": ("resize2fs", "e2fsprogs", ("DEVICE",)),
    "xfs": ("xfs_growfs", "xfsprogs", ("-d", "POINT")),
    "btrfs": ("btrfs", "btrfs-progs", ("filesystem", "resize", "max", "POINT")),
}


class _LeftAlone(Exception):
    """The disk was not changed; the text says why."""


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The settings that a cloud-config gives: what grows.

    Args:
        values: the keys of a cloud-config.
    """
    from lightinit.formats.cloud_config.readers.disks import read_disks

    return {"growth": read_disks(values)[0].growth}


class _GrowthWish(NamedTuple):
    """What is to grow: the partitions of ``devices``, and the root file system."""

    devices: Tuple[str, ...]
    resizes: bool


def apply(
    instance: Instance, system: System, settings: ModuleSettings, mount_point: str = ROOT
) -> Outcome:
    """Grow the partition and the file system that are mounted at ``mount_point``.

    Args:
        instance: not used.
        system: the machine.
        settings: none of the files; ``growth`` as :func:`from_cloud_config` gives it.
        mount_point: the mount point of the file system.

    Returns:
        What was grown, or why nothing was; a warning if there is room that could not be used.

    Raises:
        ProvisioningError: a tool failed. None or some of the steps were done.
    """
    if not system.live:
        system.skip("the size of the root disk")
        return Outcome("root disk left as it is: this is a scratch root", skipped=True)
    wish = _read_wish(system, settings, mount_point)
    told: List[str] = []
    warnings: List[str] = []
    for each in wish.devices:
        if each != mount_point:
            told += _grow_other(system, each, warnings)
    root_warnings: List[str] = []
    is_skipped = False
    try:
        told += _grow_root(system, mount_point, wish, root_warnings)
    except _LeftAlone as why:
        told.append("root disk left as it is: %s" % why)
        is_skipped = wish.devices in ((), (mount_point,))
    warnings += root_warnings
    return Outcome("; ".join(told) or "nothing was grown", tuple(warnings), skipped=is_skipped)


def _read_wish(system: System, settings: ModuleSettings, mount_point: str) -> _GrowthWish:
    growth = settings.get("growth")
    devices: Tuple[str, ...] = (mount_point,)
    if growth is None:
        return _GrowthWish(() if system.exists(OFF_MARKER) else devices, True)
    if growth.grow is not None:
        devices = growth.devices
    is_off = system.exists(OFF_MARKER) and not growth.ignores_marker
    if is_off or growth.grow is False:
        devices = ()
    return _GrowthWish(devices, growth.resize is not False)


def _grow_root(
    system: System, mount_point: str, wish: _GrowthWish, warnings: List[str]
) -> List[str]:
    """Grow the root partition and its file system. Returns what was done.

    Args:
        warnings: gets a warning if a tool is missing.

    Raises:
        _LeftAlone: the disk was not changed.
    """
    grows = mount_point in wish.devices
    if not grows and not wish.resizes:
        raise _LeftAlone("so it is wished")
    mount, device = _find(system, mount_point)
    told: List[str] = []
    if device.disk and grows:
        told = _grow_partition(system, mount.kind, device, device.disk, warnings)
    if not warnings and wish.resizes:
        told += _grow_file_system(system, mount, device)
    return told


def _grow_other(system: System, name: str, warnings: List[str]) -> List[str]:
    """Grow a partition besides the root, without its file system, as cloud-init does. What fails is
    a warning.

    Args:
        name: its device, or its mount point.
    """
    from lightinit.host.disks import named

    try:
        mount = find_mount(system.read_text(MOUNTS), name)
        device = None
        if mount is not None:
            device = block.find_by_number(system, mount.device)
        elif name.startswith("/dev/"):
            device = named.find_by_path(system, name)
        if device is None or device.disk is None:
            raise _LeftAlone("it is neither a partition nor the mount point of one")
        return _grow_partition(system, "", device, device.disk, warnings)
    except (_LeftAlone, LightinitError) as why:
        warnings.append("%s is not grown: %s" % (ascii(name)[1:-1], why))
        return []


def _find(system: System, mount_point: str) -> Tuple[Mount, BlockDevice]:
    """The mount at ``mount_point``, and the one block device that it is on."""
    mount = find_mount(system.read_text(MOUNTS), mount_point)
    if mount is None:
        raise _LeftAlone("nothing is mounted at %s" % mount_point)
    if mount.kind not in TOOLS:
        raise _LeftAlone("a file system of type %s is not grown" % mount.kind)
    if mount.read_only:
        raise _LeftAlone("it is mounted read-only")
    numbers = [mount.device]
    if mount.kind == "btrfs":
        numbers = block.find_btrfs_devices(system, mount_point)
    if len(numbers) > 1:
        raise _LeftAlone("it is on %d devices" % len(numbers))
    device = None
    if numbers:
        device = block.find_by_number(system, numbers[0])
    if device is None:
        raise _LeftAlone("the kernel does not say which device it is on")
    if device.mapped:
        raise _LeftAlone("it is on %s, which is not grown" % device.mapped)
    if device.read_only or (device.disk and device.disk.read_only):
        raise _LeftAlone("%s is read-only" % device.node)
    return mount, device


# -- the partition
# --------------------------------------------------------------------------------------------------


def _grow_partition(
    system: System, kind: str, device: BlockDevice, disk: BlockDevice, warnings: List[str]
) -> List[str]:
    """Grow the partition to the end of the disk.

    Args:
        kind: the type of the file system that is grown afterwards, or "".
        warnings: gets a warning if a tool is missing; the caller then stops.

    Returns:
        What was done.
    """
    table, ours = _read_table(system, device, disk)
    if ours is not None and ours.start_bytes != device.start_bytes:
        raise _LeftAlone("the kernel and the table on %s disagree on %s" % (disk.node, device.node))
    growth = plan_growth(table, device.partition, disk.size_bytes)
    told: List[str] = []
    if growth.note:
        told.append("%s: %s" % (disk.node, growth.note))
    if growth.why or ours is None:
        return told + ["partition %s left as it is: %s" % (device.node, growth.why)]
    room_bytes = growth.end_bytes - ours.end_bytes
    if room_bytes >= ALIGN_BYTES:
        missing = _missing_tools(system, kind)
        if missing:
            warnings.append(
                "%s could grow by %s, but %s missing: install %s in the image"
                % ((device.node, _size(room_bytes)) + missing)
            )
            return told
        _change_table(system, device, disk, table, ours, growth.end_bytes)
        after = _read_table(system, device, disk)[1]
        if (
            after is None
            or after.start_bytes != ours.start_bytes
            or after.size_bytes < ours.size_bytes
        ):
            raise ProvisioningError(
                "partition table is not as it was meant",
                device=disk.node,
                partition=device.partition,
                hint="look at it with `sfdisk --list` before the machine is restarted",
            )
        if after.size_bytes > ours.size_bytes:
            told.append(
                "partition %s grown from %s to %s"
                % (device.node, _size(ours.size_bytes), _size(after.size_bytes))
            )
        ours = after
    now = block.find_by_number(system, device.number)
    if now is not None and now.size_bytes < ours.size_bytes:
        block.resize_partition(system, device, ours.size_bytes)
    return told


def _read_table(
    system: System, device: BlockDevice, disk: BlockDevice
) -> Tuple[Table, Optional[Partition]]:
    def read(offset: int, size: int) -> bytes:
        return block.read_bytes(system, disk, offset, size)

    why = "there is none"
    try:
        table = read_table(read, disk.size_bytes, disk.sector_bytes)
        if table.kind:
            return table, table.find(device.partition)
    except MalformedError as error:
        why = error.details.get("why", error.reason)
    raise _LeftAlone("the partition table of %s: %s" % (disk.node, why))


def _missing_tools(system: System, kind: str) -> Tuple[str, ...]:
    """The first tool that is missing, and its package; () if none is missing."""
    if system.tool("growpart") is None and system.tool("sfdisk") is None:
        return "growpart and sfdisk are", "one of them"
    tool, package, _ = TOOLS.get(kind, ("", "", ()))
    if tool and system.tool(tool) is None:
        return tool + " is", package
    return ()


def _change_table(
    system: System,
    device: BlockDevice,
    disk: BlockDevice,
    table: Table,
    ours: Partition,
    end_bytes: int,
) -> None:
    growpart, sfdisk = system.tool("growpart"), system.tool("sfdisk")
    full = not system.has_room()
    # growpart needs room for temporary files, sfdisk does not.
    if growpart and not (full and sfdisk):
        argv = [growpart, disk.node, str(device.partition)]
        env = system.tool("env")
        if full and env:
            argv = [env, "TMPDIR=/run"] + argv
        ended = system.run(argv, timeout_s=TABLE_LIMIT_S)
        if ended.returncode == 1 and GROWPART_SAYS_DONE in ended.stdout:
            return
        _check_ended(ended, "growpart", disk, device)
        return
    sfdisk = str(sfdisk)
    dump = system.run([sfdisk, "--dump", disk.node], timeout_s=TABLE_LIMIT_S)
    _check_ended(dump, "sfdisk", disk, device)
    try:
        script = edit_dump(dump.stdout, ours, end_bytes, table.sector_bytes)
    except MalformedError as error:
        raise _cannot_grow("sfdisk", disk, device, error.details["why"]) from error
    # The kernel refuses to read the whole table again while the disk is in use. So it is told only
    # the new size of this partition, later.
    ended = system.run(
        [sfdisk, "--no-reread", "--force", disk.node], script.encode(), TABLE_LIMIT_S
    )
    _check_ended(ended, "sfdisk", disk, device)


def _check_ended(ended: Completed, tool: str, disk: BlockDevice, device: BlockDevice) -> None:
    if not ended.ok:
        raise _cannot_grow(tool, disk, device, ended.last_words)


def _cannot_grow(tool: str, disk: BlockDevice, device: BlockDevice, said: str) -> ProvisioningError:
    return ProvisioningError(
        "partition cannot be grown",
        tool=tool,
        device=disk.node,
        partition=device.partition,
        said=said,
    )


# -- the file system
# --------------------------------------------------------------------------------------------------


def _grow_file_system(system: System, mount: Mount, device: BlockDevice) -> List[str]:
    """Grow the file system to the size of its device. Returns what was done.

    If the file system has the full size, the tools do nothing.
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
    return ["%s file system grown from %s to %s" % (mount.kind, _size(before), _size(after))]


def _file_system_bytes(system: System, mount: Mount) -> int:
    told = os.statvfs(system.path(mount.place))
    return told.f_blocks * told.f_frsize


def _size(size_bytes: int) -> str:
    if size_bytes >= 2**30:
        return "%.1f GiB" % (size_bytes / 2**30)
    return "%.1f MiB" % (size_bytes / 2**20)
