"""For all tests: bytecode for the commands that they start, which write none; at the end, what the
skipped ones lacked.

LIGHTINIT_TESTS=quick leaves out the tests with the mark `long`, LIGHTINIT_TESTS=long all others.
If files or folders are named, all of them run. LIGHTINIT_CASES=first leaves out all but the first
case of each test that has cases, also there. With LIGHTINIT_ONCE_MORE failed tests run again, see
tests/lib/once_more.py.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Generator, List, Optional

import pytest

from tests.lib import once_more
from tests.lib.cases import first_cases
from tests.lib.limit import limited
from tests.lib.scratch import HERE
from tests.lib.skips import summary


def pytest_configure(config: Any) -> None:
    """Compile what is new, once for all workers. What tests make is for all to read, as usual."""
    os.umask(0o022)
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


@pytest.hookimpl(hookwrapper=True)
def pytest_collection(session: Any) -> Generator[None, None, None]:
    """One worker compiles the tests and writes them down, which takes most of the time that they
    need to be read. The others wait for it, and do not compile them, too.
    """
    if not hasattr(session.config, "workerinput") or sys.dont_write_bytecode:
        yield
        return
    with open(__file__, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def pytest_collection_modifyitems(config: Any, items: List[Any]) -> None:
    """Leave out what LIGHTINIT_TESTS and LIGHTINIT_CASES say."""
    wanted, kept = _wanted(config), list(items)
    if wanted != "all":
        is_long = wanted == "long"
        kept = [item for item in kept if bool(item.get_closest_marker("long")) == is_long]
    if os.environ.get("LIGHTINIT_CASES") == "first":
        kept = first_cases(kept)
    ids = {id(item) for item in kept}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in ids])
    items[:] = kept


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol() -> Generator[None, None, None]:
    """End what hangs."""
    with limited():
        yield


def pytest_sessionfinish(session: Any) -> None:
    """Tell unsteady tests from failed ones."""
    session.config.unsteady = once_more.run_again(session)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell what is unsteady; and what was skipped in a line for each tool, not for each test."""
    for test in getattr(terminalreporter.config, "unsteady", []):
        terminalreporter.write_line("%s %s" % (once_more.MARK, test))
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].replace("Skipped: ", "", 1) for report in skipped]
    if reasons:
        terminalreporter.section("skipped tests")
        for line in summary(reasons):
            terminalreporter.write_line(line)
