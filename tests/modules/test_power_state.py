"""The module power_state: what it asks for, and its condition. What becomes of it: tests/ending."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest

from lightinit.host.clock import Clock
from lightinit.host.init.power import PowerWish, find_wish
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import power_state
from tests.lib.stand_in import LiveRoot


def apply(system: System, **given: Any) -> Outcome:
    settings: Dict[str, Any] = power_state.from_cloud_config({"power_state": given})
    return power_state.apply(Instance("id"), system, settings)


def test_it_is_asked_for(tmp_path: Any) -> None:
    system = LiveRoot(tmp_path)
    outcome = apply(system, mode="reboot", delay="+5", message="bye", timeout=30)
    assert outcome == Outcome("reboot in 5 minutes, when all else has ended")
    assert find_wish(system) == PowerWish("reboot", "power_state", "of the cloud-config", 5, "bye")
    assert apply(system, mode="poweroff").message == "poweroff now, when all else has ended"


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "restart"},
        {},
        {"mode": "reboot", "delay": "soon"},
        {"mode": "reboot", "delay": "-5"},
        {"mode": "reboot", "delay": "12:00"},
        {"mode": "reboot", "delay": 1.5},
        {"mode": "reboot", "condition": {"a": 1}},
    ],
)
def test_a_mistake_asks_for_nothing(tmp_path: Any, given: Dict[str, Any]) -> None:
    system = LiveRoot(tmp_path)
    assert apply(system, **given).skipped
    assert find_wish(system) is None


def test_a_scratch_root_is_left_out(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert apply(system, mode="reboot", condition="touch %s/ran" % tmp_path).skipped
    assert find_wish(system) is None and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "condition, met, warns",
    [
        (True, True, None),
        (False, False, None),
        ("test -d /proc", True, None),
        ("false", False, None),
        (["test", "a b", "=", "a b"], True, None),
        (["sh", "-c", "exit 1"], False, None),
        ("exit 7", False, "ended with status 7"),
        (["/no/such/program"], False, "ended with status 127"),
        ("kill -9 $$", False, "ended with status 137"),
    ],
)
def test_its_condition(tmp_path: Any, condition: Any, met: bool, warns: Optional[str]) -> None:
    system = LiveRoot(tmp_path)
    outcome = apply(system, mode="halt", condition=condition)
    assert (find_wish(system) is not None) is met
    assert [text for text in outcome.warnings if warns is None or warns not in text] == []
    assert bool(outcome.warnings) is (warns is not None)
    assert not system.list_dir("/run/lightinit")  # the command may have a secret


class Jumping(Clock):
    """A minute goes by with each look at it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        self.now_s += 60.0
        return self.now_s


def test_a_condition_that_hangs_is_ended(tmp_path: Any) -> None:
    system = LiveRoot(tmp_path, Jumping())
    outcome = apply(system, mode="halt", condition="sleep 1000")
    assert outcome.warnings == ("its condition took longer than 60 s",)
    assert find_wish(system) is None
