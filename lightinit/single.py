"""Runs one stage or one module alone, with what the earlier stages saved."""

from __future__ import annotations

import logging
from typing import Any, Dict

from lightinit import boot
from lightinit.errors import (
    EXIT_FAILED,
    EXIT_NOT_RUN,
    EXIT_OK,
    EXIT_USAGE,
    ProvisioningError,
    RefusedError,
)
from lightinit.pipeline import Context, Step, StepResult
from lightinit.registry import load_module
from lightinit.result import finish
from lightinit.stages import config, local
from lightinit.stages.pending import stage_done
from lightinit.stages.selection import module_list
from lightinit.stamp import keep_stamp
from lightinit.state import current_instance

LOG = logging.getLogger("lightinit.single")


def stage(context: Context, name: str, force: bool) -> int:
    """Run the stage ``name``.

    Returns:
        The exit code.

    Raises:
        RefusedError: this machine must not be provisioned, or an earlier stage has not run.
    """
    _settle(context, name == "local")
    if name != "local" and not local.resume(context) and name != "config":
        raise RefusedError(
            "the local stage has not run",
            EXIT_NOT_RUN,
            stage=name,
            hint="run first: lightinit stage local",
        )
    if name in ("config", "final"):
        has_data = local.use_stored_instance(context, with_secrets=_needs_secrets(context, name))
        if name == "config" and not has_data:
            raise RefusedError(
                "the fetch stage has not run",
                EXIT_NOT_RUN,
                stage=name,
                hint="run first: lightinit stage fetch",
            )
    context.status.update(status="running", instance=context.instance_id)
    if name == "final" and (force or not stage_done(context, "final")):
        _recall(context)
    if name == "config" and force:
        for module_name in module_list.listed(context):
            _forget(context, module_name)
    step = boot.run_stage(
        context, name, force or (name == "config" and bool(module_list.pending(context)))
    )
    if name == "final" and step.result is not StepResult.ALREADY:
        boot.run_after_ready(context)
        finish(context, ran=True)
        return _end(context, step, told=True)
    return _end(context, step)


def module(context: Context, name: str, force: bool) -> int:
    """Run the module ``name``; it need not be listed in the settings.

    Returns:
        The exit code.

    Raises:
        RefusedError: this machine must not be provisioned, or the fetch stage has not run.
    """
    try:
        load_module(name)
    except ProvisioningError as error:
        if error.reason == "no such module":
            raise RefusedError("no such module", EXIT_USAGE, **error.details) from None
    _settle(context, False)
    if not local.use_stored_instance(context, with_secrets=_needs_secrets(context, "config")):
        raise RefusedError(
            "the fetch stage has not run",
            EXIT_NOT_RUN,
            module=name,
            hint="run first: lightinit boot",
        )
    context.status.update(status="running", instance=context.instance_id)
    return _end(context, config.run_module(context, name, force))


def _needs_secrets(context: Context, name: str) -> bool:
    """Whether the data count as missing if their password is gone: so until the VM is ready."""
    return name == "config" and not stage_done(context, "final")


def _settle(context: Context, may_be_open: bool) -> None:
    """Find out which instance this is. ``may_be_open``: it may stay unknown, since the stage itself
    finds it out.
    """
    why = local.refusal(context)
    if why is not None:
        raise RefusedError("not to be provisioned", EXIT_NOT_RUN, why=why)
    if not context.instance_id and not may_be_open:
        # DMI has no product_uuid: the local stage has asked the platform.
        recorded = current_instance(context.system)
        if recorded is None:
            raise RefusedError(
                "the local stage has not run", EXIT_NOT_RUN, hint="run first: lightinit stage local"
            )
        context.use_instance(recorded)


def _recall(context: Context) -> None:
    """Add a failed step for the fetch stage, or else for each module that has not run, for the
    report. Without the fetch stage no module can run: it alone is to be told.
    """
    if not stage_done(context, "fetch"):
        missing = ProvisioningError("stage has not run", stage="fetch")
        context.steps.append(Step("stage", "fetch", StepResult.FAILED, error=missing))
        return
    for name in module_list.pending(context):
        required = module_list.settings_of(context, name).get("required", True)
        context.steps.append(
            Step(
                "module",
                name,
                StepResult.FAILED,
                required,
                error=ProvisioningError("module has not run", module=name),
            )
        )


def _forget(context: Context, name: str) -> None:
    if context.marks is not None:
        context.marks.forget("module." + name, module_list.frequency_of(context, name))


def _end(context: Context, step: Step, told: bool = False) -> int:
    """Log the end and update status.json. ``told``: the boot has already updated status.json."""
    if context.state is not None and not told:
        keep_stamp(context)
        _tell_status(context, step, context.state.load("result") or {})
    if step.result is StepResult.ALREADY:
        LOG.info(
            "%s %s is done already (%s); --force runs it again", step.kind, step.name, step.message
        )
    if step.failed:
        return EXIT_FAILED
    return EXIT_OK


def _tell_status(context: Context, step: Step, recorded: Dict[str, Any]) -> None:
    """Update status.json: with this step, and with the boot's record for all else."""
    status, errors = recorded.get("status", "not run"), recorded.get("errors", [])
    if step.failed:
        status, errors = "error", ["%s: %s" % (step.name, step.error)]
    context.status.update(
        stage="",
        status=status,
        errors=errors,
        warnings=step.warnings or recorded.get("warnings", []),
        reported=recorded.get("reported", ""),
        finished=recorded.get("finished", ""),
    )
