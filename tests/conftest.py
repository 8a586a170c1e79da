"""For all tests: bytecode for the commands that they start, which write none; at the end, what the
skipped ones lacked.

LIGHTINIT_TESTS=quick leaves out the tests with the mark `long`, LIGHTINIT_TESTS=long all others.
If files or folders are named, all of them run.
"""

from __future__ import annotations

import compileall
import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, List, Optional

from tests.lib.scratch import HERE
from tests.lib.skips import summary


def pytest_configure(config: Any) -> None:
    """Compile what is new, once for all workers."""
    if not hasattr(config, "workerinput"):
        for folder in ("/lightinit", "/modules"):
            compileall.compile_dir(HERE + folder, quiet=2)


def _wanted(config: Any) -> str:
    """What LIGHTINIT_TESTS says, if no files or folders are named."""
    if [os.path.abspath(each) for each in config.args] != [HERE + "/tests"]:
        return "all"
    return os.environ.get("LIGHTINIT_TESTS", "all")


def pytest_ignore_collect(collection_path: Path, config: Any) -> Optional[bool]:
    """Pass over files without the mark: each worker would import them all."""
    if _wanted(config) != "long" or not fnmatch(collection_path.name, "test_*.py"):
        return None
    return "mark.long" not in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_modifyitems(config: Any, items: List[Any]) -> None:
    """Leave out what LIGHTINIT_TESTS says."""
    wanted = _wanted(config)
    if wanted == "all":
        return
    left_out = [
        item for item in items if (item.get_closest_marker("long") is None) != (wanted == "quick")
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell it in a line for each tool, and not for each test."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].replace("Skipped: ", "", 1) for report in skipped]
    if reasons:
        terminalreporter.section("skipped tests")
        for line in summary(reasons):
            terminalreporter.write_line(line)
