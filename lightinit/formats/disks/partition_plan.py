"""Plans the partitions that a user wants on a disk, as shares of it, and writes them down for
sfdisk(8).
"""

from __future__ import annotations

import re
from typing import List, Optional, Sequence, Tuple

from lightinit.formats.disks.growth import ALIGN_BYTES, MBR_SECTORS_LIMIT
from lightinit.formats.disks.partition_table import Table
from lightinit.model import NamedTuple

MBR_PARTITIONS_LIMIT = 4
LINUX_MBR, LINUX_GPT = "83", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
# The types of a GPT by sgdisk's codes, which cloud-init takes. The identifiers are those of the
# Discoverable Partitions Specification and of the UEFI specification.
GPT_TYPES = {
    "0700": "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
    "8200": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    "8300": LINUX_GPT,
    "8302": "933AC7E1-2EB4-4F13-B844-0E14E2AEF915",
    "8E00": "E6D6D379-F507-44C2-A23C-238F2A3DF928",
    "EF00": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "EF02": "21686148-6449-6E6F-744E-656564454649",
    "FD00": "A19D880F-05FC-4D3B-A006-743F0F84911E",
}
_GUID = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\Z")


class WishedPartition(NamedTuple):
    """A partition as a user wants it: its share of the disk in percent, and its type or ""."""

    percent: int
    kind: str = ""


class PartitionPlan(NamedTuple):
    """What is to be made.

    Attributes:
        script: for sfdisk; "" if it cannot be made.
        why: why it cannot be made, or "".
    """

    script: str
    why: str = ""


def make_plan(
    table_kind: str, wishes: Sequence[WishedPartition], size_bytes: int, sector_bytes: int
) -> PartitionPlan:
    """The partitions, one after the other; the last one gets all that is left, as with cloud-init.

    Args:
        table_kind: ``mbr`` or ``gpt``.
        wishes: the partitions, at least one.
        size_bytes: the size of the disk.
        sector_bytes: the size of its logical sectors, in which sfdisk counts.
    """
    if table_kind == "mbr" and len(wishes) > MBR_PARTITIONS_LIMIT:
        return PartitionPlan("", "an mbr has at most four partitions here; a gpt has more")
    if table_kind == "mbr" and size_bytes > MBR_SECTORS_LIMIT * sector_bytes:
        return PartitionPlan("", "an mbr cannot use more than 2 TiB of a disk; a gpt can")
    lines = ["label: gpt" if table_kind == "gpt" else "label: dos"]
    at, room = ALIGN_BYTES, size_bytes - 2 * ALIGN_BYTES
    for number, wish in enumerate(wishes):
        kind = sfdisk_type(table_kind, wish.kind)
        if kind is None:
            return PartitionPlan("", "the type of partition %d is unknown" % (number + 1))
        size = room * wish.percent // 100 // ALIGN_BYTES * ALIGN_BYTES
        if size <= 0 or at + ALIGN_BYTES > size_bytes - ALIGN_BYTES:
            return PartitionPlan("", "the disk is too small for partition %d" % (number + 1))
        fields = "start=%d, " % (at // sector_bytes)
        if number + 1 < len(wishes):
            fields += "size=%d, " % (size // sector_bytes)
        lines.append(fields + "type=" + kind)
        at += size
    return PartitionPlan("\n".join(lines) + "\n")


def sfdisk_type(table_kind: str, kind: str) -> Optional[str]:
    """sfdisk's word for a type; None if it is unknown.

    Args:
        table_kind: ``mbr`` or ``gpt``.
        kind: two hexadecimal digits, sgdisk's four, or a GUID; "" is Linux.
    """
    kind = kind.strip().upper()
    if table_kind == "mbr":
        kind = kind or LINUX_MBR
        return kind.lower() if re.match(r"[0-9A-F]{1,2}\Z", kind) else None
    if not kind or _GUID.match(kind):
        return kind or LINUX_GPT
    return GPT_TYPES.get(kind.ljust(4, "0"))


def has_layout(table: Table, table_kind: str, wishes: Sequence[WishedPartition]) -> bool:
    """Whether a table already has what is wished, as far as cloud-init looks: the kind of the
    table, the number of partitions, and the types that are named.
    """
    if table.kind != table_kind or len(table.partitions) != len(wishes):
        return False
    pairs: List[Tuple[str, str]] = [
        (there.kind.lower(), (sfdisk_type(table_kind, wish.kind) or "").lower())
        for there, wish in zip(table.partitions, wishes)
        if wish.kind
    ]
    return all(there == wish.zfill(2) for there, wish in pairs)
