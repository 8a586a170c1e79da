"""The thread with the goal state, and whoever reports the result: one at a time."""

from __future__ import annotations

import threading
from typing import Any, List

import pytest

from lightinit.datasources.azure.reports import GoalStateReading
from lightinit.model import GoalState


class SlowServer:
    """A client whose first answer comes when it may. It notes what it was asked to do."""

    def __init__(self) -> None:
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        self.did: List[str] = []

    def fetch_goal_state(self, before: Any, failed: Any) -> GoalState:
        before()
        self.did.append("goal state")
        self.is_asked.set()
        assert self.may_answer.wait(60)
        return GoalState("1", "container", "role")

    def report_progress(self, goal_state: GoalState, description: str) -> None:
        self.did.append(description)

    def connect_ahead(self) -> None:
        self.did.append("connection")


@pytest.mark.parametrize("announce_after_s", [0.0, 3600.0, None])
@pytest.mark.parametrize("is_late", [False, True], ids=["in time", "late"])
def test_after_the_result_nothing_is_sent(announce_after_s: Any, is_late: bool) -> None:
    """A goal state that comes after all is nobody's any more: that the VM is at work would come
    after Ready.
    """
    server = SlowServer()
    reading = GoalStateReading(server, announce_after_s, 0.0 if is_late else 60.0)  # type: ignore[arg-type]
    reading.begin()
    assert server.is_asked.wait(60)
    if not is_late:
        threading.Timer(0.05, server.may_answer.set).start()
    assert reading.finish() is not is_late
    assert reading.is_alive() is is_late, "the client is free"
    server.did.append("result")
    server.may_answer.set()
    reading.join(60)
    assert server.did[-1] == "result"
    assert ("provisioning" in server.did) is (announce_after_s == 0.0 and not is_late)


def test_a_reading_that_is_over_before_it_begins_asks_nothing() -> None:
    server = SlowServer()
    reading = GoalStateReading(server, 0.0, 60.0)  # type: ignore[arg-type]
    reading.has_begun = True  # a busy machine has not yet run its thread
    assert not reading.finish()
    reading.run()
    assert server.did == []
