"""Use the resource disk, which the platform lends the VM: format it when it is fresh, mount it, and
swap to it if asked.

The platform gives another such disk whenever it moves the VM, so this is looked at on every boot.
Nothing but what is certainly the platform's own is ever overwritten; see
lightinit/formats/disks/resource_disk.py for what that is.
"""

from __future__ import annotations

import os
import re
import stat
from typing import List, Optional, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.disks import fstab
from lightinit.formats.disks.growth import LINUX, Partition, set_linux_type
from lightinit.formats.disks.mounts import Mount, parse_mounts, parse_swaps
from lightinit.formats.disks.resource_disk import (
    LABEL,
    MARK,
    MARK_AT,
    MARK_BYTES,
    README,
    State,
    Verdict,
    assess,
)
from lightinit.host.accounts.tools import restore_labels
from lightinit.host.disks import make, mounts, open_disk
from lightinit.host.disks.open_disk import Device, Disk
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

NAME = "ephemeral_disk"
FREQUENCY = Frequency.BOOT
REQUIRED = False
NEEDS_INSTANCE = False
SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "device",
        "text",
        "auto",
        "auto: the SCSI disk that the platform lends the VM. Or the path of a whole disk, "
        "such as /dev/disk/azure/local/by-index/1 for a local NVMe disk.",
    ),
    Setting(
        "format",
        "text",
        "fresh",
        "fresh: make a file system on a disk that is certainly the platform's, without "
        "anybody's data. never: only mount what was made before.",
        ("fresh", "never"),
    ),
    Setting("filesystem", "text", "ext4", "The file system that is made.", ("ext4", "xfs")),
    Setting("mount_point", "path", "/mnt/resource", "Where it is mounted."),
    Setting(
        "mount_options",
        "text",
        "defaults",
        "Options for /etc/fstab, joined by commas; nofail is always added.",
    ),
    Setting("swap_mb", "integer", 0, "Size of a swap file on it, in MiB; 0: none."),
)
KERNELS_OWN = ("/proc", "/sys", "/dev", "/run")
WARNING = b"""This disk is temporary.

The platform replaces it by an empty one when it moves this virtual machine to another host: \
after a deallocation, a
redeployment, a change of size, or a failure of the hardware. What is on it then is gone, \
and nobody can bring it back.

Keep here only what may be lost, such as caches, swap and scratch files.
"""


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Have the resource disk mounted, if the VM has one.

    Args:
        instance: not used.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        What was done; a warning when swap could not be had.

    Raises:
        ProvisioningError: the disk, or what is on it, is not certainly the platform's or ours; or
            it could not be used. Nothing on it has been changed then, unless a tool failed while it
            was being formatted.
    """
    if not system.live:
        system.skip("resource disk")
        return Outcome("resource disk left out in a scratch root", skipped=True)
    place, options = (
        _checked_place(settings["mount_point"]),
        _checked_options(settings["mount_options"]),
    )
    disk = _find(system, settings["device"])
    if disk is None and (
        settings["device"] != "auto" or any(map(fstab.is_ours, _fstab_text(system)[0].split("\n")))
    ):
        # One is expected: the kernel or udev, which makes the link, may only be late.
        make.settle(system)
        disk = _find(system, settings["device"])
    if disk is None:
        _set_fstab(system, [])
        count = open_disk.count_direct_nvme(system) if settings["device"] == "auto" else 0
        return Outcome(
            "no resource disk"
            + (", but %d local NVMe disks: name one with device =" % count if count else ""),
            skipped=True,
        )
    with Device(system, disk) as device:
        verdict = assess(device.read, device.size_bytes, device.sector_bytes)
    said = "resource disk %s" % disk.path
    if verdict.state is not State.OURS:
        _refuse_used(system, disk)
        _set_fstab(system, [])  # ours has gone
        if verdict.state is State.FOREIGN:
            raise ProvisioningError(
                "resource disk holds data",
                disk=disk.path,
                found=verdict.found,
                hint=(
                    "it is left as it is; to give up what is on it, make one partition and on that"
                    " `mkfs.ext4 -L %s`"
                )
                % LABEL,
            )
        if settings["format"] == "never":
            return Outcome("%s left as it is, as the settings say" % said, skipped=True)
        _check_free(system, place)
        verdict = _format(system, disk, settings["filesystem"])
        said += " formatted,"
    return _use(
        system,
        disk,
        verdict,
        fstab.Entry("LABEL=" + LABEL, place, verdict.filesystem, options, 2),
        settings["swap_mb"],
        said,
    )


# -- settings
# --------------------------------------------------------------------------------------------------


def _checked_place(place: str) -> str:
    why = ""
    if not place.startswith("/") or os.path.normpath(place) != place or place in ("/", "//"):
        why = "it is no plain absolute path"
    elif not place.isprintable():
        why = "it has characters that cannot be printed"
    elif any(place == folder or place.startswith(folder + "/") for folder in KERNELS_OWN):
        why = "it lies below %s" % place[: place.index("/", 1) if "/" in place[1:] else None]
    if why:
        raise _bad_place(ascii(place)[1:-1], why)
    return place


def _checked_options(options: str) -> str:
    if not re.match(r"[!-\"$-~]+\Z", options):
        raise ProvisioningError(
            "mount options cannot be used",
            options=ascii(options)[1:-1],
            hint="join them by commas, without blanks",
        )
    return options if "nofail" in options.split(",") else options + ",nofail"


def _find(system: System, device: str) -> Optional[Disk]:
    if device == "auto":
        return open_disk.find_resource_disk(system)
    if not device.startswith("/"):
        raise ProvisioningError(
            "device is not a disk",
            device=ascii(device)[1:-1],
            hint="write auto, or an absolute path",
        )
    return open_disk.find_named_disk(system, device)


def _bad_place(place: str, why: str) -> ProvisioningError:
    return ProvisioningError(
        "mount point cannot be used",
        place=place,
        why=why,
        hint="choose another: mount_point in [module.ephemeral_disk]",
    )


# -- looking
# --------------------------------------------------------------------------------------------------


def _mounts(system: System) -> List[Mount]:
    """All that is mounted on the host, and here: lightinit may have a mount namespace of its
    own.
    """
    return [
        mount
        for process in ("1", "self")
        for mount in parse_mounts(_kernel_text("/proc/%s/mountinfo" % process))
    ]


def _kernel_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            return handle.read()
    except OSError:
        return ""


def _refuse_used(system: System, disk: Disk) -> None:
    """Raise if anything has the disk or a part of it, though what is on it looks as if nothing
    could.
    """
    names = [disk.name] + list(open_disk.partitions(system, disk).values())
    nodes = [open_disk.node_of(name) for name in names]
    numbers = [open_disk.device_number(system, name) for name in names]
    by = [
        "mounted at " + mount.place
        for mount in _mounts(system)
        if mount.device in numbers or os.path.realpath(mount.source) in nodes
    ]
    by += [
        "swap"
        for path, _ in parse_swaps(_kernel_text("/proc/swaps"))
        if os.path.realpath(path) in nodes
    ]
    by += ["held by " + name for name in open_disk.holders(system, disk)]
    if not by and open_disk.is_claimed(system, disk):
        by = ["claimed"]
    if by:
        raise ProvisioningError(
            "resource disk is in use",
            disk=disk.path,
            by=", ".join(dict.fromkeys(by)),
            hint="it is left as it is; if that is intended, take ephemeral_disk out of modules =",
        )


def _check_free(system: System, place: str) -> None:
    """Raise unless the mount point is an empty folder or nothing, and nobody else's line in
    /etc/fstab has it.
    """
    others = fstab.other_sources(_fstab_text(system)[0], place)
    if others:
        raise _bad_place(place, "/etc/fstab has %s there" % ascii(others[0])[1:-1])
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


# -- changing
# --------------------------------------------------------------------------------------------------


def _format(system: System, disk: Disk, filesystem: str) -> Verdict:
    with Device(system, disk, writable=True) as device:
        # Looked at once more, now that it is locked: this is what is acted upon.
        verdict = assess(device.read, device.size_bytes, device.sector_bytes)
        _refuse_used(system, disk)
        if verdict.state not in (State.FRESH, State.UNFINISHED):
            raise ProvisioningError(
                "resource disk holds data",
                disk=disk.path,
                found=verdict.found,
                hint="it changed while it was looked at: the next boot looks again",
            )
        missing = make.tools_for(system, filesystem, verdict.table)
        if missing:
            raise ProvisioningError(
                "tool for the resource disk is missing",
                tool=missing[0],
                hint="install it in the image",
            )
        old = verdict.partition
        make.make_filesystem(
            system,
            disk,
            device,
            make.Job(
                filesystem,
                LABEL,
                MARK_AT,
                MARK,
                old.number if old else 0,
                old.start if old else 0,
                verdict.table,
            ),
        )
        made = assess(device.read, device.size_bytes, device.sector_bytes)
        if made.state is not State.OURS or made.partition is None:
            raise ProvisioningError(
                "resource disk could not be formatted",
                said="afterwards it has " + made.found,
                hint="the next boot tries again",
            )
        _finish(device, made.partition)
    make.settle(system)
    return made


def _finish(device: Device, partition: Partition) -> None:
    """The file system is complete: say in the table what the partition is for, and take the mark
    away.
    """
    if len(partition.kind) == 2 and int(partition.kind, 16) != LINUX:
        # An MBR, as the platform made it.
        device.write(0, set_linux_type(device.read(0, 512), partition.number))
    device.write(MARK_AT, bytes(MARK_BYTES))


def _use(
    system: System, disk: Disk, verdict: Verdict, entry: fstab.Entry, swap_mb: int, said: str
) -> Outcome:
    """Mount the disk that is ours, and all that goes with it."""
    partition = verdict.partition
    if verdict.marked and partition is not None:  # it was complete when lightinit was cut off
        with Device(system, disk, writable=True) as device:
            _finish(device, partition)
        make.settle(system)
    name = (
        open_disk.partitions(system, disk).get(partition.number) if partition is not None else None
    )
    if name is None:
        raise ProvisioningError(
            "resource disk cannot be used",
            disk=disk.path,
            why="the kernel does not show its partition",
        )
    number = open_disk.device_number(system, name)
    places = [mount.place for mount in _mounts(system) if mount.device == number]
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
    warnings: List[str] = []
    path = "%s/%s" % (entry.place, mounts.SWAP_FILE)
    # noauto: swap.target, and with it all of the boot, would wait for a disk that the platform has
    # taken away meanwhile, and that only lightinit could make anew. nofail does not help: systemd
    # heeds it for mounts, not for swap.
    swap = fstab.Entry(path, "none", "swap", "sw,noauto")
    _set_fstab(system, [entry, swap] if swap_mb else [entry])
    if not places:
        mounts.mount(
            system,
            fstab.unit_name(entry.place, "mount"),
            open_disk.node_of(name),
            entry.place,
            entry.kind,
            entry.options,
        )
    with mounts.Folder(system, entry.place, number) as folder:
        if folder.is_safe:
            folder.write_once(README, WARNING)
        if not places:
            restore_labels(system, [entry.place])
        problem = _set_swap(system, folder, entry.kind, path, swap_mb)
    if problem:
        warnings.append("no swap of %d MiB on the resource disk: %s" % (swap_mb, problem))
        _set_fstab(system, [entry])
    swapping = ", with %d MiB of swap" % swap_mb if swap_mb and not problem else ""
    return Outcome(
        "%s %s at %s%s" % (said, "was mounted" if places else "mounted", entry.place, swapping),
        tuple(warnings),
    )


def _set_swap(
    system: System, folder: mounts.Folder, filesystem: str, path: str, swap_mb: int
) -> str:
    """Have swap of that size, or none. Returns why it could not be had, or ""."""
    unit = fstab.unit_name(path, "swap")
    active = any(used == path for used, _ in parse_swaps(_kernel_text("/proc/swaps")))
    size_bytes = folder.swap_bytes()
    if swap_mb and active and size_bytes == swap_mb * mounts.MIB:
        return ""
    if active:
        problem = mounts.stop_swap(system, unit, path)
        if problem:
            return "the swap there is could not be stopped: " + problem
    if not swap_mb:
        folder.remove_swap()
        return ""
    if not folder.is_safe:
        return "users may write to its top folder"
    if size_bytes != swap_mb * mounts.MIB:
        # XFS of older kernels takes blocks that are reserved and not written for holes.
        problem = folder.make_swap(swap_mb, allocate=filesystem == "ext4")
        if problem:
            return problem
    return mounts.start_swap(system, unit, path)


def _fstab_text(system: System) -> Tuple[str, int]:
    """What is in /etc/fstab, and its mode."""
    try:
        return (
            system.read(fstab.FILE).decode("utf-8", "surrogateescape"),
            stat.S_IMODE(os.stat(system.path(fstab.FILE)).st_mode),
        )
    except FileNotFoundError:
        return "", 0o644
    except (OSError, MalformedError) as error:
        raise ProvisioningError(
            "file cannot be read", path=fstab.FILE, error=getattr(error, "strerror", None) or error
        ) from error


def _set_fstab(system: System, entries: Sequence[fstab.Entry]) -> None:
    """Have these lines of ours, and no others, in /etc/fstab; systemd reads it again if it
    changed.
    """
    before, mode = _fstab_text(system)
    after = fstab.set_entries(before, entries)
    if after != before:
        system.write(fstab.FILE, after.encode("utf-8", "surrogateescape"), mode)
        restore_labels(system, [fstab.FILE])
        mounts.reload_units(system)
