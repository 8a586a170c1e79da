"""What a resource disk is, by its bytes: the platform's fresh one, ours, or somebody's.

Only what is certain may be formatted, so every doubt makes it somebody's. The platform delivers its
disk with one partition that fills it, and on it an NTFS volume labelled "Temporary Storage" with a
warning in a text file; disks beyond 2 TiB have a GPT with a reserved partition before that. Local
NVMe disks come empty. (https://learn.microsoft.com/azure/virtual-machines/enable-nvme-temp-faqs;
the rest as cloud-init's datasource knows it.)
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Callable, List, Optional, Union

from lightinit.errors import MalformedError
from lightinit.formats.disks import ntfs
from lightinit.formats.disks.growth import RESERVED, Partition, Table, read_table
from lightinit.formats.disks.signatures import Signature, find_signatures

Read = Callable[[int, int], bytes]

LABEL = "lightinit"  # XFS allows twelve characters
PLATFORM_LABEL = "Temporary Storage"
README = "DATALOSS_WARNING_README.txt"
README_LIMIT_BYTES = 64 * 1024
MIB = 1024 * 1024
# Between the table and the first partition, in a sector that neither MBR nor GPT uses. It says that
# lightinit has found the disk fresh and begun to format it; it goes when that is done.
MARK_AT = 32 * 1024
MARK_BYTES = 512
MARK = b"lightinit: this disk was found fresh and is being formatted\n".ljust(MARK_BYTES, b"\0")
FIRST_START = 64 * 1024  # where a partition may begin at the earliest, for the mark to have a place
BEGINNING_BYTES = 1024  # of a partition: where a file system that is not finished has zeros
EDGE_BYTES = 4 * MIB
SAMPLES = 256
SAMPLE_BYTES = 64 * 1024


class State(enum.Enum):
    """What may be done with a disk."""

    FRESH = "fresh"  # format it
    UNFINISHED = "unfinished"  # format it: lightinit had begun
    OURS = "ours"  # mount it
    FOREIGN = "foreign"  # leave it


@dataclass(frozen=True)
class Verdict:
    """What a disk is.

    Attributes:
        state: what may be done with it.
        found: what lies on it, in words.
        partition: the partition that counts: ours, or the one that can be formatted as it stands.
        table: ``gpt`` or ``mbr``: the kind of table that must be made first; "" when the partition
            can stay.
        filesystem: ours: ``ext4`` or ``xfs``.
        marked: the mark of formatting is on it.
    """

    state: State
    found: str
    partition: Optional[Partition] = None
    table: str = ""
    filesystem: str = ""
    marked: bool = False


def assess(read: Read, size_bytes: int, sector_bytes: int = 512) -> Verdict:
    """What the disk is whose bytes ``read`` gives.

    Args:
        read: gives bytes of the disk: (offset, size); may raise whatever reading raises.
        size_bytes: its size.
        sector_bytes: the size of its logical sectors.
    """
    if size_bytes < 4 * EDGE_BYTES:
        return Verdict(State.FOREIGN, "a disk of %d bytes, too small to be one" % size_bytes)
    marked = read(MARK_AT, MARK_BYTES) == MARK
    new_table = "gpt" if size_bytes // sector_bytes >= 1 << 32 else "mbr"
    try:
        table = read_table(read, size_bytes, sector_bytes)
    except MalformedError as error:
        return Verdict(State.FOREIGN, error.details.get("why", error.reason))
    on_disk = [
        each
        for each in find_signatures(read, 0, size_bytes)
        if each.kind != "GPT" or table.kind != "gpt"
    ]
    if on_disk:
        return Verdict(State.FOREIGN, _kinds(on_disk) + " on the disk itself")
    if not table.kind:
        if _is_blank(read, size_bytes, marked):
            state = State.UNFINISHED if marked else State.FRESH
            return Verdict(state, "nothing at all", None, new_table, marked=marked)
        return Verdict(State.FOREIGN, "data without a partition table")
    partition = _only_partition(table, size_bytes)
    if isinstance(partition, str):
        return Verdict(State.FOREIGN, partition)
    fits = table.kind == "mbr" and partition.start >= FIRST_START
    verdict = _assess_partition(read, partition, marked)
    if verdict.state is State.OURS or verdict.state is State.FOREIGN:
        return verdict
    # Beyond what an MBR can count, and where the mark would have no place, a new table is made.
    return Verdict(
        verdict.state,
        verdict.found,
        partition if fits else None,
        "" if fits else new_table,
        marked=marked,
    )


def _only_partition(table: Table, size_bytes: int) -> Union[Partition, str]:
    """The partition that fills the disk, or what is there instead, in words."""
    partitions = list(table.partitions)
    if len(partitions) > 1 and partitions[0].kind == RESERVED:
        partitions.pop(0)
    if len(partitions) != 1:
        return (
            "%d partitions" % len(partitions)
            if partitions
            else "a partition table without partitions"
        )
    only = partitions[0]
    slack = max(16 * MIB, size_bytes // 100)
    reserved = sum(each.size_bytes for each in table.partitions if each is not only)
    if only.start > slack + reserved or size_bytes - only.start - only.size_bytes > slack:
        return "a partition that does not fill the disk"
    return only


def _assess_partition(read: Read, partition: Partition, marked: bool) -> Verdict:
    found = find_signatures(read, partition.start, partition.size_bytes)
    kinds = [each.kind for each in found]
    if kinds in (["ext4"], ["XFS"]) and found[0].label == LABEL and not found[0].unfinished:
        return Verdict(
            State.OURS,
            "the file system that lightinit made",
            partition,
            "",
            kinds[0].lower(),
            marked,
        )
    if kinds == ["NTFS"]:
        return _assess_ntfs(read, partition)
    if marked and (not found or found == [Signature("XFS", LABEL, True)]):
        beginning = read(partition.start, BEGINNING_BYTES)
        if found or _is_zero(beginning):
            return Verdict(State.UNFINISHED, "a file system that is not finished")
    if found:
        return Verdict(State.FOREIGN, _kinds(found))
    return Verdict(State.FOREIGN, "a partition with unknown content")


def _assess_ntfs(read: Read, partition: Partition) -> Verdict:
    try:
        volume = ntfs.survey(read, partition.start, partition.size_bytes)
    except MalformedError as error:
        return Verdict(
            State.FOREIGN,
            "NTFS that cannot be read to its end: %s" % error.details.get("why", error.reason),
        )
    count = sum(1 for entry in volume.entries if not _is_platforms(entry))
    if count:
        return Verdict(
            State.FOREIGN, "NTFS with %d files or folders that are not the platform's" % count
        )
    has_readme = any(entry.path[0].lower() == README.lower() for entry in volume.entries)
    if volume.label != PLATFORM_LABEL and not has_readme:
        return Verdict(
            State.FOREIGN, "an empty NTFS that has neither the platform's label nor its warning"
        )
    return Verdict(State.FRESH, "the platform's NTFS without anything of anybody's")


def _is_platforms(entry: ntfs.Entry) -> bool:
    """Whether it comes from the platform, or from Windows, which keeps a folder of its own on each
    volume.
    """
    first, last = entry.path[0].lower(), entry.path[-1].lower()
    if len(entry.path) == 1:
        if entry.is_folder:
            return first in ("system volume information", "$recycle.bin")
        return first == README.lower() and entry.size_bytes <= README_LIMIT_BYTES
    if first == "$recycle.bin":
        return entry.is_folder or last == "desktop.ini"
    return first == "system volume information"


def _is_blank(read: Read, size_bytes: int, marked: bool) -> bool:
    """Whether there are only zeros at both ends and at many places between, but for the mark."""
    head = read(0, EDGE_BYTES)
    if marked:
        head = head[:MARK_AT] + head[MARK_AT + MARK_BYTES :]
    if not _is_zero(head) or not _is_zero(read(size_bytes - EDGE_BYTES, EDGE_BYTES)):
        return False
    step = (size_bytes - SAMPLE_BYTES) // SAMPLES
    places = [number * step for number in range(1, SAMPLES) if number * step >= EDGE_BYTES]
    return all(_is_zero(read(at, SAMPLE_BYTES)) for at in places)


def _is_zero(data: bytes) -> bool:
    return data.count(0) == len(data)


def _kinds(found: List[Signature]) -> str:
    labels = [
        "%s labelled %s" % (each.kind, ascii(each.label)[1:-1]) if each.label else each.kind
        for each in found
    ]
    return " and ".join(labels)
