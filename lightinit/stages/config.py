"""The config stage: the modules that the settings list, in order, each with its own mark."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import LightinitError, ProvisioningError, RepeatedError
from lightinit.host.ssh import early
from lightinit.host.system import System
from lightinit.marks import Mark
from lightinit.model import Frequency, Instance, Outcome
from lightinit.pipeline import Context, Step, StepResult, Unfinished, run_step
from lightinit.registry import find_declaration, load_module, module_schema
from lightinit.settings.shipped import Declaration

if TYPE_CHECKING:
    from lightinit.cloud_config.given import GivenConfig

LOG = logging.getLogger("lightinit.config")
CUSTOM_DATA = "custom_data"
STATE = "/var/lib/lightinit"
# What a restart must not empty: accounts, keys, and the names of this host.
PLACES = ("/etc", "/etc/ssh", "/home")

# The modules with a function ``begin``.
EARLY = ("entropy", "ssh_host_keys")
# They do anything that somebody wants. So does a module that lightinit does not ship. What the
# settings list after them may depend on it, so it does not begin early.
FREE = ("write_files", "custom_data")
# Once per instance, unless it has left this mark: a part of its data is for each boot.
EACH_BOOT_MARKS = {"custom_data": "/sem/module.custom_data+each-boot"}
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
    # This includes the frequency: a module may need to know what "once" means.
    section = dict(settings_of(context, name))
    by_settings = bool(section.pop("required", True))

    given = None
    if force or _mark(context, name) is None:
        given = find_cloud_config(context)

    def work() -> Outcome:
        module = load_module(name)
        take = getattr(module, "from_cloud_config", None)
        if take is not None and given is not None:
            section.update(take(given.values))
        instance = context.instance
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
        force,
        isolate=True,
        later=later,
    )
    if name in EACH_BOOT_MARKS and frequency_of(context, name) is not frequency:
        _mark_this_boot(context, step)
    return step


def _mark_this_boot(context: Context, step: Step) -> None:
    """Mark a step as done in this boot: it has found out that it is for each boot."""
    if context.marks is None or step.failed:
        return
    outcome = Outcome(step.message, tuple(step.warnings))
    now_s = context.system.clock.time()
    context.marks.write("module." + step.name, Frequency.BOOT, step.duration_s, outcome, now_s)


def find_cloud_config(context: Context) -> Optional[GivenConfig]:
    """The cloud-config of the instance, as far as ``execute`` of custom_data wants it; None if
    there is none. It is read once for what the platform gave. Its mistakes are the warnings of a
    step.
    """
    instance = context.instance
    if instance is None or CUSTOM_DATA not in context.settings.all_modules:
        return None
    if context.cloud_config is None or context.cloud_config[0] is not instance:
        context.cloud_config = (instance, _read_cloud_config(context, instance))
    return context.cloud_config[1]


def _read_cloud_config(context: Context, instance: Instance) -> Optional[GivenConfig]:
    execute = settings_of(context, CUSTOM_DATA).get("execute", "none")
    if execute == "none" or not (instance.custom_data + instance.user_data).strip():
        return None
    from lightinit.cloud_config.given import read_given

    given = read_given(context.system, instance, execute)
    if given is not None:
        outcome = Outcome("cloud-config has %d keys" % len(given.values), given.warnings)
        run_step(context.unmarked(), "check", "cloud-config", Frequency.BOOT, lambda: outcome)
    return given


def run_independent(context: Context) -> None:
    """Run the modules that need no data from the platform. Used when no data came: sshd then has
    host keys, so that accounts of the image can log in. A failure here is only a warning: the
    missing data are the failure to report.
    """
    if context.marks is None:
        return  # without marks they would run again at each such boot
    for name in _listed_of_kind(context, lambda module: not module.needs_instance):
        run_module(context, name, required=False)


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
    """The modules in the settings that declare what is wanted, in order."""
    found = []
    for name in context.settings["lightinit"]["modules"]:
        try:
            declared = find_declaration(name)
        except LightinitError:
            continue  # reported when the module is due
        if is_wanted(declared):
            found.append(name)
    return found


def settings_of(context: Context, name: str) -> Mapping[str, Any]:
    """The settings of a module; its defaults if ``modules =`` does not list it."""
    known = context.settings.values.get("module." + name)
    if known is not None:
        return known
    try:
        return {setting.key: setting.default for setting in module_schema(name)}
    except LightinitError:
        return {}  # reported when the module is due


def frequency_of(context: Context, name: str) -> Frequency:
    """How often a module runs: as the settings say; but at each boot if a restart loses its
    results.
    """
    frequency = Frequency(settings_of(context, name).get("frequency", Frequency.INSTANCE.value))
    if frequency is Frequency.INSTANCE and _is_for_each_boot(context, name):
        return Frequency.BOOT
    lost = find_lost(find_in_memory(context))
    if lost and frequency is Frequency.INSTANCE:
        try:
            kept_in = find_declaration(name).kept_in
        except LightinitError:
            return frequency  # reported when the module is due
        if any(place in kept_in for place in lost):
            return Frequency.BOOT
    return frequency


def _is_for_each_boot(context: Context, name: str) -> bool:
    """Whether the module has left the mark that it is to run at each boot."""
    mark = EACH_BOOT_MARKS.get(name)
    if mark is None or context.state is None:
        return False
    return context.system.exists(context.state.folder + mark)


def find_in_memory(context: Context) -> Tuple[str, ...]:
    """Those of STATE and PLACES that a restart empties. The mounts are read once."""
    if context.in_memory is None:
        context.in_memory = _read_in_memory(context.system)
    return context.in_memory


def _read_in_memory(system: System) -> Tuple[str, ...]:
    if not system.live:
        return ()
    from lightinit.formats.disks.mounts import is_in_memory, parse_mounts

    mounts = parse_mounts(system.read_text("/proc/self/mountinfo"))
    return tuple(each for each in (STATE, *PLACES) if is_in_memory(mounts, system.path(each)))


def find_lost(in_memory: Tuple[str, ...]) -> Tuple[str, ...]:
    """Those of PLACES that a restart empties, as on many read-only images, although it keeps the
    records that say once per instance what is done. If it keeps nothing, each boot is a first one,
    and nothing is lost.

    Args:
        in_memory: the result of :func:`find_in_memory`.
    """
    if STATE in in_memory:
        return ()
    return in_memory


def describe_lost(in_memory: Tuple[str, ...]) -> List[str]:
    """The warnings about what a restart empties.

    Args:
        in_memory: the result of :func:`find_in_memory`.
    """
    if STATE in in_memory and "/etc" not in in_memory:
        return [
            "%s is in memory: each boot provisions this VM again, and gives it new SSH host keys;"
            " mount a file system of a disk there" % STATE
        ]
    return [
        "%s is in memory, so a restart empties it: each boot makes anew what lightinit has put"
        " there, but a password of the platform's is lost; keep it on a disk" % place
        for place in find_lost(in_memory)
        if place.rpartition("/")[0] not in in_memory
    ]


def listed(context: Context) -> List[str]:
    """The modules that count for this instance, in order.

    These are the modules in the settings. If the settings have the default list and the instance is
    ready, only those that have run on it count: an upgrade that adds modules must not change a VM
    long after its first boot. A list in a settings file counts as it is.
    """
    core = context.settings["lightinit"]
    names = _known(context, "modules")
    if core["before_ready"]:
        names += _known(context, "final_modules")
    return names


def listed_after_ready(context: Context) -> List[str]:
    """The modules that run after Ready, in order, as :func:`listed`."""
    if context.settings["lightinit"]["before_ready"]:
        return []
    return _known(context, "final_modules")


def _known(context: Context, key: str) -> List[str]:
    names = list(context.settings["lightinit"][key])
    if (
        context.settings.origins["lightinit"][key] != "default"
        or context.marks is None
        or context.marks.find("stage.final", Frequency.INSTANCE) is None
    ):
        return names
    known = recorded(context, "module")
    return [name for name in names if name in known or _mark(context, name) is not None]


def recorded(context: Context, kind: str) -> List[str]:
    """The names of the steps of one kind in result.json."""
    if context.state is None:
        return []
    steps = (context.state.load("result") or {}).get("steps")
    if not isinstance(steps, list):
        return []
    return [
        str(step.get("name"))
        for step in steps
        if isinstance(step, dict) and step.get("kind") == kind
    ]


def _mark(context: Context, name: str) -> Optional[Mark]:
    if context.marks is None:
        return None
    return context.marks.find("module." + name, frequency_of(context, name))


def has_mark(context: Context, name: str) -> bool:
    """Whether a module is done, as far as its frequency says."""
    return _mark(context, name) is not None


def pending(context: Context) -> List[str]:
    """The modules that still have to run in this boot, before the report."""
    return [name for name in listed(context) if _mark(context, name) is None]


def pending_after_ready(context: Context) -> List[str]:
    """The modules that still have to run in this boot, after Ready."""
    return [name for name in listed_after_ready(context) if _mark(context, name) is None]


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
        if name == FORESEES and _mark(context, name) is None:
            try:
                load_module(name).foresee(
                    context.instance, context.system, settings_of(context, name)
                )
            except LightinitError:
                return  # reported when the module is due


def run(context: Context) -> Outcome:
    """Run every module. If one fails, the next ones still run. What a module leaves to go on beside
    the next ones has ended when this returns.

    Raises:
        RepeatedError: a required module failed; the module's own step says why.
    """
    names = listed(context)
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
