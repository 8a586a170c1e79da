"""Atomic changes: a reader sees the old file or the new one, also after a power cut.

It knows no scratch root. All paths are real paths.
"""

from __future__ import annotations

import errno
import os
from typing import Optional, Sequence

from lightinit.host.attributes import keep_label
from lightinit.host.durability import Durability, Held

SCRATCH_END = ".lightinit-new"
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(
    path: str,
    data: bytes,
    mode: int,
    owner: Optional[Sequence[int]],
    durability: Optional[Durability],
    label_stays: bool = False,
    waits: bool = False,
    held: bool = False,
) -> None:
    """Replace the whole file at ``path``.

    Args:
        path: a real path in an existing directory.
        data: the whole content.
        mode: permission bits; the umask does not apply.
        owner: numeric owner and group; None: do not set them.
        durability: makes the new file survive a power cut; None: it need not.
        label_stays: whether the new file gets the SELinux label of the old one.
        waits: whether its data may wait for the next barrier, if changes wait for one.
        held: whether its name does so.

    Raises:
        OSError: it could not be replaced. The old file is still there.
    """
    # The scratch name is fixed. lightinit holds its lock while it changes files, so an existing
    # scratch file is from a crash. The next write of the same file removes it.
    scratch = scratch_of(path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    _forget(scratch)
    descriptor = os.open(scratch, NEW_FILE, 0o600)
    try:
        try:
            if owner is not None:
                os.fchown(descriptor, owner[0], owner[1])
            os.fchmod(descriptor, mode)
            if label_stays:
                keep_label(path, scratch)
            write_all(descriptor, data)
            if durability is not None:
                durability.file(descriptor, path, waits or held)
        finally:
            os.close(descriptor)
        if held and durability is not None and durability.deferred:
            durability.held[path] = Held(scratch, data)
            return
        os.replace(scratch, path)
    except BaseException:
        _forget(scratch)
        raise
    if durability is not None:
        durability.folder(os.path.dirname(path))


def scratch_of(path: str) -> str:
    """Where the new content of the file ``path`` is, until it gets that name."""
    return "%s/.%s%s" % (os.path.dirname(path), os.path.basename(path), SCRATCH_END)


def _forget(scratch: str) -> None:
    try:
        os.unlink(scratch)
    except OSError:
        pass  # if it is still there, it cannot be made anew


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, in as many calls as the kernel needs."""
    written = 0
    while written < len(data):
        written += os.write(descriptor, data[written:])


def make_parents(path: str, durability: Optional[Durability] = None) -> None:
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
        if durability is not None:
            durability.folder(os.path.dirname(folder))
