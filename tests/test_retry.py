"""The backoff schedule, with a clock that moves only in sleep()."""
from __future__ import annotations

from typing import Any, Callable, List

import pytest

from lightinit.errors import LightinitError, MalformedError, ProvisioningError, RefusedError, TransientError
from lightinit.retry import RetryPolicy, retry, system_random
from tests.clients.fakes import middle
from tests.support import ScriptedClock

PLAIN = RetryPolicy(first_s=1.0, factor=2.0, cap_s=10.0, jitter=0.0, deadline_s=100.0, max_malformed=3)


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


def test_retry_after_counts_for_one_pause_only() -> None:
    clock = ScriptedClock()
    retry(failing(*busy(1, retry_after_s=7.0), MalformedError("not xml")), PLAIN, clock, middle)
    assert clock.sleeps == [7.0, 2.0]


def test_retry_after_beyond_the_deadline_ends_at_once() -> None:
    clock = ScriptedClock()
    with pytest.raises(ProvisioningError) as caught:
        retry(failing(*busy(1, retry_after_s=3600.0, status=503)), PLAIN, clock, middle)
    assert clock.sleeps == []
    assert caught.value.reason == "busy"
    assert caught.value.details == {"status": "503", "attempts": "1", "elapsed_s": "0.0", "retry_after_s": "3600"}


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


def test_a_garbled_answer_may_pass_but_not_for_long() -> None:
    garbled = [MalformedError("not xml", line=1) for _ in range(9)]
    clock = ScriptedClock()
    assert retry(failing(*garbled[:2]), PLAIN, clock, middle) == "done"
    with pytest.raises(ProvisioningError) as caught:
        retry(failing(*garbled), PLAIN, ScriptedClock(), middle)
    assert caught.value.reason == "not xml"
    assert caught.value.details["attempts"] == "3"


def test_transient_errors_do_not_use_up_the_garbled_ones() -> None:
    garbled = [MalformedError("not xml") for _ in range(2)]
    assert retry(failing(garbled[0], *busy(4), garbled[1]), PLAIN, ScriptedClock(), middle) == "done"


@pytest.mark.parametrize("error", [ProvisioningError("refused"), RefusedError("no"), KeyError("a mistake")])
def test_other_errors_pass_through(error: Exception) -> None:
    def operation(remaining_s: float) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        retry(operation, PLAIN, ScriptedClock())
    assert caught.value is error


def test_each_pause_is_announced() -> None:
    told = []
    retry(failing(*busy(2)), PLAIN, ScriptedClock(), middle,
          lambda error, wait_s, attempts: told.append((error.reason, wait_s, attempts)))
    assert told == [("busy", 1.0, 1), ("busy", 2.0, 2)]


def test_the_dice_of_the_system() -> None:
    thrown = [system_random() for _ in range(50)]
    assert all(0.0 <= number < 1.0 for number in thrown)
    assert len(set(thrown)) > 40
