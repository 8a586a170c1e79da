"""Runs the parts of ``.ci/run`` in parallel: parts that wait run beside parts that compute.

Each part is a target of the Makefile. Its output goes into build/ci/PART.log. A line says when a
part begins and when it ends. The last lines of its log follow, or all of it if the part failed or
has unsteady tests: they failed, and passed when they were run again (tests/lib/once_more.py). A
part that has no tests, but downloads, runs again as a whole if it fails.
A table at the end lists the seconds. The exit status is 1 if a part failed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(HERE, "build", "ci")
TAIL_LINES = 8
TICK_S = 0.2
SAY_EVERY_S = 60.0
# CI kills the run after 90 minutes without a message. This leaves time to print what still runs.
LIMIT_S = 85 * 60.0
END_S = 10.0
CLOSING = re.compile(r"\d+ (passed|failed|skipped|error)")
UNSTEADY = re.compile(r"^UNSTEADY (\S.*)$", re.MULTILINE)
OK, FAILED, NOT_RUN, CUT_OFF = "ok", "FAILED", "not run", "cut off"


class Part(NamedTuple):
    """What to run, and when.

    Attributes:
        name: the target of the Makefile.
        cores: about how many cores it keeps busy. A part starts only if so many are free, or if
            nothing else runs.
        after: the part that must have succeeded before.
        beside: the part that leaves some of the cores free for this one, which has few workers. It
            begins when that one has begun.
        alone: whether nothing may run beside it, because it measures time. Such parts come last.
        again: whether it gets packages from elsewhere. It has no tests that run again themselves.
    """

    name: str
    cores: float
    after: str = ""
    beside: str = ""
    alone: bool = False
    again: bool = False


# They start in this order, as far as the cores allow: first the parts that others wait for, then
# the longest. What waits for disks comes first, and tests with many workers last, so that no core
# idles at the end.
PARTS = (
    Part("lint", 0.2),
    # The root of one of vm-test's machines.
    Part("musl", 0.6),
    Part("deb", 0.5, again=True),
    Part("types", 0.7),
    # These wait for disks and package managers half of the time.
    Part("test-packages", 0.6),
    Part("peers", 0.6),
    # Each of these has enough workers for two cores. Beside a virtual machine some tests time out,
    # and beside package managers a virtual machine takes three times as long.
    Part("vm-test", 2.0, after="deb"),
    Part("test", 1.4),
    Part("test-long", 2.0),
    Part("test-install", 0.3, again=True),
    Part("rpm", 0.3, again=True),
    Part("demo", 0.3),
    Part("fuzz-seeded", 0.6),
    # Virtual machines leave a quarter of the cores, and so do the tests that wait for timeouts.
    Part("test-pythons", 0.0, beside="vm-test"),
    Part("test-bare", 0.0, beside="test-long"),
    Part("bench", 1.0, alone=True),
)


class Running:
    """A part that runs.

    Args:
        part: the part to start.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        self.log = os.path.join(LOGS, part.name + ".log")
        self.began_s = time.monotonic()
        self.cpu_s = 0.0  # of all its processes
        # vm-test depends on deb, which must not be built twice at the same time.
        env = dict(os.environ, LIGHTINIT_ONCE_MORE="yes")
        if part.name != "deb":
            env["LIGHTINIT_DEB"] = "done"
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                ["make", part.name],
                cwd=HERE,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )

    @property
    def age_s(self) -> float:
        """How long it has been running, in seconds."""
        return time.monotonic() - self.began_s

    def has_ended(self) -> bool:
        """Whether it has come to its end; then ``cpu_s`` is known, and its process' returncode."""
        pid, status, used = os.wait4(self.process.pid, os.WNOHANG)
        if not pid:
            return False
        self.process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        self.cpu_s = used.ru_utime + used.ru_stime
        return True

    def end(self) -> None:
        """End it, with all processes of its session."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(END_S)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


class Schedule:
    """All parts: those that wait, those that run, and how the others ended.

    Args:
        parts: all of them.
        cores: how many cores there are.
    """

    def __init__(self, parts: Sequence[Part], cores: float) -> None:
        self._waiting = list(parts)
        self._running: List[Running] = []
        self._cores = cores
        self._began_s = self._said_s = time.monotonic()
        # The outcome, the seconds, and the seconds of CPU time.
        self.ended: Dict[str, Tuple[str, float, float]] = {}
        self.unsteady: List[str] = []  # the tests, and parts that have none
        self.stopped = False  # by a signal
        self._failed_once: List[str] = []

    def run(self) -> None:
        """Run all to their end, or until the time is up."""
        while self._waiting or self._running:
            self._start()
            time.sleep(TICK_S)
            for running in [each for each in self._running if each.has_ended()]:
                self._finish(running, OK if running.process.returncode == 0 else FAILED)
            if self.stopped or self._elapsed_s() > LIMIT_S:
                self._cut_off()
            if time.monotonic() - self._said_s > SAY_EVERY_S and self._running:
                self._say("running: " + ", ".join(each.part.name for each in self._running))

    def _cut_off(self) -> None:
        """End the running parts and show their logs. The waiting parts do not run."""
        for running in list(self._running):
            running.end()
            self._finish(running, CUT_OFF)
        for part in self._waiting:
            self.ended[part.name] = (NOT_RUN, 0.0, 0.0)
        self._waiting = []

    def _start(self) -> None:
        for part in list(self._waiting):
            outcome = self.ended.get(part.after, ("",))[0]
            if part.after and outcome not in ("", OK):
                self._waiting.remove(part)
                self.ended[part.name] = (NOT_RUN, 0.0, 0.0)
                self._say("%s does not run, since %s failed" % (part.name, part.after))
            elif self.may_start(part, outcome):
                self._waiting.remove(part)
                self._running.append(Running(part))
                self._say(part.name + " begins")

    def may_start(self, part: Part, outcome: str = "") -> bool:
        """Whether a part may start now; outcome: of the part that it comes after."""
        if part.after and outcome != OK:
            return False
        if any(each.name == part.beside for each in self._waiting):
            return False
        if not self._running:
            return not part.alone or all(each.alone for each in self._waiting)
        return may_run_beside(part, [each.part for each in self._running], self._cores)

    def _finish(self, running: Running, outcome: str) -> None:
        part, age_s = running.part, running.age_s
        self._running.remove(running)
        self._say("%s: %s after %d s" % (part.name, outcome, age_s))
        unsteady = find_unsteady(running.log)
        show(running.log, outcome != OK or bool(unsteady))
        if outcome == FAILED and part.again:
            self._say("%s runs again" % part.name)
            self._failed_once.append(part.name)
            self._running.append(Running(part._replace(again=False)))
            return
        if outcome == OK and part.name in self._failed_once:
            unsteady.append(part.name)
        self.ended[part.name] = (outcome, age_s, running.cpu_s)
        self.unsteady += unsteady

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _say(self, text: str) -> None:
        self._said_s = time.monotonic()
        print("[%5d s] %s" % (self._elapsed_s(), text), flush=True)

    def table(self) -> str:
        """The parts with their seconds, longest first; the whole; which was the longest; and the
        unsteady tests.
        """
        rows = sorted(self.ended.items(), key=lambda row: -row[1][1])
        lines = ["%-16s %8s %8s" % ("part", "seconds", "CPU")]
        for name, (outcome, age_s, cpu_s) in rows:
            lines.append("%-16s %8d %8d  %s" % (name, age_s, cpu_s, outcome))
        cpu_s = sum(row[1][2] for row in rows)
        lines.append("%-16s %8d %8d" % ("whole", self._elapsed_s(), cpu_s))
        lines.append("longest: %s" % rows[0][0] if rows else "nothing was run")
        return "\n".join(lines + ["UNSTEADY, mend it: %s" % test for test in self.unsteady])


def may_run_beside(part: Part, running: Sequence[Part], cores: float) -> bool:
    """Whether a part may start beside those that run on so many cores."""
    if part.alone or any(each.alone for each in running):
        return False
    return sum(each.cores for each in running) + part.cores <= cores + 0.01


def find_unsteady(log: str) -> List[str]:
    """The tests that a log calls unsteady."""
    with open(log, encoding="utf-8", errors="replace") as handle:
        return UNSTEADY.findall(handle.read())


def show(log: str, whole: bool) -> None:
    """Print a log: all of it, or its last lines and each summary line of pytest."""
    with open(log, encoding="utf-8", errors="replace") as handle:
        lines = handle.read().splitlines()
    last = max(0, len(lines) - TAIL_LINES)
    shown = [
        line for number, line in enumerate(lines) if whole or number >= last or CLOSING.search(line)
    ]
    print("".join("    | %s\n" % line for line in shown), end="", flush=True)


def main(names: Sequence[str]) -> int:
    """Run the parts of these names, or all. Returns the exit status."""
    unknown = set(names) - {part.name for part in PARTS}
    if unknown:
        print("ci: no such part: " + ", ".join(sorted(unknown)), file=sys.stderr)
        return 2
    os.makedirs(LOGS, exist_ok=True)
    parts = [
        part._replace(after=part.after if not names or part.after in names else "")
        for part in PARTS
        if not names or part.name in names
    ]
    schedule = Schedule(parts, float(os.cpu_count() or 1))

    def stop(_number: int, _frame: Optional[FrameType]) -> None:
        schedule.stopped = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    schedule.run()
    print("\n" + schedule.table(), flush=True)
    return 0 if all(outcome == OK for outcome, _, _ in schedule.ended.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
