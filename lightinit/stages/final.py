"""The final stage: tell the platform how it went. Every boot that provisions ends here, whatever
failed before.
"""

from __future__ import annotations

from lightinit.errors import ProvisioningError
from lightinit.model import Outcome
from lightinit.pipeline import Context
from lightinit.stages.report import report


def run(context: Context) -> Outcome:
    """Report Ready if no required step failed.

    Raises:
        ProvisioningError: something had failed before (it was reported as NotReady), or nothing
            could be reported.
    """
    if context.datasource is None:
        raise ProvisioningError(
            "nothing to report to", hint="run the local stage first: lightinit stage local"
        )
    failure = context.first_failure
    vm_id = context.instance.vm_id if context.instance and context.instance.vm_id else context.vm_id
    context.reported, warnings = report(
        context.datasource, failure.told if failure else None, vm_id, context.instance
    )
    if failure is not None:
        context.steps[-1].warnings += warnings  # of this step: an error carries none
        raise ProvisioningError("reported as not ready", step=failure.name)
    return Outcome("the platform accepted %s" % context.reported, warnings)
