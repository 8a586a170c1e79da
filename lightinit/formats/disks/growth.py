"""Computes how far a partition can grow, and edits sfdisk's script for it.

All offsets and sizes are in bytes.
"""

from __future__ import annotations

import re

from lightinit.errors import MalformedError
from lightinit.formats.disks.partition_table import Partition, Table
from lightinit.model import NamedTuple

ALIGN_BYTES = 1024 * 1024  # a grown partition ends at a multiple of it, and grows by at least it
MBR_SECTORS_LIMIT = 2**32  # an entry of an MBR has 32 bits for an offset in sectors


class Growth(NamedTuple):
    """How far a partition can grow.

    Attributes:
        end_bytes: the offset at which it can end; its current end if it cannot grow.
        why: why it cannot grow; "" if it can, or if it already fills the disk.
        note: a remark for the operator, or "".
    """

    end_bytes: int
    why: str = ""
    note: str = ""


def plan_growth(table: Table, number: int, disk_bytes: int) -> Growth:
    """How far the partition ``number`` can grow on a disk of ``disk_bytes``. Only its end moves."""
    ours = table.find(number)
    if ours is None and table.kind == "gpt":
        return Growth(0, "it is not in the table on the disk")
    if ours is None:
        return Growth(0, "it is a logical partition")
    for each in table.partitions:
        is_behind = each.size_bytes > 0 and each.end_bytes > ours.start_bytes
        if is_behind and each.number != number:
            return Growth(ours.end_bytes, "partition %d follows it" % each.number)
    limit, note = disk_bytes - table.tail_bytes, ""
    mbr_limit = MBR_SECTORS_LIMIT * table.sector_bytes
    if table.kind == "mbr" and disk_bytes > mbr_limit:
        limit = mbr_limit - ALIGN_BYTES
        note = "an MBR cannot use more than 2 TiB of a disk; a GPT can"
    return Growth(max(limit // ALIGN_BYTES * ALIGN_BYTES, ours.end_bytes), note=note)


def edit_dump(dump: str, ours: Partition, end_bytes: int, sector_bytes: int) -> str:
    """Make a script for sfdisk that grows a partition.

    Args:
        dump: what `sfdisk --dump` printed.
        ours: the partition before the change.
        end_bytes: the offset of its new end.
        sector_bytes: the size of the disk's logical sectors, in which sfdisk counts.

    Raises:
        MalformedError: the partition is not in the dump, or the dump has another unit.
    """
    # last-lba is the old end of the disk. Without that line sfdisk uses the disk's current size,
    # and writes the copy of the GPT to its end.
    lines = [line for line in dump.split("\n") if not line.startswith("last-lba:")]
    pattern = r"(\S+ : start= *%d, *size= *)%d,?" % (
        ours.start_bytes // sector_bytes,
        ours.size_bytes // sector_bytes,
    )
    at = [number for number, line in enumerate(lines) if re.match(pattern + r"(?![0-9])", line)]
    if len(at) != 1 or "unit: sectors" not in lines:
        raise MalformedError(
            "partition table cannot be read", why="sfdisk's dump does not have the partition"
        )
    size = (end_bytes - ours.start_bytes) // sector_bytes
    lines[at[0]] = re.sub(pattern, lambda match: "%s%d," % (match.group(1), size), lines[at[0]])
    return "\n".join(lines)
