"""What may be done with a disk, by its bytes."""

from __future__ import annotations

import random
from typing import Optional

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.disks.resource_disk import LABEL, MARK, MARK_AT, DiskState, assess
from tests.lib.disk_images import BASIC, MIB, RESERVED, Image, ext4, gpt, mbr, ntfs, xfs

SIZE = 64 * MIB
SECTORS = SIZE // 512
FRESH, USED = ntfs("fresh"), ntfs("used")
START = 128 * 512
WHOLE = mbr((7, 128, SECTORS - 128))


def on_partition(content: bytes, marked: bool = False) -> Image:
    image = Image(SIZE).put(0, WHOLE).put(START, content)
    return image.put(MARK_AT, MARK) if marked else image


def state(image: Image) -> DiskState:
    return assess(image.read, image.size).state


def test_the_platforms_fresh_disk_can_be_formatted_as_it_is_partitioned() -> None:
    finding = assess(on_partition(FRESH).read, SIZE)
    assert finding.state is DiskState.FRESH and finding.partition is not None
    assert (finding.partition.number, finding.partition.start_bytes, finding.table) == (
        1,
        START,
        "",
    )


def test_a_large_one_has_a_gpt_with_a_reserved_partition_and_gets_a_new_table() -> None:
    head = gpt([(RESERVED, 34, 2047), (BASIC, 2048, SECTORS - 100)])
    image = Image(SIZE).put(0, head).put(MIB, FRESH)
    finding = assess(image.read, SIZE)
    assert (finding.state, finding.partition, finding.table) == (DiskState.FRESH, None, "mbr")
    large = 3 << 40
    image = (
        Image(large)
        .put(0, gpt([(RESERVED, 34, 2047), (BASIC, 2048, large // 512 - 100)]))
        .put(MIB, FRESH)
    )
    assert assess(image.read, large).table == "gpt"


def test_one_without_room_for_the_mark_gets_a_new_table() -> None:
    image = Image(SIZE).put(0, mbr((7, 63, SECTORS - 63))).put(63 * 512, FRESH)
    finding = assess(image.read, SIZE)
    assert (finding.state, finding.partition, finding.table) == (DiskState.FRESH, None, "mbr")


def test_an_empty_disk() -> None:
    finding = assess(Image(SIZE).read, SIZE)
    assert (finding.state, finding.table) == (DiskState.FRESH, "mbr")


@pytest.mark.parametrize("at", [0, 3, 5000, 3 * MIB, SIZE // 2, SIZE - 1, SIZE - 3 * MIB])
def test_a_disk_that_is_not_quite_empty(at: int) -> None:
    image = Image(SIZE).put(at // 4096 * 4096 if at == SIZE // 2 else at, b"\1")
    if at == SIZE // 2:
        # Between both ends samples are taken, so a whole block of data is seen.
        image.put(at - MIB, b"\1" * 2 * MIB)
    assert state(image) is DiskState.FOREIGN


@pytest.mark.parametrize("make, filesystem", [(ext4, "ext4"), (xfs, "xfs")])
def test_ours_is_mounted_again(make: "object", filesystem: str) -> None:
    finding = assess(on_partition(make(LABEL)).read, SIZE)  # type: ignore[operator]
    assert (finding.state, finding.filesystem, finding.marked) == (
        DiskState.OURS,
        filesystem,
        False,
    )
    assert state(on_partition(make("data"))) is DiskState.FOREIGN  # type: ignore[operator]
    marked = on_partition(make(LABEL), marked=True)  # type: ignore[operator]
    assert assess(marked.read, SIZE).marked


@pytest.mark.parametrize(
    "name, image, found",
    [
        ("files", on_partition(USED), "5 files or folders"),
        (
            "a renamed warning",
            on_partition(
                FRESH.replace("DATALOSS".encode("utf-16-le"), "DATAGAIN".encode("utf-16-le"))
            ),
            "1 files or folders",
        ),
        (
            "bytes",
            on_partition(random.Random(1).getrandbits(8 * 4096).to_bytes(4096, "little")),
            "unknown content",
        ),
        ("zeros", on_partition(b""), "unknown content"),
        ("ext4", on_partition(ext4("mine")), "ext4 labelled mine"),
        (
            "ext4 in NTFS",
            on_partition(FRESH[:1024] + ext4("")[1024:] + FRESH[1200:]),
            "NTFS and ext4",
        ),
        ("LUKS", on_partition(b"LUKS\xba\xbe"), "LUKS"),
        ("LVM", on_partition(bytes(512) + b"LABELONE"), "LVM"),
        ("swap", on_partition(bytes(4086) + b"SWAPSPACE2"), "swap"),
        ("ZFS", on_partition(bytes(131072) + b"\x0c\xb1\xba\0\0\0\0\0"), "ZFS"),
        ("BitLocker", on_partition(b"\xeb\x52\x90-FVE-FS-"), "BitLocker"),
        ("RAID", on_partition(bytes(4096) + b"\xfc\x4e\x2b\xa9"), "RAID"),
        (
            "RAID at the end",
            Image(SIZE).put(SIZE - 65536, b"\xfc\x4e\x2b\xa9").put(0, WHOLE).put(START, FRESH),
            "RAID",
        ),
        (
            "two",
            Image(SIZE).put(0, mbr((7, 128, 9000), (7, 10000, SECTORS - 10000))).put(START, FRESH),
            "2 partitions",
        ),
        (
            "a small partition",
            Image(SIZE).put(0, mbr((7, 128, 60000))).put(START, FRESH),
            "does not fill",
        ),
        (
            "extended",
            Image(SIZE).put(0, mbr((5, 128, SECTORS - 128))).put(START, FRESH),
            "extended",
        ),
        ("no partition", Image(SIZE).put(0, gpt([])), "without partitions"),
        ("beyond", Image(SIZE).put(0, mbr((7, 128, SECTORS))).put(START, FRESH), "beyond"),
        ("start 0", Image(SIZE).put(0, mbr((7, 0, SECTORS))).put(START, FRESH), "beyond"),
        ("size 0", Image(SIZE).put(0, mbr((7, 128, SECTORS - 128), (7, 9, 0))), "beyond"),
        ("an active one", Image(SIZE).put(0, WHOLE).put(0x1BE, b"\1").put(START, FRESH), "invalid"),
        (
            "whole ext4",
            Image(SIZE).put(0, ext4("lightinit")),
            "ext4 labelled lightinit on the disk itself",
        ),
        ("whole NTFS", Image(SIZE).put(0, FRESH), ""),
        ("whole LUKS", Image(SIZE).put(0, b"LUKS\xba\xbe"), "LUKS"),
        (
            "damaged GPT",
            Image(SIZE)
            .put(0, gpt([(BASIC, 2048, SECTORS - 100)]))
            .put(1040, b"\1\2")
            .put(MIB, FRESH),
            "damaged",
        ),
        (
            "GPT without MBR",
            Image(SIZE).put(0, bytes(512) + gpt([(BASIC, 2048, SECTORS - 100)])[512:]),
            "protective",
        ),
        ("tiny", Image(MIB), "too small"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_somebodys(name: str, image: Image, found: str) -> None:
    finding = assess(image.read, image.size)
    assert finding.state is DiskState.FOREIGN and found in finding.found, finding
    # The mark of an earlier attempt gives nothing of that away, except where there is nothing but
    # zeros.
    if image.size == SIZE and name != "zeros":
        marked = Image(SIZE).put(MARK_AT, MARK)
        marked.pieces = (
            image.pieces[:1] + marked.pieces + image.pieces[1:]
            if len(image.pieces) > 1
            else marked.pieces + image.pieces
        )
        assert assess(marked.read, SIZE).state is DiskState.FOREIGN


@pytest.mark.parametrize(
    "file, size, expected", [("README", 100, DiskState.FRESH), ("README", 70000, DiskState.FOREIGN)]
)
def test_a_warning_too_long_to_be_one(file: str, size: int, expected: DiskState) -> None:
    from lightinit.formats.disks.ntfs import NtfsFile
    from lightinit.formats.disks.resource_disk import _is_platforms

    assert _is_platforms(NtfsFile(("dataloss_warning_readme.TXT",), False, size)) is (
        expected is DiskState.FRESH
    )
    assert not _is_platforms(NtfsFile(("DATALOSS_WARNING_README.txt",), True, 0))
    assert not _is_platforms(NtfsFile(("$RECYCLE.BIN", "S-1-5-18", "$R12345.doc"), False, 1))
    assert not _is_platforms(NtfsFile(("System Volume Information",), False, 1))
    assert not _is_platforms(NtfsFile(("notes", "DATALOSS_WARNING_README.txt"), False, 1))


@pytest.mark.parametrize(
    "content, expected",
    [
        (FRESH, DiskState.FRESH),
        (b"", DiskState.UNFINISHED),
        (xfs(LABEL, True), DiskState.UNFINISHED),
        (ext4(LABEL), DiskState.OURS),
        (xfs("data", True), DiskState.FOREIGN),
        (b"\0" * 1023 + b"\1", DiskState.FOREIGN),
        (b"\1", DiskState.FOREIGN),
        (USED, DiskState.FOREIGN),
    ],
)
def test_what_lightinit_had_begun(content: bytes, expected: DiskState) -> None:
    assert state(on_partition(content, marked=True)) is expected


def test_what_lightinit_had_begun_on_an_empty_disk() -> None:
    finding = assess(Image(SIZE).put(MARK_AT, MARK).read, SIZE)
    assert (finding.state, finding.table) == (DiskState.UNFINISHED, "mbr")
    assert state(Image(SIZE).put(MARK_AT, MARK).put(2 * MIB, b"\1")) is DiskState.FOREIGN


def test_a_disk_that_gives_errors_is_not_taken_for_empty() -> None:
    def read(offset: int, size: int) -> bytes:
        raise MalformedError("disk is too short")

    finding: Optional[object] = None
    try:
        finding = assess(read, SIZE)
    except MalformedError:
        pass
    assert finding is None
