"""Disks as the kernel shows them below /sys and /dev: which one is Azure's resource disk, and
reading one's bytes.

It knows no format: what the bytes mean is told elsewhere.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from types import TracebackType
from typing import Dict, List, Optional, Set, Type

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System

VMBUS = "/sys/bus/vmbus/devices"
# https://github.com/Azure/azure-vm-utils udev/80-azure-disk.rules. Generation 1: the second disk of
# the first IDE channel. Generation 2: LUN 1 of the SCSI controller that has the OS disk as LUN 0;
# data disks have controllers of their own.
GENERATION_1_PREFIX = "{00000000-0001-"
GENERATION_2_CONTROLLER = "{f8b3781a-1e82-4818-a1c3-63d806ec15bb}"
RESOURCE_LUN = "1"
DISK_TYPE = "0"  # of SCSI; a CD-ROM is 5
UDEV_LINKS = ("/dev/disk/azure/resource", "/dev/disk/cloud/azure_resource")
DIRECT_NVME = "Microsoft NVMe Direct Disk"
LOCK_WAIT_S = 2.0
FLUSH_BUFFERS = 0x1261  # BLKFLSBUF of linux/fs.h


@dataclass(frozen=True)
class Disk:
    """A whole disk: its name in /sys/class/block."""

    name: str

    @property
    def path(self) -> str:
        """Its device node."""
        return node_of(self.name)


def node_of(name: str) -> str:
    """The device node of a disk or partition."""
    return "/dev/" + name.replace("!", "/")


def find_resource_disk(system: System) -> Optional[Disk]:
    """The SCSI or IDE disk that the platform lends this VM, or None when it lends none.

    Raises:
        ProvisioningError: the kernel and udev do not agree which one it is.
    """
    by_bus = _find_on_vmbus(system)
    by_udev = set()
    for link in UDEV_LINKS:
        real = system.path(link)
        if os.path.exists(real) and real.rpartition("/")[2] != link.rpartition("/")[2]:
            by_udev.add(real.rpartition("/")[2])
    names = by_bus or by_udev
    if len(names) > 1 or (by_udev and by_udev != names):
        raise ProvisioningError(
            "resource disk is ambiguous",
            vmbus=" ".join(sorted(by_bus)) or "none",
            udev=" ".join(sorted(by_udev)) or "none",
            hint="name it in the settings: device = /dev/…",
        )
    return Disk(names.pop()) if names else None


def _find_on_vmbus(system: System) -> Set[str]:
    names = set()
    for folder in system.glob(VMBUS + "/*"):
        device_id = system.read_text(folder + "/device_id").strip().lower()
        if not device_id.startswith(GENERATION_1_PREFIX) and device_id != GENERATION_2_CONTROLLER:
            continue
        for path in system.glob(folder + "/host*/target*/*:*:*:*/block/*"):
            unit = path.split("/")[-3]
            if device_id == GENERATION_2_CONTROLLER and unit.rpartition(":")[2] != RESOURCE_LUN:
                continue
            if (
                system.read_text("%s/type" % path.rpartition("/block/")[0], DISK_TYPE).strip()
                == DISK_TYPE
            ):
                names.add(path.rpartition("/")[2])
    return names


def count_direct_nvme(system: System) -> int:
    """How many local NVMe disks the platform lends this VM."""
    return sum(
        1
        for path in system.glob("/sys/class/block/nvme*n*/device/model")
        if system.read_text(path).startswith(DIRECT_NVME)
    )


def find_named_disk(system: System, path: str) -> Optional[Disk]:
    """The whole disk at ``path``, a device node or a link to one; None when nothing is there.

    Raises:
        ProvisioningError: it is no whole disk.
    """
    try:
        status = os.stat(system.path(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProvisioningError(
            "device is not a disk", device=path, error=error.strerror or str(error)
        ) from error
    if not stat.S_ISBLK(status.st_mode):
        raise ProvisioningError("device is not a disk", device=path)
    found = system.path(
        "/sys/dev/block/%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))
    )
    if os.path.exists(found + "/partition") or not os.path.exists(found):
        raise ProvisioningError(
            "device is not a disk", device=path, hint="name the whole disk, not a partition"
        )
    return Disk(os.path.basename(found))


def partitions(system: System, disk: Disk) -> Dict[int, str]:
    """The names of a disk's partitions, by number, as the kernel knows them now."""
    found = {}
    for path in system.glob("/sys/class/block/%s/*/partition" % disk.name):
        number = system.read_text(path).strip()
        if number.isdigit():
            found[int(number)] = path.split("/")[-2]
    return found


def device_number(system: System, name: str) -> str:
    """A disk's or partition's number, as ``major:minor``; "" when there is none of that name."""
    return system.read_text("/sys/class/block/%s/dev" % name).strip()


def holders(system: System, disk: Disk) -> List[str]:
    """What lies upon a disk or its partitions: LVM, RAID, dm-crypt."""
    found = set(system.list_dir("/sys/class/block/%s/holders" % disk.name))
    for name in partitions(system, disk).values():
        found.update(system.list_dir("/sys/class/block/%s/%s/holders" % (disk.name, name)))
    return sorted(found)


class Device:
    """An open disk. Use it in a ``with`` block.

    Open for writing it is locked, so that udev leaves it alone until it is closed
    (https://systemd.io/BLOCK_DEVICE_LOCKING).

    Args:
        system: the machine.
        disk: which one.
        writable: whether it is written to.

    Attributes:
        size_bytes: its size.
        sector_bytes: the size of its logical sectors.

    Raises:
        ProvisioningError: it cannot be opened.
    """

    def __init__(self, system: System, disk: Disk, writable: bool = False) -> None:
        self._system = system
        self._disk = disk
        text = system.read_text("/sys/class/block/%s/queue/logical_block_size" % disk.name).strip()
        self.sector_bytes = int(text) if re.match(r"[1-9][0-9]{2,4}\Z", text) else 512
        try:
            self._descriptor = os.open(
                system.path(disk.path), (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC
            )
        except OSError as error:
            raise self._cannot("be opened", error) from error
        try:
            if writable:
                self._lock()
            self.size_bytes = os.lseek(self._descriptor, 0, os.SEEK_END)
            self.forget()
        except OSError as error:
            os.close(self._descriptor)
            raise self._cannot("be opened", error) from error

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        os.close(self._descriptor)

    def _lock(self) -> None:
        import fcntl

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # udev holds it for a moment while it looks; somebody else may hold it for long, and
            # that is respected.
            self._system.clock.sleep(LOCK_WAIT_S)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def forget(self) -> None:
        """Have what is read be what is there: the kernel's cache of a disk is another than those of
        its partitions.
        """
        if not stat.S_ISBLK(os.fstat(self._descriptor).st_mode):
            return
        import fcntl

        for name in partitions(self._system, self._disk).values():
            descriptor = os.open(self._system.path(node_of(name)), os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.ioctl(descriptor, FLUSH_BUFFERS)
            finally:
                os.close(descriptor)
        fcntl.ioctl(self._descriptor, FLUSH_BUFFERS)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes.

        Raises:
            MalformedError: there are fewer.
            ProvisioningError: the disk gives an error.
        """
        try:
            data = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise self._cannot("be read", error) from error
        if len(data) != size:
            raise MalformedError("disk is too short", disk=self._disk.path, offset=offset)
        return data

    def write(self, offset: int, data: bytes) -> None:
        """Write all of ``data``, and wait until it is on the disk.

        Raises:
            ProvisioningError: the disk gives an error.
        """
        try:
            while data:
                done = os.pwrite(self._descriptor, data, offset)
                data, offset = data[done:], offset + done
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._cannot("be written", error) from error

    def _cannot(self, what: str, error: OSError) -> ProvisioningError:
        return ProvisioningError(
            "resource disk cannot be used",
            disk=self._disk.path,
            why="it cannot " + what,
            error=error.strerror or str(error),
        )


def is_claimed(system: System, disk: Disk) -> bool:
    """Whether the kernel itself says that a file system, swap, RAID, LVM or dm-crypt has the disk
    or a part of it.
    """
    try:
        os.close(os.open(system.path(disk.path), os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError:
        return True
    return False
