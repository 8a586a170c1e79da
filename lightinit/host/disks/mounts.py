"""Mounts a file system, and holds its top folder open.

The whole machine sees the mount, even if lightinit runs in its own mount namespace: under systemd
the unit for the line in /etc/fstab mounts it, elsewhere mount(8).
"""

from __future__ import annotations

import os
import stat
from typing import List, Optional

from lightinit.errors import ProvisioningError
from lightinit.host.disks.block import number_of
from lightinit.host.disks.make import tool_is_missing
from lightinit.host.init import systemd
from lightinit.host.system import System

UNIT_LIMIT_S = 60.0
RELOAD_LIMIT_S = 60.0
# These options in fstab are for other programs. Some versions of mount(8) do not know them.
FSTAB_OPTIONS = ("nofail", "auto", "noauto", "_netdev")


def reload_units(system: System) -> None:
    """Make systemd read /etc/fstab again.

    Raises:
        ProvisioningError: systemctl failed.
    """
    systemctl = system.tool("systemctl")
    if systemctl is not None and systemd.is_running(system):
        system.run_checked([systemctl, "daemon-reload"], timeout_s=RELOAD_LIMIT_S)


def mount(system: System, unit: str, node: str, place: str, kind: str, options: str) -> None:
    """Mount a file system that is already in /etc/fstab.

    Args:
        system: the machine.
        unit: its systemd unit.
        node: the device.
        place: the mount point, which must exist.
        kind: the type of the file system.
        options: as in /etc/fstab.

    Raises:
        ProvisioningError: it could not be mounted; ``said`` has the tool's message.
    """
    systemctl = system.tool("systemctl")
    if systemctl is not None and systemd.is_running(system):
        argv = [systemctl, "start", unit]
    else:
        argv = _mount_command(system, node, place, kind, options)
    ended = system.run(argv, timeout_s=UNIT_LIMIT_S)
    if not ended.ok:
        raise ProvisioningError(
            "resource disk could not be mounted",
            disk=node,
            place=place,
            said=ended.last_words,
            hint="it was not changed; look at the kernel log, and check it with fsck",
        )


def start_unit(system: System, unit: str, limit_s: float, wait: bool = True) -> Optional[str]:
    """Have systemd start the unit of a line in /etc/fstab.

    Args:
        system: the machine.
        unit: its name.
        limit_s: seconds until systemctl is killed; systemd itself goes on.
        wait: whether to wait until it has started.

    Returns:
        "" on success, else why not; None if systemd is not running.
    """
    systemctl = system.tool("systemctl")
    if systemctl is None or not systemd.is_running(system):
        return None
    if wait:
        return _why_failed(system, [systemctl, "start", unit], limit_s)
    return _why_failed(system, [systemctl, "start", "--no-block", unit], limit_s)


def mount_by_tool(
    system: System, source: str, place: str, kind: str, options: str, limit_s: float
) -> str:
    """Mount without a line in /etc/fstab. Returns "" on success, else why not.

    Under systemd it is systemd that mounts: lightinit has a mount namespace of its own.

    Args:
        system: the machine.
        source: a device's node, or another first argument.
        place: the mount point, which must exist.
        kind: the type of the file system.
        options: as in /etc/fstab.
        limit_s: seconds until it is killed.
    """
    try:
        argv = _mount_command(system, source, place, kind, options)
    except ProvisioningError:
        return "mount is missing"
    if systemd.is_running(system):
        by_systemd = system.tool("systemd-mount")
        if by_systemd is None:
            return "systemd-mount is missing"
        argv = [by_systemd, "--fsck=no", *argv[1:]]
    return _why_failed(system, argv, limit_s)


def mount_from_fstab(system: System, place: str, limit_s: float) -> str:
    """Mount what /etc/fstab has for ``place``. Returns "" on success, else why not."""
    tool = system.tool("mount")
    if tool is None:
        return "mount is missing"
    return _why_failed(system, [tool, place], limit_s)


def swap_by_tool(system: System, source: str, limit_s: float) -> str:
    """Swap to a device by swapon(8). Returns "" on success, else why not."""
    tool = system.tool("swapon")
    if tool is None:
        return "swapon is missing"
    return _why_failed(system, [tool, source], limit_s)


def _why_failed(system: System, argv: List[str], limit_s: float) -> str:
    try:
        ended = system.run(argv, timeout_s=limit_s)
    except ProvisioningError as error:
        return str(error)
    if ended.ok:
        return ""
    return ended.last_words


def _mount_command(system: System, source: str, place: str, kind: str, options: str) -> List[str]:
    tool = system.tool("mount")
    if tool is None:
        raise tool_is_missing("mount")
    return [tool, "-t", kind, "-o", _for_mount(options), source, place]


def _for_mount(options: str) -> str:
    kept = [
        each
        for each in options.split(",")
        if each not in FSTAB_OPTIONS and not each.startswith(("x-", "comment="))
    ]
    return ",".join(kept) or "defaults"


class MountedFolder:
    """The top folder of a mounted file system. It is held open, so that a later mount over it has
    no effect.

    Users may have write permission there, so no link is followed. Use it in a ``with`` block.

    Args:
        system: the machine.
        place: the mount point.
        device: the number of the device that must be mounted there, as ``major:minor``.

    Attributes:
        place: the mount point.
        descriptor: the open folder.

    Raises:
        ProvisioningError: another file system is mounted there.
    """

    def __init__(self, system: System, place: str, device: str) -> None:
        self.place = place
        try:
            self.descriptor = os.open(
                system.path(place), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            )
        except OSError as error:
            raise self._cannot(error) from error
        if number_of(os.fstat(self.descriptor).st_dev) != device:
            os.close(self.descriptor)
            raise ProvisioningError(
                "resource disk could not be mounted",
                place=place,
                said="another file system is there",
            )

    def __enter__(self) -> "MountedFolder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    @property
    def is_safe(self) -> bool:
        """Whether only root can replace root's files in it."""
        status = os.fstat(self.descriptor)
        others_write = bool(status.st_mode & 0o022)
        is_sticky = bool(status.st_mode & stat.S_ISVTX)
        return status.st_uid == 0 and (is_sticky or not others_write)

    def write_once(self, name: str, data: bytes) -> None:
        """Write a file that everybody may read, unless the name is already in use. An empty file
        counts as none: a power cut leaves that.

        Args:
            name: its name, without a folder.
            data: its content.

        Raises:
            ProvisioningError: it could not be written.
        """
        flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(
                name, flags | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=self.descriptor
            )
        except FileExistsError:
            try:
                descriptor = os.open(name, flags, dir_fd=self.descriptor)
            except OSError:
                return  # a link, or a folder
        except OSError as error:
            raise self._cannot(error) from error
        with open(descriptor, "wb") as handle:
            status = os.fstat(handle.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size == 0 and status.st_nlink == 1:
                handle.write(data)

    def _cannot(self, error: OSError) -> ProvisioningError:
        return ProvisioningError(
            "resource disk cannot be used",
            place=self.place,
            why="its top folder gives an error",
            error=error.strerror or str(error),
        )
