"""Makes, activates and removes a swap file on a mounted file system."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from typing import List, Optional

from lightinit.errors import ProvisioningError
from lightinit.host.disks.mounts import UNIT_LIMIT_S, MountedFolder
from lightinit.host.init import systemd
from lightinit.host.system import System

MIB = 1024 * 1024
NAME = "swapfile"
SCRATCH = ".%s.lightinit-new"
LEFT_BYTES = 64 * MIB  # this much stays free beside the swap file
# linux/fs.h: _IOR('f', 1, long), _IOW('f', 2, long); the kernel reads and writes an int.
_LONG = struct.calcsize("l") << 16
GET_FLAGS, SET_FLAGS = 0x80006601 | _LONG, 0x40006602 | _LONG
NO_COPY_ON_WRITE = 0x00800000


class SwapFile:
    """A swap file in a folder.

    Args:
        system: the machine.
        folder: the folder.
        unit: systemd's unit for the swap.
        name: the file's name.
        overwrites: whether its blocks are to stay where they are, as btrfs must be told.
    """

    def __init__(
        self,
        system: System,
        folder: MountedFolder,
        unit: str,
        name: str = NAME,
        overwrites: bool = False,
    ) -> None:
        self._system = system
        self._folder = folder
        self._unit = unit
        self._name = name
        self._scratch = SCRATCH % name
        self._overwrites = overwrites
        self._path = "%s/%s" % (folder.place.rstrip("/"), name)

    def have(self, size_mb: int, is_active: bool, allocate: bool) -> str:
        """Make sure that there is swap of this size.

        Args:
            size_mb: its size in MiB; 0: no swap.
            is_active: whether the swap file is in use now.
            allocate: see :meth:`make`.

        Returns:
            "" on success, else why not.
        """
        is_right = size_mb > 0 and self.size_bytes() == size_mb * MIB
        if is_active and is_right:
            return ""
        if is_active:
            problem = self._switch("stop", "swapoff")
            if problem:
                return "the current swap could not be switched off: " + problem
        if not size_mb:
            self.remove()
            return ""
        if not self._folder.is_safe:
            return "users may write to its top folder"
        if not is_right:
            problem = self.make(size_mb, allocate)
            if problem:
                return problem
        return self._switch("start", "swapon")

    def _switch(self, verb: str, tool_name: str) -> str:
        """Switch the swap in /etc/fstab on or off. Returns "" on success, else why it failed."""
        systemctl = self._system.tool("systemctl")
        if systemctl is not None and systemd.is_running(self._system):
            argv = [systemctl, verb, self._unit]
        else:
            tool = self._system.tool(tool_name)
            if tool is None:
                return "%s is missing" % tool_name
            argv = [tool, self._path]
        return self._run(argv, UNIT_LIMIT_S)

    def _run(self, argv: List[str], limit_s: float) -> str:
        try:
            ended = self._system.run(argv, timeout_s=limit_s)
        except ProvisioningError as error:
            return str(error)
        if ended.ok:
            return ""
        return ended.last_words

    def size_bytes(self) -> Optional[int]:
        """The size of the swap file; None if there is no usable one."""
        try:
            status = os.stat(self._name, dir_fd=self._folder.descriptor, follow_symlinks=False)
        except OSError:
            return None
        is_ours = (
            stat.S_ISREG(status.st_mode)
            and status.st_uid == 0
            and stat.S_IMODE(status.st_mode) == 0o600
            and status.st_nlink == 1
        )
        if not is_ours:
            return None
        return status.st_size

    def remove(self) -> None:
        """Remove the swap file, unless it belongs to another user."""
        if self.size_bytes() is not None:
            os.unlink(self._name, dir_fd=self._folder.descriptor)

    def make(self, size_mb: int, allocate: bool) -> str:
        """Make the swap file. It gets its name when it is complete.

        Args:
            size_mb: its size in MiB.
            allocate: reserve its blocks instead of writing them. Some file systems cannot swap to
                such a file.

        Returns:
            "" on success, else why it could not be made.
        """
        mkswap = self._system.tool("mkswap")
        if mkswap is None:
            return "mkswap is missing"
        folder = self._folder.descriptor
        self._remove_scratch()
        self.remove()
        space = os.fstatvfs(folder)
        free_bytes = space.f_bavail * space.f_frsize
        if free_bytes < size_mb * MIB + LEFT_BYTES:
            return "%d MiB are free, which is not enough" % (free_bytes // MIB)
        try:
            os.stat(self._name, dir_fd=folder, follow_symlinks=False)
            return "%s is something else" % self._path
        except FileNotFoundError:
            pass
        try:
            self._write_scratch(size_mb, allocate)
            ended = self._system.run([mkswap, self._scratch_path])
            if not ended.ok:
                self._remove_scratch()
                return "mkswap: " + ended.last_words
            self._label()
            os.rename(self._scratch, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except OSError as error:
            self._remove_scratch()
            return error.strerror or str(error)
        return ""

    @property
    def _scratch_path(self) -> str:
        return "%s/%s" % (self._folder.place.rstrip("/"), self._scratch)

    def _write_scratch(self, size_mb: int, allocate: bool) -> None:
        descriptor = os.open(
            self._scratch,
            os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
            dir_fd=self._folder.descriptor,
        )
        try:
            os.fchmod(descriptor, 0o600)
            if self._overwrites:
                _keep_in_place(descriptor)
            _fill(descriptor, size_mb, allocate)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _remove_scratch(self) -> None:
        try:
            os.unlink(self._scratch, dir_fd=self._folder.descriptor)
        except OSError:
            pass

    def _label(self) -> None:
        """Give the file the SELinux type of swap files."""
        chcon = self._system.tool("chcon")
        if chcon is not None and self._system.exists("/sys/fs/selinux/enforce"):
            path = self._scratch_path
            self._system.run([chcon, "-t", "swapfile_t", path])


def _keep_in_place(descriptor: int) -> None:
    """Switch copy-on-write off for an empty file, as chattr +C does."""
    old = struct.unpack("i", fcntl.ioctl(descriptor, GET_FLAGS, bytes(4))[:4])[0]
    fcntl.ioctl(descriptor, SET_FLAGS, struct.pack("i", old | NO_COPY_ON_WRITE))


def _fill(descriptor: int, size_mb: int, allocate: bool) -> None:
    if allocate and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size_mb * MIB)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
    block = bytes(MIB)
    for _ in range(size_mb):
        at = 0
        while at < MIB:
            at += os.write(descriptor, block[at:])
