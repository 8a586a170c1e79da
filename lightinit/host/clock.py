"""Time, as an object that can be passed in. Durations and deadlines are monotonic: the wall clock
may jump at boot.
"""

from __future__ import annotations

import time


class Clock:
    """The machine's clock. Tests pass one that only moves when it is told to."""

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        return time.monotonic()

    def time(self) -> float:
        """Unix time in seconds, right or wrong."""
        return time.time()

    def sleep(self, duration_s: float) -> None:
        """Do nothing for ``duration_s`` seconds."""
        time.sleep(duration_s)
