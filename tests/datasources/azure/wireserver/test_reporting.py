"""Which goal state each attempt to report uses, and when it is enough. The server is a list of
answers; no wire, no pauses.
"""

from __future__ import annotations

from typing import Any, List

import pytest

from lightinit.datasources.azure.wireserver.reporting import Reporting
from lightinit.errors import TransientError
from lightinit.host.network.http import Response
from lightinit.model import GoalState
from tests.lib.scratch import ScriptedClock


def goal_state(incarnation: int) -> GoalState:
    return GoalState(str(incarnation), "container", "role")


class ScriptedServer:
    """Answers reports with the statuses in order, an error instead of the answer that was lost, and
    gives a new goal state whenever it is asked for one.

    Attributes:
        told: what it was asked and told: ``goal state 2``, or the body of a report.
        limits: the seconds for each report.
    """

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.told: List[str] = []
        self.limits: List[float] = []
        self.incarnation = 1

    def fetch_current(self, remaining_s: float) -> GoalState:
        self.incarnation += 1
        self.told.append("goal state %d" % self.incarnation)
        return goal_state(self.incarnation)

    def send_report(self, body: bytes, remaining_s: float) -> Response:
        self.told.append(body.decode())
        self.limits.append(remaining_s)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Response(answer, {}, b"")


def body(goal: GoalState, failures: int) -> bytes:
    return ("report %s" % goal.incarnation + ", shorter" * failures).encode()


def make(*answers: Any, **more: Any) -> Any:
    server = ScriptedServer(*answers)
    return Reporting(server, ScriptedClock(), body, **more), server


def lost() -> TransientError:
    error = TransientError("request timed out")
    error.was_sent = True
    return error


def attempts(reporting: Reporting, count: int) -> None:
    for _ in range(count):
        with pytest.raises(TransientError):
            reporting.attempt(60.0)


def test_the_goal_state_at_hand_saves_a_request() -> None:
    reporting, server = make(200, at_hand=goal_state(1))
    assert reporting.attempt(60.0) is True
    assert server.told == ["report 1"]


def test_without_one_it_is_fetched() -> None:
    reporting, server = make(200)
    assert reporting.attempt(60.0) is True
    assert server.told == ["goal state 2", "report 2"]


def test_one_at_hand_that_is_out_of_date_is_replaced_at_once_but_only_once() -> None:
    reporting, server = make(410, 410, 200, at_hand=goal_state(1))
    attempts(reporting, 1)
    assert server.told == ["report 1", "goal state 2", "report 2"]
    assert reporting.attempt(60.0) is True
    assert server.told[3:] == ["goal state 3", "report 3"]


@pytest.mark.parametrize("status, kept", [(429, True), (503, True), (500, False), (409, False)])
def test_after_a_throttled_report_the_next_attempt_is_the_report_alone(
    status: int, kept: bool
) -> None:
    reporting, server = make(status, 200)
    attempts(reporting, 1)
    assert reporting.attempt(60.0) is True
    assert ("goal state 3" in server.told) is not kept


def test_the_body_hears_how_often_the_server_has_answered_500() -> None:
    reporting, server = make(500, 409, 500, 200)
    attempts(reporting, 3)
    assert reporting.attempt(60.0) is True
    assert server.told[1::2] == [
        "report 2",
        "report 3, shorter",
        "report 4, shorter",
        "report 5, shorter, shorter",
    ]


def test_each_report_gets_twice_the_time_of_the_last_but_no_more_than_there_is() -> None:
    reporting, server = make(500, 500, 500, 200, first_limit_s=10.0)
    attempts(reporting, 3)
    reporting.attempt(60.0)
    assert server.limits == [10.0, 20.0, 40.0, 60.0]


def test_a_lost_answer_may_be_enough() -> None:
    asked: List[bool] = []

    def is_enough(was_lost: bool) -> bool:
        asked.append(was_lost)
        return was_lost

    reporting, server = make(500, lost(), is_enough=is_enough)
    attempts(reporting, 1)
    assert reporting.attempt(60.0) is False
    assert asked == [False, True]


def test_a_report_that_was_not_sent_is_not_lost() -> None:
    reporting, server = make(TransientError("connection refused"), 200, is_enough=lambda was: was)
    attempts(reporting, 1)
    assert reporting.attempt(60.0) is True


def test_it_may_be_enough_before_the_next_attempt_and_before_a_second_goal_state() -> None:
    reporting, server = make(500, is_enough=lambda was_lost: True)
    attempts(reporting, 1)
    assert reporting.attempt(60.0) is False and len(server.told) == 2
    reporting, server = make(410, at_hand=goal_state(1), is_enough=lambda was_lost: True)
    assert reporting.attempt(60.0) is False and server.told == ["report 1"]


def test_what_comes_before_a_report_keeps_it_from_being_sent() -> None:
    def never() -> None:
        raise LookupError

    reporting, server = make(200, before=never)
    with pytest.raises(LookupError):
        reporting.attempt(60.0)
    assert server.told == ["goal state 2"]
