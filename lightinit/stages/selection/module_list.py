"""Which modules count for an instance, with what settings, and which of them still have to run."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional

from lightinit.errors import LightinitError
from lightinit.marks import Mark
from lightinit.model import Frequency
from lightinit.pipeline import Context
from lightinit.registry import find_declaration, module_schema
from lightinit.stages.selection.given import find_asked
from lightinit.stages.selection.in_memory import find_in_memory, find_lost

# Once per instance, unless it has left this mark: a part of its data is for each boot.
EACH_BOOT_MARKS = {"scripts": "/sem/module.scripts+each-boot"}


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


def listed(context: Context) -> List[str]:
    """The modules that count for this instance, in order.

    These are the modules in the settings, without those that only user data ask for and that this
    instance's do not. If the settings have the default list and the instance is ready, only those
    that have run on it count, and those that were asked for before it was: an upgrade that adds
    modules must not change a VM long after its first boot. A list in a settings file counts as it
    is.
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
    names = context.settings["lightinit"][key]
    asked = {name for name in names if _is_asked(name)}
    if asked:  # they count only where user data ask for them
        asked.difference_update(find_asked(context))
    names = [name for name in names if name not in asked]
    if (
        context.settings.origins["lightinit"][key] != "default"
        or context.marks is None
        or context.marks.find("stage.final", Frequency.INSTANCE) is None
    ):
        return names
    known = recorded(context, "module")
    return [
        name
        for name in names
        if name in known or _is_asked(name) or find_mark(context, name) is not None
    ]


def _is_asked(name: str) -> bool:
    """Whether a module runs only where user data ask for it."""
    try:
        return find_declaration(name).asked
    except LightinitError:
        return False  # reported when the module is due


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


def find_mark(context: Context, name: str) -> Optional[Mark]:
    """The mark of a module, or None if it still has to run in this boot."""
    if context.marks is None:
        return None
    return context.marks.find("module." + name, frequency_of(context, name))


def pending(context: Context) -> List[str]:
    """The modules that still have to run in this boot, before the report."""
    return [name for name in listed(context) if find_mark(context, name) is None]


def pending_after_ready(context: Context) -> List[str]:
    """The modules that still have to run in this boot, after Ready."""
    return [name for name in listed_after_ready(context) if find_mark(context, name) is None]
