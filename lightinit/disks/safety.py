"""Decides whether a disk or a partition may be overwritten: who uses it, and what is on it?"""

from __future__ import annotations

import os
from typing import List, Set

from lightinit.disks import devices
from lightinit.errors import ProvisioningError
from lightinit.formats.disks.resource_disk import DiskState, assess, is_blank
from lightinit.host.disks import block, named
from lightinit.host.disks.block import BlockDevice
from lightinit.host.disks.open_disk import OpenDisk, is_claimed
from lightinit.host.system import System

# What is mounted at these places is the operating system's.
SYSTEM_PLACES = ("/", "/boot", "/boot/efi", "/efi", "/etc", "/home", "/nix", "/usr", "/var")
DISK_TYPE = "0"  # SCSI peripheral device type
SAFE = "it was not changed"
OVERWRITE = "it was not changed; to erase it, write `overwrite: true`"


def leave_alone(device: BlockDevice, why: str, hint: str = SAFE) -> ProvisioningError:
    """The error for a device that stays as it is."""
    return ProvisioningError("disk cannot be prepared", device=device.node, why=why, hint=hint)


def check_unused(system: System, device: BlockDevice) -> None:
    """Raise an error if anything uses a disk or partition, or if it belongs to the OS disk.

    Args:
        system: the machine.
        device: a disk, with all its partitions, or a partition.

    Raises:
        ProvisioningError: it must not be changed, whatever the user says.
    """
    disk = device.disk or device
    if disk.number in _list_os_disks(system):
        raise leave_alone(device, "it is the disk of the operating system, or a part of it")
    if device.mapped:
        raise leave_alone(device, "it is on %s, which is not prepared" % device.mapped)
    if device.read_only or disk.read_only:
        raise leave_alone(device, "it is read-only")
    if disk.scsi_type not in ("", DISK_TYPE):
        raise leave_alone(device, "it is no disk")
    by = list_users(system, device)
    if by:
        raise leave_alone(device, "it is in use: " + ", ".join(by))


def _list_os_disks(system: System) -> Set[str]:
    """The numbers of the disks that have a part of the operating system."""
    found = set()
    os_disk = named.find_os_disk(system)
    if os_disk is not None:
        found.add(os_disk.number)
    for mount in devices.list_mounts(system):
        if mount.place not in SYSTEM_PLACES:
            continue
        device = block.find_by_number(system, mount.device)
        if device is None and mount.source.startswith("/dev/"):
            device = named.find_by_path(system, mount.source)
        if device is not None:
            found |= {each.number for each in named.find_disks_below(system, device)}
    return found


def list_users(system: System, device: BlockDevice) -> List[str]:
    """What uses a disk or one of its partitions, in words."""
    parts = [device]
    if not device.partition:
        parts += block.partitions(system, device).values()
    nodes = [each.node for each in parts]
    numbers = [each.number for each in parts]
    by = [
        "mounted at " + mount.place
        for mount in devices.list_mounts(system)
        if mount.device in numbers or os.path.realpath(mount.source) in nodes
    ]
    by += ["swap" for path in devices.list_swaps(system) if os.path.realpath(path) in nodes]
    by += ["held by " + name for name in block.holders(system, device)]
    if not by and any(is_claimed(system, each) for each in parts):
        by = ["another program has claimed it"]
    return list(dict.fromkeys(by))


def check_disk_content(device: BlockDevice, opened: OpenDisk) -> None:
    """Raise an error unless a whole disk is certainly empty, or fresh from the platform.

    Raises:
        ProvisioningError: it may have somebody's data.
    """
    finding = assess(opened.read, opened.size_bytes, opened.sector_bytes)
    if finding.state not in (DiskState.FRESH, DiskState.UNFINISHED):
        raise leave_alone(device, "it has " + finding.found, OVERWRITE)


def check_partition_content(device: BlockDevice, opened: OpenDisk, kinds: List[str]) -> None:
    """Raise an error unless a partition is certainly empty.

    Args:
        device: the partition.
        opened: the same, open.
        kinds: the kinds of the signatures on it.

    Raises:
        ProvisioningError: it may have somebody's data.
    """
    if kinds:
        raise leave_alone(device, "it has " + " and ".join(kinds), OVERWRITE)
    if not is_blank(opened.read, opened.size_bytes):
        raise leave_alone(device, "it has data of an unknown kind", OVERWRITE)
