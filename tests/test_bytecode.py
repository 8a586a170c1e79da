"""A .pyc file that is cut short counts as none: the source beside it is read."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from typing import Any, List

import pytest

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARTS = ("__init__", "cli", "grammar", "host/log", "errors")


def compiled(folder: str) -> List[str]:
    """The compiled files of the parts that every command needs."""
    found = []
    for part in PARTS:
        inner, _, name = part.rpartition("/")
        cache = os.path.join(folder, "lightinit", inner, "__pycache__")
        found += [os.path.join(cache, each) for each in os.listdir(cache) if name + "." in each]
    return found


@pytest.mark.parametrize("left", [0, 10, 16, 17, 40, -1])
def test_a_compiled_file_that_is_cut_short_is_passed_over(tmp_path: Any, left: int) -> None:
    """N4: in the header, at its end, and within the code."""
    folder = str(tmp_path)
    shutil.copytree(
        os.path.join(HERE, "lightinit"),
        folder + "/lightinit",
        ignore=shutil.ignore_patterns("__pycache__", "emulator", "modules"),
    )
    shutil.copytree(
        os.path.join(HERE, "modules"),
        folder + "/lightinit/modules",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    assert compileall.compile_dir(folder + "/lightinit", quiet=2, force=True)
    paths = compiled(folder)
    assert len(paths) == len(PARTS)
    for path in paths:
        os.truncate(path, left if left >= 0 else os.path.getsize(path) + left)
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-B", folder + "/lightinit/__main__.py", "--version"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("lightinit ")
