"""Reports in place of a boot that hangs or has crashed, in the process of the watchdog. What it
knows was known when the boot began.
"""

from __future__ import annotations

import logging

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host import log
from lightinit.pipeline import Context, Step, StepResult
from lightinit.stages import local
from lightinit.stages.pending import stage_done
from lightinit.stages.report import report
from lightinit.state import current_instance

LOG = logging.getLogger("lightinit.watchdog")


def report_overdue(context: Context, doing: str) -> bool:
    """Report that this boot takes too long.

    Args:
        context: as it was when the watchdog began.
        doing: the kind and the name of the step that is running.

    Returns:
        Whether the platform has accepted the report, or takes none.
    """
    limit_s = context.settings["lightinit"]["watchdog_s"]
    error = ProvisioningError(
        "provisioning takes too long",
        step=_step(doing),
        limit_s="%g" % limit_s,
        hint="see what that step waits for; the next boot repeats it",
    )
    return _report(context, doing, error)


def report_death(context: Context, doing: str, why: str) -> bool:
    """Report that the process of this boot has died.

    Args:
        context, doing: as for :func:`report_overdue`.
        why: how it died, and where.

    Returns:
        As :func:`report_overdue`.
    """
    error = ProvisioningError(
        "boot crashed",
        step=_step(doing),
        how=why[:300],
        hint="install the package of that file again; if memory ran out: add memory or swap",
    )
    return _report(context, doing, error)


def _step(doing: str) -> str:
    return doing.partition(" ")[2] or "local"


def _report(context: Context, doing: str, error: ProvisioningError) -> bool:
    wanted = context.settings["lightinit"]
    log.start(
        context.system,
        wanted["log_level"],
        wanted["log_file"],
        began_s=context.timeline.began_s,
    )
    if context.platform_known is None and _step(doing) == "local":
        return False  # nothing has shown that this is the platform
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
