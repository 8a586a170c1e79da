"""The forge's workflow, `.ci/run` and the Makefile know the same parts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Set

import pytest

from tests.lib.scratch import HERE
from tools.ci import PARTS, Part, Schedule, may_run_beside


def read(name: str) -> str:
    with open(os.path.join(HERE, name), encoding="utf-8") as handle:
        return handle.read()


def workflow_parts(text: str) -> Set[str]:
    return set(" ".join(re.findall(r"^ +- parts: (.+)$", text, re.MULTILINE)).split())


def test_the_workflow_runs_each_part() -> None:
    assert workflow_parts(read(".github/workflows/ci.yml")) == {part.name for part in PARTS}


def test_each_part_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert {part.name for part in PARTS} <= targets


def test_what_measures_time_runs_alone_and_last() -> None:
    assert [part.name for part in PARTS if part.alone] == ["bench"]
    assert PARTS[-1].alone


def test_what_has_few_workers_runs_beside_all_but_what_measures_time() -> None:
    assert [part.name for part in PARTS if not part.cores] == ["test-pythons", "test-bare"]
    waits, busy, bench = Part("a", 0.0), Part("b", 2.0), Part("c", 1.0, alone=True)
    assert may_run_beside(waits, [busy], 2.0)
    assert may_run_beside(busy, [waits], 2.0)
    assert not may_run_beside(busy, [busy], 2.0)
    assert not may_run_beside(waits, [bench], 2.0)
    assert not may_run_beside(bench, [waits], 2.0)


def test_what_has_few_workers_begins_with_the_part_that_leaves_them_cores() -> None:
    filler, long, other = Part("f", 0.0, beside="l"), Part("l", 2.0), Part("o", 1.0)
    assert not Schedule([other, long, filler], 2.0).may_start(filler)
    assert Schedule([other, filler], 2.0).may_start(filler)
    # It is there, and comes after what it waits for, so that all of them end.
    names = [part.name for part in PARTS]
    for part in PARTS:
        assert not part.beside or names.index(part.beside) < names.index(part.name)


def test_the_table_ends_with_the_longest_part() -> None:
    schedule = Schedule([Part("a", 1.0), Part("b", 1.0)], 2.0)
    schedule.ended = {"a": ("ok", 7.0, 3.0), "b": ("FAILED", 90.0, 4.0)}
    lines = schedule.table().splitlines()
    assert lines[1].split() == ["b", "90", "4", "FAILED"]
    assert lines[2].split() == ["a", "7", "3", "ok"]
    assert lines[3].split() == ["whole", "0", "7"]
    assert lines[-1] == "longest: b"
    schedule.unsteady = ["tests/test_a.py::test_b"]
    assert schedule.table().splitlines()[-1] == "UNSTEADY, mend it: tests/test_a.py::test_b"


MAKEFILE = """
rpm demo:
\t@echo x >>$@-tries; [ "$$(wc -l <$@-tries)" -gt "$(FAILS)" ]
"""


@pytest.mark.parametrize(
    "part, fails, status, tries, last",
    [
        ("rpm", 0, 0, 1, "longest: rpm"),
        ("rpm", 1, 0, 2, "UNSTEADY, mend it: rpm"),
        ("rpm", 2, 1, 2, "longest: rpm"),
        ("demo", 1, 1, 1, "longest: demo"),
    ],
)
def test_what_gets_packages_runs_again(
    tmp_path: Path, part: str, fails: int, status: int, tries: int, last: str
) -> None:
    (tmp_path / "tools").mkdir()
    shutil.copy(HERE + "/tools/ci.py", str(tmp_path / "tools"))
    (tmp_path / "Makefile").write_text(MAKEFILE)
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "tools/ci.py"), part],
        env=dict(os.environ, FAILS=str(fails)),
        stdout=subprocess.PIPE,
        check=False,
    )
    assert ended.returncode == status, ended.stdout
    assert len((tmp_path / (part + "-tries")).read_text().splitlines()) == tries
    assert ended.stdout.decode().splitlines()[-1] == last
