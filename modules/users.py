"""Makes the admin account that the platform names, and then the accounts of a cloud-config.

Whatever fails of the latter is a warning: the admin can log in.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Tuple

from lightinit.accounts.admin import provide_admin
from lightinit.host.accounts import lookup
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Make the instance's admin account, or complete it; and those of a cloud-config.

    Args:
        instance: its ``admin`` has the name, the password, and whether password login is on.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py; and ``logins``, if
            there is a cloud-config.

    Returns:
        What was done.

    Raises:
        ProvisioningError: the name is not allowed, the account cannot be made, or its password
            cannot be set.
    """
    if settings.get("logins") is not None:
        from lightinit.accounts.given.provision import provide_all

        return provide_all(system, instance, settings["logins"], settings)
    if instance.admin is None:
        return Outcome(
            "no admin account asked for", ("the platform names no admin user",), skipped=True
        )
    warnings: List[str] = []
    message = provide_admin(system, instance.admin, settings, warnings).message
    return Outcome(message, tuple(warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of accounts: ``logins``."""
    from lightinit.accounts.given.logins import read_logins

    return {"logins": read_logins(values)}


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing."""
    found = []
    shell = settings["shell"]
    if shell and not lookup.can_be_shell(system, shell):
        text = "%s is not a program here; install it in the image, or name another" % ascii(shell)
        found.append(("shell", text))
    for group in settings["groups"]:
        if not re.match(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?\Z", group):
            text = "%s cannot be a group's name; write names, with blanks between" % ascii(group)
            found.append(("groups", text))
    return found
