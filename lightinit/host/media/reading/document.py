"""Reads one document from a medium: a device, an image of one, or a directory."""

from __future__ import annotations

import errno
import os
import stat

from lightinit.host.media.reading.answers import Nothing
from lightinit.host.media.reading.mounting import mount, unmount
from lightinit.host.media.reading.names import ISO, UDF, spellings

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence, Tuple

# ECMA-167 2/8.3: the volume recognition sequence begins at byte 32768. Each descriptor has 2048
# bytes, with its name at byte 1.
SEQUENCE_BYTE, DESCRIPTOR_BYTES, DESCRIPTORS = 32768, 2048, 64
MARKS = {b"CD001": ISO, b"NSR02": UDF, b"NSR03": UDF}


def look(path: str, names: Sequence[str], limit_bytes: int, may_mount: bool) -> Tuple[bytes, str]:
    """Read the document.

    Args:
        path: a block device, an image of one, or a directory with the document.
        names: file names of the document, the best one first.
        limit_bytes: the greatest size of the document.
        may_mount: whether a block device may be mounted.

    Returns:
        The document, and how it was read.

    Raises:
        Nothing: the document was not found.
        OSError: the device cannot be read.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return read_from(path, names, limit_bytes), "from the directory"
    if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
        raise Nothing("neither a block device, an image nor a directory")
    kinds = file_systems(path)
    if not kinds:
        raise Nothing("neither UDF nor ISO 9660 is on it", again=True, harmless=True)
    found: List[Nothing] = []
    for kind in kinds:
        if may_mount and stat.S_ISBLK(mode):
            try:
                return read_mounted(path, kind, names, limit_bytes), "mounted as %s" % kind
            except OSError as error:
                why = "mounting as %s: %s" % (kind, error.strerror)
                found.append(Nothing(why, harmless=error.errno == errno.ENOMEDIUM))
            except Nothing as nothing:
                why = "mounted as %s: %s" % (kind, nothing)
                found.append(Nothing(why, harmless=nothing.harmless))
                continue
        from lightinit.host.media.reading.tools import Copy, read_by_tools

        try:
            with Copy(path) as copy:
                name, data, how = read_by_tools(copy.path, kind, names, limit_bytes, copy.uid)
        except Nothing as nothing:
            found.append(nothing)
            continue
        return checked(data, name, limit_bytes), how
    raise Nothing(
        "; ".join(str(each) for each in found),
        again=True,
        harmless=any(each.harmless for each in found),
    )


def file_systems(path: str) -> List[str]:
    """The file systems on a device: ``udf``, ``iso9660``, both in this order, or none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, DESCRIPTORS * DESCRIPTOR_BYTES, SEQUENCE_BYTE)
    finally:
        os.close(descriptor)
    found = {MARKS.get(data[at + 1 : at + 6]) for at in range(0, len(data), DESCRIPTOR_BYTES)}
    return [kind for kind in (UDF, ISO) if kind in found]


def read_from(folder: str, names: Sequence[str], limit_bytes: int) -> bytes:
    """The document in a directory. The case of its name does not matter.

    Raises:
        Nothing: it is missing, not a regular file, or too large.
        OSError: it cannot be read.
    """
    there = os.listdir(folder)
    for name in names:
        spelled = spellings(name)
        wanted = [each.lower() for each in spelled]
        exact = sorted(entry for entry in there if entry in spelled)
        others = sorted(entry for entry in there if entry not in spelled)
        for entry in exact + others:
            # In ISO 9660 a version may follow the name, as in "NAME;1".
            if entry.lower().partition(";")[0] in wanted:
                path = os.path.join(folder, entry)
                return checked(read_file(path, name, limit_bytes + 1), name, limit_bytes)
    raise Nothing("it has no %s" % " or ".join(names), again=True, harmless=True)


def read_file(path: str, name: str, size: int) -> bytes:
    """At most ``size`` bytes of a regular file."""
    # A link could point to a file that is not on the medium. A FIFO would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Nothing("its %s is no regular file" % name)
    with open(descriptor, "rb") as handle:
        return handle.read(size)


def checked(data: bytes, name: str, limit_bytes: int) -> bytes:
    """Return ``data``; raise Nothing if it is too large."""
    if len(data) > limit_bytes:
        raise Nothing("its %s is larger than %d bytes" % (name, limit_bytes))
    return data


def read_mounted(device: str, kind: str, names: Sequence[str], limit_bytes: int) -> bytes:
    """The document on a device, read by the kernel's file system ``kind``.

    Raises:
        Nothing: the device was mounted, and has no such file.
        OSError: it cannot be mounted or read.
    """
    point = mount(device, kind)
    try:
        return read_from(point, names, limit_bytes)
    finally:
        unmount(point)
