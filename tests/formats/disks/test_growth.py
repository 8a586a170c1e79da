"""How far a partition may grow, and the script with which sfdisk grows it."""

from __future__ import annotations

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.disks.growth import edit_dump, plan_growth
from lightinit.formats.disks.partition_table import Partition, Table

MIB, GIB = 2**20, 2**30
FIRST = Partition(1, 2 * MIB, GIB)
END = FIRST.end_bytes


def gpt(*partitions: Partition) -> Table:
    return Table("gpt", partitions, 512, 33 * 512)


def mbr(partition: Partition, sector_bytes: int = 512) -> Table:
    return Table("mbr", (partition,), sector_bytes)


@pytest.mark.parametrize(
    "table, number, disk_bytes, end_bytes, why",
    [
        (gpt(FIRST, Partition(14, MIB, MIB)), 1, 30 * GIB, 30 * GIB - MIB, ""),
        (gpt(FIRST), 1, END + 33 * 512, END, ""),
        (gpt(FIRST, Partition(2, END, MIB)), 1, 30 * GIB, END, "partition 2"),
        (gpt(FIRST, Partition(2, FIRST.start_bytes + 512, 1024)), 1, 30 * GIB, END, "partition 2"),
        (gpt(FIRST, Partition(2, END + MIB, 0)), 1, 30 * GIB, 30 * GIB - MIB, ""),
        (gpt(FIRST), 3, 30 * GIB, 0, "not in the table"),
        (mbr(FIRST), 1, 30 * GIB, 30 * GIB, ""),
        (mbr(FIRST), 5, 30 * GIB, 0, "logical"),
        (mbr(FIRST), 1, 4000 * GIB, 2048 * GIB - MIB, ""),
        (mbr(Partition(1, MIB, 2048 * GIB - MIB)), 1, 4000 * GIB, 2048 * GIB, ""),
        (mbr(FIRST, 4096), 1, 4000 * GIB, 4000 * GIB, ""),
    ],
)
def test_how_far_a_partition_grows(
    table: Table, number: int, disk_bytes: int, end_bytes: int, why: str
) -> None:
    growth = plan_growth(table, number, disk_bytes)
    assert growth.end_bytes == end_bytes and bool(growth.why) == bool(why) and why in growth.why
    assert ("2 TiB" in growth.note) == (
        table.kind == "mbr" and table.sector_bytes == 512 and disk_bytes == 4000 * GIB
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
    script = edit_dump(DUMP, Partition(1, 4096 * 512, 2097152 * 512), 8388608 * 512, 512)
    assert script == DUMP.replace("last-lba: 2147483614\n", "").replace(
        "4096, size=     2097152", "4096, size=     8384512"
    )
    # In sectors of 4096 bytes, as sfdisk counts on such a disk.
    assert "start=        4096, size=     4190208," in edit_dump(
        DUMP, Partition(1, 4096 * 4096, 2097152 * 4096), 4194304 * 4096, 4096
    )


@pytest.mark.parametrize(
    "dump, ours",
    [
        (DUMP, Partition(1, 4096 * 512, 209715 * 512)),
        (DUMP, Partition(1, 409 * 512, 2097152 * 512)),
        ("", Partition(1, 4096 * 512, 2097152 * 512)),
        (DUMP.replace("unit: sectors", "unit: cylinders"), Partition(1, 4096 * 512, 2097152 * 512)),
        (DUMP + DUMP, Partition(1, 4096 * 512, 2097152 * 512)),
    ],
)
def test_a_dump_that_says_otherwise_is_refused(dump: str, ours: Partition) -> None:
    with pytest.raises(MalformedError):
        edit_dump(dump, ours, 8388608 * 512, 512)


def test_a_dump_of_an_mbr() -> None:
    dump = (
        "label: dos\nunit: sectors\n\n/dev/sda1 : start=        2048, size=        8192, type=83,"
        " bootable\n"
    )
    assert edit_dump(dump, Partition(1, 2048 * 512, 8192 * 512), 20480 * 512, 512).endswith(
        "size=        18432, type=83, bootable\n"
    )
