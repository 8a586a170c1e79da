"""Changes to real paths that a reader, and whoever looks after a power cut, sees whole or not at
all.

It knows no root: these are paths as the kernel has them.
"""

from __future__ import annotations

import errno
import logging
import os
from typing import Optional, Sequence

LOG = logging.getLogger("lightinit.atomic")
LABEL = "security.selinux"
# There is no old file, it has no label, or the kernel or the file system knows none.
_NO_LABEL = (errno.ENOENT, errno.ENODATA, errno.ENOTSUP, errno.ENOSYS)


def replace_file(
    path: str,
    data: bytes,
    mode: int,
    owner: Optional[Sequence[int]],
    durable: bool,
    label_stays: bool = False,
) -> None:
    """Replace the file at ``path`` as a whole.

    Args:
        path: a real path, its directory being there.
        data: the whole content.
        mode: permission bits, not subject to the umask.
        owner: numeric owner and group; None leaves them as they come.
        durable: whether it must outlive a power cut from now on.
        label_stays: whether the SELinux label of the old file is the new one's too.

    Raises:
        OSError: it could not be; what was there before still is.
    """
    # One fixed name: lightinit changes files under its lock, so a scratch file that is there was
    # left by a crash, and the next write of the same file takes it away.
    scratch = "%s/.%s.lightinit-new" % (os.path.dirname(path), os.path.basename(path))
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    try:
        os.unlink(scratch)
    except FileNotFoundError:
        pass
    descriptor = os.open(
        scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        try:
            if owner is not None:
                os.fchown(descriptor, owner[0], owner[1])
            os.fchmod(descriptor, mode)
            if label_stays:
                keep_label(path, scratch)
            write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(scratch, path)
    except BaseException:
        try:
            os.unlink(scratch)
        except OSError:
            pass
        raise
    if durable:
        sync_dir(os.path.dirname(path))


def keep_label(old: str, new: str) -> None:
    """Give ``new`` the SELinux label of ``old``, whose place it is to take; made beside it, it has
    the folder's.

    That it cannot be given is said, and is no failure: the content counts for more. Neither may be
    changed by others.
    """
    try:
        os.setxattr(
            new, LABEL, os.getxattr(old, LABEL, follow_symlinks=False), follow_symlinks=False
        )
    except OSError as error:
        if error.errno not in _NO_LABEL:
            LOG.warning("SELinux label of %s could not be kept: %s", old, error.strerror)


def sync_dir(path: str) -> None:
    """Make the names in the directory ``path`` outlive a power cut."""
    descriptor = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_open_dir(descriptor)
    finally:
        os.close(descriptor)


def sync_open_dir(descriptor: int) -> None:
    """As :func:`sync_dir`, for a directory that is open already."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and overlay file systems refuse.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, however few bytes the kernel takes at a time."""
    written = 0
    while written < len(data):
        written += os.write(descriptor, data[written:])


def make_parents(path: str) -> None:
    """Make the directory ``path`` and those above it where missing, each with mode 0755."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for folder in missing[::-1]:
        try:
            os.mkdir(folder)
        except FileExistsError:
            if not os.path.isdir(folder):
                raise
            continue
        os.chmod(folder, 0o755)
        sync_dir(os.path.dirname(folder))
