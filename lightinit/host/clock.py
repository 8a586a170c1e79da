"""The clock, as an object that can be passed in. Durations and deadlines use monotonic time, since
the wall clock may jump at boot.
"""

from __future__ import annotations

import time


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
