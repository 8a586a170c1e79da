"""Failed tests that run again: what becomes of a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Tuple

import pytest

from tests.lib.scratch import HERE
from tools.ci import find_unsteady

CONFTEST = """
from tests.conftest import pytest_runtest_protocol, pytest_sessionfinish, pytest_terminal_summary
"""
# Each run of a test leaves a line; it fails in the runs whose numbers are listed.
TESTS = """
import os, pytest, signal

def fails_in(name, runs):
    with open(name, "a+") as handle:
        handle.write("x")
        handle.seek(0)
        assert len(handle.read()) not in runs

%s
"""
TEST = "def test_%s(): fails_in(%r, %r)\n"

FIXTURE = """
@pytest.fixture(scope="module")
def made():
    fails_in("made", %r)

@pytest.mark.parametrize("word", range(9))
def test_that_needs_it(made, word): pass
"""
# A worker of xdist that is killed is a failed test.
KILLED = """
def test_that_is_killed():
    try:
        fails_in("killed", (1,))
    except AssertionError:
        os.kill(os.getpid(), signal.SIGKILL)
"""
HANGS = """
def test_that_hangs():
    try:
        fails_in("hung", (1,))
    except AssertionError:
        signal.pause()
"""
# What the shell, pytest or a path would take for something else.
NAMES = r"""
@pytest.mark.parametrize("word", ["a b", "a::b/[c]", "-x", "'$(x)@", "\x00\xe9!"])
def test_of(word): fails_in("name-" + word[-1], (1,))
"""


def run(
    folder: Path, *tests: Tuple[int, ...], asked: bool = True, more: str = ""
) -> Tuple[int, str]:
    """The exit status of pytest, and what it printed, with a test for each tuple: the runs in which
    it fails; and with more tests.
    """
    (folder / "conftest.py").write_text(CONFTEST)
    lines = [TEST % (number, "runs-%d" % number, runs) for number, runs in enumerate(tests)]
    (folder / "test_it.py").write_text(TESTS % "".join(lines + [more]))
    env = dict(os.environ, PYTHONPATH=HERE)
    env.pop("LIGHTINIT_ONCE_MORE", None)
    if more is HANGS:
        env["LIGHTINIT_TEST_LIMIT_S"] = "10"
    if asked:
        env["LIGHTINIT_ONCE_MORE"] = "yes"
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-rf",
        "--rootdir",
        str(folder),
        "-p",
        "no:cacheprovider",
        *(["-n", "1"] if more in (KILLED, HANGS) else []),
    ]
    ended = subprocess.run(
        argv,
        cwd=str(folder),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return ended.returncode, ended.stdout.decode()


def test_a_test_that_passes_the_next_times_is_unsteady_and_shown(tmp_path: Path) -> None:
    status, said = run(tmp_path, (1,), ())
    assert status == 0
    (tmp_path / "log").write_text(said)
    assert find_unsteady(str(tmp_path / "log")) == ["test_it.py::test_0"]
    assert "FAILED test_it.py::test_0" in said and "assert 1 not in (1,)" in said
    assert (tmp_path / "runs-0").read_text() == "xxx"
    assert (tmp_path / "runs-1").read_text() == "x", "only what failed runs again"


@pytest.mark.parametrize(
    "tests, asked",
    [
        ([(1, 2, 3)], True),
        ([(1, 3)], True),
        ([(1,), (1, 2)], True),
        ([(1,)] * 7, True),
        ([(1,)], False),
    ],
    ids=["always", "in the last time", "one of two", "seven", "outside of CI"],
)
def test_a_run_is_red_if(tmp_path: Path, tests: Tuple[Tuple[int, ...], ...], asked: bool) -> None:
    status, said = run(tmp_path, *tests, asked=asked)
    assert status == 1
    assert "UNSTEADY" not in said


@pytest.mark.parametrize(
    "more, runs, wanted",
    [
        (FIXTURE % ((1,),), "made", "xxx"),
        (KILLED, "killed", "xxx"),
        (HANGS, "hung", "xxx"),
        (NAMES, "name-@", "xxx"),
    ],
    ids=["what a file shares", "killed", "hung", "odd names"],
)
def test_so_is(tmp_path: Path, more: str, runs: str, wanted: str) -> None:
    status, said = run(tmp_path, (), more=more)
    assert (status, "UNSTEADY" in said) == (0, True), said
    assert (tmp_path / runs).read_text() == wanted


def test_what_a_file_shares_is_not_made_each_time(tmp_path: Path) -> None:
    status, said = run(tmp_path, (), more=FIXTURE % (tuple(range(99)),))
    assert (status, "UNSTEADY" in said) == (1, False), said
