"""The config stage: the modules that the settings list, in order, each with its own mark."""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, List, Optional, Sequence

from lightinit.errors import LightinitError, ProvisioningError, RepeatedError
from lightinit.host.ssh import early
from lightinit.model import Frequency, Instance, Outcome
from lightinit.pipeline import Context, Step, StepResult, Unfinished, run_step
from lightinit.registry import find_declaration, load_module
from lightinit.settings.declaration import Declaration
from lightinit.stages.selection import missed
from lightinit.stages.selection.given import (
    choose_documents,
    find_cloud_config,
    settle_instance,
)
from lightinit.stages.selection.in_memory import describe_lost, find_in_memory
from lightinit.stages.selection.module_list import (
    EACH_BOOT_MARKS,
    find_mark,
    frequency_of,
    listed,
    pending,
    settings_of,
)

LOG = logging.getLogger("lightinit.config")
# The modules with a function ``begin``.
EARLY = ("entropy", "ssh_host_keys")
# They do anything that somebody wants. So does a module that lightinit does not ship. What the
# settings list after them may depend on it, so it does not begin early.
FREE = ("bootcmd", "write_files", "write_files_deferred", "scripts")
OF_USER_DATA = ("bootcmd", "custom_data", "scripts")
# The module with a function ``foresee``, which is called once. It asks about sshd, and what these
# change comes first.
FORESEES = "ssh_password_login"
BEFORE_SSHD = ("entropy", "hostname", "ssh_host_keys")


def run_module(
    context: Context,
    name: str,
    force: bool = False,
    required: Optional[bool] = None,
    later: Optional[List[Unfinished]] = None,
) -> Step:
    """Run one module unless its mark is there.

    Args:
        context: must have an instance, unless the module needs none (``NEEDS_INSTANCE``).
        name: as in ``modules =``.
        force: run it even if its mark is there.
        required: replaces the setting of this name, if given.
        later: gets the step if its work goes on; see :func:`lightinit.pipeline.run_step`.
    """
    frequency = frequency_of(context, name)
    section = _settings_for(context, name)
    by_settings = bool(section.pop("required", True))

    given = None
    is_late = not force and missed.has_missed(context, name)
    if force or is_late or find_mark(context, name) is None:
        given = find_cloud_config(context)

    def work() -> Outcome:
        module = load_module(name)
        take = getattr(module, "from_cloud_config", None)
        if take is not None and given is not None:
            section.update(take(given.values))
        instance = settle_instance(context.instance, given)
        if instance is None and find_declaration(name).needs_instance:
            raise ProvisioningError(
                "module needs the instance's data",
                module=name,
                hint="run the fetch stage first: lightinit stage fetch",
            )
        return module.apply(instance or Instance(context.instance_id), context.system, section)

    step = run_step(
        context,
        "module",
        name,
        frequency,
        work,
        by_settings if required is None else required,
        force or is_late,
        isolate=True,
        later=later,
    )
    if is_late and not step.failed:
        missed.forget(context, name)
    _mark_this_boot(context, step, frequency)
    return step


def _settings_for(context: Context, name: str) -> Dict[str, Any]:
    """What a module gets. This includes the frequency: a module may need to know what "once" means.
    The modules of user data are told which documents take effect.
    """
    section = dict(settings_of(context, name))
    if name in OF_USER_DATA:
        section.update(documents=choose_documents(context))
    return section


def _mark_this_boot(context: Context, step: Step, frequency: Frequency) -> None:
    """Mark a step as done in this boot, if it has found out that it is for each boot."""
    if step.name not in EACH_BOOT_MARKS or frequency_of(context, step.name) is frequency:
        return
    if context.marks is None or step.failed:
        return
    outcome = Outcome(step.message, tuple(step.warnings))
    now_s = context.system.clock.time()
    context.marks.write("module." + step.name, Frequency.BOOT, step.duration_s, outcome, now_s)


def run_independent(context: Context) -> None:
    """Run the modules that need no data from the platform. Used when no data came: sshd then has
    host keys, so that accounts of the image can log in. A failure here is only a warning: the
    missing data are the failure to report.
    """
    if context.marks is None:
        return  # without marks they would run again at each such boot
    names = _listed_of_kind(context, lambda module: not module.needs_instance)
    for name in names:
        run_module(context, name, required=False)
    missed.note(context, names)


def run_for_login(context: Context, instance: Instance) -> None:
    """Run the modules that make a login possible, without marks, so the next boot repeats them: it
    may know more. A failure here is only a warning.

    Args:
        context: its own instance stays as it is.
        instance: what is known of the instance.
    """
    unmarked = context.unmarked(instance)
    for name in _listed_of_kind(context, lambda module: module.opens_login):
        run_module(unmarked, name, required=False)


def begin_early(context: Context) -> None:
    """Begin the work of modules that needs no data from the platform and takes long, before the
    wait for the network. It is begun only if it is certain that the modules will run.
    """
    if not context.platform_known or context.marks is None:
        return
    if early.is_begun(context.system) or not context.system.has_room():
        return
    for name in pending(context):
        if _is_free(name):
            return
        if name in EARLY:
            try:
                module = load_module(name)
            except LightinitError:
                return  # reported when the module is due
            module.begin(context.system, settings_of(context, name))


def make_room(context: Context) -> None:
    """If the disk is nearly full, run the modules that make room before anything
    has to be written. A failure here is only a warning.
    """
    if context.system.has_room():
        return
    for name in _listed_of_kind(context, lambda module: module.makes_room):
        LOG.warning("the disk is nearly full: the module %s comes first, to make room", name)
        if not run_module(context, name, required=False).failed:
            continue
        # It has no mark, so it runs again in its place. Only that run is to be reported.
        context.steps.pop()


def _listed_of_kind(context: Context, is_wanted: Callable[[Declaration], bool]) -> List[str]:
    """The modules in the settings that declare what is wanted, in order. One that runs only where a
    cloud-config asks for it is none of them.
    """
    found = []
    for name in context.settings["lightinit"]["modules"]:
        try:
            declared = find_declaration(name)
        except LightinitError:
            continue  # reported when the module is due
        if is_wanted(declared) and not declared.asked:
            found.append(name)
    return found


def _is_free(name: str) -> bool:
    return name in FREE or "." in name


def run_all(names: Sequence[str], run_one: Callable[[str, List[Unfinished]], Step]) -> List[Step]:
    """Run modules. What they leave to go on has ended before one that the operator writes, and in
    the end.

    Args:
        names: the modules, in order.
        run_one: runs one; adds to the list what of it goes on.
    """
    later: List[Unfinished] = []
    try:
        steps = []
        for name in names:
            if _is_free(name):
                _finish(later)
            steps.append(run_one(name, later))
        _finish(later)
    finally:
        for unfinished in later:
            unfinished.give_up()
    return steps


def _finish(later: List[Unfinished]) -> None:
    while later:
        later[0].finish()
        del later[0]


def _foresee(context: Context, names: Sequence[str]) -> None:
    """Let a module begin to ask what it will want to know, if it is to run and nothing between may
    change the answer.

    Args:
        context: the run.
        names: the modules that are still to come, in order.
    """
    for name in names:
        if _is_free(name) or name in BEFORE_SSHD or context.instance is None:
            return
        if name == FORESEES and find_mark(context, name) is None:
            try:
                load_module(name).foresee(
                    context.instance, context.system, settings_of(context, name)
                )
            except LightinitError:
                return  # reported when the module is due


def _load_asked(names: Sequence[str]) -> None:
    """Import the modules that a cloud-config asks for: until now nobody knew of them, and threads
    of modules must not import beside this one.
    """
    for name in names:
        try:
            if find_declaration(name).asked:
                load_module(name)
        except LightinitError:
            pass  # reported when the module is due


def run(context: Context) -> Outcome:
    """Run every module. If one fails, the next ones still run. What a module leaves to go on beside
    the next ones has ended when this returns.

    Raises:
        RepeatedError: a required module failed; the module's own step says why.
    """
    names = listed(context)
    _load_asked(names)
    to_foresee = next((name for name in names if name not in BEFORE_SSHD), "")

    def run_one(name: str, later: List[Unfinished]) -> Step:
        if name == to_foresee:
            _foresee(context, names[names.index(name) :])
        return run_module(context, name, later=later)

    steps = run_all(names, run_one)
    failed = [step.name for step in steps if step.failed]
    required = [step.name for step in steps if step.failed and step.required]
    if required:
        raise RepeatedError("required module failed", modules=" ".join(required))
    ran = sum(1 for step in steps if step.result in (StepResult.OK, StepResult.SKIPPED))
    warnings = describe_lost(find_in_memory(context))
    if failed:
        warnings.append("modules failed that are not required: " + " ".join(failed))
    return Outcome("%d of %d modules ran" % (ran, len(steps)), tuple(warnings))
