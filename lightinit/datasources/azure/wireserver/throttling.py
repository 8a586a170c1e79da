"""How long to wait for a WireServer that is busy (429, 503) and does not say for how long.

A VM cannot see why it was refused, but it can guess. A server that has just taken a request of this
VM may allow it so many requests a second: then a short wait is enough. A first request cannot be
too many of this VM's own, so others ask, too, and all of them must wait longer. What was learned
holds for the rest of the boot.

docs/bench.md ("A fleet") has the measurements that gave the numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

if TYPE_CHECKING:
    from lightinit.retry import Pacer

TOO_MANY = 429
# The waits after the refusals of a boot, each at random between two multiples of the usual first
# pause. The first one is for a limit of this VM's own.
WAITS = ((1.0, 2.0), (5.0, 15.0), (5.0, 15.0), (10.0, 30.0))
# A limit of this VM's own looks back no longer than that.
OWN_S = 5.0
# Without a refusal for so long, the server is no longer busy.
FORGET_S = 60.0


class Throttling:
    """What a boot has learned of how busy its WireServer is.

    Args:
        clock: for when it was learned.
        first_s: the usual first pause, in seconds.

    Attributes:
        quiet_until_s: the end of the pause after the last request, in monotonic seconds, if the
            server has throttled that; else 0.
    """

    def __init__(self, clock: Pacer, first_s: float) -> None:
        self._clock = clock
        self._first_s = first_s
        self._taken_s = float("-inf")
        self._refused_s = float("-inf")
        self._refusals = 0
        self.quiet_until_s = 0.0

    def note_taken(self) -> None:
        """The server has taken a request, whatever it has answered."""
        self._taken_s = self._clock.monotonic()

    def note_refused(self, status: int) -> Tuple[float, float]:
        """The server was too busy for a request.

        Args:
            status: its answer, 429 or 503. A server that is being started answers 503, too.

        Returns:
            The seconds between which to wait before the next request.
        """
        now_s = self._clock.monotonic()
        if now_s - self._refused_s > FORGET_S:
            self._refusals = 0
        is_others = status == TOO_MANY and now_s - self._taken_s > OWN_S
        if is_others and not self._refusals:
            self._refusals = 1
        low, high = WAITS[min(self._refusals, len(WAITS) - 1)]
        self._refusals += 1
        self._refused_s = now_s
        return low * self._first_s, high * self._first_s

    def note_pause(self, pause_s: float) -> None:
        """A pause begins after the server was too busy; 0 after any other failure."""
        self.quiet_until_s = self._clock.monotonic() + pause_s if pause_s else 0.0

    def heed(self, other: Throttling) -> None:
        """Learn what ``other`` has learned of the same server."""
        self._taken_s, self._refused_s = other._taken_s, other._refused_s
        self._refusals = other._refusals
        self.quiet_until_s = other.quiet_until_s
