"""Fetches the goal state in a thread, then reports that this VM is at work. It decides nothing."""

from __future__ import annotations

import logging
import threading
from typing import Optional

from lightinit.datasources.azure.wireserver_client import WireServerClient
from lightinit.errors import LightinitError
from lightinit.model import GoalState

LOG = logging.getLogger("lightinit.azure")


class GoalStateReading(threading.Thread):
    """Fetches the goal state, then reports that this VM is at work.

    Args:
        wireserver: the client. Nobody else may use it before this thread has ended.
        announce: whether to report.

    Attributes:
        error: why there is no goal state; None if there is one.
    """

    def __init__(self, wireserver: WireServerClient, announce: bool) -> None:
        super().__init__(name="lightinit-goal-state", daemon=True)
        self._wireserver = wireserver
        self._announce = announce
        self._fetched = threading.Event()
        self._result: Optional[GoalState] = None
        self.error: Optional[LightinitError] = None

    def run(self) -> None:
        """Fetch, then report."""
        try:
            self._result = self._wireserver.fetch_goal_state()
        except LightinitError as error:
            self.error = error
        finally:
            self._fetched.set()
        if self._result is None or not self._announce:
            return
        try:
            self._wireserver.report_progress(self._result, "provisioning")
        except LightinitError as error:
            LOG.info("the platform was not told that this VM is at work: %s", error)

    def result_of_fetch(self) -> Optional[GoalState]:
        """Wait for the goal state. None if there is none; ``error`` says why."""
        self._fetched.wait()
        return self._result
