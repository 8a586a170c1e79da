"""Writes the result of a run for operators and later boots: result.json, timeline.json, status.json
and the last line of the log.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from lightinit import __version__
from lightinit.errors import LightinitError
from lightinit.model import Frequency
from lightinit.pipeline import Context, StepResult
from lightinit.settings import MODULE_LISTS
from lightinit.stages.pending import stage_done
from lightinit.stamp import keep_stamp

LOG = logging.getLogger("lightinit.boot")
# The reasons of RepeatedError. A recorded step has only its reason, not the class of its error.
REPEATED = ("required module failed", "reported as not ready", "nobody to report to")


def finish(context: Context, ran: bool) -> str:
    """Save the result and log it.

    Args:
        context: after its stages.
        ran: whether anything ran. If not, the result of an earlier boot stays as it is, unless it
            is missing.

    Returns:
        The status: ``done``, ``degraded done`` or ``error``.
    """
    recorded = context.state.load("result") if context.state else None
    if not ran and recorded is not None:
        try:
            keep_stamp(context)
        except LightinitError as error:
            LOG.warning("the stamp cannot be written, so the next boot starts Python: %s", error)
        return str(recorded.get("status", "done"))
    result = save(context, recorded)
    context.status.update(
        status=result["status"],
        stage="",
        doing="",
        finished=result["finished"],
        errors=result["errors"],
        warnings=result["warnings"],
        reported=result["reported"],
    )
    _log_end(context, result)
    return str(result["status"])


def save(context: Context, recorded: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    """Save the result, as far as the run has come. Returns it.

    Args:
        context: after its stages.
        recorded: the result of an earlier run; it is read if it is not given.
    """
    if recorded is None and context.state is not None:
        recorded = context.state.load("result")
    result = make_result(context, recorded or {})
    try:
        _save(context, result, is_first=recorded is None)
    except LightinitError as error:
        LOG.error("the result cannot be saved: %s", error)
    return result


def _save(context: Context, result: Dict[str, Any], is_first: bool) -> None:
    if context.state is None:
        return
    _forget_fetch_after_failure(context)
    if is_first or is_whole(context):
        context.state.save("timeline", {"entries": context.timeline.entries}, durable=False)
    try:
        context.state.save("result", result)
        keep_stamp(context)
    finally:
        context.system.make_durable()  # the mark of Ready, also if there is no room for the rest


def _forget_fetch_after_failure(context: Context) -> None:
    """Let the next boot fetch the data again: this boot failed with them.

    Keep them if only the report failed, since by then the media are ejected. Keep them on a VM that
    is ready too: it fetches nothing any more.
    """
    failure = context.first_failure
    if failure is None or failure.name == "final" or context.marks is None:
        return
    if not stage_done(context, "final"):
        context.marks.forget("stage.fetch", Frequency.INSTANCE)


def is_whole(context: Context) -> bool:
    """Whether this run provisioned the VM, and did not only repeat a step. `analyze` shows such
    runs.
    """
    return any(
        step.name in ("local", "fetch") and step.result is not StepResult.ALREADY
        for step in context.steps
    )


def _log_end(context: Context, result: Dict[str, Any]) -> None:
    """The last line: how it ended, what the platform knows, and what to do next."""
    took_s = context.system.clock.monotonic() - context.timeline.began_s
    told = _what_was_told(context, result)
    if result["status"] == "error":
        failure = context.first_failure
        LOG.error(
            "provisioning failed after %.3f s: %s; %s; see: lightinit status --long; after fixing"
            " it, run: lightinit boot",
            took_s,
            failure.name if failure else "unknown",
            told,
        )
        return
    LOG.info(
        "provisioning done after %.3f s%s; %s", took_s, _count_warnings(result["warnings"]), told
    )


def _what_was_told(context: Context, result: Dict[str, Any]) -> str:
    if context.reported:
        return "the platform accepted %s" % context.reported
    if result["reported"]:
        return "nothing was sent, an earlier run reported %s" % result["reported"]
    if context.datasource is not None and not context.datasource.REPORTS:
        return "there is nobody to report to"
    return "the platform has accepted no report: it may restart this VM"


def _count_warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    if len(warnings) == 1:
        return ", with 1 warning (lightinit status --long)"
    return ", with %d warnings (lightinit status --long)" % len(warnings)


def make_result(context: Context, earlier: Dict[str, Any]) -> Dict[str, Any]:
    """The content of result.json.

    Args:
        context: after its stages.
        earlier: its content before this run; used for the steps that this run did not do.
    """
    clock = context.system.clock
    steps = merge_steps(
        [step.as_dict() for step in context.steps],
        earlier.get("steps", []),
        _list_modules(context),
    )
    errors, warnings = describe_steps(steps)
    warnings += ["settings: %s" % str(problem) for problem in context.settings.problems]
    duration_s = earlier.get("duration_s", 0.0)
    if is_whole(context):
        duration_s = round(clock.monotonic() - context.timeline.began_s, 6)
    return {
        "status": _status(context, warnings),
        "version": __version__,
        "instance": context.instance_id,
        "boot_id": context.boot_id,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock.time())),
        "duration_s": duration_s,
        "reported": context.reported or earlier.get("reported", ""),
        "errors": errors,
        "warnings": warnings,
        "steps": steps,
        "left_out": list(context.system.skipped),
    }


def _list_modules(context: Context) -> List[Sequence[str]]:
    """The modules of the config stage, and those that run after Ready."""
    core = context.settings["lightinit"]
    of_config, of_final = (core[key] for key in MODULE_LISTS)
    if core["before_ready"]:
        return [of_config + of_final, ()]
    return [of_config, of_final]


def _status(context: Context, warnings: Sequence[str]) -> str:
    if context.first_failure is not None:
        return "error"
    if warnings:
        return "degraded done"
    return "done"


def describe_steps(steps: List[Dict[str, Any]]) -> Tuple[List[str], List[str]]:
    """The errors and the warnings of recorded steps, as lines. The failure of a step that is not
    required is a warning.
    """
    errors: List[str] = []
    warnings: List[str] = []
    for step in steps:
        if step.get("error") and step.get("reason") not in REPEATED:
            (errors if step.get("required", True) else warnings).append(
                "%s: %s" % (step["name"], step["error"])
            )
        warnings.extend("%s: %s" % (step["name"], text) for text in step.get("warnings", ()))
    return errors, warnings


def merge_steps(
    new: List[Dict[str, Any]], old: Any, modules: Sequence[Sequence[str]]
) -> List[Dict[str, Any]]:
    """The latest record of each step. A step that was already done keeps the record of the run that
    did it.

    Args:
        new: this run's steps.
        old: an earlier result's steps. In a damaged file it may be anything.
        modules: those that the settings list for the config stage, and those for after Ready; old
            records of other modules are dropped.
    """
    kept: Dict[Any, Dict[str, Any]] = {}
    if isinstance(old, list):
        kept = {(step["kind"], step["name"]): step for step in old if is_record(step)}
    reported = [step for step in new if (step["kind"], step["name"]) == ("stage", "final")]
    if any(step["result"] != StepResult.ALREADY.value for step in reported):
        # Each report has the checks before it, which leave no marks.
        kept = {key: step for key, step in kept.items() if key[0] != "check"}
    for step in new:
        key = (step["kind"], step["name"])
        if step["result"] != StepResult.ALREADY.value or key not in kept:
            kept[key] = step
    order = _with_hooks("local", [], kept) + _with_hooks("fetch", [], kept)
    of_config, of_final = ([("module", name) for name in names] for names in modules)
    order += _with_hooks("config", of_config, kept)
    order += _with_hooks("final", [key for key in kept if key[0] == "check"], kept) + of_final
    return [kept[key] for key in order if key in kept] + [
        step for step in new if (step["kind"], step["name"]) not in order
    ]


def _with_hooks(
    stage: str, inside: Sequence[Tuple[str, str]], steps: Iterable[Tuple[str, str]]
) -> List[Tuple[str, str]]:
    """The keys of a stage, in the order in which its parts run: the hooks before it, what is inside
    it, its own, and the hooks after it.
    """
    hooks = [key for key in steps if key[0] == "hook"]
    after = [key for key in hooks if key[1].startswith("after-%s/" % stage)]
    if stage == "config":
        after = [key for key in hooks if key[1].startswith("per-")] + after
    before = [key for key in hooks if key[1].startswith("before-%s/" % stage)]
    return before + list(inside) + [("stage", stage)] + after


def is_record(step: Any) -> bool:
    """Whether ``step`` has the form that make_result writes. The file may be damaged, or from
    another version.
    """
    return (
        isinstance(step, dict)
        and all(isinstance(step.get(key), str) for key in ("kind", "name", "result"))
        and all(isinstance(text, str) for text in [step.get("error", ""), step.get("reason", "")])
        and isinstance(step.get("warnings", []), list)
    )
