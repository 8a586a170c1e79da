"""Reads block devices from sysfs. Only this file reads /sys/class/block.

It knows no partition tables and no file system formats.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from typing import Dict, List, Optional

from lightinit.digits import read_digits
from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System
from lightinit.model import NamedTuple

SECTOR_BYTES = 512  # the unit of sysfs; it does not depend on the device's sector size
BY_NAME = "/sys/class/block"
BY_NUMBER = "/sys/dev/block"
BLKPG = 0x1269  # _IO(0x12, 105) of linux/blkpg.h
BLKPG_DELETE_PARTITION = 2
BLKPG_RESIZE_PARTITION = 3
BTRFS_IOC_FS_INFO = 0x8400941F  # _IOR(0x94, 31, 1024 bytes) of linux/btrfs.h
BTRFS_INFO_BYTES = 1024


class BlockDevice(NamedTuple):
    """A block device: a disk or a partition.

    Attributes:
        name: its name in sysfs, such as ``sda1``.
        number: ``major:minor``.
        size_bytes: its size; 0 for a drive without a medium.
        sector_bytes: the size of its logical sectors.
        partition: its partition number on ``disk``; 0 if it is a disk.
        start_bytes: its offset on ``disk``.
        disk: the disk of a partition; None for a disk.
        mapped: the driver that maps it to other devices, such as ``device mapper (LVM)``; "" if
            none does.
        read_only: whether the kernel refuses writes.
        virtual: whether its data are in memory, a file or other devices, as for zram, loop and dm.
        scsi_type: its SCSI peripheral device type, such as ``0`` for a disk and ``5`` for an
            optical drive; "" if it is no SCSI disk or drive.
        removable: whether its medium is removable.
    """

    name: str
    number: str
    size_bytes: int
    sector_bytes: int = 512
    partition: int = 0
    start_bytes: int = 0
    disk: "Optional[BlockDevice]" = None
    mapped: str = ""
    read_only: bool = False
    virtual: bool = False
    scsi_type: str = ""
    removable: bool = False

    @property
    def node(self) -> str:
        """Its device node."""
        return "/dev/" + self.name.replace("!", "/")


def list_devices(system: System) -> List[BlockDevice]:
    """All block devices, sorted by name."""
    found = [find_by_name(system, name) for name in system.list_dir(BY_NAME)]
    return [each for each in found if each is not None]


def find_by_name(system: System, name: str) -> Optional[BlockDevice]:
    """The block device of this name in sysfs, or None."""
    return _read(system.path("%s/%s" % (BY_NAME, name)))


def find_by_number(system: System, number: str) -> Optional[BlockDevice]:
    """The block device ``number`` (``major:minor``), or None."""
    if ":" not in number:
        return None
    return _read(system.path("%s/%s" % (BY_NUMBER, number)))


def _read(folder: str) -> Optional[BlockDevice]:
    """The device of a real folder in sysfs.

    Its files are opened directly, without :meth:`System.path`. Resolving each path would take most
    of the time, and the search for media lists all devices several times a second.
    """
    number = _text(folder + "/dev")
    if not number:
        return None
    disk = None
    partition = _integer(folder + "/partition")
    sector_bytes = _integer(folder + "/queue/logical_block_size") or 512
    if partition:
        disk = _read(os.path.dirname(folder))
        if disk is None:
            return None
        sector_bytes = disk.sector_bytes
    return BlockDevice(
        os.path.basename(folder),
        number,
        _integer(folder + "/size") * SECTOR_BYTES,
        sector_bytes,
        partition,
        _integer(folder + "/start") * SECTOR_BYTES,
        disk,
        _mapping(folder),
        bool(_integer(folder + "/ro")),
        "/devices/virtual/block/" in folder,
        _text(folder + "/device/type"),
        bool(_integer(folder + "/removable")),
    )


def partitions(system: System, disk: BlockDevice) -> Dict[int, BlockDevice]:
    """The partitions of a disk that the kernel knows now, by number."""
    found = {}
    for path in system.glob("%s/%s/*/partition" % (BY_NAME, disk.name)):
        device = _read(system.path(os.path.dirname(path)))
        if device is not None and device.partition:
            found[device.partition] = device
    return found


def holders(system: System, disk: BlockDevice) -> List[str]:
    """The names of the devices on top of a disk or its partitions: LVM, RAID, dm-crypt."""
    found = set()
    for device in [disk] + list(partitions(system, disk).values()):
        found.update(system.list_dir("%s/%s/holders" % (BY_NAME, device.name)))
    return sorted(found)


def find_btrfs_devices(system: System, mount_point: str) -> List[str]:
    """The numbers of the devices of the btrfs at ``mount_point``; empty if they are unknown."""
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


def read_bytes(system: System, device: BlockDevice, offset: int, size: int) -> bytes:
    """Read exactly ``size`` bytes at ``offset``.

    Raises:
        MalformedError: the device ends before that.
        ProvisioningError: it cannot be read.
    """
    descriptor = _open(system, device)
    try:
        data = os.pread(descriptor, size, offset)
    except OSError as error:
        raise _unreadable(device, error.strerror or str(error)) from error
    finally:
        os.close(descriptor)
    if len(data) != size:
        raise MalformedError("disk is too short", disk=device.node, offset=offset)
    return data


def resize_partition(system: System, device: BlockDevice, size_bytes: int) -> None:
    """Tell the kernel the new size of a partition, which may be mounted (since Linux 3.6).

    Raises:
        ProvisioningError: the kernel refused.
    """
    try:
        _tell_partition(system, device, BLKPG_RESIZE_PARTITION, size_bytes)
    except OSError as error:
        raise ProvisioningError(
            "kernel does not take the partition's new size",
            device=device.node,
            error=error.strerror or str(error),
            hint="restart the machine, so that the kernel reads the table again",
        ) from error


def forget_partition(system: System, device: BlockDevice) -> None:
    """Tell the kernel that a partition is gone. It must not be in use.

    Raises:
        ProvisioningError: the kernel refused.
    """
    try:
        _tell_partition(system, device, BLKPG_DELETE_PARTITION, 0)
    except OSError as error:
        raise _unreadable(device, error.strerror or str(error)) from error


def _tell_partition(system: System, device: BlockDevice, what: int, size_bytes: int) -> None:
    from array import array

    # linux/blkpg.h: struct blkpg_partition, and struct blkpg_ioctl_arg, which points to it.
    partition = array(
        "b",
        struct.pack("@qqi64s64s0q", device.start_bytes, size_bytes, device.partition, b"", b""),
    )
    address, length = partition.buffer_info()
    descriptor = _open(system, device.disk or device)
    try:
        fcntl.ioctl(
            descriptor,
            BLKPG,
            struct.pack("@iiiP", what, 0, length * partition.itemsize, address),
        )
    finally:
        os.close(descriptor)


def _open(system: System, device: BlockDevice) -> int:
    """Open the device's node, and check that it is this device's node."""
    try:
        descriptor = os.open(system.path(device.node), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(device, error.strerror or str(error)) from error
    status = os.fstat(descriptor)
    if not stat.S_ISBLK(status.st_mode) or number_of(status.st_rdev) != device.number:
        os.close(descriptor)
        raise _unreadable(device, "its node belongs to another device")
    return descriptor


def number_of(device: int) -> str:
    """A device number as ``major:minor``, from ``st_dev`` or ``st_rdev``."""
    return "%d:%d" % (os.major(device), os.minor(device))


def _unreadable(device: BlockDevice, why: str) -> ProvisioningError:
    return ProvisioningError(
        "disk cannot be read", device=device.node, number=device.number, error=why
    )


def _mapping(folder: str) -> str:
    if os.path.isdir(folder + "/md"):
        return "a RAID"
    if not os.path.isdir(folder + "/dm"):
        return ""
    kind = _text(folder + "/dm/uuid").partition("-")[0]
    if kind.isalnum():
        return "device mapper (%s)" % kind
    return "device mapper"


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read().strip()
    except OSError:
        return ""


def _integer(path: str) -> int:
    return read_digits(_text(path)) or 0
