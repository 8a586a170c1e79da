"""Block devices as the kernel knows them: by number, from sysfs, never by a name that somebody else
gave.

It knows no partition table and no file system's format.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from array import array
from dataclasses import dataclass
from typing import List, Optional

from lightinit.errors import ProvisioningError
from lightinit.host.system import System

SECTOR_BYTES = 512  # sysfs counts in these, whatever the disk's block is
SYSFS = "/sys/dev/block/"
BLKPG = 0x1269  # _IO(0x12, 105) of linux/blkpg.h
BLKPG_RESIZE_PARTITION = 3
BTRFS_IOC_FS_INFO = 0x8400941F  # _IOR(0x94, 31, 1024 bytes) of linux/btrfs.h
BTRFS_INFO_BYTES = 1024


@dataclass(frozen=True)
class Device:
    """A block device.

    Attributes:
        number: ``major:minor``.
        node: its file in /dev.
        sectors: how large it is.
        block_bytes: its logical block.
        partition: its number among the partitions of ``disk``; 0 when it is none.
        start: its first sector on ``disk``.
        disk: what it is a partition of; None when it is none.
        mapped: the name of what maps it to other devices, such as ``device mapper (LVM)``; "" when
            nothing does.
        read_only: whether the kernel refuses to write to it.
    """

    number: str
    node: str
    sectors: int
    block_bytes: int = 512
    partition: int = 0
    start: int = 0
    disk: "Optional[Device]" = None
    mapped: str = ""
    read_only: bool = False


def find_device(system: System, number: str) -> Optional[Device]:
    """The block device ``number`` (``major:minor``); None when there is none of this number."""
    folder = SYSFS + number
    if ":" not in number or not system.is_dir(folder):
        return None
    name = ""
    for line in system.read_text(folder + "/uevent").split("\n"):
        if line.startswith("DEVNAME="):
            name = line[len("DEVNAME=") :]
    partition = _number(system, folder + "/partition")
    disk = None
    if partition:
        above = os.path.dirname(system.path(folder))
        number_above = system.read_text(above[len(system.root.rstrip("/")) :] + "/dev").strip()
        disk = find_device(system, number_above) if number_above else None
        if disk is None:
            return None
    return Device(
        number,
        "/dev/" + name,
        _number(system, folder + "/size"),
        _number(system, folder + "/queue/logical_block_size") or 512,
        partition,
        _number(system, folder + "/start"),
        disk,
        _mapping(system, folder),
        bool(_number(system, folder + "/ro")),
    )


def find_btrfs_devices(system: System, mount_point: str) -> List[str]:
    """The numbers of the devices of the btrfs that is mounted there; none when the kernel does not
    tell.
    """
    try:
        descriptor = os.open(system.path(mount_point), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            told = fcntl.ioctl(descriptor, BTRFS_IOC_FS_INFO, bytes(BTRFS_INFO_BYTES))
        finally:
            os.close(descriptor)
    except OSError:
        return []
    digits = told[16:32].hex()
    name = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    folder = "/sys/fs/btrfs/%s/devices" % name
    found = [
        system.read_text("%s/%s/dev" % (folder, each)).strip() for each in system.list_dir(folder)
    ]
    return [each for each in found if each]


def read_head(system: System, disk: Device, size_bytes: int) -> bytes:
    """The first bytes of a disk.

    Raises:
        ProvisioningError: it could not be read.
    """
    descriptor = _open(system, disk)
    try:
        data = b""
        while len(data) < size_bytes:
            part = os.pread(descriptor, size_bytes - len(data), len(data))
            if not part:
                break
            data += part
        return data
    except OSError as error:
        raise ProvisioningError(
            "disk cannot be read", device=disk.node, error=error.strerror or str(error)
        ) from error
    finally:
        os.close(descriptor)


def resize_partition(system: System, device: Device, sectors: int) -> None:
    """Tell the kernel that the partition ``device`` has another size; that works while it is
    mounted (Linux 3.6).

    Raises:
        ProvisioningError: the kernel refused.
    """
    disk = device.disk or device
    # linux/blkpg.h: struct blkpg_partition, and struct blkpg_ioctl_arg that points to it.
    partition = array(
        "b",
        struct.pack(
            "@qqi64s64s0q",
            device.start * SECTOR_BYTES,
            sectors * SECTOR_BYTES,
            device.partition,
            b"",
            b"",
        ),
    )
    address, length = partition.buffer_info()
    descriptor = _open(system, disk)
    try:
        fcntl.ioctl(
            descriptor,
            BLKPG,
            struct.pack("@iiiP", BLKPG_RESIZE_PARTITION, 0, length * partition.itemsize, address),
        )
    except OSError as error:
        raise ProvisioningError(
            "kernel does not take the partition's new size",
            device=device.node,
            error=error.strerror or str(error),
            hint="it does at the next boot",
        ) from error
    finally:
        os.close(descriptor)


def _open(system: System, device: Device) -> int:
    """Open the device, made sure that its node is its own."""
    try:
        descriptor = os.open(system.path(device.node), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ProvisioningError(
            "disk cannot be read", device=device.node, error=error.strerror or str(error)
        ) from error
    status = os.fstat(descriptor)
    if (
        not stat.S_ISBLK(status.st_mode)
        or "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev)) != device.number
    ):
        os.close(descriptor)
        raise ProvisioningError(
            "disk cannot be read",
            device=device.node,
            number=device.number,
            error="that node is another device's",
        )
    return descriptor


def _mapping(system: System, folder: str) -> str:
    if system.is_dir(folder + "/dm"):
        kind = system.read_text(folder + "/dm/uuid").partition("-")[0]
        return "device mapper (%s)" % kind if kind.isalnum() else "device mapper"
    return "a RAID" if system.is_dir(folder + "/md") else ""


def _number(system: System, path: str) -> int:
    text = system.read_text(path).strip()
    return int(text) if text.isdigit() else 0
