"""An open disk: reads and writes its bytes. It does not interpret them."""

from __future__ import annotations

import fcntl
import os
import stat
from types import TracebackType
from typing import Optional, Type

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.disks import block
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System

LOCK_WAIT_S = 2.0
FLUSH_BUFFERS = 0x1261  # BLKFLSBUF of linux/fs.h


class OpenDisk:
    """An open disk. Use it in a ``with`` block.

    A disk that is open for writing is locked, so that udev does not probe it
    (https://systemd.io/BLOCK_DEVICE_LOCKING).

    Args:
        system: the machine.
        disk: the disk.
        writable: whether to open it for writing.
        wished: whether it is a disk that a cloud-config wants prepared; the errors say so.

    Attributes:
        size_bytes: its size.
        sector_bytes: the size of its logical sectors.

    Raises:
        ProvisioningError: it cannot be opened.
    """

    def __init__(
        self,
        system: System,
        disk: BlockDevice,
        writable: bool = False,
        wished: bool = False,
    ) -> None:
        self._system = system
        self._wished = wished
        self._disk = disk
        self.sector_bytes = disk.sector_bytes
        flags = os.O_RDONLY | os.O_CLOEXEC
        if writable:
            flags = os.O_RDWR | os.O_CLOEXEC
        try:
            self._descriptor = os.open(system.path(disk.node), flags)
        except OSError as error:
            raise self._cannot("be opened", error) from error
        try:
            if writable:
                self._lock()
            self.size_bytes = os.lseek(self._descriptor, 0, os.SEEK_END)
            self.drop_caches()
        except OSError as error:
            os.close(self._descriptor)
            raise self._cannot("be opened", error) from error

    def __enter__(self) -> "OpenDisk":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        os.close(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # udev holds the lock for a moment while it probes the disk. If the lock stays, another
            # program holds it, and lightinit gives up.
            self._system.clock.sleep(LOCK_WAIT_S)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def drop_caches(self) -> None:
        """Flush the kernel's caches of the disk and its partitions.

        The kernel has one cache for the disk and one for each partition, so data that were written
        through one may not be visible through another.
        """
        if not stat.S_ISBLK(os.fstat(self._descriptor).st_mode):
            return
        for partition in block.partitions(self._system, self._disk).values():
            descriptor = os.open(self._system.path(partition.node), os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.ioctl(descriptor, FLUSH_BUFFERS)
            finally:
                os.close(descriptor)
        fcntl.ioctl(self._descriptor, FLUSH_BUFFERS)

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly ``size`` bytes.

        Raises:
            MalformedError: the disk ends before that.
            ProvisioningError: the disk gives an error.
        """
        try:
            data = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise self._cannot("be read", error) from error
        if len(data) != size:
            raise MalformedError("disk is too short", disk=self._disk.node, offset=offset)
        return data

    def write(self, offset: int, data: bytes) -> None:
        """Write all of ``data``, and wait until the disk has it.

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
        details = {
            "disk": self._disk.node,
            "why": "it cannot " + what,
            "error": error.strerror or str(error),
        }
        if self._wished:
            return ProvisioningError("disk cannot be prepared", **details)
        return ProvisioningError("resource disk cannot be used", **details)


def is_claimed(system: System, disk: BlockDevice) -> bool:
    """Whether a file system, swap, RAID, LVM or dm-crypt uses the disk or a part of it.

    The answer comes from the kernel: it refuses an exclusive open.
    """
    try:
        os.close(os.open(system.path(disk.node), os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError:
        return True
    return False
