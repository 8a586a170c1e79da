"""systemd is told of a stage exactly when it runs, and has started us. That the target is reached
early: tests/vm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Optional

import pytest

from lightinit.host.init import targets
from lightinit.host.system import System


class SystemdMachine(System):
    """A scratch root whose tools are what the test says."""

    systemctl: Optional[str] = "/usr/bin/systemctl"

    def tool(self, name: str) -> Optional[str]:
        return self.systemctl


@pytest.fixture
def system(tmp_path: Path) -> SystemdMachine:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return SystemdMachine(str(tmp_path))


def told(system: System, environment: Dict[str, str]) -> List[List[str]]:
    """What was started."""
    started: List[List[str]] = []
    assert targets.reach(system, "config", environment, started.append) is bool(started)
    return started


def test_the_target_is_started_at_once_and_alone(system: SystemdMachine) -> None:
    assert told(system, {"INVOCATION_ID": "1"}) == [
        [
            "/usr/bin/systemctl",
            "start",
            "--no-block",
            "--job-mode=ignore-dependencies",
            "lightinit-config.target",
        ]
    ]


def test_by_hand_nothing_is_reached(system: SystemdMachine) -> None:
    assert told(system, {}) == []


def test_without_systemctl_or_systemd_nothing_is_reached(system: SystemdMachine) -> None:
    (Path(system.root) / "run/systemd/system").rmdir()
    assert told(system, {"INVOCATION_ID": "1"}) == []
    (Path(system.root) / "run/systemd/system").mkdir()
    system.systemctl = None
    assert told(system, {"INVOCATION_ID": "1"}) == []


def test_a_command_that_cannot_be_started_stops_nobody(system: SystemdMachine) -> None:
    def fail(argv: List[str]) -> None:
        raise OSError(12, "Cannot allocate memory")

    assert targets.reach(system, "config", {"INVOCATION_ID": "1"}, fail) is False
    system.systemctl = system.root + "/nowhere"
    assert targets.reach(system, "config", {"INVOCATION_ID": "1"}) is False
