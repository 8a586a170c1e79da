"""The config stage: the modules that the settings list, in order, each with its own mark."""
from __future__ import annotations

from typing import Any, List, Mapping, Optional

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.model import Frequency, Instance, Outcome
from lightinit.pipeline import Context, Step, run_step
from lightinit.registry import load_module, module_schema


def run_module(context: Context, name: str, force: bool = False, required: Optional[bool] = None) -> Step:
    """Run one module unless its mark is there.

    Args:
        context: must have an instance, unless the module needs none (``NEEDS_INSTANCE``).
        name: as in ``modules =``.
        force: run it even if its mark is there.
        required: counts instead of the settings' if given.
    """
    frequency = frequency_of(context, name)
    section = dict(settings_of(context, name))
    section.pop("frequency", None)
    by_settings = bool(section.pop("required", True))

    def work() -> Outcome:
        module = load_module(name)
        instance = context.instance
        if instance is None and getattr(module, "NEEDS_INSTANCE", True):
            raise ProvisioningError("module needs the instance's data", module=name,
                                    hint="run the fetch stage first: lightinit stage fetch")
        return module.apply(instance or Instance(context.instance_id), context.system, section)

    return run_step(context, "module", name, frequency, work, by_settings if required is None else required, force,
                    isolate=True)


def run_independent(context: Context) -> None:
    """Run the modules that need nothing of the platform's, when nothing came from there: so that sshd has host keys, and an
    account that the image has is not shut out. What fails here is a warning; why nothing came is what counts.
    """
    if context.semaphores is None:
        return  # without marks they would run at each such boot
    for name in context.settings["lightinit"]["modules"]:
        try:
            independent = not getattr(load_module(name), "NEEDS_INSTANCE", True)
        except LightinitError:
            continue  # said when it is to run
        if independent:
            run_module(context, name, required=False)


def settings_of(context: Context, name: str) -> Mapping[str, Any]:
    """The settings of a module; its own defaults when ``modules =`` does not list it."""
    known = context.settings.values.get("module." + name)
    if known is not None:
        return known
    try:
        return {setting.key: setting.default for setting in module_schema(name)}
    except LightinitError:
        return {}  # said when it is to run


def frequency_of(context: Context, name: str) -> Frequency:
    """How often a module runs."""
    return Frequency(settings_of(context, name).get("frequency", Frequency.INSTANCE.value))


def pending(context: Context) -> List[str]:
    """The modules that still have something to do in this boot."""
    names = []
    for name in context.settings["lightinit"]["modules"]:
        mark = context.semaphores and context.semaphores.find("module." + name, frequency_of(context, name))
        if mark is None:
            names.append(name)
    return names


def run(context: Context) -> Outcome:
    """Run every module; one that fails does not keep the next from running.

    Raises:
        ProvisioningError: a required module failed; the module's own step says why.
    """
    steps = [run_module(context, name) for name in context.settings["lightinit"]["modules"]]
    failed = [step.name for step in steps if step.failed]
    required = [step.name for step in steps if step.failed and step.required]
    if required:
        raise ProvisioningError("required module failed", modules=" ".join(required))
    ran = sum(1 for step in steps if step.result in ("ok", "skipped"))
    return Outcome("%d of %d modules ran" % (ran, len(steps)),
                   ("modules failed that are not required: " + " ".join(failed),) if failed else ())
