"""Partition tables, MBR and GPT, from a disk's bytes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Callable, List, Tuple

from lightinit.errors import MalformedError

Read = Callable[[int, int], bytes]

PROTECTIVE = 0xEE
EXTENDED = (0x05, 0x0F, 0x85)
LINUX = 0x83
# Microsoft's reserved partition, which Windows puts first on each GPT disk.
RESERVED = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
ENTRIES_LIMIT = 1024


@dataclass(frozen=True)
class Partition:
    """A partition.

    Attributes:
        number: as the kernel counts it, from 1.
        start: where it begins, in bytes.
        size_bytes: how long it is.
        kind: its type: of an MBR two hexadecimal digits, of a GPT a GUID in lower case.
    """

    number: int
    start: int
    size_bytes: int
    kind: str


@dataclass(frozen=True)
class Table:
    """A partition table: ``kind`` is mbr, gpt, or "" where there is none."""

    kind: str
    partitions: Tuple[Partition, ...] = ()


def read_table(read: Read, size_bytes: int, sector_bytes: int = 512) -> Table:
    """The partition table of a disk.

    Args:
        read: gives bytes of the disk: (offset, size).
        size_bytes: the disk's size.
        sector_bytes: the size of its logical sectors, in which tables count.

    Raises:
        MalformedError: there is a table, and it is damaged or not one of these.
    """
    first = read(0, 512)
    if first[510:] != b"\x55\xaa" or not any(first[0x1BE:510]):
        if read(sector_bytes, 8) == b"EFI PART":
            raise _wrong("a GPT without its protective MBR")
        return Table("")
    found = []
    for index in range(4):
        active, kind, start, count = struct.unpack_from("<B3xB3xII", first, 0x1BE + 16 * index)
        if active not in (0, 0x80):
            raise _wrong("an MBR with an entry that cannot be")
        if kind:
            found.append(
                Partition(index + 1, start * sector_bytes, count * sector_bytes, "%02x" % kind)
            )
    if any(int(each.kind, 16) == PROTECTIVE for each in found):
        return Table("gpt", _read_gpt(read, size_bytes, sector_bytes))
    if any(int(each.kind, 16) in EXTENDED for each in found):
        raise _wrong("an MBR with an extended partition")
    return Table("mbr", _check(found, size_bytes))


def set_linux_type(sector: bytes, number: int) -> bytes:
    """The first sector of a disk with an MBR, its partition ``number`` marked as one of Linux's."""
    at = 0x1BE + 16 * (number - 1) + 4
    return sector[:at] + bytes((LINUX,)) + sector[at + 1 :]


def _read_gpt(read: Read, size_bytes: int, sector_bytes: int) -> Tuple[Partition, ...]:
    header = read(sector_bytes, sector_bytes)
    size, crc = struct.unpack_from("<II", header, 12)
    if (
        header[:8] != b"EFI PART"
        or not 92 <= size <= sector_bytes
        or zlib.crc32(header[:16] + b"\0\0\0\0" + header[20:size]) != crc
    ):
        raise _wrong("a GPT whose header is damaged")
    at, count, entry_bytes, crc = struct.unpack_from("<QIII", header, 72)
    if (
        not 0 < count <= ENTRIES_LIMIT
        or entry_bytes not in (128, 256, 512)
        or at * sector_bytes + count * entry_bytes > size_bytes
    ):
        raise _wrong("a GPT whose header cannot be")
    entries = read(at * sector_bytes, count * entry_bytes)
    if zlib.crc32(entries) != crc:
        raise _wrong("a GPT whose entries are damaged")
    found = []
    for index in range(count):
        entry = entries[index * entry_bytes : (index + 1) * entry_bytes]
        if any(entry[:16]):
            first, last = struct.unpack_from("<QQ", entry, 32)
            found.append(
                Partition(
                    index + 1,
                    first * sector_bytes,
                    (last - first + 1) * sector_bytes,
                    _guid(entry[:16]),
                )
            )
    return _check(found, size_bytes)


def _check(found: List[Partition], size_bytes: int) -> Tuple[Partition, ...]:
    for each in found:
        if each.start <= 0 or each.size_bytes <= 0 or each.start + each.size_bytes > size_bytes:
            raise _wrong("a partition that lies beyond the disk's end")
    return tuple(found)


def _guid(data: bytes) -> str:
    first, second, third = struct.unpack_from("<IHH", data)
    rest = data[8:].hex()
    return "%08x-%04x-%04x-%s-%s" % (first, second, third, rest[:4], rest[4:])


def _wrong(why: str) -> MalformedError:
    return MalformedError("partition table cannot be read", why=why)
