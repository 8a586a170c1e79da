"""The final stage: report the result to the platform. Every boot that provisions ends here, even
after a failure.
"""

from __future__ import annotations

from lightinit.errors import ProvisioningError, RepeatedError
from lightinit.model import Outcome
from lightinit.pipeline import Context
from lightinit.stages.report import report

NOBODY = "nobody to report to"


def run(context: Context) -> Outcome:
    """Report Ready if no required step failed.

    Raises:
        RepeatedError: a required step failed before. It was reported as NotReady, if the platform
            takes reports.
        ProvisioningError: the platform did not accept the report.
    """
    if context.datasource is None:
        raise ProvisioningError(
            "nothing to report to", hint="run the local stage first: lightinit stage local"
        )
    context.watchdog.pause()  # it must not report beside us
    failure = context.first_failure
    if failure is None:
        context.reported, warnings = report(context.datasource, None, context.instance)
        context.watchdog.end()  # nothing may be reported after Ready
        return Outcome(_message(context.reported), warnings)
    context.reported, warnings = report(context.datasource, failure.told, context.instance)
    context.steps[-1].warnings += warnings  # this step's own: an error has no warnings
    if context.reported:
        raise RepeatedError("reported as not ready", step=failure.name)
    raise RepeatedError("nobody to report to", step=failure.name)


def _message(reported: str) -> str:
    if not reported:
        return NOBODY
    return "the platform accepted %s" % reported
