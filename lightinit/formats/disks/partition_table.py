"""Partition tables, GPT and MBR ("dos"): what is in one, and how far its last partition could grow.
Pure.

All sizes and places are in sectors of 512 bytes, as in sysfs, whatever a disk's own block is.
Formats: UEFI, chapter 5 (GPT, whose header and entries each carry a CRC-32); the PC's master boot
record.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Optional, Tuple

from lightinit.errors import MalformedError

SECTOR_BYTES = 512
HEAD_BYTES = 1024 * 1024  # of the disk: enough for all tables that tools make
ALIGN_SECTORS = 2048  # 1 MiB: less is not worth a change, and partitions end at a multiple of it
_GPT = struct.Struct("<8s4sIIIQQQQ16sQIII")
_GPT_ENTRIES_MAX = 4096
_MBR_BLOCKS_MAX = 2**32  # an entry has 32 bits for a place


@dataclass(frozen=True)
class Partition:
    """One partition: its number, as in the kernel's name for it, and where it lies."""

    number: int
    start: int
    sectors: int

    @property
    def end(self) -> int:
        """The first sector behind it."""
        return self.start + self.sectors


@dataclass(frozen=True)
class Table:
    """A partition table.

    Attributes:
        label: ``gpt`` or ``dos``, as sfdisk says.
        partitions: those that are not empty; of ``dos`` the primary ones and the extended one.
        block_sectors: sectors in one block of the disk.
        tail_sectors: what the table itself takes at the disk's end.
    """

    label: str
    partitions: Tuple[Partition, ...]
    block_sectors: int
    tail_sectors: int = 0

    def find(self, number: int) -> Optional[Partition]:
        """The partition with this number."""
        return next((each for each in self.partitions if each.number == number), None)


def parse_table(head: bytes, block_bytes: int) -> Table:
    """The partition table of a disk.

    Args:
        head: the disk's first ``HEAD_BYTES`` bytes.
        block_bytes: the size of the disk's logical block.

    Raises:
        MalformedError: there is none, or it is damaged.
    """
    if len(head) < SECTOR_BYTES or head[510:512] != b"\x55\xaa":
        raise MalformedError("partition table cannot be read", why="there is none")
    entries = [struct.unpack_from("<B3xB3xII", head, 446 + 16 * at) for at in range(4)]
    if any(kind == 0xEE for _, kind, _, _ in entries):
        return _parse_gpt(head, block_bytes)
    if any(active not in (0, 0x80) for active, _, _, _ in entries):
        raise MalformedError("partition table cannot be read", why="there is none")
    unit = block_bytes // SECTOR_BYTES
    return Table(
        "dos",
        tuple(
            Partition(at + 1, start * unit, blocks * unit)
            for at, (_, kind, start, blocks) in enumerate(entries)
            if kind and blocks
        ),
        unit,
    )


def _parse_gpt(head: bytes, block_bytes: int) -> Table:
    if len(head) < block_bytes + _GPT.size:
        raise MalformedError("partition table cannot be read", why="it is cut short")
    (signature, _, size, crc, _, _, _, _, _, _, entries_at, count, entry_bytes, entries_crc) = (
        _GPT.unpack_from(head, block_bytes)
    )
    header = head[block_bytes : block_bytes + size]
    start, length = entries_at * block_bytes, count * entry_bytes
    if (
        signature != b"EFI PART"
        or not _GPT.size <= size <= block_bytes
        or zlib.crc32(header[:16] + b"\0\0\0\0" + header[20:]) != crc
    ):
        raise MalformedError("partition table cannot be read", why="the GPT's header is damaged")
    if (
        count > _GPT_ENTRIES_MAX
        or entry_bytes < 128
        or start + length > len(head)
        or zlib.crc32(head[start : start + length]) != entries_crc
    ):
        raise MalformedError(
            "partition table cannot be read",
            why="the GPT's entries are damaged, or in an unusual place",
        )
    unit = block_bytes // SECTOR_BYTES
    found = []
    for at in range(count):
        kind, first, last = struct.unpack_from("<16s16xQQ", head, start + at * entry_bytes)
        if kind.strip(b"\0") and first <= last:
            found.append(Partition(at + 1, first * unit, (last + 1 - first) * unit))
    # At the end stand a copy of the entries and of the header.
    return Table("gpt", tuple(found), unit, (-(-length // block_bytes) + 1) * unit)


@dataclass(frozen=True)
class Growth:
    """How far a partition can grow.

    Attributes:
        end: the sector before which it can end.
        why: why it cannot grow at all; "" when it can, or when it is as large as can be.
        note: what an operator should know all the same.
    """

    end: int
    why: str = ""
    note: str = ""


def plan_growth(table: Table, number: int, disk_sectors: int) -> Growth:
    """How far the partition ``number`` can grow on a disk of ``disk_sectors``; its start stays
    where it is.
    """
    ours = table.find(number)
    if ours is None:
        return Growth(
            0,
            "it is not in the table on the disk"
            if table.label == "gpt"
            else "it is a logical partition",
        )
    behind = [
        each.number for each in table.partitions if each.number != number and each.end > ours.start
    ]
    if behind:
        return Growth(ours.end, "partition %d lies behind it" % behind[0])
    limit, note = disk_sectors - table.tail_sectors, ""
    if table.label == "dos" and disk_sectors > _MBR_BLOCKS_MAX * table.block_sectors:
        limit = _MBR_BLOCKS_MAX * table.block_sectors - ALIGN_SECTORS
        note = "an MBR has no room for more than 2 TiB; a GPT would"
    return Growth(max(limit // ALIGN_SECTORS * ALIGN_SECTORS, ours.end), note=note)


def edit_dump(dump: str, ours: Partition, end: int, block_sectors: int) -> str:
    """What `sfdisk --dump` printed, with the partition ``ours`` ending at ``end``: a script that
    makes it so.

    The dump says where the last block was that could be used; without that, sfdisk takes the disk
    as it is now and puts the GPT's copy at its end.

    Raises:
        MalformedError: the partition is not in the dump, or the dump has another unit.
    """
    lines = [line for line in dump.split("\n") if not line.startswith("last-lba:")]
    pattern = r"(\S+ : start= *%d, *size= *)%d,?" % (
        ours.start // block_sectors,
        ours.sectors // block_sectors,
    )
    at = [number for number, line in enumerate(lines) if re.match(pattern + r"(?![0-9])", line)]
    if len(at) != 1 or "unit: sectors" not in lines:
        raise MalformedError(
            "partition table cannot be read", why="sfdisk's dump does not have the partition"
        )
    size = (end - ours.start) // block_sectors
    lines[at[0]] = re.sub(pattern, lambda match: "%s%d," % (match.group(1), size), lines[at[0]])
    return "\n".join(lines)
