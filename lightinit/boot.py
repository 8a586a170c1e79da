"""A whole boot: which stages have something to do, in which order, and what is kept of how it went.

The promise kept here: whatever fails, the last thing that happens is a report to the platform.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Dict, List, Optional, Sequence

import lightinit
from lightinit import __version__
from lightinit.errors import LightinitError
from lightinit.host.boot_id import read_boot_id
from lightinit.host.dmi import read_dmi
from lightinit.host.init import targets
from lightinit.host.system import System
from lightinit.marks import Semaphores
from lightinit.model import Frequency, Network
from lightinit.pipeline import Context, Step, run_step
from lightinit.settings import Settings
from lightinit.stages import config, fetch, final, local
from lightinit.stages.network import WIRESERVER
from lightinit.stages.report import report
from lightinit.state import (
    DISABLED,
    State,
    StatusFile,
    Timeline,
    current_instance,
    describe_steps,
)

LOG = logging.getLogger("lightinit.boot")

STAGES = ("local", "fetch", "config", "final")
FREQUENCIES = {
    "local": Frequency.BOOT,
    "fetch": Frequency.INSTANCE,
    "config": Frequency.INSTANCE,
    "final": Frequency.INSTANCE,
}
LAST_REPORT_TIMEOUT_S = 60.0
DISABLING_WORD = "lightinit=disabled"


def make_context(system: System, settings: Settings, timeline: Timeline) -> Context:
    """What a run works on: nothing is known yet of the platform, the instance and the network."""
    boot_id = read_boot_id(system)
    status = StatusFile(
        system,
        {
            "pid": os.getpid(),
            "boot_id": boot_id,
            "version": __version__,
            "started": system.clock.time(),
        },
    )

    def on_command(argv: Sequence[str], duration_s: float, returncode: int) -> None:
        timeline.add(
            "command",
            os.path.basename(argv[0]),
            system.clock.monotonic() - duration_s,
            duration_s,
            str(returncode),
        )

    system.on_command = on_command
    return Context(system, settings, timeline, boot_id, status)


def boot(context: Context) -> str:
    """Do all that is still to do on this machine.

    Returns:
        ``done``, ``degraded done`` (with warnings), ``error``, or ``disabled``.
    """
    why = refusal(context)
    if why is not None:
        LOG.info("nothing done: %s", why)
        context.status.update(status="disabled", reason=why)
        return "disabled"
    if context.instance_id and not pending(context):
        LOG.info("instance %s is provisioned: nothing to do", context.instance_id)
        return finish(context, ran=False)
    LOG.info("lightinit %s on instance %s", __version__, context.instance_id or "yet unknown")
    context.status.update(status="running", instance=context.instance_id)
    for problem in context.settings.problems:
        LOG.warning("settings: %s", problem)
    if not stage_done(context, "final"):
        provision(context)
    else:  # only modules of frequency boot, or modules that were added since
        local.use_stored_instance(context)
        run_stage(context, "config", force=True)
    return finish(context, ran=True)


def provision(context: Context) -> None:
    """Walk the four stages. Whatever fails, the final one runs."""
    context.whole = True
    if not run_stage(context, "local").failed:
        run_stage(context, "fetch")
        if context.instance is not None:
            run_stage(context, "config", force=bool(config.pending(context)))
    elif context.platform_known is None and context.network is None:
        return  # no sign that there is a platform to tell
    elif provisioned_before(context):
        return  # most probably it is the same instance: what it once reported stays true
    elif context.datasource is None:
        use_well_known(context)
    if context.instance is None:
        config.run_independent(context)
        if context.network is None:
            open_console(context)
    run_stage(context, "final")


def open_console(context: Context) -> None:
    """Where there is no network, make the account that the provisioning media name: its password
    opens the console, and somebody can look why. The boot has failed all the same, and the next one
    does it all as if this had not been.
    """
    fetch_offline = getattr(context.datasource, "fetch_offline", None)
    instance = (
        fetch_offline(context.instance_id)
        if fetch_offline is not None and context.instance_id
        else None
    )
    if instance is not None:
        LOG.warning(
            "no network: the account %s is made as the provisioning media say, for a login at the"
            " console",
            instance.admin.name,
        )
        config.run_for_login(context, instance)


def provisioned_before(context: Context) -> bool:
    """Whether DMI is silent, so that nobody knows which instance this is, but the last one known is
    done.
    """
    recorded = current_instance(context.system)
    if context.instance_id or recorded is None:
        return False
    marks = Semaphores(context.system, State(context.system, recorded).folder, context.boot_id)
    return marks.find("stage.final", FREQUENCIES["final"]) is not None


def use_well_known(context: Context) -> None:
    """Have somebody to report to although no network was found: there may be one all the same.
    Briefly.
    """
    local.use_datasource(context, Network(WIRESERVER), report_timeout_s=LAST_REPORT_TIMEOUT_S)


def report_at_last(context: Context) -> None:
    """Report the failure outside the final stage, which did not come to it. What was reported
    before stays true.

    Raises:
        LightinitError: the platform has accepted nothing.
    """
    failure = context.first_failure
    if (
        failure is not None
        and failure.error is not None
        and not context.reported
        and not stage_done(context, "final")
    ):
        if context.datasource is None:
            use_well_known(context)
        context.reported, _ = report(context.datasource, failure.told, context.vm_id)


def run_stage(context: Context, name: str, force: bool = False) -> Step:
    """Run one stage unless its mark is there; then take up what it left."""
    work = {
        "local": lambda: local.run(context),
        "fetch": lambda: fetch.run(context),
        "config": lambda: config.run(context),
        "final": lambda: final.run(context),
    }[name]
    step = run_step(context, "stage", name, FREQUENCIES[name], work, force=force)
    if step.result == "already" and not resume(context, name):
        context.steps.remove(step)
        step = run_step(context, "stage", name, FREQUENCIES[name], work, force=True)
    if not step.failed and name != "final":  # that one's target follows from the end of all
        targets.reach(context.system, name)
    elif step.result == "ok" and context.state is not None:
        # After its mark: nobody needs the password any more.
        try:
            context.state.forget_secrets()
        except LightinitError as error:
            step.warnings.append("the password stays in /run until the next boot: %s" % error)
    return step


def resume(context: Context, name: str) -> bool:
    """Load what a stage that is done has left. Returns False when it is not all there any more."""
    if name == "local":
        return local.resume(context)
    if name == "fetch":
        return local.use_stored_instance(context, with_secrets=bool(config.pending(context)))
    if name == "config":
        return not config.pending(context)
    return True


def stage_done(context: Context, name: str) -> bool:
    """Whether the stage has its mark."""
    return (
        context.semaphores is not None
        and context.semaphores.find("stage." + name, FREQUENCIES[name]) is not None
    )


def pending(context: Context) -> List[str]:
    """What still has something to do in this boot. The local stage serves the others and counts
    only with them.
    """
    names = ["stage " + name for name in STAGES[1:] if not stage_done(context, name)]
    return names + ["module " + name for name in config.pending(context)]


def disabled_reason(context: Context) -> Optional[str]:
    """Why lightinit is switched off, or None."""
    if context.system.exists(DISABLED):
        return "disabled by %s%s" % (DISABLED, _why_disabled(context.system))
    if DISABLING_WORD in context.system.read_text("/proc/cmdline").split():
        return "disabled by %s on the kernel's command line" % DISABLING_WORD
    if not context.settings["lightinit"]["enabled"]:
        return "disabled by enabled = no (%s)" % context.settings.origins["lightinit"]["enabled"]
    return None


def _why_disabled(system: System) -> str:
    """The reason that the file gives: its first line that says something, without the comment's
    sign.
    """
    lines = [line.strip("# \t") for line in system.read_text(DISABLED).splitlines()]
    said = [line for line in lines if line and not line.startswith("made-by:")]
    return ": " + said[0] if said else ""


def refusal(context: Context) -> Optional[str]:
    """Why this machine is not to be provisioned, or None. Settles, as far as DMI can, which
    instance it is.
    """
    why = disabled_reason(context)
    if why is None:
        local.identify(context)
        if context.platform_known is False:
            why = "not an Azure VM (DMI has another chassis asset tag, or another vendor and none)"
    return why


def finish(context: Context, ran: bool) -> str:
    """Keep how it went: result.json, timeline.json, the stamp for later boots, status.json.

    Args:
        context: after its stages.
        ran: whether anything ran; if not, an earlier boot's result stays as it is unless it is
            missing.
    """
    recorded = context.state.load("result") if context.state else None
    if not ran and recorded is not None:
        try:
            keep_stamp(context)
        except LightinitError as error:
            LOG.warning("the next boot has to look anew: %s", error)
        return str(recorded.get("status", "done"))
    result = make_result(context, recorded or {})
    if context.state is not None:
        try:
            failure = context.first_failure
            if (
                failure is not None
                and failure.name != "final"
                and context.semaphores is not None
                and not stage_done(context, "final")
            ):
                # What the platform said led nowhere: the next boot asks again. Not if only the
                # report did not arrive, since by then the media are ejected; nor on a VM that is
                # ready, which fetches nothing any more.
                context.semaphores.forget("stage.fetch", Frequency.INSTANCE)
            if is_whole(context) or recorded is None:
                context.state.save("timeline", {"entries": context.timeline.entries}, durable=False)
            context.state.save("result", result)
            keep_stamp(context)
        except LightinitError as error:
            LOG.error("the result cannot be kept: %s", error)
    context.status.update(
        status=result["status"],
        stage="",
        finished=result["finished"],
        errors=result["errors"],
        warnings=result["warnings"],
        reported=result["reported"],
    )
    say_result(context, result)
    return str(result["status"])


def is_whole(context: Context) -> bool:
    """Whether this run was a provisioning, and not a step of it once more: what `analyze` is asked
    about.
    """
    return any(
        step.name in ("local", "fetch") and step.result != "already" for step in context.steps
    )


def say_result(context: Context, result: Dict[str, Any]) -> None:
    """The last line: how it ended, what the platform knows, and what to do next."""
    told = (
        "the platform accepted %s" % context.reported
        if context.reported
        else (
            "nothing was sent, an earlier run reported %s" % result["reported"]
            if result["reported"]
            else "the platform could not be told: it may restart this VM"
        )
    )
    took_s = context.system.clock.monotonic() - context.timeline.began_s
    if result["status"] == "error":
        failure = context.first_failure
        LOG.error(
            "provisioning failed after %.3f s: %s; %s; see: lightinit status --long; when mended:"
            " lightinit boot",
            took_s,
            failure.name if failure else "unknown",
            told,
        )
    else:
        count = len(result["warnings"])
        LOG.info(
            "provisioning done after %.3f s%s; %s",
            took_s,
            (
                ", with %d warning%s (lightinit status --long)" % (count, "" if count == 1 else "s")
                if count
                else ""
            ),
            told,
        )


def make_result(context: Context, earlier: Dict[str, Any]) -> Dict[str, Any]:
    """What result.json says.

    Args:
        context: after its stages.
        earlier: what it said before; counts for what this run did not do.
    """
    clock = context.system.clock
    steps = merge_steps(
        [step.as_dict() for step in context.steps],
        earlier.get("steps", []),
        context.settings["lightinit"]["modules"],
    )
    errors, warnings = describe_steps(steps)
    warnings += ["settings: %s" % problem for problem in context.settings.problems]
    status = (
        "error" if context.first_failure is not None else "degraded done" if warnings else "done"
    )
    return {
        "status": status,
        "version": __version__,
        "instance": context.instance_id,
        "boot_id": context.boot_id,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock.time())),
        "duration_s": (
            round(clock.monotonic() - context.timeline.began_s, 6)
            if is_whole(context)
            else earlier.get("duration_s", 0.0)
        ),
        "reported": context.reported or earlier.get("reported", ""),
        "errors": errors,
        "warnings": warnings,
        "steps": steps,
        "left_out": list(context.system.skipped),
    }


def merge_steps(
    new: List[Dict[str, Any]], old: Any, modules: Sequence[str]
) -> List[Dict[str, Any]]:
    """The latest record of each step: a step that was already done keeps the record of the run that
    did it.

    Args:
        new: this run's steps.
        old: an earlier result's steps, or whatever stands in their place in a damaged file.
        modules: what the settings list; old records of other modules are dropped.
    """
    kept = {
        (step["kind"], step["name"]): step
        for step in (old if isinstance(old, list) else [])
        if is_record(step)
    }
    for step in new:
        key = (step["kind"], step["name"])
        if step["result"] != "already" or key not in kept:
            kept[key] = step
    order = [("stage", "local"), ("stage", "fetch")] + [("module", name) for name in modules]
    order += [("stage", "config"), ("stage", "final")]
    return [kept[key] for key in order if key in kept] + [
        step for step in new if (step["kind"], step["name"]) not in order
    ]


def is_record(step: Any) -> bool:
    """Whether ``step`` is one that make_result has written: the file may be damaged, or another
    version's.
    """
    return (
        isinstance(step, dict)
        and all(isinstance(step.get(key), str) for key in ("kind", "name", "result"))
        and all(isinstance(text, str) for text in [step.get("error", ""), step.get("reason", "")])
        and isinstance(step.get("warnings", []), list)
    )


def keep_stamp(context: Context) -> None:
    """Write, or take away, the stamp by which a later boot knows without any thought that nothing
    is to do.

    It is there exactly when nothing is pending and no module runs at every boot. What is in it
    makes it void as soon as DMI shows another product_uuid (``uuid``), another version of lightinit
    is installed (``version``, to be compared with ``__version__`` in the file ``code``), or
    somebody changes the settings (``file``: mark and name of each). It is read by ``quick.py`` and
    by the shell script ``check``.
    """
    if context.state is None:
        return
    path = context.state.folder + "/provisioned"
    every_boot = [
        name
        for name in context.settings["lightinit"]["modules"]
        if config.frequency_of(context, name) is Frequency.BOOT
    ]
    if every_boot or pending(context):
        context.system.remove(path)
        return
    uuid = read_dmi(context.system).product_uuid or ""
    text = "instance=%s\nuuid=%s\nversion=%s\ncode=%s\n" % (
        context.instance_id,
        uuid,
        __version__,
        os.path.abspath(str(lightinit.__file__)),
    )
    text += "".join("file=%s\n" % line for line in context.settings.fingerprint.splitlines())
    data = text.encode("utf-8", "surrogateescape")
    if context.system.read_text(path) != data.decode("utf-8", "replace"):
        context.system.write(path, data)
