"""A second process that watches this one, and acts if it takes too long.

It is a fork, so it needs neither the first process's interpreter lock nor its cooperation: that may
be anywhere in C code, or wait in the kernel. While all goes well it only waits on a pipe, and it
ends with the first process, however that ends.
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
AGAIN_S = 60.0  # after an alarm that nobody heard
END_S = 5.0  # for the first process to end by itself
PAUSE, RESUME = "-pause", "-resume"

# Called in the second process, with what the first one did last. Returns whether it was heard, so
# that the first process is to be ended. While it runs the first process is stopped.
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
            alarm: acts in place of this process.
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
                log.stop()  # the alarm may begin a log of its own
                _close_all_but(reading)
                _SecondProcess(watched, reading, limit_s, alarm).run()
            finally:
                os._exit(0)
        os.close(reading)
        os.set_blocking(writing, False)
        self._pipe = writing

    def tell(self, doing: str) -> None:
        """Say what this process does from now on."""
        if self._pipe is not None:
            try:
                os.write(self._pipe, (doing + "\n").encode("utf-8", "replace"))
            except OSError:
                pass  # the second process is gone, or asks the platform just now

    def pause(self) -> None:
        """From now on this process may take any time."""
        self.tell(PAUSE)

    def resume(self) -> None:
        """From now on it has the whole time again."""
        self.tell(RESUME)

    def end(self) -> None:
        """End the second process. The alarm is not called any more."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
            try:
                os.waitpid(self._pid, os.WNOHANG)  # it ends soon, if not yet
            except OSError:
                pass


def _close_all_but(kept: int) -> None:
    """Close what this process has of the first one's files, such as its lock."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the folder itself


class _SecondProcess:
    """What the second process does."""

    def __init__(self, watched: int, pipe: int, limit_s: float, alarm: Alarm) -> None:
        self._watched = watched
        self._pipe = pipe
        self._limit_s = limit_s
        self._alarm = alarm
        self._rest = b""
        self._doing = ""
        self._due_s: Optional[float] = time.monotonic() + limit_s

    def run(self) -> None:
        """Wait until the first process has ended, or was ended."""
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
        """Whether the first process says something, or has ended."""
        return bool(select.select([self._pipe], [], [], timeout_s)[0])

    def _read(self) -> bool:
        """Read what the first process says. Returns False if it has ended."""
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
        """Raise the alarm and end the first process. Returns False if it goes on."""
        # Stopped, so that it cannot report something else at the same time.
        if not self._kill(signal.SIGSTOP):
            return True
        heard = False
        if not self._hears(0.0):  # otherwise what it says may change the time
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
