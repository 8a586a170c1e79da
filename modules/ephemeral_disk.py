"""Formats the resource disk if it is fresh, mounts it, and makes swap on it if the settings say so.

The VM gets another resource disk whenever the platform moves it to another host, so this module
runs on every boot. It overwrites only a disk that is certainly fresh, as
lightinit/formats/disks/resource_disk.py decides.
"""

from __future__ import annotations

import os
from typing import List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.disks import fstab
from lightinit.formats.disks.mounts import Mount, parse_mounts, parse_swaps
from lightinit.formats.disks.partition_table import LINUX, Partition, set_linux_type
from lightinit.formats.disks.resource_disk import (
    LABEL,
    MARK,
    MARK_AT,
    MARK_BYTES,
    README,
    README_TEXT,
    DiskFinding,
    DiskState,
    assess,
)
from lightinit.host.disks import block, make, mounts, resource_disk, swap
from lightinit.host.disks.block import BlockDevice
from lightinit.host.disks.open_disk import OpenDisk, is_claimed
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

SWAP_MOST_MB = 16 * 1024 * 1024  # 16 TiB


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Mount the resource disk, if the VM has one.

    Args:
        instance: not used.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        What was done; a warning if there is no swap though the settings ask for it.

    Raises:
        ProvisioningError: the disk or its content may be a user's, or the disk could not be used.
            The disk is unchanged, unless a tool failed while it formatted the disk.
    """
    if not system.live:
        system.skip("resource disk")
        return Outcome("resource disk left out in a scratch root", skipped=True)
    place = _checked_place(settings["mount_point"])
    options = _checked_options(settings["mount_options"])
    disk = _find_or_wait(system, settings["device"])
    if disk is None:
        _set_fstab(system, [])
        return Outcome("no resource disk" + _about_nvme(system, settings["device"]), skipped=True)
    with OpenDisk(system, disk) as device:
        finding = assess(device.read, device.size_bytes, device.sector_bytes)
    said = "resource disk %s" % disk.node
    if finding.state is not DiskState.OURS:
        _refuse_used(system, disk)
        _set_fstab(system, [])  # the disk in lightinit's lines is gone
        if finding.state is DiskState.FOREIGN:
            raise _holds_data(
                disk,
                finding,
                "it was not changed; to erase it, make one partition and run"
                " `mkfs.ext4 -L %s` on it" % LABEL,
            )
        if settings["format"] == "never":
            return Outcome("%s left as it is, as the settings say" % said, skipped=True)
        _check_free(system, place)
        finding = _format(system, disk, settings["filesystem"])
        said += " formatted,"
    entry = fstab.FstabLine("LABEL=" + LABEL, place, finding.filesystem, options, 2)
    return _use(system, disk, finding, entry, settings["swap_mb"], said)


# -- settings
# --------------------------------------------------------------------------------------------------


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing."""
    found = []
    for key, check in (("mount_point", _checked_place), ("mount_options", _checked_options)):
        try:
            check(settings[key])
        except ProvisioningError as error:
            found.append((key, str(error)))
    if settings["device"] != "auto" and not settings["device"].startswith("/"):
        found.append(("device", "it is not a disk; write auto, or an absolute path"))
    if settings["swap_mb"] > SWAP_MOST_MB:
        found.append(("swap_mb", "no resource disk is so large; the unit is MiB"))
    return found


def _checked_place(place: str) -> str:
    why = fstab.why_not_mount_point(place)
    if why:
        raise _bad_place(ascii(place)[1:-1], why)
    return place


def _checked_options(options: str) -> str:
    if not fstab.are_options(options):
        raise ProvisioningError(
            "mount options cannot be used",
            options=ascii(options)[1:-1],
            hint="join them by commas, without blanks",
        )
    return fstab.add_option(options, "nofail")


def _bad_place(place: str, why: str) -> ProvisioningError:
    return ProvisioningError(
        "mount point cannot be used",
        place=place,
        why=why,
        hint="choose another: mount_point in [module.ephemeral_disk]",
    )


# -- looking
# --------------------------------------------------------------------------------------------------


def _find_or_wait(system: System, device: str) -> Optional[BlockDevice]:
    """The disk. If a disk is expected and missing, wait for udev."""
    disk = _find(system, device)
    if disk is None and (device != "auto" or fstab.has_ours(_fstab_text(system))):
        make.settle(system)
        disk = _find(system, device)
    return disk


def _find(system: System, device: str) -> Optional[BlockDevice]:
    if device == "auto":
        return resource_disk.find_resource_disk(system)
    if not device.startswith("/"):
        raise ProvisioningError(
            "device is not a disk",
            device=ascii(device)[1:-1],
            hint="write auto, or an absolute path",
        )
    return resource_disk.find_named_disk(system, device)


def _about_nvme(system: System, device: str) -> str:
    if device != "auto":
        return ""
    count = resource_disk.count_direct_nvme(system)
    if not count:
        return ""
    return ", but %d local NVMe disks: name one with device =" % count


def _mounts(system: System) -> List[Mount]:
    """All mounts of the host and of this process, which may have a mount namespace of its own."""
    return [
        mount
        for process in ("1", "self")
        for mount in parse_mounts(_read_proc("/proc/%s/mountinfo" % process))
    ]


def _swaps() -> List[str]:
    return [path for path, _ in parse_swaps(_read_proc("/proc/swaps"))]


def _read_proc(path: str) -> str:
    # Without a limit: a host may have thousands of mounts. A name may have a carriage return in it.
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as handle:
            return handle.read()
    except OSError:
        return ""


def _refuse_used(system: System, disk: BlockDevice) -> None:
    """Raise an error if anything uses the disk or a part of it."""
    devices = [disk] + list(block.partitions(system, disk).values())
    nodes = [each.node for each in devices]
    numbers = [each.number for each in devices]
    by = [
        "mounted at " + mount.place
        for mount in _mounts(system)
        if mount.device in numbers or os.path.realpath(mount.source) in nodes
    ]
    by += ["swap" for path in _swaps() if os.path.realpath(path) in nodes]
    by += ["held by " + name for name in block.holders(system, disk)]
    if not by and is_claimed(system, disk):
        by = ["claimed"]
    if by:
        raise ProvisioningError(
            "resource disk is in use",
            disk=disk.node,
            by=", ".join(dict.fromkeys(by)),
            hint="it was not changed; if this is intended, remove ephemeral_disk from modules =",
        )


def _check_free(system: System, place: str) -> None:
    """Raise an error unless the mount point is empty or missing, and in no other line of fstab."""
    others = fstab.other_sources(_fstab_text(system), place)
    if others:
        raise _bad_place(place, "/etc/fstab mounts %s there" % ascii(others[0])[1:-1])
    if any(mount.place == place for mount in _mounts(system)):
        raise _bad_place(place, "something else is mounted there")
    if system.path(place) != place:
        raise _bad_place(place, "a part of it is a symbolic link")
    try:
        if os.listdir(place):
            raise _bad_place(place, "it is not empty")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _bad_place(place, error.strerror or str(error)) from error


def _holds_data(disk: BlockDevice, finding: DiskFinding, hint: str) -> ProvisioningError:
    return ProvisioningError(
        "resource disk holds data", disk=disk.node, found=finding.found, hint=hint
    )


# -- changing
# --------------------------------------------------------------------------------------------------


def _format(system: System, disk: BlockDevice, filesystem: str) -> DiskFinding:
    with OpenDisk(system, disk, writable=True) as device:
        # The disk is locked now. Check it again: this result decides.
        finding = assess(device.read, device.size_bytes, device.sector_bytes)
        _refuse_used(system, disk)
        if finding.state not in (DiskState.FRESH, DiskState.UNFINISHED):
            raise _holds_data(
                disk, finding, "it changed during the check: the next boot looks again"
            )
        missing = make.missing_tools(system, filesystem, finding.table)
        if missing:
            raise make.tool_is_missing(missing[0])
        plan = make.FormatPlan(filesystem, LABEL, MARK_AT, MARK, table=finding.table)
        if finding.partition is not None:
            old = finding.partition
            plan = plan._replace(number=old.number, start_bytes=old.start_bytes)
        make.make_filesystem(system, disk, device, plan)
        made = assess(device.read, device.size_bytes, device.sector_bytes)
        if made.state is not DiskState.OURS or made.partition is None:
            raise ProvisioningError(
                "resource disk could not be formatted",
                said="after formatting it has " + made.found,
                hint="the next boot tries again",
            )
        _finish(device, made.partition)
    make.settle(system)
    return made


def _finish(device: OpenDisk, partition: Partition) -> None:
    """The file system is complete: set the partition's type and remove the mark."""
    if len(partition.kind) == 2 and int(partition.kind, 16) != LINUX:
        # The platform's MBR. A GPT was made by lightinit, with the right type.
        device.write(0, set_linux_type(device.read(0, 512), partition.number))
    device.write(MARK_AT, bytes(MARK_BYTES))


def _use(
    system: System,
    disk: BlockDevice,
    finding: DiskFinding,
    entry: fstab.FstabLine,
    swap_mb: int,
    said: str,
) -> Outcome:
    """Mount a disk of lightinit's, and set up fstab, swap and the warning file."""
    part = _our_partition(system, disk, finding)
    places = [mount.place for mount in _mounts(system) if mount.device == part.number]
    if places and entry.place not in places:
        _check_free(system, entry.place)
        _set_fstab(system, [entry])
        return Outcome(
            "%s is mounted at %s" % (said, places[0]),
            ("it is mounted at %s from the next boot on" % entry.place,),
        )
    if not places:
        _check_free(system, entry.place)
        os.makedirs(entry.place, mode=0o755, exist_ok=True)
    path = "%s/%s" % (entry.place, swap.NAME)
    lines = [entry]
    if swap_mb:
        # noauto: with auto, swap.target and the whole boot would wait for the disk. But the
        # platform may have replaced it, and then only lightinit can format it. nofail does not
        # help: systemd applies it to mounts, not to swap.
        lines.append(fstab.FstabLine(path, "none", "swap", "sw,noauto"))
    _set_fstab(system, lines)
    verb = "was mounted"
    if not places:
        verb = "mounted"
        unit = fstab.unit_name(entry.place, "mount")
        mounts.mount(system, unit, part.node, entry.place, entry.kind, entry.options)
    with mounts.MountedFolder(system, entry.place, part.number) as folder:
        if folder.is_safe:
            folder.write_once(README, README_TEXT)
        if not places:
            restore_labels(system, [entry.place])
        file = swap.SwapFile(system, folder, fstab.unit_name(path, "swap"))
        # Older kernels treat the allocated blocks of an XFS file as holes.
        problem = file.have(swap_mb, path in _swaps(), allocate=entry.kind == "ext4")
    message = "%s %s at %s" % (said, verb, entry.place)
    if problem:
        _set_fstab(system, [entry])
        warning = "no swap of %d MiB on the resource disk: %s" % (swap_mb, problem)
        return Outcome(message, (warning,))
    if swap_mb:
        message += ", with %d MiB of swap" % swap_mb
    return Outcome(message)


def _our_partition(system: System, disk: BlockDevice, finding: DiskFinding) -> BlockDevice:
    """The partition with lightinit's file system. First complete a run that a power cut ended."""
    found = None
    if finding.partition is not None:
        if finding.marked:
            with OpenDisk(system, disk, writable=True) as device:
                _finish(device, finding.partition)
            make.settle(system)
        found = block.partitions(system, disk).get(finding.partition.number)
    if found is None:
        raise ProvisioningError(
            "resource disk cannot be used",
            disk=disk.node,
            why="the kernel does not show its partition",
        )
    return found


def _fstab_text(system: System) -> str:
    return read_text_file(system, fstab.FILE) or ""


def _set_fstab(system: System, entries: Sequence[fstab.FstabLine]) -> None:
    """Make these entries our only lines in /etc/fstab. If it changes, systemd reads it again."""
    before = _fstab_text(system)
    after = fstab.set_entries(before, entries)
    if after != before:
        write_text_file(system, fstab.FILE, after)
        restore_labels(system, [fstab.FILE])
        mounts.reload_units(system)
