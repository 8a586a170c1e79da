"""What tests of the network share: files with a time of change, and a clock with a plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Tuple

from tests.lib.scratch import ScriptedClock


class PlannedClock(ScriptedClock):
    """A clock that moves only when somebody sleeps, and on its way makes things happen.

    Args:
        plan: (seconds from now, what happens then), in any order.
    """

    def __init__(self, *plan: Tuple[float, Callable[[], object]]) -> None:
        super().__init__()
        self.begin_s = self.now_s
        self.plan = sorted(plan, key=lambda item: item[0])

    @property
    def passed_s(self) -> float:
        """Seconds since the beginning."""
        return self.now_s - self.begin_s

    def sleep(self, duration_s: float) -> None:
        super().sleep(duration_s)
        while self.plan and self.plan[0][0] <= self.passed_s:
            self.plan.pop(0)[1]()


def put(root: Path, path: str, data: bytes = b"x\n", written_s: float = 1000.0) -> Path:
    """Write a file below the root, with its time of change (Unix time in seconds)."""
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    os.utime(str(target), (written_s, written_s))
    return target
