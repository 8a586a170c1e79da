"""Decides from a resource disk's bytes whether it is fresh, lightinit's, or a user's.

Only a disk that is certainly fresh may be formatted, so a doubtful one counts as a user's. The
platform delivers a disk with one partition that fills it. The partition has an NTFS volume labelled
"Temporary Storage", with a warning in a text file. Disks beyond 2 TiB have a GPT, with a reserved
partition first. Local NVMe disks come empty.
(Sources: https://learn.microsoft.com/azure/virtual-machines/enable-nvme-temp-faqs for NVMe, and
cloud-init's datasource for the rest.)
"""

from __future__ import annotations

import enum
from typing import Callable, List, Optional, Union

from lightinit.errors import MalformedError
from lightinit.formats.disks import ntfs
from lightinit.formats.disks.partition_table import RESERVED, Partition, Table, read_table
from lightinit.formats.disks.signatures import Signature, find_signatures
from lightinit.model import NamedTuple

Read = Callable[[int, int], bytes]

LABEL = "lightinit"  # XFS allows twelve characters
PLATFORM_LABEL = "Temporary Storage"
README = "DATALOSS_WARNING_README.txt"
README_LIMIT_BYTES = 64 * 1024
README_TEXT = b"""This disk is temporary.

The platform replaces it by an empty one when it moves this virtual machine to another host: \
after a deallocation, a
redeployment, a change of size, or a failure of the hardware. What is on it then is gone, \
and nobody can bring it back.

Keep here only what may be lost, such as caches, swap and scratch files.
"""
MIB = 1024 * 1024
# The mark is between the table and the first partition, in a sector that neither MBR nor GPT uses.
# It says that lightinit found the disk fresh and began to format it. It is removed after
# formatting.
MARK_AT = 32 * 1024
MARK_BYTES = 512
MARK = b"lightinit: this disk was found fresh and is being formatted\n".ljust(MARK_BYTES, b"\0")
FIRST_START_BYTES = 64 * 1024  # a partition that begins earlier leaves no room for the mark
BEGINNING_BYTES = 1024  # at a partition's start: zeros until mkfs has finished
EDGE_BYTES = 4 * MIB
SAMPLES = 256
READ_WHOLE_BYTES = 256 * MIB
SAMPLE_BYTES = 64 * 1024


class DiskState(enum.Enum):
    """Whose a disk is, and so what may be done with it."""

    FRESH = "fresh"  # format it
    UNFINISHED = "unfinished"  # format it: lightinit had begun
    OURS = "ours"  # mount it
    FOREIGN = "foreign"  # leave it


class DiskFinding(NamedTuple):
    """The result of :func:`assess`.

    Attributes:
        state: whose the disk is.
        found: the content of the disk, in words.
        partition: lightinit's partition, or the partition that can be formatted without a new
            table.
        table: ``gpt`` or ``mbr``: the partition table that must be made first; "" if the partition
            can stay.
        filesystem: ``ext4`` or ``xfs`` if the disk is lightinit's.
        marked: whether the mark of formatting is on it.
    """

    state: DiskState
    found: str
    partition: Optional[Partition] = None
    table: str = ""
    filesystem: str = ""
    marked: bool = False


def assess(read: Read, size_bytes: int, sector_bytes: int = 512) -> DiskFinding:
    """Decide whether a disk is fresh, lightinit's, or a user's.

    Args:
        read: gives bytes of the disk: (offset, size). Its errors are passed on.
        size_bytes: the disk's size.
        sector_bytes: the size of its logical sectors.
    """
    if size_bytes < 4 * EDGE_BYTES:
        return _foreign("a disk of %d bytes, too small to be one" % size_bytes)
    marked = read(MARK_AT, MARK_BYTES) == MARK
    try:
        table = read_table(read, size_bytes, sector_bytes)
    except MalformedError as error:
        return _foreign(error.details.get("why", error.reason))
    on_disk = [
        each
        for each in find_signatures(read, 0, size_bytes)
        if each.kind != "GPT" or table.kind != "gpt"
    ]
    if table.has_extended:
        finding = _foreign("an MBR with an extended partition")
    elif not table.fits(size_bytes):
        finding = _foreign("a partition beyond the disk's end")
    elif on_disk:
        finding = _foreign(_kinds(on_disk) + " on the disk itself")
    elif not table.kind:
        finding = _assess_bare(read, size_bytes, marked)
    else:
        finding = _assess_table(read, table, size_bytes, marked)
    if finding.state in (DiskState.FOREIGN, DiskState.OURS) or finding.partition is not None:
        return finding
    return finding._replace(table=_new_table(size_bytes, sector_bytes))


def _foreign(found: str) -> DiskFinding:
    return DiskFinding(DiskState.FOREIGN, found)


def _begun(found: str, marked: bool) -> DiskFinding:
    """A disk without a user's data. ``marked``: lightinit has begun to format it."""
    if marked:
        return DiskFinding(DiskState.UNFINISHED, found, marked=True)
    return DiskFinding(DiskState.FRESH, found)


def _new_table(size_bytes: int, sector_bytes: int) -> str:
    # An MBR counts sectors with 32 bits.
    if size_bytes // sector_bytes >= 1 << 32:
        return "gpt"
    return "mbr"


def _assess_bare(read: Read, size_bytes: int, marked: bool) -> DiskFinding:
    """A disk without a partition table and without a known file system."""
    if _is_blank(read, size_bytes, marked):
        return _begun("nothing at all", marked)
    return _foreign("data without a partition table")


def _assess_table(read: Read, table: Table, size_bytes: int, marked: bool) -> DiskFinding:
    partition = _only_partition(table, size_bytes)
    if isinstance(partition, str):
        return _foreign(partition)
    finding = _assess_partition(read, partition, marked)
    if finding.state is DiskState.OURS or finding.state is DiskState.FOREIGN:
        return finding
    # A GPT, or a partition that leaves no room for the mark, is replaced by a new table.
    if table.kind == "mbr" and partition.start_bytes >= FIRST_START_BYTES:
        return finding._replace(partition=partition, marked=marked)
    return finding._replace(partition=None, marked=marked)


def _only_partition(table: Table, size_bytes: int) -> Union[Partition, str]:
    """The partition that fills the disk; if there is none, what is there instead, in words."""
    partitions = list(table.partitions)
    if len(partitions) > 1 and partitions[0].kind == RESERVED:
        partitions.pop(0)
    if not partitions:
        return "a partition table without partitions"
    if len(partitions) > 1:
        return "%d partitions" % len(partitions)
    only = partitions[0]
    slack = max(16 * MIB, size_bytes // 100)
    reserved = sum(each.size_bytes for each in table.partitions if each is not only)
    if only.start_bytes > slack + reserved or size_bytes - only.end_bytes > slack:
        return "a partition that does not fill the disk"
    return only


def _assess_partition(read: Read, partition: Partition, marked: bool) -> DiskFinding:
    found = find_signatures(read, partition.start_bytes, partition.size_bytes)
    kinds = [each.kind for each in found]
    if kinds in (["ext4"], ["XFS"]) and found[0].label == LABEL and not found[0].unfinished:
        return DiskFinding(
            DiskState.OURS,
            "the file system that lightinit made",
            partition,
            filesystem=kinds[0].lower(),
            marked=marked,
        )
    if kinds == ["NTFS"]:
        return _assess_ntfs(read, partition)
    if marked and (not found or found == [Signature("XFS", LABEL, True)]):
        beginning = read(partition.start_bytes, BEGINNING_BYTES)
        if found or _is_zero(beginning):
            return DiskFinding(DiskState.UNFINISHED, "an unfinished file system")
    if found:
        return _foreign(_kinds(found))
    return _foreign("a partition with unknown content")


def _assess_ntfs(read: Read, partition: Partition) -> DiskFinding:
    try:
        volume = ntfs.survey(read, partition.start_bytes, partition.size_bytes)
    except MalformedError as error:
        why = error.details.get("why", error.reason)
        return _foreign("NTFS that cannot be read to its end: %s" % why)
    count = sum(1 for entry in volume.entries if not _is_platforms(entry))
    if count:
        return _foreign("NTFS with %d files or folders that are not the platform's" % count)
    has_readme = any(entry.path[0].lower() == README.lower() for entry in volume.entries)
    if volume.label != PLATFORM_LABEL and not has_readme:
        return _foreign("an empty NTFS that has neither the platform's label nor its warning")
    return DiskFinding(DiskState.FRESH, "the platform's NTFS without a user's data")


def _is_platforms(entry: ntfs.NtfsFile) -> bool:
    """Whether the platform or Windows made the file. Windows has its own folder on each volume."""
    first, last = entry.path[0].lower(), entry.path[-1].lower()
    if len(entry.path) == 1:
        if entry.is_folder:
            return first in ("system volume information", "$recycle.bin")
        return first == README.lower() and entry.size_bytes <= README_LIMIT_BYTES
    if first == "$recycle.bin":
        return entry.is_folder or last == "desktop.ini"
    return first == "system volume information"


def _is_blank(read: Read, size_bytes: int, marked: bool) -> bool:
    """Whether both ends of the disk and many places between have only zeros, except the mark."""
    head = read(0, EDGE_BYTES)
    if marked:
        head = head[:MARK_AT] + head[MARK_AT + MARK_BYTES :]
    if not _is_zero(head) or not _is_zero(read(size_bytes - EDGE_BYTES, EDGE_BYTES)):
        return False
    step = (size_bytes - SAMPLE_BYTES) // SAMPLES
    places = [number * step for number in range(1, SAMPLES) if number * step >= EDGE_BYTES]
    return all(_is_zero(read(at, SAMPLE_BYTES)) for at in places)


def is_blank(read: Read, size_bytes: int) -> bool:
    """Whether a device has only zeros. Of a large one its ends and many places between tell."""
    if size_bytes > READ_WHOLE_BYTES:
        return _is_blank(read, size_bytes, False)
    return all(
        _is_zero(read(at, min(EDGE_BYTES, size_bytes - at)))
        for at in range(0, size_bytes, EDGE_BYTES)
    )


def _is_zero(data: bytes) -> bool:
    return data.count(0) == len(data)


def _kinds(found: List[Signature]) -> str:
    return " and ".join(_described(each) for each in found)


def _described(found: Signature) -> str:
    if not found.label:
        return found.kind
    return "%s labelled %s" % (found.kind, ascii(found.label)[1:-1])
