"""The cloud-config of the instance, and which modules it asks for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, List, Optional, Sequence

from lightinit.errors import LightinitError
from lightinit.model import Frequency, Instance, Outcome
from lightinit.pipeline import Context, run_step
from lightinit.registry import find_declaration
from lightinit.state import State

if TYPE_CHECKING:
    from lightinit.cloud_config.given import GivenConfig

LOG = logging.getLogger("lightinit.config")
CUSTOM_DATA = "custom_data"
ASKED = "asked"


def find_cloud_config(context: Context) -> Optional[GivenConfig]:
    """The cloud-config of the instance, as far as ``execute`` of custom_data wants it; None if
    there is none. It is read once for what the platform gave. Its mistakes are the warnings of a
    step.
    """
    instance = context.instance
    if instance is None or CUSTOM_DATA not in context.settings.all_modules:
        return None
    if context.cloud_config is None or context.cloud_config[0] is not instance:
        given = _read_cloud_config(context, instance)
        context.cloud_config = (instance, given)
        _keep_asked(context, _list_asked(context, given))
    return context.cloud_config[1]


def _read_cloud_config(context: Context, instance: Instance) -> Optional[GivenConfig]:
    section = context.settings.values.get("module." + CUSTOM_DATA, {})
    execute = section.get("execute", "none")
    if execute == "none" or not (instance.custom_data + instance.user_data).strip():
        return None
    from lightinit.cloud_config.given import read_given

    given = read_given(context.system, instance, execute)
    if given is not None:
        outcome = Outcome("cloud-config has %d keys" % len(given.values), given.warnings)
        run_step(context.unmarked(), "check", "cloud-config", Frequency.BOOT, lambda: outcome)
    return given


def find_asked(context: Context) -> Sequence[str]:
    """The modules that run only because the cloud-config of the instance asks for them. While the
    instance's data are not loaded, what an earlier run has found counts.
    """
    if context.instance is not None:
        return _list_asked(context, find_cloud_config(context))
    if context.state is None:
        return ()
    return _load_asked(context.state)


def _list_asked(context: Context, given: Optional[GivenConfig]) -> List[str]:
    if given is None:
        return []
    found = []
    for name in context.settings.all_modules:
        try:
            declared = find_declaration(name)
        except LightinitError:
            continue  # reported when the module is due
        if declared.asked and any(key in given.values for key in declared.cloud_config):
            found.append(name)
    return found


def _keep_asked(context: Context, names: List[str]) -> None:
    """Keep the names for boots that do not load the instance's data."""
    if context.marks is None or context.state is None or names == _load_asked(context.state):
        return
    try:
        context.state.save(ASKED, {"modules": names})
    except LightinitError as error:
        LOG.warning("later boots do not know what the cloud-config asks for: %s", error)


def _load_asked(state: State) -> List[str]:
    names = (state.load(ASKED) or {}).get("modules")
    if not isinstance(names, list):
        return []
    return [str(name) for name in names]
