"""Partition tables, made here by the specification: what is read, what is refused, and what may
grow how far.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import Dict, Tuple

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.disks.partition_table import (
    Partition,
    Table,
    edit_dump,
    parse_table,
    plan_growth,
)

LINUX = bytes(range(16))


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


def test_a_gpt() -> None:
    table = parse_table(gpt({1: (264192, 4000000), 14: (2048, 10239), 15: (10240, 264191)}), 512)
    assert (table.label, table.block_sectors, table.tail_sectors) == ("gpt", 1, 33)
    assert table.partitions == (
        Partition(1, 264192, 3735809),
        Partition(14, 2048, 8192),
        Partition(15, 10240, 253952),
    )


def test_a_gpt_on_blocks_of_4096_bytes() -> None:
    table = parse_table(gpt({1: (256, 511)}, 4096), 4096)
    assert table.partitions == (Partition(1, 2048, 2048),)
    assert (table.block_sectors, table.tail_sectors) == (8, 5 * 8)


def test_an_mbr() -> None:
    table = parse_table(
        mbr((0xEF, 2048, 8192), (0x83, 10240, 100000), (0, 0, 0), (0x05, 110240, 4096)), 512
    )
    assert (table.label, table.tail_sectors) == ("dos", 0)
    assert table.partitions == (
        Partition(1, 2048, 8192),
        Partition(2, 10240, 100000),
        Partition(4, 110240, 4096),
    )


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "head",
    [
        b"",
        bytes(1 << 20),
        b"\xeb\x3c" + b"\x90" * 508 + b"\x55\xaa",
        mbr((0xEE, 1, 1), size_bytes=512),
        gpt({1: (34, 99)}, signature=b"EFI PARP"),
        flipped(gpt({1: (34, 99)}), 512 + 24),
        flipped(gpt({1: (34, 99)}), 1024 + 32),
        gpt({1: (34, 99)})[:2000],
        gpt({1: (34, 99)}, entry_bytes=64),
    ],
)
def test_what_is_damaged_is_refused(head: bytes) -> None:
    with pytest.raises(MalformedError, match="partition table cannot be read"):
        parse_table(head, 512)


def test_garbage_is_refused_or_read() -> None:
    for _ in range(200):
        noise = bytearray(gpt({1: (34, 99)})[:8192])
        for at in os.urandom(4):
            noise[at * 32 : at * 32 + 8] = os.urandom(8)
        try:
            parse_table(bytes(noise), 512)
        except MalformedError:
            pass


GIB = 2**21


@pytest.mark.parametrize(
    "table, number, disk, end, why",
    [
        (
            Table("gpt", (Partition(1, 4096, GIB), Partition(14, 2048, 2048)), 1, 33),
            1,
            30 * GIB,
            30 * GIB - 2048,
            "",
        ),
        (Table("gpt", (Partition(1, 4096, GIB),), 1, 33), 1, GIB + 4096 + 33, GIB + 4096, ""),
        (
            Table("gpt", (Partition(1, 4096, GIB), Partition(2, GIB + 4096, 2048)), 1, 33),
            1,
            30 * GIB,
            GIB + 4096,
            "partition 2",
        ),
        (
            Table("gpt", (Partition(1, 4096, GIB), Partition(2, 4097, 2)), 1, 33),
            1,
            30 * GIB,
            GIB + 4096,
            "partition 2",
        ),
        (Table("gpt", (Partition(1, 4096, GIB),), 1, 33), 3, 30 * GIB, 0, "not in the table"),
        (Table("dos", (Partition(1, 2048, GIB),), 1), 1, 30 * GIB, 30 * GIB, ""),
        (Table("dos", (Partition(1, 2048, GIB),), 1), 5, 30 * GIB, 0, "logical"),
        (Table("dos", (Partition(1, 2048, GIB),), 1), 1, 4000 * GIB, 2048 * GIB - 2048, ""),
        (Table("dos", (Partition(1, 2048, 2048 * GIB - 2048),), 1), 1, 4000 * GIB, 2048 * GIB, ""),
        (Table("dos", (Partition(1, 2048, GIB),), 8), 1, 4000 * GIB, 4000 * GIB, ""),
    ],
)
def test_how_far_a_partition_grows(
    table: Table, number: int, disk: int, end: int, why: str
) -> None:
    growth = plan_growth(table, number, disk)
    assert growth.end == end and bool(growth.why) == bool(why) and why in growth.why
    assert ("2 TiB" in growth.note) == (
        table.label == "dos" and table.block_sectors == 1 and disk == 4000 * GIB
    )


DUMP = """label: gpt
label-id: 5F4CF436-83E0-47B3-93E4-122F36E0A131
device: /dev/sda
unit: sectors
first-lba: 34
last-lba: 2147483614
sector-size: 512

/dev/sda1 : start=        4096, size=     2097152, type=0FC63DAF, \
uuid=D49C, name="size=     2097152, x"
/dev/sda14 : start=        2048, size=        2048, type=21686148, uuid=D49D
/dev/sda15 : start=     2101248, size=      204800, type=C12A7328, uuid=D49E
"""


def test_in_a_dump_only_the_size_changes() -> None:
    script = edit_dump(DUMP, Partition(1, 4096, 2097152), 8388608, 1)
    assert script == DUMP.replace("last-lba: 2147483614\n", "").replace(
        "4096, size=     2097152", "4096, size=     8384512"
    )
    # In blocks of 4096 bytes, as sfdisk counts on such a disk.
    assert "start=        4096, size=     4190208," in edit_dump(
        DUMP, Partition(1, 4096 * 8, 2097152 * 8), 4194304 * 8, 8
    )


@pytest.mark.parametrize(
    "dump, ours",
    [
        (DUMP, Partition(1, 4096, 209715)),
        (DUMP, Partition(1, 409, 2097152)),
        ("", Partition(1, 4096, 2097152)),
        (DUMP.replace("unit: sectors", "unit: cylinders"), Partition(1, 4096, 2097152)),
        (DUMP + DUMP, Partition(1, 4096, 2097152)),
    ],
)
def test_a_dump_that_says_otherwise_is_refused(dump: str, ours: Partition) -> None:
    with pytest.raises(MalformedError):
        edit_dump(dump, ours, 8388608, 1)


def test_a_dump_of_an_mbr() -> None:
    dump = (
        "label: dos\nunit: sectors\n\n/dev/sda1 : start=        2048, size=        8192, type=83,"
        " bootable\n"
    )
    assert edit_dump(dump, Partition(1, 2048, 8192), 20480, 1).endswith(
        "size=        18432, type=83, bootable\n"
    )
