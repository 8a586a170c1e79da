"""The final stage: tell the platform how it went. Every boot that provisions ends here, whatever
failed before.
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
        RepeatedError: something had failed before. It was reported as NotReady, if there is
            somebody to report to.
        ProvisioningError: nothing could be reported.
    """
    if context.datasource is None:
        raise ProvisioningError(
            "nothing to report to", hint="run the local stage first: lightinit stage local"
        )
    failure = context.first_failure
    if failure is None:
        context.reported, warnings = report(context.datasource, None, context.instance)
        return Outcome(_message(context.reported), warnings)
    context.reported, warnings = report(context.datasource, failure.told, context.instance)
    context.steps[-1].warnings += warnings  # of this step: an error carries none
    if context.reported:
        raise RepeatedError("reported as not ready", step=failure.name)
    raise RepeatedError("nobody to report to", step=failure.name)


def _message(reported: str) -> str:
    if not reported:
        return NOBODY
    return "the platform accepted %s" % reported
