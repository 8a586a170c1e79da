"""Runs a package manager: within a deadline, with no input, its output in the log file only.

Another process may have its lock, such as a daily upgrade: then it is called again for a while.
"""

from __future__ import annotations

import logging
import re
from typing import List, Mapping, Sequence

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.log import ONLY_FILE
from lightinit.host.packages.manager import Manager
from lightinit.host.scripts.run import run_script
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.packages")

LOCK_LIMIT_S = 900.0  # a daily upgrade takes minutes
LOCK_PAUSE_S = 5.0
LINES = 2000  # that are kept of one command's output
WORD_CHARACTERS = 300
UNIT = "lightinit-packages"
# A user and a password in a URL.
_SECRET = re.compile(r"(://)[^/@\s]+@")


class Ran(NamedTuple):
    """How a command ended.

    Attributes:
        status: its exit status.
        lines: what it printed.
        timed_out: whether it was killed at the deadline.
        is_busy: whether another process had its lock to the end.
    """

    status: int
    lines: Sequence[str] = ()
    timed_out: bool = False
    is_busy: bool = False

    @property
    def ok(self) -> bool:
        """Whether it did its work."""
        return self.status == 0 and not self.timed_out


class ManagerRun:
    """A package manager in this run.

    Args:
        system: the machine; it must be live.
        manager: which.
        program: the path of its program.
        limit_s: seconds for all that is called.
    """

    def __init__(self, system: System, manager: Manager, program: str, limit_s: float) -> None:
        self.system = system
        self.manager = manager
        self.name = program.rpartition("/")[2]
        self.limit_s = limit_s
        self._program = program
        self._calls = 0
        self._deadline_s = system.clock.monotonic() + limit_s
        self._lock_until_s = system.clock.monotonic() + LOCK_LIMIT_S

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self._deadline_s - self.system.clock.monotonic())

    def call(self, arguments: Sequence[str]) -> Ran:
        """Call the manager.

        Args:
            arguments: without the program.

        Raises:
            ProvisioningError: it cannot be started.
        """
        ran = self._wait_for_lock([self._program, *arguments])
        outdated = self.manager.outdated
        if outdated is not None and ran.status == outdated[0] and not ran.timed_out:
            LOG.info("%s must be renewed first", self.name)
            if self._wait_for_lock([self._program, *outdated[1]]).ok:
                return self._wait_for_lock([self._program, *arguments])
        return ran

    def mend(self) -> None:
        """Complete what a run before has left, for example one that lost its power."""
        done = self.manager.before(self.system)
        if done:
            LOG.warning("%s: %s", self.name, done)
        if not self.manager.repair:
            return
        program = self.system.tool(self.manager.repair[0])
        if program is None:
            return
        ran = self._wait_for_lock([program, *self.manager.repair[1:]])
        if not ran.ok:
            LOG.warning("%s: %s", self.manager.repair[0], self.explain(ran))

    def has(self, name: str, version: str) -> bool:
        """Whether a package is installed, in that version if one is given. False if nobody
        knows.
        """
        if not self.manager.installed:
            return False
        program = self.system.tool(self.manager.installed[0])
        if program is None:
            return False
        try:
            ended = self.system.run([program, *self.manager.installed[1:], name])
        except LightinitError:
            return False
        wanted, words = self.manager.installed_prints, ended.stdout.split()
        if not ended.ok or (wanted and words[:1] != [wanted]):
            return False
        whole = "%s-%s" % (name, version)
        return not version or any(word == version or word.startswith(whole) for word in words)

    def explain(self, ran: Ran) -> str:
        """The manager's own words for a failure, in a line."""
        if ran.timed_out:
            return "%s took too long, and was killed" % self.name
        kept = list(ran.lines)
        telling = [at for at, line in enumerate(kept) if _has(self.manager.telling, line)]
        words = "%s ended with status %d" % (self.name, ran.status)
        for line in kept:
            words = line.strip() or words
        if telling:
            words = kept[telling[0]].strip()
            if words.endswith(":"):
                words += " " + " ".join(kept[telling[0] + 1 : telling[0] + 2]).strip()
        return words[:WORD_CHARACTERS]

    def _wait_for_lock(self, argv: Sequence[str]) -> Ran:
        told = False
        while True:
            ran = self._run(argv)
            if (
                ran.ok
                or ran.timed_out
                or not any(_has(self.manager.busy, line) for line in ran.lines)
            ):
                return ran
            if self.system.clock.monotonic() >= self._lock_until_s or self.left_s <= LOCK_PAUSE_S:
                return ran._replace(is_busy=True)
            if not told:
                LOG.info("another process has the lock of %s: waiting for it", self.name)
                told = True
            self.system.clock.sleep(LOCK_PAUSE_S)

    def _run(self, argv: Sequence[str]) -> Ran:
        if self.left_s <= 0:
            return Ran(1, timed_out=True)
        lines: List[str] = []

        def tell(line: str) -> None:
            line = without_secrets(line)
            LOG.info("%s: %s", self.name, line, extra=ONLY_FILE)
            lines.append(line)
            del lines[:-LINES]

        # Its messages are read here. The rest of the locale is for what packages set up.
        environment: Mapping[str, str] = {"LC_MESSAGES": "C", **self.manager.environment}
        LOG.info("%s", without_secrets(" ".join(argv)), extra=ONLY_FILE)
        # The unit of the call before may not be forgotten yet.
        self._calls += 1
        name = "%s-%s-%d" % (UNIT, self.name, self._calls)
        try:
            ended = run_script(self.system, argv, dict(environment), self.left_s, name, tell)
        except ProvisioningError as error:
            raise ProvisioningError(
                "package manager cannot be started", manager=self.name, why=error
            ) from error
        status = ended.status
        if status in self.manager.done_statuses:
            status = 0
        return Ran(status, tuple(lines), ended.timed_out)


def without_secrets(text: str) -> str:
    """A text without the users and passwords that are in URLs."""
    return _SECRET.sub(r"\1***@", text)


def _has(pattern: str, line: str) -> bool:
    return bool(pattern) and re.search(pattern, line) is not None
