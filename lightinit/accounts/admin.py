"""Makes the admin account that the platform names: with its password, its groups and root's rights.

An existing account stays; only missing parts are added, and the platform's password replaces the
old one. Each step first checks the current state. So after a crash the next run completes the
account.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Callable, List, Mapping, Optional

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
from lightinit.model import NamedTuple, User

LOG = logging.getLogger("lightinit.users")


class Admitted(NamedTuple):
    """The result of :func:`provide_admin`.

    Attributes:
        message: what was done.
        made: whether the account was made now.
    """

    message: str
    made: bool


def provide_admin(
    system: System,
    admin: User,
    settings: Mapping[str, Any],
    warnings: List[str],
    plan: Optional[Callable[[], NewUser]] = None,
) -> Admitted:
    """Make the admin's account, or complete it.

    Args:
        system: the machine.
        admin: the name, the password, and whether password login is on.
        settings: ``shell``, ``groups`` and ``privileges`` of the module users.
        warnings: gets what did not go as asked.
        plan: says what else is asked for of a new account.

    Raises:
        ProvisioningError: the name is not allowed, the account cannot be made, or its password
            cannot be set.
    """
    name = check_user_name(admin.name)
    done: List[str] = []
    found = _find_usable(system, name)
    made = found is None
    account = found or _make(system, name, settings, warnings, plan)
    local = local_files.is_local(system, name)
    if local:
        done += completion.complete(system, account, made)
    else:
        done += completion.make_home_elsewhere(system, account)
    done += new_users.admit_shell(system, account, warnings)
    done += completion.join_groups(system, name, account.gid, settings["groups"], warnings)
    failure: Optional[ProvisioningError] = None
    try:
        done += _set_password(system, admin)
    except ProvisioningError as error:
        # An admin with a key can still log in, and needs root's rights to fix the problem.
        failure = error
    if local:
        done += completion.stop_ageing(system, name, made)
    done += root_rights.grant_root(system, admin, settings["privileges"], warnings)
    failure = failure or _find_lost_password(system, admin)
    if failure is not None:
        raise failure
    LOG.debug(
        "uid %d, home %s; done: %s", account.uid, account.home, ", ".join(done) or "nothing more"
    )
    return Admitted(_say(name, made, done), made)


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
    system: System,
    name: str,
    settings: Mapping[str, Any],
    warnings: List[str],
    plan: Optional[Callable[[], NewUser]],
) -> texts.Account:
    shell = new_users.choose_shell(system, settings["shell"], warnings)
    new = NewUser(name, shell)
    if plan is not None:
        new = plan()._replace(shell=shell)
    groups = tuple(dict.fromkeys((*settings["groups"], *new.groups)))
    return new_users.make_user(system, new._replace(groups=groups))


def _set_password(system: System, admin: User) -> List[str]:
    """Set the platform's password, if there is one. It replaces any other."""
    password = given.given_password(admin)
    if not password or not user_passwords.set_text(system, admin.name, password):
        return []
    return ["the platform's password"]


def _find_lost_password(system: System, admin: User) -> Optional[ProvisioningError]:
    """An error if lightinit removed the platform's password before it was set. In a scratch root
    it never is.
    """
    if not admin.had_password or not system.live or local_files.has_password(system, admin.name):
        return None
    return ProvisioningError(
        "password is no longer at hand",
        user=admin.name,
        hint="lightinit forgets it once the VM is ready; set one with passwd",
    )
