"""Optical drives: asks whether a path is one, and ejects a medium."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from lightinit.host.media.reading.answers import Nothing

CDROMEJECT, CDROM_LOCKDOOR, CDROM_GET_CAPABILITY = 0x5309, 0x5329, 0x5331  # linux/cdrom.h
EJECT_ATTEMPTS, EJECT_PAUSE_S = 20, 0.1


def is_optical(path: str) -> bool:
    """Whether a path is an optical drive, with or without a medium."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return (
            stat.S_ISBLK(os.fstat(descriptor).st_mode)
            and fcntl.ioctl(descriptor, CDROM_GET_CAPABILITY) >= 0
        )
    except OSError:
        return False
    finally:
        os.close(descriptor)


def eject(path: str) -> None:
    """Eject the medium of an optical drive.

    Raises:
        Nothing: it is no optical drive.
        OSError: it cannot be done.
    """
    import time

    if not is_optical(path):
        raise Nothing("not an optical drive")
    # With O_NONBLOCK an empty drive can be opened, too. The kernel ejects only if no other process
    # has the drive open.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        for attempt in range(EJECT_ATTEMPTS):
            try:
                fcntl.ioctl(descriptor, CDROM_LOCKDOOR, 0)
            except OSError:
                pass  # a drive without a lock; if it is locked, the next call fails
            try:
                fcntl.ioctl(descriptor, CDROMEJECT)
                return
            except OSError as error:
                if error.errno != errno.EBUSY or attempt == EJECT_ATTEMPTS - 1:
                    raise
                time.sleep(EJECT_PAUSE_S)  # udev opens it for a moment after each change
    finally:
        os.close(descriptor)
