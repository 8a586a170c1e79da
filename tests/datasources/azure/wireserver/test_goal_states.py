"""Goal states that are used again."""

from __future__ import annotations

from lightinit.datasources.azure.wireserver.goal_states import GoalStateAtHand, KeptGoalState
from lightinit.model import GoalState
from tests.lib.scratch import ScriptedClock

ONE = GoalState("1", "container", "role")
TWO = GoalState("2", "container", "role")


def test_what_is_at_hand_is_taken_once() -> None:
    clock = ScriptedClock()
    at_hand = GoalStateAtHand(clock)
    assert at_hand.take() is None
    at_hand.put(ONE, clock.now_s)
    at_hand.put(TWO, clock.now_s)
    assert (at_hand.take(), at_hand.take()) == (TWO, None)


def test_it_is_old_after_a_minute_from_when_it_was_asked_for() -> None:
    clock = ScriptedClock()
    at_hand = GoalStateAtHand(clock)
    at_hand.put(ONE, clock.now_s - 13.0)
    clock.now_s += 47.0
    assert at_hand.take() is ONE
    at_hand.put(ONE, clock.now_s - 61.0)
    assert at_hand.take() is None


def test_what_may_be_out_of_date_is_dropped() -> None:
    clock = ScriptedClock()
    at_hand = GoalStateAtHand(clock)
    at_hand.put(ONE, clock.now_s)
    at_hand.drop()
    assert at_hand.take() is None


def test_one_is_kept_for_four_attempts_in_a_row() -> None:
    kept = KeptGoalState(ONE)
    for _ in range(5):
        assert kept.take() is ONE
        kept.keep(ONE)
    assert kept.take() is None
    kept.keep(TWO)
    assert (kept.take(), kept.take()) == (TWO, None)
