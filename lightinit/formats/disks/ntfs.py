"""Lists the files on an NTFS volume from its bytes: it needs no driver and no mount, and writes
nothing.

This answers one question: has a user put anything on the volume? So it walks the master file table
(MFT), in which each file and folder has a record, and does not read the indexes of folders.
Anything that does not follow the format is an error; the caller then treats the volume as a user's.
The layout is NTFS 3.1.
"""

from __future__ import annotations

import struct
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.model import NamedTuple

Read = Callable[[int, int], bytes]

MAGIC = b"NTFS    "
ROOT_RECORD = 5
VOLUME_RECORD = 3
EXTEND_RECORD = 11
LAST_SYSTEM_RECORD = 23  # 12 to 23 are reserved; some are in use and have no name
RECORDS_LIMIT = 16384  # a new volume has 64 to 256
DEPTH_LIMIT = 64
STRIDE_BYTES = 512  # the unit of update sequences; it does not depend on the sector's size
VOLUME_NAME, FILE_NAME, DATA, ATTRIBUTE_LIST, END = 0x60, 0x30, 0x80, 0x20, 0xFFFFFFFF
DOS_NAMESPACE = 2


class NtfsFile(NamedTuple):
    """A file or folder.

    Attributes:
        path: the parts of its path, from the root.
        is_folder: whether it is a folder.
        size_bytes: its size, with all its streams.
    """

    path: Tuple[str, ...]
    is_folder: bool
    size_bytes: int


class NtfsVolume(NamedTuple):
    """The content of a volume.

    Attributes:
        label: its label.
        entries: all files and folders except NTFS's own, sorted by path.
    """

    label: str
    entries: Tuple[NtfsFile, ...]


class _Attribute(NamedTuple):
    kind: int
    resident: bool
    named: bool
    flags: int
    body: bytes  # the whole attribute with its header

    @property
    def value(self) -> bytes:
        size, at = struct.unpack_from("<IH", self.body, 16)
        if at + size > len(self.body):
            raise _wrong("an attribute is longer than its record")
        return self.body[at : at + size]


class _Geometry(NamedTuple):
    cluster_bytes: int
    record_bytes: int
    mft_at: int
    clusters: int


def survey(read: Read, start_bytes: int, size_bytes: int) -> NtfsVolume:
    """List everything on a volume.

    Args:
        read: gives bytes of the disk: (offset, size).
        start_bytes: the offset at which the volume begins.
        size_bytes: the size of its partition.

    Raises:
        MalformedError: it is not an NTFS volume, is damaged, or has far more files than a new one.
    """

    def inside(offset: int, size: int) -> bytes:
        if offset < 0 or offset + size > size_bytes:
            raise _wrong("something lies beyond its end")
        return read(start_bytes + offset, size)

    geometry = _read_boot_sector(inside(0, 512), size_bytes)
    label, children = "", {}
    for number, record in _records(inside, geometry):
        attributes = list(_attributes(record))
        if number == VOLUME_RECORD:
            names = [each.value for each in attributes if each.kind == VOLUME_NAME] or [b""]
            label = names[0].decode("utf-16-le", "replace")
        if number <= EXTEND_RECORD or struct.unpack_from("<Q", record, 32)[0]:
            continue  # NTFS's own, or the continuation of another record
        names = [each.value for each in attributes if each.kind == FILE_NAME]
        if not names and number > LAST_SYSTEM_RECORD:
            raise _wrong("a file has no name")
        if names:
            children[number] = _named(names, attributes, record)
    return NtfsVolume(label, tuple(sorted(_with_paths(children), key=lambda entry: entry.path)))


def _read_boot_sector(sector: bytes, size_bytes: int) -> _Geometry:
    if sector[3:11] != MAGIC or sector[510:512] != b"\x55\xaa":
        raise _wrong("no boot sector")
    sector_bytes, per_cluster = struct.unpack_from("<HB", sector, 0x0B)
    if per_cluster > 0x80:
        per_cluster = 1 << (256 - per_cluster)
    cluster_bytes = sector_bytes * per_cluster
    sectors, mft_lcn = struct.unpack_from("<QQ", sector, 0x28)
    (per_record,) = struct.unpack_from("<b", sector, 0x40)
    record_bytes = per_record * cluster_bytes
    if per_record <= 0:
        record_bytes = 1 << -per_record
    if (
        sector_bytes not in (512, 1024, 2048, 4096)
        or not 512 <= cluster_bytes <= 2 * 1024 * 1024
        or cluster_bytes & (cluster_bytes - 1)
        or record_bytes not in (1024, 2048, 4096)
    ):
        raise _wrong("sizes that are not valid")
    if sectors * sector_bytes > size_bytes:
        raise _wrong("larger than its partition")
    return _Geometry(
        cluster_bytes,
        record_bytes,
        mft_lcn * cluster_bytes,
        sectors * sector_bytes // cluster_bytes,
    )


def _records(read: Read, geometry: _Geometry) -> Iterator[Tuple[int, bytes]]:
    """Each record of the MFT that is in use, with its number."""
    size = geometry.record_bytes
    first = _mend(read(geometry.mft_at, size))
    if first is None:
        raise _wrong("its file table has no beginning")
    data = None
    for each in _attributes(first):
        if each.kind == ATTRIBUTE_LIST:
            raise _wrong("its file table is in too many pieces")
        if each.kind == DATA and not each.named:
            data = each
    if data is None or data.resident or data.flags or len(data.body) < 64:
        raise _wrong("its file table has no content")
    (initialized_bytes,) = struct.unpack_from("<Q", data.body, 56)
    if initialized_bytes // size > RECORDS_LIMIT:
        raise _wrong("far more files than a new one has")
    number = 0
    for at, length in _runs(data.body, geometry):
        for offset in range(0, length - size + 1, size):
            if number * size >= initialized_bytes:
                return
            record = _mend(read(at + offset, size))
            if record is not None:
                yield number, record
            number += 1
    if number * size < initialized_bytes:
        raise _wrong("its file table is shorter than it says")


def _mend(record: bytes) -> Optional[bytes]:
    """The record with the ends of its sectors restored, or None if it is not in use."""
    if record[:4] != b"FILE":
        raise _wrong("a damaged record")
    at, count = struct.unpack_from("<HH", record, 4)
    if count - 1 != len(record) // STRIDE_BYTES or at + 2 * count > len(record):
        raise _wrong("a damaged record")
    mended = bytearray(record)
    for index in range(1, count):
        end = index * STRIDE_BYTES
        if record[end - 2 : end] != record[at : at + 2]:
            raise _wrong("a half-written record")
        mended[end - 2 : end] = record[at + 2 * index : at + 2 * index + 2]
    if struct.unpack_from("<H", record, 22)[0] & 1:
        return bytes(mended)
    return None


def _attributes(record: bytes) -> Iterator[_Attribute]:
    (at,) = struct.unpack_from("<H", record, 20)
    while at + 8 <= len(record):
        kind, length = struct.unpack_from("<II", record, at)
        if kind == END:
            return
        if length < 24 or at + length > len(record):
            break
        body = record[at : at + length]
        yield _Attribute(
            kind, body[8] == 0, body[9] > 0, struct.unpack_from("<H", body, 12)[0], body
        )
        at += length
    raise _wrong("a record without an end")


def _runs(attribute: bytes, geometry: _Geometry) -> Iterator[Tuple[int, int]]:
    """The extents of a non-resident attribute's content: (offset, length), in bytes."""
    (at,) = struct.unpack_from("<H", attribute, 32)
    cluster = 0
    while at < len(attribute) and attribute[at]:
        sizes = attribute[at]
        length_size, offset_size = sizes & 15, sizes >> 4
        end = at + 1 + length_size + offset_size
        if not length_size or not offset_size or end > len(attribute):
            raise _wrong("its file table has a hole")
        length = int.from_bytes(attribute[at + 1 : at + 1 + length_size], "little")
        cluster += int.from_bytes(attribute[at + 1 + length_size : end], "little", signed=True)
        if cluster < 0 or cluster + length > geometry.clusters:
            raise _wrong("something lies beyond its end")
        yield cluster * geometry.cluster_bytes, length * geometry.cluster_bytes
        at = end


class _ChildFile(NamedTuple):
    parent: int
    name: str
    is_folder: bool
    size_bytes: int


def _named(names: List[bytes], attributes: List[_Attribute], record: bytes) -> _ChildFile:
    if any(len(name) < 66 or len(name) < 66 + 2 * name[64] for name in names):
        raise _wrong("a name that is cut off")
    name = next((each for each in names if each[65] != DOS_NAMESPACE), names[0])
    return _ChildFile(
        struct.unpack_from("<Q", name, 0)[0] & 0xFFFFFFFFFFFF,
        name[66 : 66 + 2 * name[64]].decode("utf-16-le", "replace"),
        bool(struct.unpack_from("<H", record, 22)[0] & 2),
        # Named streams of the file count too.
        sum(_content_bytes(each) for each in attributes if each.kind == DATA),
    )


def _content_bytes(attribute: _Attribute) -> int:
    if attribute.resident:
        return len(attribute.value)
    return int(struct.unpack_from("<Q", attribute.body, 48)[0])


def _with_paths(children: Dict[int, _ChildFile]) -> Iterator[NtfsFile]:
    for child in children.values():
        parts, parent = [child.name], child.parent
        while parent not in (ROOT_RECORD, EXTEND_RECORD):
            if parent not in children or len(parts) > DEPTH_LIMIT:
                raise _wrong("a file that is in no folder")
            parts.append(children[parent].name)
            parent = children[parent].parent
        if parent == ROOT_RECORD:  # everything in $Extend is NTFS's own
            yield NtfsFile(tuple(parts[::-1]), child.is_folder, child.size_bytes)


def _wrong(why: str) -> MalformedError:
    return MalformedError("ntfs cannot be read", why=why)
