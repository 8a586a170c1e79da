"""Goal states that are used again instead of being fetched anew, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from lightinit.model import GoalState

if TYPE_CHECKING:
    from lightinit.retry import Pacer

# WALinuxAgent reports with a goal state of that age, too. Beside a boot that takes longer, one more
# request is nothing.
FRESH_S = 60.0
MAX_KEPT = 4


class GoalStateAtHand:
    """The goal state that was fetched last, for the report that follows: it saves a request.

    It is taken once. What is older than ``FRESH_S`` is not taken, since the platform may have made
    another one.

    Args:
        clock: for its age.
    """

    def __init__(self, clock: Pacer) -> None:
        self._clock = clock
        self._goal_state: Optional[GoalState] = None
        self._asked_s = 0.0

    def put(self, goal_state: GoalState, asked_s: float) -> None:
        """Keep it; it was asked for at ``asked_s``, in monotonic seconds."""
        self._goal_state, self._asked_s = goal_state, asked_s

    def drop(self) -> None:
        """It may be out of date."""
        self._goal_state = None

    def take(self) -> Optional[GoalState]:
        """The goal state, unless there is none or it is old. It is no longer at hand."""
        taken, self._goal_state = self._goal_state, None
        if self._clock.monotonic() - self._asked_s > FRESH_S:
            return None
        return taken


class KeptGoalState:
    """The goal state for the next attempt, if the last one was throttled: the request for a new one
    would use up what the server allows.

    It is dropped after ``MAX_KEPT`` attempts: a server that answers 503 for another reason may want
    a fresh one.

    Args:
        goal_state: the one for the first attempt, if there is one.
    """

    def __init__(self, goal_state: Optional[GoalState] = None) -> None:
        self._goal_state = goal_state
        self._times = 0

    def take(self) -> Optional[GoalState]:
        """The goal state, or None. It is no longer kept."""
        taken, self._goal_state = self._goal_state, None
        if taken is None:
            self._times = 0
        return taken

    def keep(self, goal_state: GoalState) -> None:
        """Keep it for the next attempt."""
        self._times += 1
        if self._times <= MAX_KEPT:
            self._goal_state = goal_state
