"""Makes the admin account that the platform names: with its password, its groups and root's rights.

An existing account stays; only missing parts are added, and the platform's password replaces the
old one. Each step first checks the current state. So after a crash the next run completes the
account.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import List, Optional, Tuple

from lightinit.accounts import completion, local_files, new_users, root_rights, user_passwords
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import login_defs
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords as given
from lightinit.formats.accounts.admin_account import check_admin_account, check_user_name
from lightinit.host.accounts import lookup
from lightinit.host.accounts.tools import NewUser
from lightinit.host.system import System
from lightinit.login.admin import find_account
from lightinit.model import Instance, Outcome, User
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.users")


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Make the instance's admin account, or complete it.

    Args:
        instance: its ``admin`` has the name, the password, and whether password login is on.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        What was done.

    Raises:
        ProvisioningError: the name is not allowed, the account cannot be made, or its password
            cannot be set.
    """
    if instance.admin is None:
        return Outcome(
            "no admin account asked for", ("the platform names no admin user",), skipped=True
        )
    name = check_user_name(instance.admin.name)
    warnings: List[str] = []
    done: List[str] = []
    found = _find_usable(system, name)
    made = found is None
    account = found or _make(system, name, settings, warnings)
    local = local_files.is_local(system, name)
    if local:
        done += completion.complete(system, account, made)
    else:
        done += completion.make_home_elsewhere(system, account)
    done += new_users.admit_shell(system, account, warnings)
    done += completion.join_groups(system, name, account.gid, settings["groups"], warnings)
    failure: Optional[ProvisioningError] = None
    try:
        done += _set_password(system, instance.admin)
    except ProvisioningError as error:
        # An admin with a key can still log in, and needs root's rights to fix the problem.
        failure = error
    if local:
        done += completion.stop_ageing(system, name, made)
    done += root_rights.grant_root(system, instance.admin, settings["privileges"], warnings)
    failure = failure or _find_lost_password(system, instance.admin)
    if failure is not None:
        raise failure
    LOG.debug(
        "uid %d, home %s; done: %s", account.uid, account.home, ", ".join(done) or "nothing more"
    )
    return Outcome(_say(name, made, done), tuple(warnings))


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


def _say(name: str, made: bool, done: List[str]) -> str:
    if made:
        return "made user %s" % name
    if done:
        return "user %s was there already; added %s" % (name, ", ".join(done))
    return "user %s was there already" % name


def _find_usable(system: System, name: str) -> Optional[texts.Account]:
    """The account ``name``, checked; None if there is none."""
    account = find_account(system, name)
    if account is None:
        return None
    return check_admin_account(
        account,
        login_defs.read_uid_min(system.read_text("/etc/login.defs")),
        partial(lookup.can_be_shell, system),
        partial(lookup.is_home_of_person, system, local_files.useradd_defaults(system)["HOME"]),
    )


def _make(
    system: System, name: str, settings: ModuleSettings, warnings: List[str]
) -> texts.Account:
    shell = new_users.choose_shell(system, settings["shell"], warnings)
    return new_users.make_user(system, NewUser(name, shell, groups=settings["groups"]))


def _set_password(system: System, admin: User) -> List[str]:
    """Set the platform's password, if there is one. It replaces any other."""
    password = given.given_password(admin)
    if not password or not user_passwords.set_text(system, admin.name, password):
        return []
    return ["the platform's password"]


def _find_lost_password(system: System, admin: User) -> Optional[ProvisioningError]:
    """An error if lightinit removed the platform's password before it was set."""
    if not admin.had_password or local_files.has_password(system, admin.name):
        return None
    return ProvisioningError(
        "password is no longer at hand",
        user=admin.name,
        hint="lightinit forgets it once the VM is ready; set one with passwd",
    )
