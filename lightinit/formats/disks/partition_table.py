"""Reads partition tables, MBR and GPT, from a disk's bytes.

All offsets and sizes are in bytes, for any sector size. The formats are the PC's master boot
record, and the GPT of the UEFI specification, chapter 5, which has a CRC-32 for its header and one
for its entries.
"""

from __future__ import annotations

import binascii
import struct
from typing import Callable, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.model import NamedTuple

Read = Callable[[int, int], bytes]

MBR_BYTES = 512
MBR_ENTRIES_AT = 0x1BE
MBR_ENTRY = struct.Struct("<B3xB3xII")
GPT_HEADER = struct.Struct("<8s4xII4x48xQIII")  # signature, size, CRC; entries: place, number, size
GPT_HEADER_BYTES = 92
GPT_ENTRIES_LIMIT = 1024
PROTECTIVE = "ee"
EXTENDED = ("05", "0f", "85")
LINUX = 0x83
# Microsoft's reserved partition. Windows puts it first on each GPT disk.
RESERVED = "e3c9e316-0b5c-4db8-817d-f92df00215ae"


class Partition(NamedTuple):
    """One partition.

    Attributes:
        number: the kernel's number for it, from 1.
        start_bytes: its offset on the disk.
        size_bytes: its size; 0 or less if the table is wrong.
        kind: its type: two hexadecimal digits in an MBR, a GUID in lower case in a GPT.
    """

    number: int
    start_bytes: int
    size_bytes: int
    kind: str = ""

    @property
    def end_bytes(self) -> int:
        """The offset of the first byte after it."""
        return self.start_bytes + self.size_bytes


class Table(NamedTuple):
    """A partition table.

    Attributes:
        kind: ``mbr``, ``gpt``, or "" if the disk has none.
        partitions: its entries in use; of an MBR the primary ones and the extended one.
        sector_bytes: the size of the disk's logical sectors, which are the unit of the table.
        tail_bytes: the size of the table's copy at the disk's end.
    """

    kind: str
    partitions: Tuple[Partition, ...] = ()
    sector_bytes: int = 512
    tail_bytes: int = 0

    def find(self, number: int) -> Optional[Partition]:
        """The partition with this number, or None."""
        return next((each for each in self.partitions if each.number == number), None)

    @property
    def has_extended(self) -> bool:
        """Whether an MBR has an extended partition. Its logical partitions are not read here."""
        return self.kind == "mbr" and any(each.kind in EXTENDED for each in self.partitions)

    def fits(self, size_bytes: int) -> bool:
        """Whether each partition has a size, and ends within a disk of ``size_bytes``."""
        return all(
            each.start_bytes > 0 and each.size_bytes > 0 and each.end_bytes <= size_bytes
            for each in self.partitions
        )


def read_table(read: Read, size_bytes: int, sector_bytes: int = 512) -> Table:
    """Read the partition table of a disk.

    The partitions may lie beyond the end of the disk: check that with :meth:`Table.fits`.

    Args:
        read: gives bytes of the disk: (offset, size).
        size_bytes: the disk's size.
        sector_bytes: the size of its logical sectors.

    Raises:
        MalformedError: there is a table, and it is damaged or of an unknown form.
    """
    first = read(0, MBR_BYTES)
    if first[510:] != b"\x55\xaa" or not any(first[MBR_ENTRIES_AT:510]):
        if read(sector_bytes, 8) == b"EFI PART":
            raise _damaged("a GPT without its protective MBR")
        return Table("")
    found = []
    for index in range(4):
        active, kind, start, count = MBR_ENTRY.unpack_from(
            first, MBR_ENTRIES_AT + MBR_ENTRY.size * index
        )
        if active not in (0, 0x80):
            raise _damaged("an MBR with an invalid entry")
        if kind:
            found.append(
                Partition(index + 1, start * sector_bytes, count * sector_bytes, "%02x" % kind)
            )
    if any(each.kind == PROTECTIVE for each in found):
        return _read_gpt(read, size_bytes, sector_bytes)
    return Table("mbr", tuple(found), sector_bytes)


def set_linux_type(sector: bytes, number: int) -> bytes:
    """Mark a partition as a Linux one.

    Args:
        sector: the first sector of a disk with an MBR.
        number: the partition, 1 to 4.

    Returns:
        The new sector.
    """
    at = MBR_ENTRIES_AT + MBR_ENTRY.size * (number - 1) + 4
    return sector[:at] + bytes((LINUX,)) + sector[at + 1 :]


def _read_gpt(read: Read, size_bytes: int, sector_bytes: int) -> Table:
    header = read(sector_bytes, sector_bytes)
    signature, size, crc, at, count, entry_bytes, entries_crc = GPT_HEADER.unpack_from(header)
    if (
        signature != b"EFI PART"
        or not GPT_HEADER_BYTES <= size <= sector_bytes
        or binascii.crc32(header[:16] + b"\0\0\0\0" + header[20:size]) != crc
    ):
        raise _damaged("a GPT whose header is damaged")
    length = count * entry_bytes
    if (
        not 0 < count <= GPT_ENTRIES_LIMIT
        or entry_bytes not in (128, 256, 512)
        or at * sector_bytes + length > size_bytes
    ):
        raise _damaged("a GPT whose header is invalid")
    entries = read(at * sector_bytes, length)
    if binascii.crc32(entries) != entries_crc:
        raise _damaged("a GPT whose entries are damaged")
    found = []
    for index in range(count):
        kind, first, last = struct.unpack_from("<16s16xQQ", entries, index * entry_bytes)
        if any(kind):
            found.append(
                Partition(
                    index + 1,
                    first * sector_bytes,
                    (last - first + 1) * sector_bytes,
                    _guid(kind),
                )
            )
    # At the end of the disk are copies of the entries and of the header.
    tail_sectors = -(-length // sector_bytes) + 1
    return Table("gpt", tuple(found), sector_bytes, tail_sectors * sector_bytes)


def _guid(data: bytes) -> str:
    first, second, third = struct.unpack_from("<IHH", data)
    rest = data[8:].hex()
    return "%08x-%04x-%04x-%s-%s" % (first, second, third, rest[:4], rest[4:])


def _damaged(why: str) -> MalformedError:
    return MalformedError("partition table cannot be read", why=why)
