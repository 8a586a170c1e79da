"""A second process that watches the first one, and acts if the first one takes too long.

It is a fork, so it does not depend on the first process, which may be stuck in C code or in the
kernel. Normally it only waits on a pipe. It ends when the first process ends in any way.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from typing import Callable, Optional

from lightinit.host import log

LOG = logging.getLogger("lightinit.watchdog")
AGAIN_S = 60.0  # the pause after an alarm without effect
END_S = 5.0  # the time in which the first process may end by itself
PAUSE, RESUME = "-pause", "-resume"

# Called in the second process, with the last message of the first one. Meanwhile the first process
# is stopped. Returns whether the alarm was received; then the first process is ended.
Alarm = Callable[[str], bool]


class Watchdog:
    """Watches this process from :meth:`begin` to :meth:`end`. Before and after, the other methods
    do nothing.
    """

    def __init__(self) -> None:
        self._pipe: Optional[int] = None
        self._pid = 0

    def begin(self, limit_s: float, alarm: Alarm) -> None:
        """Start the second process. There must be no other thread yet.

        Args:
            limit_s: the time after which ``alarm`` is called, in seconds.
            alarm: the function that acts instead of this process.
        """
        reading, writing = os.pipe()
        watched = os.getpid()
        try:
            self._pid = os.fork()
        except OSError as error:
            LOG.warning("no watchdog: %s", error.strerror)
            os.close(reading)
            os.close(writing)
            return
        if self._pid == 0:
            try:
                log.stop()  # the alarm may start its own log
                _close_all_but(reading)
                _SecondProcess(watched, reading, limit_s, alarm).run()
            finally:
                os._exit(0)
        os.close(reading)
        os.set_blocking(writing, False)
        self._pipe = writing

    def tell(self, doing: str) -> None:
        """Tell the second process what this process does from now on."""
        if self._pipe is not None:
            try:
                os.write(self._pipe, (doing + "\n").encode("utf-8", "replace"))
            except OSError:
                pass  # the second process has ended, or is busy with the alarm

    def pause(self) -> None:
        """Stop the time limit: from now on this process may take any time."""
        self.tell(PAUSE)

    def resume(self) -> None:
        """Start the time limit again, with its full length."""
        self.tell(RESUME)

    def end(self) -> None:
        """End the second process. The alarm is not called any more."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
            try:
                os.waitpid(self._pid, os.WNOHANG)  # it has ended, or ends soon
            except OSError:
                pass


def _close_all_but(kept: int) -> None:
    """Close the files that were inherited from the first process, such as its lock."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the folder itself


class _SecondProcess:
    """The work of the second process."""

    def __init__(self, watched: int, pipe: int, limit_s: float, alarm: Alarm) -> None:
        self._watched = watched
        self._pipe = pipe
        self._limit_s = limit_s
        self._alarm = alarm
        self._rest = b""
        self._doing = ""
        self._due_s: Optional[float] = time.monotonic() + limit_s

    def run(self) -> None:
        """Watch the first process until it has ended, or was killed."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        while True:
            if self._hears(self._left_s()):
                if not self._read():
                    return
            elif self._act():
                return

    def _left_s(self) -> Optional[float]:
        if self._due_s is None:
            return None
        return max(0.0, self._due_s - time.monotonic())

    def _hears(self, timeout_s: Optional[float]) -> bool:
        """Whether the first process has sent a message, or has ended."""
        return bool(select.select([self._pipe], [], [], timeout_s)[0])

    def _read(self) -> bool:
        """Read the messages of the first process. Returns False if it has ended."""
        data = os.read(self._pipe, 4096)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            said = line.decode("utf-8", "replace")
            if said == PAUSE:
                self._due_s = None
            elif said == RESUME:
                self._due_s = time.monotonic() + self._limit_s
            else:
                self._doing = said
        return bool(data)

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
            self._due_s = time.monotonic() + AGAIN_S
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
