"""A whole boot: which stages have to run, and in which order.

It keeps one promise: whatever fails, the boot ends with a report to the platform.
"""

from __future__ import annotations

import logging
import math
import os
from functools import partial
from typing import Sequence

from lightinit import __version__
from lightinit.errors import (
    LibraryError,
    LightinitError,
    OvertakenError,
    ProvisioningError,
)
from lightinit.hooks import AFTER_MODULES, FOLDER
from lightinit.host.identity import read_boot_id
from lightinit.host.init import targets
from lightinit.host.init.watchdog import Watchdog
from lightinit.host.ssh import early
from lightinit.host.syncs import SlowDiskError
from lightinit.host.system import System, cannot_sync
from lightinit.model import Frequency, Outcome
from lightinit.pipeline import Context, Step, StepResult, run_step
from lightinit.result import finish, save
from lightinit.settings import Settings
from lightinit.stages import config, fetch, in_place, local, login_check, revision
from lightinit.stages.pending import FREQUENCIES, pending, provisioned_before, stage_done
from lightinit.stages.report import report
from lightinit.stages.selection import module_list
from lightinit.state import StatusFile, Timeline, current_instance

LOG = logging.getLogger("lightinit.boot")


def _run_final(context: Context) -> Outcome:
    from lightinit.stages import final  # nothing waits for it before the network is there

    return final.run(context)


WORK = {"local": local.run, "fetch": fetch.run, "config": config.run, "final": _run_final}
# What is not certain after an error that no file of lightinit's own has.
FOREIGN = (
    "the file system of %s reported an error (%s): lightinit's own files are on the disk, but those"
    " of other programs, such as useradd, may be lost; look at the kernel log (dmesg)"
)
WRITTEN_BY_TOOLS = ("/etc", "/home")  # by useradd, for example


def make_context(system: System, settings: Settings, timeline: Timeline) -> Context:
    """The context of a new run: platform, instance and network are still unknown."""
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
    system.on_progress = lambda what: status.update(doing=what)
    watchdog = Watchdog(system.clock.monotonic)
    context = Context(system, settings, timeline, boot_id, status, watchdog=watchdog)
    system.on_network_need = partial(local.await_network, context)
    return context


def boot(context: Context) -> str:
    """Run all stages and modules that still have to run on this machine.

    Returns:
        ``done``, ``degraded done`` (with warnings), ``error``, or ``disabled``.
    """
    why = local.refusal(context)
    if why is not None:
        if context.detection is not None:  # a mistake may be why nothing was found
            _tell_mistakes(context)
        LOG.info("nothing done: %s", why)
        context.status.update(status="disabled", reason=why)
        return "disabled"
    _return_to_former(context)
    if context.instance_id and not pending(context):
        LOG.info("instance %s is provisioned: nothing to do", context.instance_id)
        return finish(context, ran=False)
    LOG.info("lightinit %s on instance %s", __version__, context.instance_id or "yet unknown")
    context.status.update(status="running", instance=context.instance_id)
    _tell_mistakes(context)
    if not stage_done(context, "final"):
        provision(context)
    else:  # only modules of frequency boot, or modules added later
        local.use_stored_instance(context)
        run_stage(context, "config", force=True)
    if not run_after_ready(context):
        return "done"
    return finish(context, ran=True)


def _return_to_former(context: Context) -> None:
    """Make the instance the current one again, if it was provisioned and then replaced by another,
    as by a seed that was exchanged and put back: else no later boot would be free.
    """
    state = context.state
    if state is None or not stage_done(context, "final"):
        return
    if current_instance(context.system) != state.instance_id:
        LOG.info("instance %s is the current one again", state.instance_id)
        try:
            state.make_current()
        except ProvisioningError as error:
            LOG.warning("%s", error)


def _tell_mistakes(context: Context) -> None:
    for problem in context.settings.problems:
        LOG.warning("settings: %s", problem)


def run_after_ready(context: Context) -> bool:
    """Run the modules that do not hold up Ready. What was done before is saved first: they may take
    long, or restart the machine. A failure of theirs is at most a warning.

    Args:
        context: after its stages. Nothing happens unless Ready was accepted.

    Returns:
        False if another process runs them, so that this one can end: what the init system has
        ordered after it, such as sshd, need not wait.
    """
    names = module_list.pending_after_ready(context)
    if not names or not stage_done(context, "final"):
        return True
    save(context)
    context.status.update(status="running", stage="final", doing="module " + names[0])
    took_s = context.system.clock.monotonic() - context.timeline.began_s
    LOG.info("the VM is ready after %.3f s; still to run: %s", took_s, " ".join(names))
    if not context.split():
        return False
    context.status.update(pid=os.getpid())
    for name in names:
        context.status.update(doing="module " + name)
        config.run_module(context, name, required=False)
        _release_marks(context)  # before the next one, which may take long
    return True


def provision(context: Context) -> None:
    """Run the four stages. The final one runs even after a failure; if the failure goes before it
    is reported, all run again. If all this takes too long, the watchdog reports that.
    """
    context.whole = True
    system = context.system
    system.durability.defer([system.path(name) for name in WRITTEN_BY_TOOLS if system.is_dir(name)])
    context.adopt_marks()
    try:
        config.begin_early(context)
        deputy = in_place.Deputy(context, lambda: finish(context, ran=True))
        context.watchdog.begin(
            context.settings["lightinit"]["watchdog_s"] or math.inf,
            deputy.act_overdue,
            deputy.act_dead,
            lambda: early.abandon_orphans(context.system),
            deputy.warn_close,
        )
        _run_until_told(context)
    finally:
        early.abandon(context.system)
        _release_marks(context)
        context.watchdog.end()


def _release_marks(context: Context) -> None:
    """What was done counts, also if the rest was not: after an error, or a signal."""
    if not context.system.durability.held:
        return
    try:
        context.system.make_durable()
    except ProvisioningError as error:
        LOG.warning("the next boot repeats what this one has done: %s", error)


def _run_until_told(context: Context) -> None:
    config.make_room(context)
    revisions = revision.Revisions(context)
    while True:
        _run_stages(context, revisions)
        if not any(isinstance(step.error, OvertakenError) for step in context.steps):
            return
        context.watchdog.go_on()
        revisions.start_again()


def _run_stages(context: Context, revisions: revision.Revisions) -> None:
    without = ""
    if not run_stage(context, "local").failed:
        context.adopt_marks()
        config.begin_early(context)  # if only the network has told which instance this is
        if isinstance(run_stage(context, "fetch").error, LibraryError):
            without = "no requests to the platform"
        if context.instance is not None:
            local.preload_work(context)  # threads of modules must not import beside this one
            run_stage(context, "config", force=bool(module_list.pending(context)))
    elif context.platform_known is None and context.network is None:
        return  # no sign of a platform that takes a report
    elif provisioned_before(context):
        return  # probably the same instance: its earlier report is still true
    elif context.network is None:
        local.use_datasource(context).connect_blindly()
    if context.instance is None:
        config.run_independent(context)
        if context.network is None:
            without = "no network"
        if without:
            open_console(context, without)
    source = local.use_datasource(context)
    source.check_failure = revisions.failure_check()
    run_stage(context, "final")


def open_console(context: Context, without: str) -> None:
    """Make the account that the datasource knows from the media. Its password opens the console, so
    somebody can find out why. The boot still fails, and the next one repeats everything.

    Args:
        context: the run.
        without: what is missing, for the log.
    """
    if context.datasource is None or not context.instance_id:
        return
    instance = context.datasource.fetch_offline(context.instance_id)
    if instance is None or instance.admin is None:
        return
    LOG.warning(
        "%s: making the account %s from the provisioning media, for a login at the console",
        without,
        instance.admin.name,
    )
    config.run_for_login(context, instance)


def report_at_last(context: Context) -> None:
    """Report the failure of a run that did not reach the final stage. If an earlier report was
    accepted, that one stays.

    Raises:
        LightinitError: the platform did not accept the report.
    """
    failure = context.first_failure
    if failure is None or failure.error is None or context.reported:
        return
    if stage_done(context, "final"):
        return
    source = local.use_datasource(context)
    if context.network is None:
        source.connect_blindly()
    context.reported, _ = report(source, failure.told)


def run_stage(context: Context, name: str, force: bool = False) -> Step:
    """Run one stage, and the hooks before and after it. If its mark is there, load what it saved
    instead.
    """
    runs = force or not stage_done(context, name)
    if runs:
        _run_hooks(context, "before-" + name)
    if name == "final" and runs:
        context.system.durability.begin()
        login_check.run(context)
        _end_barrier(context)
    step = _run_once(context, name, force)
    if step.result is StepResult.ALREADY and not resume(context, name):
        context.steps.remove(step)
        step = _run_once(context, name, force=True)
    if not step.failed and runs:
        if name == "config":
            _run_hooks(context, *AFTER_MODULES)
        _run_hooks(context, "after-" + name)
    if not step.failed and name != "final":  # final's target follows the end of the command
        targets.reach(context.system, name)
    elif step.result is StepResult.OK:
        _forget_secrets(context, step)  # after its mark
    return step


def _run_hooks(context: Context, *places: str) -> None:
    for place in places:
        if context.system.is_dir("%s/%s" % (FOLDER, place)):
            from lightinit.hooks import run

            run.run(context, place)


def _end_barrier(context: Context) -> None:
    """Wait until the modules' files are durable, which went on beside the login check: Ready stands
    for them, after a power cut, too.
    """
    durability = context.system.durability
    problem, is_slow = None, False
    try:
        durability.end()
    except OSError as error:
        problem, is_slow = cannot_sync(error), isinstance(error, SlowDiskError)
    if problem is None and not durability.foreign:
        return

    def work() -> Outcome:
        if problem is None:
            error = durability.foreign[0]
            return Outcome("the disk is faulty", (FOREIGN % (error.filename, error.strerror),))
        if not is_slow:
            raise problem
        return Outcome("the disk is slow", ("a power cut now would undo this boot: %s" % problem,))

    run_step(context.unmarked(), "check", "disk", Frequency.BOOT, work)


def _run_once(context: Context, name: str, force: bool) -> Step:
    return run_step(
        context, "stage", name, FREQUENCIES[name], lambda: WORK[name](context), force=force
    )


def _forget_secrets(context: Context, step: Step) -> None:
    """Nobody needs the password any more."""
    if context.state is None:
        return
    try:
        context.state.forget_secrets()
    except LightinitError as error:
        step.warnings.append("the password stays in /run until the next boot: %s" % error)


def resume(context: Context, name: str) -> bool:
    """Load what a finished stage saved. Returns False if a part of it is gone."""
    if name == "local":
        return local.resume(context)
    if name == "fetch":
        return local.use_stored_instance(context, with_secrets=bool(module_list.pending(context)))
    if name == "config":
        return not module_list.pending(context)
    return True
