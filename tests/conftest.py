"""For all tests: bytecode for the commands that they start, which write none; at the end, what the
skipped ones lacked.
"""

from __future__ import annotations

import compileall
from typing import Any

from tests.lib.scratch import HERE
from tests.lib.skips import summary


def pytest_configure(config: Any) -> None:
    """Compile what is new, once for all workers."""
    if not hasattr(config, "workerinput"):
        for folder in ("/lightinit", "/modules"):
            compileall.compile_dir(HERE + folder, quiet=2)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell it in a line for each tool, and not for each test."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].replace("Skipped: ", "", 1) for report in skipped]
    if reasons:
        terminalreporter.section("skipped tests")
        for line in summary(reasons):
            terminalreporter.write_line(line)
