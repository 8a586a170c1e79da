"""Which step of a fault sequence comes next. Knows no protocol and plays nothing.

``two 500s, then good`` is the sequence ``[{"status": 500, "repeat": 2}]``: when all steps are used
up, every further request gets the good answer.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional
from typing import Sequence as Steps

from lightinit.emulator.wire.faults import FOREVER, FaultStep


class Sequence:
    """The steps of one endpoint, handed out one per request; safe to use from several threads.

    Args:
        steps: valid steps, in order.
        clock: seconds that never go back; used by ``throttle_s`` only.
    """

    def __init__(
        self, steps: Steps[FaultStep], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._steps = list(steps)
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = 0
        self._last_s: Optional[float] = None

    def take(self) -> Optional[FaultStep]:
        """Use up one turn and return its step; None means the good answer.

        A ``throttle_s`` step comes back with ``status`` 429 when the request before this one,
        throttled or not, is less than that many seconds old; else it comes back as None.
        """
        with self._lock:
            turn, self._taken = self._taken, self._taken + 1
            before, self._last_s = self._last_s, self._clock()
            step = self._step_at(turn)
            if step is None or "throttle_s" not in step:
                return step
            if before is None or self._last_s - before >= step["throttle_s"]:
                return None
            return dict(step, status=429)

    def give_back(self) -> None:
        """Undo one :meth:`take`: the request turned out not to deserve its step."""
        with self._lock:
            self._taken = max(0, self._taken - 1)

    def _step_at(self, turn: int) -> Optional[FaultStep]:
        for step in self._steps:
            repeat = step.get("repeat", 1)
            if repeat == FOREVER or turn < repeat:
                return step
            turn -= repeat
        return None
