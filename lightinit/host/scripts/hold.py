"""Holds back the signals that end lightinit, while something starts that must not be left behind.

Python runs a signal's handler between any two steps of the program. If the handler raises right
after a process has started, nobody knows the process yet, so nobody kills it. The mask of the
process cannot be used for that: the new process would inherit it.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, Dict, List

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Hold:
    """Holds the signals back from now until :meth:`release`.

    Other threads than the first one run no handlers, so there is nothing to hold back for them.
    """

    def __init__(self) -> None:
        self._came: List[int] = []
        self._before: Dict[int, Any] = {}
        if threading.current_thread() is not threading.main_thread():
            return
        for number in ENDING:
            handler = signal.getsignal(number)
            if callable(handler):  # otherwise nothing can be raised
                self._before[number] = handler
                signal.signal(number, self._note)

    def _note(self, number: int, _: Any) -> None:
        self._came.append(number)

    @property
    def has_come(self) -> bool:
        """Whether a signal is held back."""
        return bool(self._came)

    def release(self) -> None:
        """Let the handlers work again, and send the signals that have come. A second call does
        nothing.
        """
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)
        came, self._came = self._came, []
        for number in came:
            os.kill(os.getpid(), number)
