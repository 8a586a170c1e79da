"""The config stage: the modules that the settings list, in order, each with its own mark."""
from __future__ import annotations

from typing import Any, List, Mapping

from lightinit.errors import LightinitError, ProvisioningError
from lightinit.model import Frequency, Outcome
from lightinit.pipeline import Context, Step, run_step
from lightinit.registry import load_module, module_schema


def run_module(context: Context, name: str, force: bool = False) -> Step:
    """Run one module unless its mark is there.

    Args:
        context: must have an instance.
        name: as in ``modules =``.
        force: run it even if its mark is there.
    """
    frequency = frequency_of(context, name)
    section = dict(settings_of(context, name))
    section.pop("frequency", None)
    required = bool(section.pop("required", True))

    def work() -> Outcome:
        if context.instance is None:
            raise ProvisioningError("module needs the instance's data", module=name,
                                    hint="run the fetch stage first: lightinit stage fetch")
        return load_module(name).apply(context.instance, context.system, section)

    return run_step(context, "module", name, frequency, work, required, force, isolate=True)


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
