"""A second process that watches the first one, and acts if the first one takes too long.

It is a fork, so it does not depend on the first process, which may be stuck in C code or in the
kernel. Normally it only waits on a pipe. It ends when the first process ends. If that crashed in C
code, or was killed because memory ran out, the second process acts before it ends.
"""

from __future__ import annotations

import logging
import math
import os
import select
import signal
import time
from typing import Callable, List, Optional

from lightinit.host import log

LOG = logging.getLogger("lightinit.watchdog")
AGAIN_S = 60.0  # the pause after an alarm without effect
CLOSE_S = 300.0  # so long before the end it is said to be close; of a short limit, a third
END_S = 5.0  # the time in which the first process may end by itself
PAUSE, GO_ON, RENEW, END = "-pause", "-go on", "-renew", "-end"
# What Python's faulthandler writes first: "Fatal Python error: Segmentation fault".
CRASH, CRASH_LINES = "Fatal Python error: ", 200
OOM = "killed because memory ran out"
LEFT_TO_THE_FIRST = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

# Called in the second process, with the last message of the first one. Meanwhile the first process
# is stopped. Returns whether the alarm was received; then the first process is ended.
Alarm = Callable[[str], bool]
# Called there with the last message of the first process, and how that process died.
OnDeath = Callable[[str, str], None]
# Called there, once for a time limit, with the last message and the seconds that are left.
OnClose = Callable[[str, float], None]


class TimeLimit:
    """Computes when the watched process is overdue, from its messages. It has no clock.

    Args:
        limit_s: the whole time, in seconds.
        now_s: the time at which it begins, in seconds of any clock.

    Attributes:
        ends_s: when the time is over, whether or not there is a pause.
        due_s: when the process is overdue; None while it may take any time.
    """

    def __init__(self, limit_s: float, now_s: float) -> None:
        self._limit_s = limit_s
        self._is_told = False
        self.ends_s = now_s + limit_s
        self.due_s: Optional[float] = self.ends_s

    def hear(self, word: str, now_s: float) -> bool:
        """Take a message of the process. Returns whether it was about the time limit."""
        if word == PAUSE:
            self.due_s = None
        elif word == GO_ON:
            self.due_s = self.ends_s
        elif word == RENEW:
            self.due_s = self.ends_s = now_s + self._limit_s
            self._is_told = False
        else:
            return False
        return True

    @property
    def next_s(self) -> Optional[float]:
        """When there is something to do: to say that the end is close, or to act."""
        if self.due_s is None or self.due_s == math.inf:
            return None
        return self.due_s if self._is_told else min(self._close_s, self.due_s)

    @property
    def _close_s(self) -> float:
        return self.ends_s - min(CLOSE_S, self._limit_s / 3)

    def becomes_close(self, now_s: float) -> bool:
        """Whether the end is close, and this was not asked before. During a pause it is not."""
        if self._is_told or self.next_s is None or now_s < self._close_s:
            return False
        self._is_told = True
        return True

    def is_over(self, now_s: float) -> bool:
        """Whether the process is overdue."""
        return self.due_s is not None and now_s >= self.due_s

    def ask_again_at(self, now_s: float) -> None:
        """Set when the next alarm is due, after one without effect."""
        self.due_s = now_s


class Watchdog:
    """Watches this process from :meth:`begin` to :meth:`end`. Before and after, the other methods
    do nothing.

    Args:
        monotonic: gives the seconds for :attr:`left_s`. The second process has a clock of its own.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._time = TimeLimit(math.inf, 0.0)
        self._pipe: Optional[int] = None
        self._pid = 0
        self._says_crashes = False

    def begin(
        self,
        limit_s: float,
        alarm: Alarm,
        on_death: OnDeath = lambda *_: None,
        clean: Callable[[], None] = lambda: None,
        on_close: OnClose = lambda *_: None,
    ) -> None:
        """Start the second process. There must be no other thread yet.

        Args:
            limit_s: the time after which ``alarm`` is called, in seconds; infinite: never. A crash
                is noticed in any case.
            alarm: the function that acts instead of this process if it is overdue.
            on_death: the function that acts instead of this process after it crashed.
            clean: called in the end, unless this process has ended the watch by :meth:`end`.
            on_close: the function that says that the time is nearly over.
        """
        self._time = TimeLimit(limit_s, self._monotonic())
        try:
            reading, writing = os.pipe()
        except OSError as error:
            LOG.warning("no watchdog: %s", error.strerror)
            return
        watched = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, LEFT_TO_THE_FIRST)
        try:
            self._pid = os.fork()
        except OSError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            LOG.warning("no watchdog: %s", error.strerror)
            os.close(reading)
            os.close(writing)
            return
        if self._pid == 0:
            try:
                _ignore_signals()
                log.stop()  # the alarm may start its own log
                _close_all_but(reading)
                second = _SecondProcess(watched, reading, limit_s, alarm, on_death, on_close)
                second.run()
                if not second.is_over:
                    clean()
            finally:
                os._exit(0)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(reading)
        os.set_blocking(writing, False)
        self._pipe = writing
        self._tell_crashes(writing)

    def _tell_crashes(self, pipe: int) -> None:
        """Let Python write the place of a crash (SIGSEGV, SIGILL, SIGABRT) into the pipe."""
        import faulthandler

        if not faulthandler.is_enabled():
            faulthandler.enable(pipe)
            self._says_crashes = True

    def tell(self, doing: str) -> None:
        """Tell the second process what this process does from now on."""
        self._time.hear(doing, self._monotonic())
        if self._pipe is not None:
            try:
                os.write(self._pipe, (doing + "\n").encode("utf-8", "replace"))
            except OSError:
                pass  # the second process has ended, or is busy with the alarm

    @property
    def left_s(self) -> float:
        """Seconds until this process is overdue, as if there was no pause."""
        return self._time.ends_s - self._monotonic()

    def pause(self) -> None:
        """Stop the time limit: from now on this process may take any time."""
        self.tell(PAUSE)

    def go_on(self) -> None:
        """End a pause. The time limit is the same as without the pause."""
        self.tell(GO_ON)

    def renew(self) -> None:
        """Start the time limit again, with its full length."""
        self.tell(RENEW)

    def end(self) -> None:
        """End the second process. The alarm is not called any more."""
        if self._pipe is not None:
            self.tell(END)
            if self._says_crashes:
                import faulthandler

                faulthandler.disable()
                self._says_crashes = False
            os.close(self._pipe)
            self._pipe = None
            try:
                os.waitpid(self._pid, os.WNOHANG)  # it has ended, or ends soon
            except OSError:
                pass


def _ignore_signals() -> None:
    """Ignore the signals that end a process. The first process decides what they mean. After it
    crashed, the init system sends SIGTERM to the rest of the unit; but there is a report to send.
    """
    for number in LEFT_TO_THE_FIRST:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, LEFT_TO_THE_FIRST)


def _close_all_but(kept: int) -> None:
    """Close the files that were inherited from the first process, such as its lock."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:  # no /proc
        numbers = list(range(256))
    for number in numbers:
        if number > 2 and number != kept:
            try:
                os.close(number)
            except OSError:
                pass  # the folder itself


def killed_for_memory(path: str = "/proc/vmstat") -> int:
    """The number of processes that the kernel has killed because memory ran out (Linux 4.13)."""
    try:
        with open(path, encoding="ascii") as handle:
            found = [line.split()[1] for line in handle if line.startswith("oom_kill ")]
        return int(found[0])
    except (OSError, IndexError, ValueError):
        return 0


class _SecondProcess:
    """The work of the second process.

    Attributes:
        is_over: whether the first process has ended the watch.
    """

    def __init__(
        self,
        watched: int,
        pipe: int,
        limit_s: float,
        alarm: Alarm,
        on_death: OnDeath,
        on_close: OnClose,
    ) -> None:
        self._watched = watched
        self._pipe = pipe
        self._time = TimeLimit(limit_s, time.monotonic())
        self._alarm = alarm
        self._on_death = on_death
        self._on_close = on_close
        self._killed_before = killed_for_memory()
        self._rest = b""
        self._doing = ""
        self.is_over = False
        self._crash: List[str] = []

    def run(self) -> None:
        """Watch the first process until it has ended, or was killed."""
        while True:
            if self._hears(self._left_s()):
                if not self._read():
                    return self._take_over()
            elif self._time.becomes_close(time.monotonic()):
                self._warn()
            elif self._time.is_over(time.monotonic()) and self._act():
                return None

    def _take_over(self) -> None:
        """Act after the end of the first process, unless it has ended normally or was killed."""
        if self.is_over:
            return
        why = ""
        if self._crash:
            why = _described(self._crash)
        elif killed_for_memory() > self._killed_before:
            why = OOM
        if why:  # otherwise somebody has killed it on purpose
            self._on_death(self._doing, why)

    def _left_s(self) -> Optional[float]:
        if self._time.next_s is None:
            return None
        return max(0.0, self._time.next_s - time.monotonic())

    def _hears(self, timeout_s: Optional[float]) -> bool:
        """Whether the first process has sent a message, or has ended."""
        return bool(select.select([self._pipe], [], [], timeout_s)[0])

    def _read(self) -> bool:
        """Read the messages of the first process. Returns False if it has ended."""
        data = os.read(self._pipe, 4096)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("utf-8", "replace"))
        return bool(data)

    def _take(self, said: str) -> None:
        if self._crash or said.startswith(CRASH):
            self._crash = (self._crash + [said])[:CRASH_LINES]
        elif said == END:
            self.is_over = True
        elif not self._time.hear(said, time.monotonic()):
            self._doing = said

    def _warn(self) -> None:
        try:
            self._on_close(self._doing, max(0.0, self._time.ends_s - time.monotonic()))
        except Exception as error:
            LOG.error("the watchdog failed: %s: %s", type(error).__name__, error)

    def _act(self) -> bool:
        """Raise the alarm and kill the first process. Returns False if it continues."""
        # Stop it, so that it cannot report something else at the same time.
        if not self._kill(signal.SIGSTOP):
            return True
        heard = False
        if not self._hears(0.0):  # a new message may change the time limit
            try:
                heard = self._alarm(self._doing)
            except Exception as error:
                LOG.error("the watchdog failed: %s: %s", type(error).__name__, error)
            self._time.ask_again_at(time.monotonic() + AGAIN_S)
        if heard:
            self._kill(signal.SIGTERM)
        self._kill(signal.SIGCONT)
        if heard and not self._is_gone(END_S):
            self._kill(signal.SIGKILL)
        return heard

    def _is_gone(self, timeout_s: float) -> bool:
        ends_s = time.monotonic() + timeout_s
        while self._hears(max(0.0, ends_s - time.monotonic())):
            if not self._read():
                return True
        return False

    def _kill(self, number: int) -> bool:
        """Send a signal to the first process, unless it has ended. Returns whether it was sent."""
        if os.getppid() != self._watched:
            return False
        try:
            os.kill(self._watched, number)
            return True
        except OSError:
            return False


def _described(crash: List[str]) -> str:
    """How the process crashed, and in which function, from what faulthandler wrote."""
    kind = crash[0][len(CRASH) :]
    current = [n for n, line in enumerate(crash) if line.startswith("Current thread")]
    frames = [line.strip() for line in crash[min(current, default=0) :] if '  File "' in line]
    told = [frame for frame in frames if "<frozen " not in frame]  # importlib's own
    return ", ".join([kind] + told[:2])
