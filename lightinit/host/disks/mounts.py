"""Mounts and swap that the whole machine sees, though lightinit itself may run in a mount namespace
of its own.

On systemd its units do it, as /etc/fstab describes them; elsewhere the tools do.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import List, Optional

from lightinit.errors import ProvisioningError
from lightinit.host.init import systemd
from lightinit.host.system import System

UNIT_LIMIT_S = 60.0
RELOAD_LIMIT_S = 60.0
MIB = 1024 * 1024
SWAP_FILE = "swapfile"
SCRATCH = ".swapfile.lightinit-new"
LEFT_BYTES = 64 * MIB  # what a swap file leaves free


def reload_units(system: System) -> None:
    """Have systemd read /etc/fstab again.

    Raises:
        ProvisioningError: it could not be asked.
    """
    systemctl = system.tool("systemctl")
    if systemctl is not None and systemd.is_running(system):
        system.run_checked([systemctl, "daemon-reload"], timeout_s=RELOAD_LIMIT_S)


def mount(system: System, unit: str, node: str, place: str, kind: str, options: str) -> None:
    """Mount a file system that /etc/fstab has already.

    Args:
        system: the machine.
        unit: systemd's unit for it.
        node: the device.
        place: the mount point; it is there.
        kind: the file system.
        options: as in /etc/fstab.

    Raises:
        ProvisioningError: it could not be mounted; the tool's own words are in ``said``.
    """
    systemctl = system.tool("systemctl")
    if systemctl is not None and systemd.is_running(system):
        argv = [systemctl, "start", unit]
    else:
        tool = system.tool("mount")
        if tool is None:
            raise ProvisioningError(
                "tool for the resource disk is missing",
                tool="mount",
                hint="install it in the image",
            )
        # What only fstab's readers understand is left out: not every mount(8) does.
        rest = [
            each
            for each in options.split(",")
            if each not in ("nofail", "auto", "noauto") and each[:2] != "x-"
        ]
        argv = [tool, "-t", kind, "-o", ",".join(rest) or "defaults", node, place]
    ended = system.run(argv, timeout_s=UNIT_LIMIT_S)
    if not ended.ok:
        raise ProvisioningError(
            "resource disk could not be mounted",
            disk=node,
            place=place,
            said=ended.last_words,
            hint="it is left as it is; look at the kernel's log, and check it with fsck",
        )


def start_swap(system: System, unit: str, path: str) -> str:
    """Use a swap file that /etc/fstab has already. Returns "", or why it could not be used."""
    return _swap(system, ["start", unit], ["swapon", path])


def stop_swap(system: System, unit: str, path: str) -> str:
    """Stop using a swap file. Returns "", or why it is still used."""
    return _swap(system, ["stop", unit], ["swapoff", path])


def _swap(system: System, by_unit: List[str], by_tool: List[str]) -> str:
    systemctl = system.tool("systemctl")
    if systemctl is not None and systemd.is_running(system):
        argv = [systemctl] + by_unit
    else:
        tool = system.tool(by_tool[0])
        if tool is None:
            return "%s is missing" % by_tool[0]
        argv = [tool] + by_tool[1:]
    try:
        ended = system.run(argv, timeout_s=UNIT_LIMIT_S)
    except ProvisioningError as error:
        return str(error)
    return "" if ended.ok else ended.last_words


class Folder:
    """The top folder of a mounted file system, held open: whatever happens to the path, this is it.

    Users may be allowed to write there, so no link is followed. Use it in a ``with`` block.

    Args:
        system: the machine.
        place: the mount point.
        device: the number that the file system must have, as ``major:minor``.

    Raises:
        ProvisioningError: something else is there.
    """

    def __init__(self, system: System, place: str, device: str) -> None:
        self._system = system
        self._place = place
        try:
            self._descriptor = os.open(
                system.path(place), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            )
        except OSError as error:
            raise self._cannot(error) from error
        status = os.fstat(self._descriptor)
        if "%d:%d" % (os.major(status.st_dev), os.minor(status.st_dev)) != device:
            os.close(self._descriptor)
            raise ProvisioningError(
                "resource disk could not be mounted",
                place=place,
                said="another file system is there",
            )

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    @property
    def is_safe(self) -> bool:
        """Whether nobody but root can put a file of his own in the place of one of root's."""
        status = os.fstat(self._descriptor)
        return status.st_uid == 0 and (
            not status.st_mode & 0o022 or bool(status.st_mode & stat.S_ISVTX)
        )

    def write_once(self, name: str, data: bytes) -> None:
        """Write a file for everybody to read, unless something of that name is there.

        Raises:
            ProvisioningError: it could not be written.
        """
        try:
            descriptor = os.open(
                name,
                os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o644,
                dir_fd=self._descriptor,
            )
        except FileExistsError:
            return
        except OSError as error:
            raise self._cannot(error) from error
        with open(descriptor, "wb") as handle:
            handle.write(data)

    def swap_bytes(self) -> Optional[int]:
        """The size of the swap file, or None when there is none, or one that may not be used."""
        try:
            status = os.stat(SWAP_FILE, dir_fd=self._descriptor, follow_symlinks=False)
        except OSError:
            return None
        mine = (
            stat.S_ISREG(status.st_mode)
            and status.st_uid == 0
            and stat.S_IMODE(status.st_mode) == 0o600
        )
        return status.st_size if mine and status.st_nlink == 1 else None

    def remove_swap(self) -> None:
        """Remove the swap file if it is one of ours."""
        if self.swap_bytes() is not None:
            os.unlink(SWAP_FILE, dir_fd=self._descriptor)

    def make_swap(self, size_mb: int, allocate: bool) -> str:
        """Make the swap file: it has its name only when it is complete.

        Args:
            size_mb: its size in MiB.
            allocate: reserve its blocks instead of writing them; not every file system lets such a
                file be swapped to.

        Returns:
            "", or why it could not be made.
        """
        mkswap = self._system.tool("mkswap")
        if mkswap is None:
            return "mkswap is missing"
        try:
            os.unlink(SCRATCH, dir_fd=self._descriptor)
        except OSError:
            pass
        self.remove_swap()
        space = os.fstatvfs(self._descriptor)
        if space.f_bavail * space.f_frsize < size_mb * MIB + LEFT_BYTES:
            return "%d MiB are free, which is not enough" % (space.f_bavail * space.f_frsize // MIB)
        try:
            os.stat(SWAP_FILE, dir_fd=self._descriptor, follow_symlinks=False)
            return "%s/%s is something else" % (self._place, SWAP_FILE)
        except FileNotFoundError:
            pass
        try:
            descriptor = os.open(
                SCRATCH,
                os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
                dir_fd=self._descriptor,
            )
            try:
                os.fchmod(descriptor, 0o600)
                _fill(descriptor, size_mb, allocate)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            ended = self._system.run([mkswap, "%s/%s" % (self._place, SCRATCH)])
            if not ended.ok:
                os.unlink(SCRATCH, dir_fd=self._descriptor)
                return "mkswap: " + ended.last_words
            self._label_swap()
            os.rename(SCRATCH, SWAP_FILE, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            os.fsync(self._descriptor)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _label_swap(self) -> None:
        """With SELinux, files that are swapped to have a type of their own."""
        chcon = self._system.tool("chcon")
        if chcon is not None and self._system.exists("/sys/fs/selinux/enforce"):
            self._system.run([chcon, "-t", "swapfile_t", "%s/%s" % (self._place, SCRATCH)])

    def _cannot(self, error: OSError) -> ProvisioningError:
        return ProvisioningError(
            "resource disk cannot be used",
            place=self._place,
            why="its top folder gives an error",
            error=error.strerror or str(error),
        )


def _fill(descriptor: int, size_mb: int, allocate: bool) -> None:
    if allocate:
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
