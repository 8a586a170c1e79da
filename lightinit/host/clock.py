"""Time: the clock, as an object that can be passed in; and work that is done beside other work, or
within a limit of time.

Durations and deadlines use monotonic time, since the wall clock may jump at boot.

The number of threads is bounded: by the pids of a control group, by RLIMIT_NPROC, by memory. No
boot needs one: whatever is done beside other work can be done in its place, only later.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import Any, Callable, Optional

LOG = logging.getLogger("lightinit.clock")
AGAIN_S = 1.0


class Clock:
    """The machine's clock. Tests pass one that they move themselves."""

    def monotonic(self) -> float:
        """Seconds since some fixed point in time. Never goes back."""
        return time.monotonic()

    def time(self) -> float:
        """Unix time in seconds, which may be wrong."""
        return time.time()

    def sleep(self, duration_s: float) -> None:
        """Wait for ``duration_s`` seconds."""
        time.sleep(duration_s)


def begin(thread: threading.Thread) -> bool:
    """Start a thread.

    Returns:
        False if no further thread can be had. Then the caller does the work in another way.
    """
    try:
        thread.start()
    except (RuntimeError, MemoryError) as error:
        LOG.debug("no thread %s: %s", thread.name, error)
        return False
    return True


def begin_or_run(name: str, work: Callable[[], object]) -> threading.Thread:
    """Do ``work`` in a thread; or now, if no further thread can be had.

    Args:
        name: the thread's name.
        work: raises nothing.

    Returns:
        The thread. If it was never begun, it is not alive, and the work is done.
    """
    thread = threading.Thread(target=work, daemon=True, name=name)
    if not begin(thread):
        work()
    return thread


class ProcessLock:
    """A lock among the threads of one process. In a new process, after a fork, it is free: the
    thread that held it is not there, and would never release it.

    Make few of them: each counts until the process ends.
    """

    def __init__(self) -> None:
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_exception: Any) -> None:
        self._lock.release()


class Errand(threading.Thread):
    """Work whose result is wanted later. If no further thread can be had, it is done then.

    Attributes:
        has_begun: whether there is a thread for it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.has_begun = False
        self._is_done = False

    def begin(self) -> None:
        """Start it, if that is possible."""
        self.has_begun = begin(self)

    def do_here(self) -> None:
        """Do the work now, once, if there is no thread for it."""
        if not self.has_begun and not self._is_done:
            self._is_done = True
            self.run()

    def await_end(self, limit_s: Optional[float] = None) -> None:
        """Wait until its thread has ended, for ``limit_s`` seconds at most (None: any time).
        Without a thread, the work is done now; with a limit it is not, since it may take longer.
        """
        if self.has_begun:
            self.join(limit_s)
        elif limit_s is None:
            self.do_here()


def run_within(limit_s: float, work: Callable[[], object], give_up: Callable[[], None]) -> None:
    """Do ``work`` in this thread, with an alarm for its end. Only the main thread can have one. In
    others only the limits hold that ``work`` has itself, such as the timeout of a socket.

    Args:
        limit_s: seconds until the alarm.
        work: raises nothing.
        give_up: called at the alarm, in the middle of ``work``, and once more each second. It ends
            what ``work`` waits for.
    """

    def on_alarm(*_signal: Any) -> None:
        give_up()

    try:
        before = signal.signal(signal.SIGALRM, on_alarm)
    except ValueError:  # this is not the main thread
        work()
        return
    try:
        signal.setitimer(signal.ITIMER_REAL, max(limit_s, 0.001), AGAIN_S)
        work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
