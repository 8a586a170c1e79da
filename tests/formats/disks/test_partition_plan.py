"""The partitions that a user wants."""

from __future__ import annotations

from typing import Any, List

import pytest

from lightinit.formats.disks.partition_plan import (
    GPT_TYPES,
    PartitionPlan,
    WishedPartition,
    has_layout,
    make_plan,
)
from lightinit.formats.disks.partition_table import Partition, Table

MIB = 2**20
LINUX = GPT_TYPES["8300"]


def wishes(*shares: Any) -> List[WishedPartition]:
    return [
        WishedPartition(*each) if isinstance(each, tuple) else WishedPartition(each)
        for each in shares
    ]


@pytest.mark.parametrize(
    "kind, shares, sector, script",
    [
        ("gpt", [100], 512, "label: gpt\nstart=2048, type=%s\n" % LINUX),
        ("gpt", [100], 4096, "label: gpt\nstart=256, type=%s\n" % LINUX),
        (
            "mbr",
            [(50, "82"), (30, "7"), 20],
            512,
            "label: dos\nstart=2048, size=104448, type=82\nstart=106496, size=61440, type=7\n"
            "start=167936, type=83\n",
        ),
        ("gpt", [(100, "8e")], 512, "label: gpt\nstart=2048, type=%s\n" % GPT_TYPES["8E00"]),
        ("gpt", [(100, LINUX.lower())], 512, "label: gpt\nstart=2048, type=%s\n" % LINUX),
    ],
)
def test_a_script(kind: str, shares: Any, sector: int, script: str) -> None:
    assert make_plan(kind, wishes(*shares), 104 * MIB, sector) == PartitionPlan(script)


@pytest.mark.parametrize(
    "kind, shares, size, why",
    [
        ("mbr", [20] * 5, 104 * MIB, "at most four partitions"),
        ("mbr", [100], 2**42, "cannot use more than 2 TiB"),
        ("gpt", [(100, "zz")], 104 * MIB, "the type of partition 1 is unknown"),
        ("mbr", [(100, "8300")], 104 * MIB, "the type of partition 1 is unknown"),
        ("gpt", [1, 99], 50 * MIB, "the disk is too small for partition 1"),
        ("gpt", [100], 2 * MIB, "the disk is too small for partition 1"),
    ],
)
def test_what_cannot_be_made(kind: str, shares: Any, size: int, why: str) -> None:
    plan = make_plan(kind, wishes(*shares), size, 512)
    assert plan.script == "" and why in plan.why


def test_a_layout_that_is_there() -> None:
    there = Table("mbr", (Partition(1, MIB, MIB, "83"), Partition(2, 2 * MIB, MIB, "07")))
    assert has_layout(there, "mbr", wishes(10, 90)) and has_layout(
        there, "mbr", wishes(10, (90, "7"))
    )
    assert not has_layout(there, "mbr", wishes(10, (90, "83")))
    assert not has_layout(there, "gpt", wishes(10, 90)) and not has_layout(
        there, "mbr", wishes(100)
    )
    gpt = Table("gpt", (Partition(1, MIB, MIB, GPT_TYPES["8200"].lower()),))
    assert has_layout(gpt, "gpt", wishes((100, "82"))) and not has_layout(
        gpt, "gpt", wishes((100, "83"))
    )
