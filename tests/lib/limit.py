"""A test that never ends: it fails where it waits, and a run of CI goes on.

Without that it would hold the run until all of it is ended, and nobody would see which test it was.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Iterator, Optional

import pytest

# The longest test makes the image of a virtual machine first.
LIMIT_S = int(os.environ.get("LIGHTINIT_TEST_LIMIT_S", "1500"))


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Let the body take that long. A test that sets an alarm itself has no other limit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: Optional[FrameType]) -> None:
        pytest.fail("it has not ended after %d s" % LIMIT_S)

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
