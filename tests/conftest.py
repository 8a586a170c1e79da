"""For all tests: at the end, what the skipped ones lacked."""

from __future__ import annotations

from typing import Any

from tests.lib.skips import summary


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell it in a line for each tool, and not for each test."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].replace("Skipped: ", "", 1) for report in skipped]
    if reasons:
        terminalreporter.section("skipped tests")
        for line in summary(reasons):
            terminalreporter.write_line(line)
