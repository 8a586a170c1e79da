"""How long to wait for a server that is busy and does not say for how long; and what that comes to
for a fleet, in simulated time. `make bench-fleet` measures the same with real connections.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.datasources.azure.wireserver.throttling import Throttling
from tests.lib.scratch import ScriptedClock
from tests.lib.simulated_fleet import simulate

OWN, LONG, LONGEST = (1.0, 2.0), (5.0, 15.0), (10.0, 30.0)
MANY: Dict[str, Any] = {"per_s": 20, "burst": 20}
PLENTY: Dict[str, Any] = {"per_s": 1000, "burst": 1000}
LEAST = 3  # requests of a VM: metadata, goal state, report


def make() -> Any:
    clock = ScriptedClock()
    return Throttling(clock, 1.0), clock


def test_a_refusal_right_after_a_request_that_was_taken_may_be_a_limit_of_this_vms_own() -> None:
    throttling, clock = make()
    throttling.note_taken()
    clock.now_s += 0.3
    assert throttling.note_refused(429) == OWN
    assert [throttling.note_refused(429) for _ in range(4)] == [LONG, LONG, LONGEST, LONGEST]


def test_a_first_request_cannot_be_one_too_many_of_this_vms_own() -> None:
    throttling, clock = make()
    assert [throttling.note_refused(429) for _ in range(3)] == [LONG, LONG, LONGEST]


def test_a_server_that_is_being_started_answers_503_at_first() -> None:
    throttling, clock = make()
    assert [throttling.note_refused(503) for _ in range(2)] == [OWN, LONG]


def test_what_was_learned_holds_for_later_requests_but_not_for_ever() -> None:
    throttling, clock = make()
    throttling.note_refused(429)
    throttling.note_taken()
    assert throttling.note_refused(429) == LONG
    clock.now_s += 61.0
    throttling.note_taken()
    assert throttling.note_refused(429) == OWN


def test_the_waits_are_multiples_of_the_first_pause() -> None:
    assert Throttling(ScriptedClock(), 0.1).note_refused(429) == (0.5, 1.5)


def test_another_client_of_the_same_boot_goes_on_where_the_first_was() -> None:
    throttling, clock = make()
    throttling.note_refused(429)
    throttling.note_pause(7.0)
    other = Throttling(clock, 1.0)
    other.heed(throttling)
    assert other.quiet_until_s == clock.now_s + 7.0
    assert other.note_refused(429) == LONG
    throttling.note_pause(0.0)
    assert throttling.quiet_until_s == 0.0


# -- a fleet
# -----------------------------------------------------------------------------------------------


def ratio(vms: int, within_s: float, limit: Dict[str, Any], **more: Any) -> float:
    """The requests of a fleet, those to IMDS included, divided by the least."""
    found = simulate(vms, within_s, limit, **more)
    assert len(found.ready_s) == vms, "all of them Ready"
    return (found.requests + vms) / float(LEAST * vms)


def test_without_a_limit_nothing_is_asked_twice() -> None:
    assert ratio(50, 0.0, PLENTY) == 1.0


@pytest.mark.parametrize(
    "retry_after_s, most",
    # Each pause of 1, 2, 4, 8 and 15 s instead, without what was learned: 1.7.
    [(None, 1.27), (10.0, 1.2)],
)
def test_a_throttled_fleet_asks_little_more_than_it_must(retry_after_s: Any, most: float) -> None:
    limit = dict(MANY) if retry_after_s is None else dict(MANY, retry_after_s=retry_after_s)
    assert 1.1 < ratio(200, 10.0, limit) <= most


@pytest.mark.long
def test_a_fleet_that_comes_at_once_or_meets_503_or_a_much_smaller_limit() -> None:
    assert ratio(200, 0.0, MANY) <= 1.55
    assert ratio(200, 10.0, MANY, status=503) <= 1.45
    assert ratio(200, 10.0, {"per_s": 5, "burst": 5}) <= 2.3
    assert ratio(1000, 10.0, {"per_s": 100, "burst": 100}) <= 1.27


@pytest.mark.parametrize(
    "limit, refuse_first, status, most_s",
    [
        ({"per_s": 1, "burst": 1}, 0, 429, 2.3),  # the report, right after the goal state
        (PLENTY, 1, 503, 2.3),
        (PLENTY, 1, 429, 15.3),  # the first request of all: others ask, too
        (PLENTY, 2, 429, 30.3),
    ],
)
def test_what_a_single_vm_loses(
    limit: Dict[str, Any], refuse_first: int, status: int, most_s: float
) -> None:
    """In simulated seconds."""
    for seed in range(20):
        found = simulate(1, 0.0, limit, refuse_first, status, seed)
        assert found.ready_s[0] <= most_s
        assert found.refused == max(1, refuse_first)


def test_all_of_a_fleet_are_ready_long_before_the_report_s_deadline() -> None:
    """P11: forty VMs share a host that takes one request a second."""
    found = simulate(40, 0.0, {"per_s": 1, "burst": 1})
    assert len(found.ready_s) == 40 and found.last_s < 300.0
