"""Executes the scripts in custom data and user data, and the ``runcmd`` of a cloud-config, each at
most once. By default it runs after Ready.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Execute what has not started yet.

    Args:
        instance: its ``custom_data`` and ``user_data``.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings; ``documents``, see
            :class:`lightinit.user_data.scripts.runs.RunSettings`; ``runcmd``.

    Returns:
        What was executed.

    Raises:
        ProvisioningError: a script cannot be started, has failed in this run, or has taken too
            long.
    """
    if not (instance.custom_data + instance.user_data + instance.vendor_data).strip():
        return Outcome("no custom data or user data", skipped=True)
    from lightinit.user_data.scripts.runs import read_settings, run_scripts

    return run_scripts(instance, system, read_settings(settings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The commands of a cloud-config, as a script; its other scripts; and the files that get the
    output.
    """
    from lightinit.user_data.scripts.runs import read_commands_of, read_scripts_of

    return {**read_commands_of(values, "runcmd", "final"), **read_scripts_of(values)}
