"""Modules that have run without the instance's data, and so have not seen its cloud-config.

If the platform gives no data, the modules that need none run all the same, with marks: there must
be SSH host keys. When the data come in a later boot, such a module runs again if they have
something for it.
"""

from __future__ import annotations

import logging
from typing import List, Sequence

from lightinit.errors import LightinitError
from lightinit.pipeline import Context
from lightinit.registry import find_declaration
from lightinit.stages.selection.given import find_cloud_config
from lightinit.stages.selection.module_list import find_mark

LOG = logging.getLogger("lightinit.config")
RECORD = "without-data"


def note(context: Context, names: Sequence[str]) -> None:
    """Record that modules have run without the instance's data.

    Args:
        context: the run, which has no data.
        names: the modules.
    """
    _save(context, [*_load(context), *(name for name in names if _takes_keys(name))])


def has_missed(context: Context, name: str) -> bool:
    """Whether a module that is done has something to do by the cloud-config, which it has not seen.

    Args:
        context: the run.
        name: the module.
    """
    try:
        declared = find_declaration(name)
    except LightinitError:
        return False  # reported when the module is due
    if context.instance is None or declared.needs_instance or not declared.cloud_config:
        return False
    if find_mark(context, name) is None or name not in _load(context):
        return False
    given = find_cloud_config(context)
    if given is None:
        return False
    from lightinit.cloud_config.given import asks_for

    return asks_for(given.values, declared.cloud_config, declared.asked_field)


def forget(context: Context, name: str) -> None:
    """Record that a module has seen the data."""
    _save(context, [each for each in _load(context) if each != name])


def _takes_keys(name: str) -> bool:
    try:
        return bool(find_declaration(name).cloud_config)
    except LightinitError:
        return False  # reported when the module is due


def _load(context: Context) -> List[str]:
    if context.state is None:
        return []
    return context.state.load_names(RECORD)


def _save(context: Context, names: Sequence[str]) -> None:
    if context.state is None:
        return
    try:
        context.state.save_names(RECORD, list(dict.fromkeys(names)))
    except LightinitError as error:
        LOG.warning("later boots do not know which modules have run without data: %s", error)
