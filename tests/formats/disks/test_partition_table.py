"""Partition tables, made here by the specification: what is read, and what is refused."""

from __future__ import annotations

import random
import struct
import zlib
from typing import Dict, Tuple

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.disks.partition_table import Partition, Table, read_table, set_linux_type
from tests.lib.disk_images import Image
from tests.lib.noise import noise

LINUX = bytes(range(16))
GUID = "03020100-0504-0706-0809-0a0b0c0d0e0f"


def mbr(*entries: Tuple[int, int, int], size_bytes: int = 4096) -> bytes:
    """A master boot record with these (type, first block, blocks)."""
    table = b"".join(
        struct.pack("<B3sB3sII", 0x80 if not at else 0, b"", kind, b"", start, blocks)
        for at, (kind, start, blocks) in enumerate(entries)
    )
    return (bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa").ljust(size_bytes, b"\0")


def gpt(
    partitions: Dict[int, Tuple[int, int]],
    block_bytes: int = 512,
    entry_bytes: int = 128,
    **wrong: bytes,
) -> bytes:
    """The head of a disk with these partitions: number -> (first block, last block)."""
    entries = bytearray(128 * entry_bytes)
    for number, (first, last) in partitions.items():
        struct.pack_into(
            "<16s16sQQ", entries, (number - 1) * entry_bytes, LINUX, b"u" * 16, first, last
        )
    fields = [
        wrong.get("signature", b"EFI PART"),
        0x10000,
        92,
        0,
        0,
        1,
        4095,
        34,
        4062,
        b"d" * 16,
        2,
        128,
        entry_bytes,
        zlib.crc32(bytes(entries)),
    ]
    header = struct.pack("<8sIIIIQQQQ16sQIII", *fields)
    header = header[:16] + struct.pack("<I", zlib.crc32(header)) + header[20:]
    return (
        mbr((0xEE, 1, 0xFFFFFFFF), size_bytes=block_bytes)
        + header.ljust(block_bytes, b"\0")
        + bytes(entries)
    ).ljust(1 << 20, b"\0")


SIZE = 1 << 30


def table_of(head: bytes, sector_bytes: int = 512) -> Table:
    return read_table(Image(SIZE).put(0, head).read, SIZE, sector_bytes)


def test_a_gpt() -> None:
    table = table_of(gpt({1: (264192, 1000000), 14: (2048, 10239), 15: (10240, 264191)}))
    assert (table.kind, table.sector_bytes, table.tail_bytes) == ("gpt", 512, 33 * 512)
    assert table.partitions == (
        Partition(1, 264192 * 512, 735809 * 512, GUID),
        Partition(14, 2048 * 512, 8192 * 512, GUID),
        Partition(15, 10240 * 512, 253952 * 512, GUID),
    )
    assert table.find(14) == table.partitions[1] and table.find(2) is None and table.fits(SIZE)


def test_a_gpt_on_sectors_of_4096_bytes() -> None:
    table = table_of(gpt({1: (256, 511)}, 4096), 4096)
    assert table.partitions == (Partition(1, 256 * 4096, 256 * 4096, GUID),)
    assert (table.sector_bytes, table.tail_bytes) == (4096, 5 * 4096)


def test_an_mbr() -> None:
    table = table_of(
        mbr((0xEF, 2048, 8192), (0x83, 10240, 100000), (0, 0, 0), (0x07, 110240, 4096))
    )
    assert (table.kind, table.tail_bytes, table.has_extended) == ("mbr", 0, False)
    assert table.partitions == (
        Partition(1, 2048 * 512, 8192 * 512, "ef"),
        Partition(2, 10240 * 512, 100000 * 512, "83"),
        Partition(4, 110240 * 512, 4096 * 512, "07"),
    )
    assert table.partitions[0].end_bytes == 10240 * 512


@pytest.mark.parametrize("kind", [0x05, 0x0F, 0x85])
def test_an_extended_partition_is_seen(kind: int) -> None:
    assert table_of(mbr((0x83, 2048, 8192), (kind, 10240, 4096))).has_extended


@pytest.mark.parametrize("head", [b"", b"\xeb\x3c" + b"\x90" * 256, mbr()])
def test_a_disk_without_a_table(head: bytes) -> None:
    assert table_of(head) == Table("")


@pytest.mark.parametrize(
    "entry, fits",
    [
        ((7, 128, 1000), True),
        ((7, 128, SIZE // 512 - 128), True),
        ((7, 128, SIZE // 512 - 127), False),
        ((7, 0, 1000), False),
        ((7, 128, 0), False),
    ],
)
def test_whether_partitions_lie_on_the_disk(entry: Tuple[int, int, int], fits: bool) -> None:
    assert table_of(mbr((0x83, 2048, 8192), entry)).fits(SIZE) is fits


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "head",
    [
        b"\xeb\x3c" + b"\x90" * 508 + b"\x55\xaa",
        mbr((0xEE, 1, 1), size_bytes=512),
        flipped(mbr((7, 128, 1000)), 0x1BE),
        bytes(512) + gpt({1: (34, 99)})[512:],
        gpt({1: (34, 99)}, signature=b"EFI PARP"),
        flipped(gpt({1: (34, 99)}), 512 + 24),
        flipped(gpt({1: (34, 99)}), 1024 + 32),
        gpt({1: (34, 99)})[:1060],
        gpt({1: (34, 99)}, entry_bytes=64),
    ],
)
def test_what_is_damaged_is_refused(head: bytes) -> None:
    with pytest.raises(MalformedError, match="partition table cannot be read"):
        table_of(head)


def test_garbage_is_refused_or_read() -> None:
    dice = random.Random(1)
    for _ in range(200):
        head = bytearray(gpt({1: (34, 99)})[:8192])
        for at in noise(dice, 4):
            head[at * 32 : at * 32 + 8] = noise(dice, 8)
        try:
            table_of(bytes(head))
        except MalformedError:
            pass


def test_a_type_is_changed_and_nothing_else() -> None:
    before = mbr((7, 128, 200), (7, 400, 200), size_bytes=512)
    after = set_linux_type(before, 2)
    changed = [at for at in range(512) if before[at] != after[at]]
    assert changed == [0x1BE + 16 + 4] and after[0x1BE + 20] == 0x83
