"""Runs one or two tests that have failed again where LIGHTINIT_ONCE_MORE is set, as .ci/run does.

There are ten thousand tests, many of them with real servers and clients on a busy machine. One that
fails now and then is a fault of that test or, worse, a race in lightinit: it is shown with all that
it printed and called UNSTEADY, for somebody to mend. It does not turn the run red, or whatever else
was changed could not land until then. More than two are no accident.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, List

ASKED = "LIGHTINIT_ONCE_MORE"
MOST = 2
TIMES = 2
MARK = "UNSTEADY"
# pytest's own exit statuses.
TESTS_FAILED, ALL_PASSED = 1, 0


def failed_tests(config: Any) -> List[str]:
    """The node ids of the tests that have failed, or whose fixtures have."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("failed", []) + reporter.stats.get("error", [])
    return list(dict.fromkeys(report.nodeid for report in reports))


def run_again(session: Any) -> List[str]:
    """Run the failed tests again, if they are few. The session's exit status is that of success if
    all of them pass each time.

    Returns:
        The node ids of those that are unsteady.
    """
    if ASKED not in os.environ or hasattr(session.config, "workerinput"):
        return []
    failed = failed_tests(session.config)
    if session.exitstatus != TESTS_FAILED or not 1 <= len(failed) <= MOST:
        return []
    env = {name: value for name, value in os.environ.items() if name != ASKED}
    argv = [sys.executable, "-m", "pytest", "-q", *failed]
    for _ in range(TIMES):
        ended = subprocess.run(argv, cwd=str(session.config.rootpath), env=env, check=False)
        if ended.returncode != ALL_PASSED:
            return []
    session.exitstatus = ALL_PASSED
    return failed
