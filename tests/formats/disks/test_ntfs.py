"""NTFS volumes that mkfs.ntfs made, whole and damaged."""

from __future__ import annotations

import random
import struct

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.disks.ntfs import NtfsVolume, survey
from tests.lib.disk_images import Image, ntfs

FRESH = ntfs("fresh")
USED = ntfs("used")
CLUSTER = 4096
RECORD = 1024


def look(data: bytes, start: int = 0) -> NtfsVolume:
    image = Image(start + len(data)).put(start, data)
    return survey(image.read, start, len(data))


def mft_at(data: bytes) -> int:
    return int(struct.unpack_from("<Q", data, 0x30)[0]) * CLUSTER


def test_what_the_platform_delivers() -> None:
    volume = look(FRESH)
    assert volume.label == "Temporary Storage"
    assert {entry.path for entry in volume.entries} == {
        ("$RECYCLE.BIN",),
        ("$RECYCLE.BIN", "S-1-5-18"),
        ("$RECYCLE.BIN", "S-1-5-18", "desktop.ini"),
        ("DATALOSS_WARNING_README.txt",),
        ("System Volume Information",),
        ("System Volume Information", "WPSettings.dat"),
    }


def test_somebodys_files_are_seen_and_removed_ones_are_not() -> None:
    volume = look(USED)
    ours = {entry.path: (entry.is_folder, entry.size_bytes) for entry in look(FRESH).entries}
    more = {
        entry.path: (entry.is_folder, entry.size_bytes)
        for entry in volume.entries
        if entry.path not in ours
    }
    assert more == {
        ("data",): (True, 0),
        ("data", "deep"): (True, 0),
        ("data", "deep", "file.txt"): (False, 3),
        ("A long name with ünïcode.txt",): (False, 2),
        ("s",): (False, 2),
    }


def test_a_volume_that_begins_within_a_disk() -> None:
    assert look(USED, 65536) == look(USED)


@pytest.mark.parametrize(
    "at, data, why",
    [
        (3, b"NTFX", "no boot sector"),
        (510, b"\0\0", "no boot sector"),
        (0x0B, b"\1\2", "sizes that are not valid"),
        (0x0D, b"\3", "sizes that are not valid"),
        (0x28, b"\xff\xff\xff", "larger than its partition"),
        (0x30, b"\xff\xff\xff\xff", "beyond its end"),
        (0x40, b"\0", "sizes that are not valid"),
    ],
)
def test_a_boot_sector_that_cannot_be(at: int, data: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        look(FRESH[:at] + data + FRESH[at + len(data) :])


@pytest.mark.parametrize(
    "record, at, data, why",
    [
        (0, 0, b"BAAD", "damaged record"),
        (30, 0, b"BAAD", "damaged record"),
        (30, 0, b"\0\0\0\0", "damaged record"),
        (26, 510, b"\xee\xee", "half-written"),
        (26, 1022, b"\xee\xee", "half-written"),
        (26, 4, b"\xff\xff", "damaged record"),
        (26, 20, b"\xf0\x03", "without an end"),
        (0, 22, b"\0\0", "no beginning"),
    ],
)
def test_a_damaged_record(record: int, at: int, data: bytes, why: str) -> None:
    at += mft_at(FRESH) + record * RECORD
    with pytest.raises(MalformedError, match=why):
        look(FRESH[:at] + data + FRESH[at + len(data) :])


def test_a_file_whose_name_is_gone_is_not_overlooked() -> None:
    at = USED.index("file.txt".encode("utf-16-le"))
    begin = mft_at(USED) + (at - mft_at(USED)) // RECORD * RECORD
    at = begin + struct.unpack_from("<H", USED, begin + 20)[0]
    while USED[at] != 0x30:
        at += struct.unpack_from("<I", USED, at + 4)[0]
    with pytest.raises(MalformedError, match="has no name"):
        look(USED[:at] + b"\x50" + USED[at + 1 :])


def test_more_files_than_a_new_one_can_have() -> None:
    record = FRESH[mft_at(FRESH) :][:RECORD]
    size = struct.unpack_from("<Q", record, record.index(struct.pack("<I", 0x80), 56) + 56)[0]
    data = FRESH.replace(struct.pack("<QQ", size, size), struct.pack("<QQ", 1 << 40, 1 << 40))
    assert data != FRESH
    with pytest.raises(MalformedError, match="far more files"):
        look(data)


def test_whatever_is_flipped_nothing_else_is_raised() -> None:
    """Damage either is found, or leaves what is there to be seen: it never hides a file of
    somebody's.
    """
    numbers = random.Random(4)
    begin = mft_at(USED)
    mine = {("data",), ("s",), ("data", "deep", "file.txt")}
    refused = 0
    places = [at for at in range(begin, begin + 64 * RECORD) if USED[at]]
    for _ in range(1500):
        at = numbers.choice(places)
        image = (
            Image(len(USED)).put(0, USED).put(at, bytes((USED[at] ^ (1 << numbers.randrange(8)),)))
        )
        try:
            volume = survey(image.read, 0, image.size)
        except MalformedError:
            refused += 1
            continue
        assert len(mine & {entry.path for entry in volume.entries}) >= 1
    assert refused > 100
