"""tools/try-again: a mirror that fails once turns no run red."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Tuple

import pytest

from tests.lib.running import TRY_AGAIN
from tests.lib.scratch import HERE

# Fails so many times, each time only if what it makes is not there.
FAILS = """
[ ! -e made ] || exit 9
echo x >>tries
echo half >made
[ "$(wc -l <tries)" -gt "$1" ]
"""
DOWNLOADS = re.compile(
    r"\bmmdebstrap --|-m pip (?:install|download)|\bcargo install|apt-get update"
)


def run(folder: Path, fails: int, *options: str) -> Tuple[int, int]:
    """The exit status, and how often the command ran."""
    argv = [TRY_AGAIN, *options, "sh", "-c", FAILS, "sh", str(fails)]
    env = dict(os.environ, LIGHTINIT_PAUSES="0 0")
    ended = subprocess.run(
        argv, cwd=str(folder), env=env, stderr=subprocess.DEVNULL, check=False, timeout=60
    )
    return ended.returncode, len((folder / "tries").read_text().splitlines())


@pytest.mark.parametrize("fails, wanted", [(0, (0, 1)), (1, (0, 2)), (2, (0, 3)), (3, (1, 3))])
def test_what_fails_runs_again_without_what_it_left(
    tmp_path: Path, fails: int, wanted: Tuple[int, int]
) -> None:
    assert run(tmp_path, fails, "--without", "made") == wanted


def test_what_is_left_stays_where_nobody_names_it(tmp_path: Path) -> None:
    assert run(tmp_path, 1) == (9, 1)


def test_all_tools_download_with_it() -> None:
    found = []
    for path in sorted(Path(HERE, "tools").iterdir()):
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            if DOWNLOADS.search(line) and "try-again" not in line and "#" not in line:
                found.append("%s: %s" % (path.name, line.strip()))
    assert found == []
