"""Mounts a file system where only this process sees it.

The device is mounted with mount(2), through ctypes, since the options of unshare(1) and mount(8)
differ too much between util-linux and busybox. The mount ends with this process, since no other
process is in its mount namespace.
"""

from __future__ import annotations

import errno
import os

POINTS = (
    "/mnt",
    "/media",
    "/run",
    "/var",
)  # any directory works: no other process sees the mount
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x1, 0x2, 0x4, 0x8, 0x4000, 0x40000
MS_NOATIME = 0x400
# Without noload, ext4 would write what its journal has, even if it is mounted read-only.
OPTIONS = {"ext4": "noload"}
CLONE_NEWNS = 0x20000


def mount(device: str, kind: str) -> str:
    """Mount a device in a new mount namespace of this process. Returns the mount point.

    Raises:
        OSError: it cannot be mounted.
    """
    point = find_point()
    mount_apart(device, point, kind, MS_RDONLY)
    return point


def mount_volume(device: str, kind: str) -> str:
    """As :func:`mount`, for a device that may be mounted elsewhere already.

    Raises:
        OSError: it cannot be mounted.
    """
    point = find_point()
    options = OPTIONS.get(kind, "")
    try:
        mount_apart(device, point, kind, MS_RDONLY, options)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    else:
        return point
    # It is mounted elsewhere, and writable there. The kernel has one state for both, and does not
    # mount it twice in the same place.
    for point in [each for each in POINTS if os.path.isdir(each) and each != point] + ["/"]:
        try:
            mount_apart(device, point, kind, MS_NOATIME, options)
            return point
        except OSError as error:
            if error.errno != errno.EBUSY or point == "/":
                raise
    return point


def unmount(point: str) -> None:
    """Unmount now. Otherwise the mount would end a little after this process, and a drive in use
    cannot be ejected.
    """
    import ctypes

    ctypes.CDLL(None).umount2(os.fsencode(point), 0)


def find_point() -> str:
    """A directory to mount on."""
    return next((each for each in POINTS if os.path.isdir(each)), "/")


def mount_apart(device: str, point: str, kind: str, flags: int, options: str = "") -> None:
    """Mount in a new mount namespace of this process.

    Raises:
        OSError: it cannot be mounted.
    """
    try:
        import ctypes
    except ImportError:
        raise OSError(errno.ENOSYS, "this Python has no ctypes") from None
    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    call(libc.unshare(CLONE_NEWNS))
    # Without this, other namespaces would see the mount, since systemd makes mounts shared.
    call(libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None))
    flags |= MS_NOSUID | MS_NODEV | MS_NOEXEC
    call(
        libc.mount(
            os.fsencode(device),
            os.fsencode(point),
            kind.encode(),
            ctypes.c_ulong(flags),
            options.encode() or None,
        )
    )
