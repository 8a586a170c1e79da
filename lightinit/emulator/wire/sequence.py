"""Chooses the next step of a fault sequence. Knows no protocol and plays nothing.

``two 500s, then good`` is the sequence ``[{"status": 500, "repeat": 2}]``: after the last step,
every request gets the good answer.
"""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional
from typing import Sequence as Steps

from lightinit.emulator.wire.faults import FOREVER, FaultStep


class Sequence:
    """The steps of one endpoint, one for each request. Safe to use from several threads.

    Args:
        steps: valid steps, in order.
        clock: returns monotonic seconds; only ``throttle_s`` uses it.
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
        """Use one turn and return its step; None means the good answer.

        A ``throttle_s`` step is returned with ``status`` 429 if the last request that was not
        throttled was less than that many seconds ago. Otherwise the result is None.
        """
        with self._lock:
            turn, self._taken = self._taken, self._taken + 1
            now_s, before = self._clock(), self._last_s
            step = self._step_at(turn)
            throttles = step is not None and "throttle_s" in step
            if step and throttles and before is not None and now_s - before < step["throttle_s"]:
                return dict(step, status=429)
            self._last_s = now_s
            if throttles:
                return None
            return step

    def give_back(self) -> None:
        """Undo one :meth:`take`, for a request that gets no document."""
        with self._lock:
            self._taken = max(0, self._taken - 1)

    def _step_at(self, turn: int) -> Optional[FaultStep]:
        for step in self._steps:
            repeat = step.get("repeat", 1)
            if repeat == FOREVER or turn < repeat:
                return step
            turn -= repeat
        return None
