"""Runs a few tests that have failed again where LIGHTINIT_ONCE_MORE is set, as .ci/run does.

There are ten thousand tests, many of them with real servers and clients on a busy machine. One that
fails now and then is a fault of that test or, worse, a race in lightinit: it is shown with all that
it printed and called UNSTEADY, for somebody to mend. It does not turn the run red, or whatever else
was changed could not land until then. A machine that stands still for a minute fails one test of
each worker, and what cannot be made for the tests of a file fails all of them, so a few are some
causes, not some tests. More are no accident.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, List

ASKED = "LIGHTINIT_ONCE_MORE"
MOST = 6  # causes: as many as there are workers on two cores
MOST_TESTS = 60
TIMES = 2
MARK = "UNSTEADY"
# pytest's own exit statuses.
TESTS_FAILED, ALL_PASSED = 1, 0


def failed_tests(config: Any) -> List[str]:
    """The node ids of the tests that have failed, or whose fixtures have; none if they have more
    causes than chance has. The fixtures of a file are one cause.
    """
    stats = config.pluginmanager.get_plugin("terminalreporter").stats
    failed = [report.nodeid for report in stats.get("failed", [])]
    errors = [report.nodeid for report in stats.get("error", [])]
    causes = set(failed) | {nodeid.partition("::")[0] for nodeid in errors}
    found = list(dict.fromkeys(failed + errors))
    return found if len(causes) <= MOST and len(found) <= MOST_TESTS else []


def run_again(session: Any) -> List[str]:
    """Run the failed tests again, if they are few. The session's exit status is that of success if
    all of them pass each time.

    Returns:
        The node ids of those that are unsteady.
    """
    if ASKED not in os.environ or hasattr(session.config, "workerinput"):
        return []
    failed = failed_tests(session.config)
    if session.exitstatus != TESTS_FAILED or not failed:
        return []
    env = {name: value for name, value in os.environ.items() if name != ASKED}
    argv = [sys.executable, "-m", "pytest", "-q", *failed]
    for _ in range(TIMES):
        ended = subprocess.run(argv, cwd=str(session.config.rootpath), env=env, check=False)
        if ended.returncode != ALL_PASSED:
            return []
    session.exitstatus = ALL_PASSED
    return failed
