"""Whether a failure that is being reported has gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest

from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.emulator import Platform
from lightinit.errors import OvertakenError, ProvisioningError
from lightinit.host.system import System
from lightinit.model import Network
from lightinit.pipeline import Context, Step, StepResult
from lightinit.retry import CheckedPauses
from lightinit.stages.revision import failure_check, start_again
from tests.lib.context import make_context
from tests.lib.planned_clock import PlannedClock
from tests.lib.tiny_platform import OwnClock, PatientDatasource


class Source(AzureDatasource):
    """Answers when the test says so."""

    def __init__(self, system: System) -> None:
        super().__init__(system, {})
        self.asked_s: List[float] = []
        self.answers = False

    def answers_now(self) -> bool:
        self.asked_s.append(self.system.clock.monotonic() - 1000.0)
        return self.answers


def failed(root: Path, name: str, network: Any) -> Context:
    system = System(str(root), PlannedClock())
    context = make_context(system)
    context.datasource, context.network = Source(system), network
    error = ProvisioningError("no reason")
    context.steps = [Step("stage", name, StepResult.FAILED, error=error)]
    return context


def test_an_imds_that_answers_while_not_ready_is_tried(tmp_path: Path) -> None:
    """P5: asked now and then, not at each look."""
    context = failed(tmp_path, "fetch", Network("10.0.0.1"))
    source: Any = context.datasource
    pauses = CheckedPauses(context.system.clock, failure_check(context))
    pauses.sleep(25.0)
    assert source.asked_s == [10.0, 20.0]
    source.answers = True
    with pytest.raises(OvertakenError, match="failure has gone"):
        pauses.sleep(25.0)
    assert source.asked_s == [10.0, 20.0, 30.0]
    start_again(context)
    assert context.steps == [] and context.network is None


@pytest.mark.parametrize("name", ["config", "local"])
def test_other_failures_stay(tmp_path: Path, name: str) -> None:
    context = failed(tmp_path, name, Network("10.0.0.1"))
    source: Any = context.datasource
    source.answers = True
    CheckedPauses(context.system.clock, failure_check(context)).sleep(60.0)
    assert source.asked_s == []


def test_azure_answers_when_its_document_is_whole(tmp_path: Path) -> None:
    """P5: only after a fetch that lacked it."""
    down = {
        "name": "down",
        "description": "IMDS fails a few times.",
        "imds": [{"status": 401, "repeat": 4}],
        "expect": {"ready": 1, "outcome": "done", "reports": ["Ready"]},
    }
    with Platform(scenario=down) as platform:
        options = {
            "wireserver": platform.wireserver,
            "imds": platform.imds,
            "media": "none",
            "preprovisioned": "no",
        }
        source = PatientDatasource(System(str(tmp_path), OwnClock()), options)
        assert source.answers_now() is False
        with pytest.raises(ProvisioningError):
            source.fetch("id")
        assert [source.answers_now(), source.answers_now()] == [False, True]
