"""Runs the boothooks in user data and the ``bootcmd`` of a cloud-config, early in each boot."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Run what has not run in this boot.

    Args:
        instance: its ``custom_data`` and ``user_data``.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings; ``documents``, see
            :class:`lightinit.user_data.scripts.runs.RunSettings`; ``bootcmd``.

    Returns:
        What was executed.

    Raises:
        ProvisioningError: a script cannot be started, has failed, or has taken too long.
    """
    from lightinit.user_data.scripts.runs import read_settings, run_early

    return run_early(instance, system, read_settings(settings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The commands of a cloud-config, as a script; and the files that get the output."""
    from lightinit.user_data.scripts.runs import read_commands_of

    return read_commands_of(values, "bootcmd", "init")
