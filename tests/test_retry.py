"""The backoff schedule, with a clock that moves only in sleep()."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest

from lightinit.errors import (
    LightinitError,
    MalformedError,
    ProvisioningError,
    RefusedError,
    TransientError,
)
from lightinit.retry import RetryPolicy, retry, system_random
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import middle

PLAIN = RetryPolicy(
    first_s=1.0,
    factor=2.0,
    cap_s=10.0,
    jitter=0.0,
    spread=0.0,
    deadline_s=100.0,
    malformed_s=20.0,
    min_malformed=3,
)


def failing(*errors: LightinitError, then: Any = "done") -> Callable[[float], Any]:
    """An operation that raises each of ``errors`` and then returns."""
    left = list(errors)

    def operation(remaining_s: float) -> Any:
        if left:
            raise left.pop(0)
        return then

    return operation


def busy(times: int = 1, **details: Any) -> List[LightinitError]:
    return [TransientError("busy", **details) for _ in range(times)]


def test_success_at_once_waits_for_nothing() -> None:
    clock = ScriptedClock()
    assert retry(failing(), PLAIN, clock) == "done"
    assert clock.sleeps == []


def test_pauses_grow_up_to_the_cap() -> None:
    clock = ScriptedClock()
    assert retry(failing(*busy(6)), PLAIN, clock, middle) == "done"
    assert clock.sleeps == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize("dice, pause_s", [(0.0, 3.0), (0.5, 4.0), (1.0, 5.0)])
def test_jitter_is_a_fraction_either_way(dice: float, pause_s: float) -> None:
    assert RetryPolicy(first_s=4.0, jitter=0.25).pause_s(0, dice) == pause_s


def test_a_thousand_pauses_are_still_the_cap() -> None:
    assert PLAIN.pause_s(100000, 0.5) == 10.0


def test_retry_after_is_waited_for_when_longer_than_the_backoff() -> None:
    clock = ScriptedClock()
    retry(failing(*busy(1, retry_after_s=7.0), *busy(1, retry_after_s=0.5)), PLAIN, clock, middle)
    assert clock.sleeps == [7.0, 2.0]


@pytest.mark.parametrize(
    "asked_s, dice, wait_s",
    [(7.0, 0.0, 7.0), (7.0, 0.5, 10.5), (7.0, 1.0, 14.0), (40.0, 1.0, 50.0), (0.0, 1.0, 1.25)],
)
def test_many_that_were_asked_to_wait_do_not_come_back_together(
    asked_s: float, dice: float, wait_s: float
) -> None:
    policy = RetryPolicy(first_s=1.0, cap_s=10.0, jitter=0.25)
    assert policy.wait_s(0, dice, asked_s) == wait_s


def test_retry_after_counts_for_one_pause_only() -> None:
    clock = ScriptedClock()
    retry(failing(*busy(1, retry_after_s=7.0), MalformedError("not xml")), PLAIN, clock, middle)
    assert clock.sleeps == [7.0, 2.0]


def test_retry_after_beyond_the_deadline_leaves_one_last_attempt_before_it() -> None:
    clock = ScriptedClock()
    assert retry(failing(*busy(1, retry_after_s=3600.0)), PLAIN, clock, middle) == "done"
    assert clock.sleeps == [95.0]
    clock = ScriptedClock()
    with pytest.raises(ProvisioningError) as caught:
        retry(failing(*busy(2, retry_after_s=3600.0, status=503)), PLAIN, clock, middle)
    assert clock.sleeps == [95.0]
    assert caught.value.reason == "busy"
    assert caught.value.details == {
        "status": "503",
        "attempts": "2",
        "elapsed_s": "95.0",
        "retry_after_s": "3600",
    }


@pytest.mark.parametrize(
    "deadline_s, last_s", [(300.0, 295.0), (6.0, 5.4), (0.4, 0.36), (0.0, 0.0)]
)
def test_the_last_attempt_has_some_time_left(deadline_s: float, last_s: float) -> None:
    assert RetryPolicy(deadline_s=deadline_s).last_start_s == pytest.approx(last_s)


def test_a_pause_is_cut_too() -> None:
    clock = ScriptedClock()
    given: List[float] = []

    def never(remaining_s: float) -> None:
        given.append(remaining_s)
        raise TransientError("busy")

    with pytest.raises(ProvisioningError):
        retry(never, RetryPolicy(first_s=4.0, jitter=0.0, deadline_s=10.0), clock, middle)
    assert clock.sleeps == [4.0, 5.0] and given == [10.0, 6.0, 1.0]


def test_no_time_at_all_is_one_attempt() -> None:
    clock = ScriptedClock()
    with pytest.raises(ProvisioningError, match="attempts=1"):
        retry(failing(*busy(9)), RetryPolicy(deadline_s=0.0), clock, middle)
    assert clock.sleeps == []


def test_it_never_sleeps_past_the_deadline_and_says_how_it_went() -> None:
    clock = ScriptedClock()
    with pytest.raises(ProvisioningError) as caught:
        retry(failing(*busy(99, url="u")), PLAIN, clock, middle)
    assert sum(clock.sleeps) == 95.0  # 1 + 2 + 4 + 8 + 8 * 10; ten more would end at 105
    assert caught.value.details == {"url": "u", "attempts": "13", "elapsed_s": "95.0"}
    assert isinstance(caught.value.__cause__, TransientError)


def test_the_time_an_operation_takes_counts() -> None:
    clock = ScriptedClock()
    given: List[float] = []

    def slow(remaining_s: float) -> None:
        given.append(remaining_s)
        clock.now_s += 40.0
        raise TransientError("request timed out")

    with pytest.raises(ProvisioningError) as caught:
        retry(slow, PLAIN, clock, middle)
    assert given == [100.0, 59.0, 17.0]
    assert caught.value.details["elapsed_s"] == "123.0"


@pytest.mark.parametrize("before", [True, False])
def test_a_last_attempt_that_the_deadline_cuts_short_tells_nothing(before: bool) -> None:
    """It has little time, which a machine or a platform that is busy for a moment may use up."""
    clock = ScriptedClock()

    def operation(remaining_s: float) -> None:
        if before and remaining_s > 5.0:
            raise TransientError("busy", status=500)
        clock.now_s += remaining_s
        raise TransientError("request timed out")

    with pytest.raises(ProvisioningError) as caught:
        retry(operation, PLAIN, clock, middle)
    assert caught.value.reason == ("busy" if before else "request timed out")
    assert caught.value.details["elapsed_s"] == "100.0"
    assert ("status" in caught.value.details) is before


def garbled(times: int) -> List[LightinitError]:
    return [MalformedError("not xml", line=1) for _ in range(times)]


def test_a_garbled_answer_may_pass_but_not_for_long() -> None:
    assert retry(failing(*garbled(4)), PLAIN, ScriptedClock(), middle) == "done"
    with pytest.raises(ProvisioningError) as caught:
        retry(failing(*garbled(9)), PLAIN, ScriptedClock(), middle)
    assert caught.value.reason == "not xml"
    # 1 + 2 + 4 + 8; ten more would be 25 s.
    assert caught.value.details == {"line": "1", "attempts": "5", "elapsed_s": "15.0"}


def test_slow_garbled_answers_have_their_number_of_attempts() -> None:
    clock = ScriptedClock()

    def slow(remaining_s: float) -> None:
        clock.now_s += 15.0
        raise MalformedError("not xml")

    with pytest.raises(ProvisioningError, match="attempts=3"):
        retry(slow, PLAIN, clock, middle)


def test_garbled_answers_in_a_row_are_counted_from_the_first_of_them() -> None:
    errors = [error for _ in range(5) for error in garbled(1) + busy(1)] + garbled(2)
    clock = ScriptedClock()
    assert retry(failing(*errors), PLAIN._replace(deadline_s=1000.0), clock, middle) == "done"
    assert sum(clock.sleeps) == 95.0
    with pytest.raises(ProvisioningError, match="not xml .*attempts=13"):
        retry(
            failing(*errors, *garbled(1)),
            PLAIN._replace(deadline_s=1000.0),
            ScriptedClock(),
            middle,
        )


def test_garbled_answers_can_be_borne_until_the_deadline() -> None:
    clock = ScriptedClock()
    with pytest.raises(ProvisioningError, match="not xml"):
        retry(failing(*garbled(99)), PLAIN._replace(malformed_s=float("inf")), clock, middle)
    assert sum(clock.sleeps) == 95.0


@pytest.mark.parametrize(
    "error", [ProvisioningError("refused"), RefusedError("no"), KeyError("a mistake")]
)
def test_other_errors_pass_through(error: Exception) -> None:
    def operation(remaining_s: float) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        retry(operation, PLAIN, ScriptedClock())
    assert caught.value is error


def test_each_pause_is_announced() -> None:
    told = []
    retry(
        failing(*busy(2)),
        PLAIN,
        ScriptedClock(),
        middle,
        lambda error, wait_s, attempts: told.append((error.reason, wait_s, attempts)),
    )
    assert told == [("busy", 1.0, 1), ("busy", 2.0, 2)]


def test_the_dice_of_the_system() -> None:
    thrown = [system_random() for _ in range(50)]
    assert all(0.0 <= number < 1.0 for number in thrown)
    assert len(set(thrown)) > 40
