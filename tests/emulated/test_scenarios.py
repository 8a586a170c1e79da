"""Every scenario that the emulator ships, played against the real command: it must end as the scenario expects."""
from __future__ import annotations

import json
from typing import Any, Dict

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.scenario import list_names, load_scenario
from tests.support import Machine

LOADED: Dict[str, Any] = {name: load_scenario(name) for name in list_names()}
# What needs more than a scratch root and these settings is played elsewhere.
SCENARIOS: Dict[str, Any] = {name: scenario for name, scenario in LOADED.items() if not scenario.needs}
CODES = {"done": 0, "degraded": 2, "error": 1}


def test_there_are_enough() -> None:
    assert len(SCENARIOS) >= 10


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_scenario(tmp_path: Any, name: str) -> None:
    machine = Machine(tmp_path)
    expected = SCENARIOS[name].expect
    with Platform(scenario=name) as platform:
        machine.lead_to(platform)
        before = machine.tree()
        ended = machine.run("boot")
        reports = [report["state"] for report in platform.final_reports if report["accepted"]]
        assert reports == expected["reports"], ended.stderr
        assert platform.ready_count == expected["ready"]
        assert ended.returncode == (1 if expected["outcome"] == "error" else 0), ended.stderr
        assert "Traceback" not in ended.stderr
        status = machine.run("status", "--format", "json")
        assert status.returncode == CODES[expected["outcome"]], status.stdout
        found = json.loads(status.stdout)
        assert bool(found["errors"]) == (expected["outcome"] == "error")
        sent = len(platform.requests)
        if expected["outcome"] != "error":
            machine.run("boot")
            assert len(platform.requests) == sent, "never again"
    after = machine.tree()
    for file in ("/etc/shadow", "/etc/group", "/etc/passwd"):
        lines = after[file].splitlines()
        assert all(any(line.startswith(old) for line in lines) for old in before[file].splitlines()), \
            "nothing that was there is lost"
