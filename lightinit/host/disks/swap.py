"""Makes, activates and removes a swap file on a mounted file system."""

from __future__ import annotations

import errno
import os
import stat
from typing import List, Optional

from lightinit.errors import ProvisioningError
from lightinit.host.disks.mounts import UNIT_LIMIT_S, MountedFolder
from lightinit.host.init import systemd
from lightinit.host.system import System

MIB = 1024 * 1024
NAME = "swapfile"
SCRATCH = ".swapfile.lightinit-new"
LEFT_BYTES = 64 * MIB  # this much stays free beside the swap file


class SwapFile:
    """The swap file in the top folder of a file system.

    Args:
        system: the machine.
        folder: the top folder.
        unit: systemd's unit for the swap.
    """

    def __init__(self, system: System, folder: MountedFolder, unit: str) -> None:
        self._system = system
        self._folder = folder
        self._unit = unit
        self._path = "%s/%s" % (folder.place, NAME)

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
            status = os.stat(NAME, dir_fd=self._folder.descriptor, follow_symlinks=False)
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
            os.unlink(NAME, dir_fd=self._folder.descriptor)

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
        place, folder = self._folder.place, self._folder.descriptor
        try:
            os.unlink(SCRATCH, dir_fd=folder)
        except OSError:
            pass
        self.remove()
        space = os.fstatvfs(folder)
        free_bytes = space.f_bavail * space.f_frsize
        if free_bytes < size_mb * MIB + LEFT_BYTES:
            return "%d MiB are free, which is not enough" % (free_bytes // MIB)
        try:
            os.stat(NAME, dir_fd=folder, follow_symlinks=False)
            return "%s is something else" % self._path
        except FileNotFoundError:
            pass
        try:
            self._write_scratch(size_mb, allocate)
            ended = self._system.run([mkswap, "%s/%s" % (place, SCRATCH)])
            if not ended.ok:
                os.unlink(SCRATCH, dir_fd=folder)
                return "mkswap: " + ended.last_words
            self._label()
            os.rename(SCRATCH, NAME, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _write_scratch(self, size_mb: int, allocate: bool) -> None:
        descriptor = os.open(
            SCRATCH,
            os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o600,
            dir_fd=self._folder.descriptor,
        )
        try:
            os.fchmod(descriptor, 0o600)
            _fill(descriptor, size_mb, allocate)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _label(self) -> None:
        """Give the file the SELinux type of swap files."""
        chcon = self._system.tool("chcon")
        if chcon is not None and self._system.exists("/sys/fs/selinux/enforce"):
            path = "%s/%s" % (self._folder.place, SCRATCH)
            self._system.run([chcon, "-t", "swapfile_t", path])


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
