"""Runs steps. Each step has a mark, is timed and is logged. If one fails, the others still run.

This file does not know what a step does: stages and modules come as functions. Only modules are run
inside ``except Exception``, since a module may be anybody's code. A stage that raises anything but
a LightinitError is a bug of lightinit, which the outermost edge of the command line reports.
"""

from __future__ import annotations

import copy
import enum
import logging
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

from lightinit.datasources.base import Datasource
from lightinit.datasources.detect import Detection
from lightinit.errors import LightinitError, ProvisioningError, RepeatedError
from lightinit.host.init.watchdog import Watchdog
from lightinit.host.system import System
from lightinit.libraries import is_panic
from lightinit.marks import Marks
from lightinit.model import Frequency, Instance, Network, Outcome, Rest
from lightinit.settings import Settings
from lightinit.state import State, StatusFile, Timeline

LOG = logging.getLogger("lightinit.pipeline")
# What a module may raise.
CAUGHT = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)


class Stopped(SystemExit):
    """A signal told us to stop. No module may take it for a failure of its own."""


class StepResult(enum.Enum):
    """How a step went, by the word in the records."""

    RUNNING = "running"
    OK = "ok"
    SKIPPED = "skipped"  # there was nothing to do
    ALREADY = "already"  # its mark was there
    FAILED = "failed"


def key_of(kind: str, name: str) -> str:
    """The name of the mark of a step."""
    return "%s.%s" % (kind, name.replace("/", "."))


class Step:
    """The record of one step. The report, ``status`` and ``result.json`` are made from it.

    Attributes:
        kind: stage or module.
        result: how it went.
        error: why it failed; None unless it did.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        result: StepResult,
        required: bool = True,
        message: str = "",
        error: Optional[LightinitError] = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.result = result
        self.required = required
        self.message = message
        self.error = error
        self.duration_s = 0.0
        self.warnings: List[str] = []

    @property
    def key(self) -> str:
        """The name of its mark."""
        return key_of(self.kind, self.name)

    @property
    def failed(self) -> bool:
        """Whether it failed."""
        return self.result is StepResult.FAILED

    @property
    def told(self) -> LightinitError:
        """The error for the report to the platform. It has the step's name, so that a reader knows
        where to look.
        """
        error = self.error or ProvisioningError("step failed")
        details = {"step": self.name}
        details.update(error.details)
        return ProvisioningError(error.reason, **details)

    def as_dict(self) -> Dict[str, Any]:
        """The step as it is in result.json."""
        data: Dict[str, Any] = {
            "kind": self.kind,
            "name": self.name,
            "result": self.result.value,
            "required": self.required,
            "duration_s": round(self.duration_s, 6),
        }
        if self.message:
            data["message"] = self.message
        if self.warnings:
            data["warnings"] = list(self.warnings)
        if self.error is not None:
            data.update(error=str(self.error), reason=self.error.reason, details=self.error.details)
        return data


class Context:
    """What a stage works on. The local stage fills in the fields after ``steps``.

    Attributes:
        datasource: created before all else.
        detection: how it was found; None if the settings name it.
        platform_known: whether this is the datasource's platform; None while that is unknown.
        network: None until one is found; an empty one if the datasource needs no network.
        whole: whether this run has all stages, so that it ends with a report to the platform.
        watchdog: reports if this run takes too long.
        stopped_by: the signal that stops this run; 0 for none.
        split: lets this process end and another one go on; returns whether this is the one that
            does.
        is_preloaded: whether what the modules need has been imported.
        cloud_config, asked: see :func:`lightinit.stages.selection.given.find_cloud_config`, which
            sets them.
        in_memory: see :func:`lightinit.stages.selection.in_memory.find_in_memory`, which sets it.
        has_awaited_network: see :func:`lightinit.stages.local.await_network`, which sets it.
        is_going_down: whether this run restarts the machine or switches it off, see
            :mod:`lightinit.ending.power`. Then a signal is no reason to stop.
    """

    def __init__(
        self,
        system: System,
        settings: Settings,
        timeline: Timeline,
        boot_id: str,
        status: StatusFile,
        watchdog: Optional[Watchdog] = None,
    ) -> None:
        self.system = system
        self.settings = settings
        self.timeline = timeline
        self.boot_id = boot_id
        self.status = status
        self.watchdog = watchdog or Watchdog()
        self.steps: List[Step] = []
        self.datasource: Optional[Datasource] = None
        self.detection: Optional[Detection] = None
        self.platform_known: Optional[bool] = None
        self.instance_id = ""
        self.state: Optional[State] = None
        self.marks: Optional[Marks] = None
        self.network: Optional[Network] = None
        self.whole = False
        self.instance: Optional[Instance] = None
        self.reported = ""
        self.stopped_by = 0
        self.split: Callable[[], bool] = lambda: True
        self.is_preloaded = False
        self.cloud_config: Optional[Tuple[Instance, Any]] = None
        self.asked: List[str] = []
        self.in_memory: Optional[Tuple[str, ...]] = None
        self.has_awaited_network = False
        self.is_going_down = False

    def unmarked(self, instance: Optional[Instance] = None) -> Context:
        """A copy for steps that leave no mark, with another instance if one is given. It has the
        same list of steps.
        """
        other = copy.copy(self)
        other.marks = None
        other.instance = instance or self.instance
        return other

    def stop(self, number: int) -> None:
        """Stop this run, because of the signal ``number``."""
        self.stopped_by = number
        self.check_stopped()

    def check_stopped(self) -> None:
        """Stop again, if a module or a library has caught what :meth:`stop` raised."""
        if self.stopped_by:
            raise Stopped(128 + self.stopped_by)

    def use_instance(self, instance_id: str) -> None:
        """Use the state and the marks of ``instance_id``."""
        self.instance_id = instance_id
        self.state = State(self.system, instance_id)
        self.marks = Marks(self.system, self.state.folder, self.boot_id)

    def adopt_marks(self) -> None:
        """Let the marks count that a process of this boot held when it was killed."""
        if self.marks is not None:
            self.marks.adopt()

    @property
    def first_failure(self) -> Optional[Step]:
        """The first required step that failed, or None. A module comes before its stage: its
        failure says more.
        """
        failed = [step for step in self.steps if step.failed and step.required]
        modules = [step for step in failed if step.kind == "module"]
        return next(iter(modules + failed), None)


def run_step(
    context: Context,
    kind: str,
    name: str,
    frequency: Frequency,
    work: Callable[[], Outcome],
    required: bool = True,
    force: bool = False,
    isolate: bool = False,
    later: Optional[List[Unfinished]] = None,
) -> Step:
    """Run one step unless its mark is there. Write its mark if it succeeds.

    Args:
        context: the run that the step belongs to; the step is added to its ``steps``.
        kind: stage, module, check or hook.
        name: which.
        frequency: how often it runs.
        work: does the step's work; raises LightinitError to fail.
        required: whether its failure fails the whole boot.
        force: run it even if its mark is there.
        isolate: catch any exception of ``work``, not only LightinitError.
        later: gets the step if its work goes on. Otherwise this function waits for that.

    Returns:
        The step. A failure is in its ``error`` and is not raised.
    """
    marks, key = context.marks, key_of(kind, name)
    if force and marks is not None:
        marks.forget(key, frequency)  # so that it has no mark while it runs, nor if it fails
    elif marks is not None:
        mark = marks.find(key, frequency)
        if mark is not None:
            LOG.debug("%s %s: already done at %s", kind, name, mark.finished)
            step = Step(kind, name, StepResult.ALREADY, required, message="done " + mark.finished)
            step.warnings += mark.warnings
            context.steps.append(step)
            return step
    step = Step(kind, name, StepResult.RUNNING, required)
    _announce(context, step)
    unfinished = Unfinished(context, step, frequency)
    if unfinished.is_over_after(partial(_guarded, name, work) if isolate else work):
        return step
    if later is None:
        unfinished.finish()
    else:
        later.append(unfinished)
    return step


class Unfinished:
    """A step from its begin to its end.

    Args:
        context: the run that it belongs to.
        step: the step.
        frequency: how often it runs.
    """

    def __init__(self, context: Context, step: Step, frequency: Frequency) -> None:
        self._context, self._step, self._frequency = context, step, frequency
        self._started_s = context.system.clock.monotonic()
        self._rest: Optional[Rest] = None

    def is_over_after(self, work: Callable[[], Outcome]) -> bool:
        """Do work of the step. Returns whether this was all of it; then the step has ended."""
        context, step, clock = self._context, self._step, self._context.system.clock
        try:
            outcome = work()
            context.check_stopped()  # it may have done only a part
            self._rest = outcome.rest
            if self._rest is not None:
                return False
            step.duration_s = clock.monotonic() - self._started_s
            step.message, step.warnings = outcome.message, list(outcome.warnings)
            _leave_mark(context, step, step.key, self._frequency, outcome)
            step.result = StepResult.SKIPPED if outcome.skipped else StepResult.OK
        except LightinitError as error:
            context.check_stopped()  # a command that the same signal has ended is no failure
            step.result, step.error = StepResult.FAILED, error
            step.duration_s = clock.monotonic() - self._started_s
        result = step.result.value
        context.timeline.add(step.kind, step.name, self._started_s, step.duration_s, result)
        _tell(step)
        return True

    def finish(self) -> None:
        """Wait for the end of the step."""
        self._context.watchdog.tell("%s %s" % (self._step.kind, self._step.name))
        while self._rest is not None:
            rest, self._rest = self._rest, None
            self.is_over_after(partial(_guarded, self._step.name, rest.finish))

    def give_up(self) -> None:
        """Do not wait any more."""
        if self._rest is not None:
            self._rest.give_up()


def _announce(context: Context, step: Step) -> None:
    context.check_stopped()
    context.steps.append(step)
    context.watchdog.tell("%s %s" % (step.kind, step.name))
    if step.kind == "stage":
        context.status.update(stage=step.name, doing="", instance=context.instance_id)


def _leave_mark(
    context: Context, step: Step, key: str, frequency: Frequency, outcome: Outcome
) -> None:
    if context.marks is None:  # until the local stage has found the instance
        return
    try:
        now_s, is_report = context.system.clock.time(), key == "stage.final"
        context.marks.write(key, frequency, step.duration_s, outcome, now_s, held=not is_report)
    except LightinitError as error:
        if frequency is not Frequency.BOOT:
            raise
        # The mark of a boot is in /run: without it the step only runs again.
        step.warnings.append("it will run again in this boot: %s" % error)


def _guarded(name: str, work: Callable[[], Outcome]) -> Outcome:
    try:
        outcome = work()
    except (LightinitError, Stopped):
        raise
    except BaseException as error:
        if not isinstance(error, CAUGHT) and not is_panic(error):
            raise
        LOG.debug("module %s raised", name, exc_info=True)
        raise ProvisioningError(
            "module raised an unexpected error",
            module=name,
            error=type(error).__name__,
            said=_said(error),
        ) from error
    if not isinstance(outcome, Outcome):
        raise ProvisioningError(
            "module returned no outcome", module=name, returned=type(outcome).__name__
        )
    return Outcome(
        str(outcome.message or ""),
        tuple(str(text) for text in outcome.warnings or ()),
        bool(outcome.skipped),
        outcome.rest,
    )


def _said(error: BaseException) -> str:
    try:
        return str(error)[:200]
    except Exception:
        return "text is not available"


def _tell(step: Step) -> None:
    for warning in step.warnings:
        LOG.warning("%s %s: %s", step.kind, step.name, warning)
    line = "%-6s %-20s %-7s %7.3f s" % (step.kind, step.name, step.result.value, step.duration_s)
    if isinstance(step.error, RepeatedError):
        LOG.info("%s  %s", line, step.error)
    elif step.error is not None:
        LOG.log(logging.ERROR if step.required else logging.WARNING, "%s  %s", line, step.error)
    else:
        LOG.info("%s  %s", line, step.message)
