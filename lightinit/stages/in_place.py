"""What the process of the watchdog does in place of a boot that hangs or has crashed. What it knows
was known when the boot began.
"""

from __future__ import annotations

import logging
from typing import Callable

from lightinit.errors import LightinitError, ProvisioningError, RefusedError
from lightinit.host import log
from lightinit.host.files.lock import Lock
from lightinit.pipeline import Context, Step, StepResult
from lightinit.stages import local
from lightinit.stages.pending import stage_done
from lightinit.stages.report import report
from lightinit.state import LOCK, current_instance

LOG = logging.getLogger("lightinit.watchdog")
CLOSE = (
    "%s still runs, and in %d s this boot is reported as not ready (watchdog_s), since a platform"
    " such as Azure waits for 20 to 40 minutes only; what takes long belongs after Ready: leave"
    " before_ready out"
)


class Deputy:
    """Reports and records in place of a boot.

    Args:
        context: the run, as it was when the watchdog began.
        finish: records how the run has ended.
    """

    def __init__(self, context: Context, finish: Callable[[], object]) -> None:
        self._context = context
        self._finish = finish

    def act_overdue(self, doing: str) -> bool:
        """The boot takes too long. It is stopped meanwhile.

        Args:
            doing: the kind and the name of the step that is running.

        Returns:
            Whether the platform has accepted the report: then the boot is to be ended.
        """
        self._context.system.durability.take_over()
        limit_s = self._context.settings["lightinit"]["watchdog_s"]
        error = ProvisioningError(
            "provisioning takes too long",
            step=_step(doing),
            limit_s="%g" % limit_s,
            hint="see what that step waits for; the next boot repeats it",
        )
        heard = self._report(doing, error)
        if heard:
            self._context.adopt_marks()
            self._finish()
        return heard

    def warn_close(self, doing: str, left_s: float) -> None:
        """The time of the boot is nearly over.

        Args:
            doing: as for :meth:`act_overdue`.
            left_s: seconds until :meth:`act_overdue`.
        """
        if not self._may_report(doing):
            return
        self._start_log()
        LOG.warning(CLOSE, doing or "the boot", left_s)
        log.stop()

    def act_dead(self, doing: str, why: str) -> None:
        """The process of the boot has died. Nothing happens if it has been started again.

        Args:
            doing: as for :meth:`act_overdue`.
            why: how it died, and where.
        """
        self._context.system.durability.take_over()
        lock = Lock(self._context.system, LOCK)
        try:
            lock.take("report of the watchdog")
        except RefusedError:
            return
        error = ProvisioningError(
            "boot crashed",
            step=_step(doing),
            how=why[:300],
            hint="install the package of that file again; if memory ran out: add memory or swap",
        )
        try:
            heard = self._report(doing, error)
            self._context.adopt_marks()
            if heard:
                self._finish()
        finally:
            lock.release()

    def _report(self, doing: str, error: ProvisioningError) -> bool:
        """Whether the platform has accepted the report."""
        context = self._context
        self._start_log()
        if not self._may_report(doing):
            return False
        LOG.error("%s", error)
        kind = doing.partition(" ")[0] or "stage"
        context.steps = [Step(kind, _step(doing), StepResult.FAILED, error=error)]
        source = local.use_datasource(context)
        source.may_use_libraries = False
        try:
            if not context.instance_id:
                context.use_instance(current_instance(context.system) or "")
            if stage_done(context, "final"):
                return False  # an earlier report was accepted
            if not local.resume(context):
                source.connect_blindly()
            context.reported, _ = report(source, error)
        except LightinitError as second:
            LOG.error("not reported: %s", second)
            return False
        return True

    def _may_report(self, doing: str) -> bool:
        """Whether something may have shown that this is the platform."""
        return self._context.platform_known is not None or _step(doing) != "local"

    def _start_log(self) -> None:
        context = self._context
        wanted = context.settings["lightinit"]
        log.start(
            context.system,
            wanted["log_level"],
            wanted["log_file"],
            began_s=context.timeline.began_s,
        )


def _step(doing: str) -> str:
    return doing.partition(" ")[2] or "local"
