"""Atomic changes: a reader sees the old file or the new one, also after a power cut.

It knows no scratch root. All paths are real paths.
"""

from __future__ import annotations

import errno
import logging
import os
from typing import Optional, Sequence

from lightinit.host.attributes import read_attribute, write_attribute

LOG = logging.getLogger("lightinit.atomic")
LABEL = "security.selinux"
# There is no old file, it has no label, or the kernel or the file system does not support labels.
_NO_LABEL = (errno.ENOENT, errno.ENODATA, errno.ENOTSUP, errno.ENOSYS)


def replace_file(
    path: str,
    data: bytes,
    mode: int,
    owner: Optional[Sequence[int]],
    durable: bool,
    label_stays: bool = False,
) -> None:
    """Replace the whole file at ``path``.

    Args:
        path: a real path in an existing directory.
        data: the whole content.
        mode: permission bits; the umask does not apply.
        owner: numeric owner and group; None: do not set them.
        durable: whether to sync the new file to the disk, so that it survives a power cut.
        label_stays: whether the new file gets the SELinux label of the old one.

    Raises:
        OSError: it could not be replaced. The old file is still there.
    """
    # The scratch name is fixed. lightinit holds its lock while it changes files, so an existing
    # scratch file is from a crash. The next write of the same file removes it.
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
    """Give ``new`` the SELinux label of ``old``, which it is about to replace. Otherwise it has
    the label of its folder.

    A failure is only logged, since the content matters more. The caller makes sure that nobody else
    can change either file.
    """
    try:
        write_attribute(new, LABEL, read_attribute(old, LABEL, follow=False))
    except OSError as error:
        if error.errno not in _NO_LABEL:
            LOG.warning("SELinux label of %s could not be kept: %s", old, error.strerror)


def sync_dir(path: str) -> None:
    """Make the names in the directory ``path`` survive a power cut."""
    descriptor = os.open(path or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_open_dir(descriptor)
    finally:
        os.close(descriptor)


def sync_open_dir(descriptor: int) -> None:
    """As :func:`sync_dir`, for an open directory."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and overlay file systems do not support this.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, in as many calls as the kernel needs."""
    written = 0
    while written < len(data):
        written += os.write(descriptor, data[written:])


def make_parents(path: str) -> None:
    """Make the directory ``path`` and its missing parents, each with mode 0755."""
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
