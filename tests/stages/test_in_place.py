"""What is done in place of a boot that hangs or has crashed; here in one process."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import pytest

from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host import log
from lightinit.host.files.lock import Lock
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Network, Outcome
from lightinit.stages.in_place import Deputy
from lightinit.state import LOCK
from tests.lib.context import make_context
from tests.lib.scratch import UUID, Machine


class Source(AzureDatasource):
    """Takes reports, or refuses them."""

    def __init__(self, system: System) -> None:
        super().__init__(system, {})
        self.told: List[str] = []
        self.refusal: Optional[LightinitError] = None

    def report(
        self, failure: Optional[LightinitError], instance: Optional[Instance]
    ) -> Tuple[str, ...]:
        self.told.append(str(failure))
        if self.refusal is not None:
            raise self.refusal
        return ()


class Case:
    """A boot that is in its config stage, and its deputy."""

    def __init__(self, root: Path) -> None:
        self.system = System(Machine(root).root)
        self.context = make_context(self.system)
        self.source = Source(self.system)
        self.context.datasource = self.source
        self.context.platform_known = True
        self.context.use_instance(UUID)
        self.context.network = Network("127.0.0.1")
        self.finished: List[str] = []
        self.deputy = Deputy(self.context, lambda: self.finished.append(self.context.reported))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    before = list(logging.getLogger().handlers)
    yield Case(tmp_path)
    log.stop()
    assert logging.getLogger().handlers == before


def test_a_boot_that_takes_too_long_is_not_ready_and_that_is_recorded(case: Case) -> None:
    assert case.deputy.act_overdue("module users") is True
    (told,) = case.source.told
    assert "provisioning takes too long" in told and "step=users" in told
    assert case.finished == ["NotReady"]
    assert [(step.kind, step.name) for step in case.context.steps] == [("module", "users")]


@pytest.mark.parametrize("doing", ["module packages", "hook before-config/site", "stage fetch"])
def test_whatever_takes_long_is_named_before_its_end(case: Case, doing: str) -> None:
    case.deputy.warn_close(doing, 300.0)
    said = (case.system.read_text("/var/log/lightinit.log") or "").splitlines()
    assert len(said) == 1 and " WARNING lightinit.watchdog: %s still runs" % doing in said[0]
    for part in ("in 300 s", "(watchdog_s)", "20 to 40 minutes", "before_ready"):
        assert part in said[0]
    assert case.source.told == case.finished == []


def test_where_no_platform_may_be_nothing_is_told_before_the_end(case: Case) -> None:
    case.context.platform_known = None
    case.deputy.warn_close("stage local", 300.0)
    assert not case.system.exists("/var/log/lightinit.log")


def test_a_report_that_is_not_taken_ends_nothing(case: Case) -> None:
    case.source.refusal = ProvisioningError("wireserver refused the health report")
    assert case.deputy.act_overdue("module users") is False
    assert case.finished == []


def test_a_boot_that_died_is_reported_under_the_lock(case: Case) -> None:
    case.deputy.act_dead("stage fetch", "Segmentation fault")
    (told,) = case.source.told
    assert "boot crashed" in told and "how=Segmentation fault" in told
    assert case.finished == ["NotReady"]
    free = Lock(case.system, LOCK)
    free.take("test")
    free.release()


def test_a_boot_that_has_been_started_again_reports_itself(case: Case) -> None:
    other = Lock(case.system, LOCK)
    other.take("test")
    case.deputy.act_dead("stage fetch", "Segmentation fault")
    other.release()
    assert case.source.told == [] and case.finished == []


def test_an_earlier_ready_stays(case: Case) -> None:
    assert case.context.marks is not None
    case.context.marks.write("stage.final", Frequency.INSTANCE, 1.0, Outcome(), 0.0, held=False)
    assert case.deputy.act_overdue("module users") is False
    assert case.source.told == []


def test_where_nothing_shows_that_this_is_the_platform_nobody_is_told(case: Case) -> None:
    case.context.platform_known = None
    assert case.deputy.act_overdue("stage local") is False
    assert case.source.told == []
