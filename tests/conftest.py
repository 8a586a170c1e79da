"""For all tests: bytecode for the commands that they start, which write none; at the end, what the
skipped ones lacked.

LIGHTINIT_TESTS=quick leaves out the tests with the mark `long`, LIGHTINIT_TESTS=long all others.
If files or folders are named, all of them run.
"""

from __future__ import annotations

import compileall
import os
from typing import Any, List

from tests.lib.scratch import HERE
from tests.lib.skips import summary


def pytest_configure(config: Any) -> None:
    """Compile what is new, once for all workers."""
    if not hasattr(config, "workerinput"):
        for folder in ("/lightinit", "/modules"):
            compileall.compile_dir(HERE + folder, quiet=2)


def pytest_collection_modifyitems(config: Any, items: List[Any]) -> None:
    """Leave out what LIGHTINIT_TESTS says."""
    wanted = os.environ.get("LIGHTINIT_TESTS", "all")
    if wanted == "all" or [os.path.abspath(each) for each in config.args] != [HERE + "/tests"]:
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
