"""Which of two endpoints is the WireServer; the client's tests have the rest."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.datasources.azure.wireserver.channel import Channel
from lightinit.datasources.azure.wireserver.goal_state_source import GoalStateSource
from lightinit.datasources.azure.wireserver.throttling import Throttling
from lightinit.errors import ProvisioningError, TransientError
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import GOAL_STATE, FakeTransport, ok, status

NAMED, OTHER = "10.1.2.3", "168.63.129.16"


def make(*steps: Any, other: str = OTHER) -> Any:
    transport, clock = FakeTransport(*steps), ScriptedClock()
    sends: Any = transport
    channel = Channel(sends, NAMED, clock, 60.0, "agent/1", Throttling(clock, 1.0))
    return GoalStateSource(channel, clock, other), channel, transport


def test_the_first_that_gives_a_goal_state_is_used_alone_from_then_on() -> None:
    source, channel, transport = make(status(500), ok(GOAL_STATE % 1), ok(GOAL_STATE % 2))
    assert source.replaced == ""
    assert source.fetch(60.0).incarnation == "1"
    assert (channel.endpoint, source.replaced) == (OTHER, NAMED)
    assert source.fetch(60.0).incarnation == "2"
    assert [sent.url.split("/")[2] for sent in transport.sent] == [NAMED, OTHER, OTHER]
    assert [sent.timeout_s for sent in transport.sent] == [5.0, 5.0, 60.0]


def test_an_answer_says_more_than_none_and_the_next_trial_takes_longer() -> None:
    source, _, transport = make(TransientError("request timed out"), status(503))
    with pytest.raises(TransientError) as caught:
        source.fetch(60.0)
    assert caught.value.details["status"] == "503"
    assert caught.value.details["also_tried"] == NAMED + ": request timed out"
    with pytest.raises(TransientError):
        source.fetch(60.0)
    assert [sent.timeout_s for sent in transport.sent] == [5.0, 5.0, 10.0, 10.0]


def test_each_is_at_hand_until_the_next_is_asked_for() -> None:
    source, _, _ = make(ok(GOAL_STATE % 1), status(401), other="")
    found = source.fetch(60.0)
    with pytest.raises(ProvisioningError):
        source.fetch(60.0)
    assert source.at_hand.take() is None
    source, _, _ = make(ok(GOAL_STATE % 1), other="")
    found = source.fetch(60.0)
    assert source.at_hand.take() is found


def test_for_a_report_no_refusal_is_final() -> None:
    source, _, _ = make(status(401), other="")
    with pytest.raises(TransientError):
        source.fetch(60.0, patient=True)
