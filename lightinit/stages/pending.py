"""Which instance this is, if an earlier boot has found it out, and which stages and modules still
have to run, by their marks.
"""

from __future__ import annotations

from typing import List

from lightinit.datasources.anchors import describe
from lightinit.datasources.base import Datasource
from lightinit.formats.instance_id import is_usable_id
from lightinit.hooks import FOLDER
from lightinit.host.system import System
from lightinit.marks import Marks
from lightinit.model import Frequency
from lightinit.pipeline import Context
from lightinit.stages.selection import module_list
from lightinit.state import ANCHORS, State, current_instance

STAGES = ("local", "fetch", "config", "final")
FREQUENCIES = {
    "local": Frequency.BOOT,
    "fetch": Frequency.INSTANCE,
    "config": Frequency.INSTANCE,
    "final": Frequency.INSTANCE,
}


def stage_done(context: Context, name: str) -> bool:
    """Whether the stage has its mark."""
    if context.marks is None:
        return False
    return context.marks.find("stage." + name, FREQUENCIES[name]) is not None


def pending(context: Context) -> List[str]:
    """The stages and modules that still have to run in this boot. The local stage is left out: it
    only serves the others.
    """
    names = ["stage " + name for name in STAGES[1:] if not stage_done(context, name)]
    modules = module_list.pending(context) + module_list.pending_after_ready(context)
    names += ["module " + name for name in modules]
    return names + ["hook " + name for name in pending_hooks(context)]


def pending_hooks(context: Context) -> List[str]:
    """The hooks that still have to run in this boot; without those before and after a stage, which
    run with it.
    """
    if not context.system.is_dir(FOLDER):
        return []
    from lightinit.hooks import run

    return run.pending(context, module_list.recorded(context, "hook"))


def provisioned_before(context: Context) -> bool:
    """Whether the instance is unknown, but the last known one was provisioned."""
    recorded = current_instance(context.system)
    if context.instance_id or recorded is None:
        return False
    marks = Marks(context.system, State(context.system, recorded).folder, context.boot_id)
    return marks.find("stage.final", FREQUENCIES["final"]) is not None


def keep_anchors(system: System, state: State, source: Datasource) -> None:
    """Keep what names the instance whose data have been fetched, as it is now; also that it is
    something that cannot be compared.

    Raises:
        ProvisioningError: it cannot be written.
    """
    if source.anchors():
        lines = describe(system, source)
        state.save(ANCHORS, {"datasource": type(source).__name__, "lines": lines})


def recall_instance(system: System, source: Datasource) -> str:
    """The id of the current instance if what names it is as it was, else ""."""
    recorded = current_instance(system)
    if recorded is None or not is_usable_id(recorded):
        return ""
    kept = State(system, recorded).load(ANCHORS) or {}
    lines = kept.get("lines")
    if kept.get("datasource") != type(source).__name__ or not lines:
        return ""
    return recorded if lines == describe(system, source) else ""
