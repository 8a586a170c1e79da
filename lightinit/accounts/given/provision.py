"""Makes all that an instance and its cloud-config want of accounts: the platform's admin first.

A failure of another account is a warning, and the rest is done. Only that of the admin is raised,
in the end.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.accounts import local_files, root_rights, user_passwords
from lightinit.accounts.admin import provide_admin
from lightinit.accounts.given import users as given_users
from lightinit.accounts.given.groups import add_members, make_groups
from lightinit.accounts.given.logins import (
    ROOT,
    AdminWish,
    GivenLogins,
    Roles,
    find_roles,
    lay_over,
)
from lightinit.accounts.given.passwords import list_passwords, set_passwords
from lightinit.accounts.given.rights import grant_given
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import account_options
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords as platform
from lightinit.formats.cloud_config.readers.passwords import HASH, TEXT, GivenPassword
from lightinit.formats.cloud_config.readers.users import GivenUser
from lightinit.host.accounts import files, lookup
from lightinit.host.system import System
from lightinit.login.admin import find_account
from lightinit.model import Instance, Outcome, User

LOG = logging.getLogger("lightinit.users")
NO_ADMIN = User("")


def provide_all(
    system: System, instance: Instance, logins: GivenLogins, settings: Mapping[str, Any]
) -> Outcome:
    """Make groups, the admin, the other accounts; then members, passwords and rights.

    Args:
        system: the machine.
        instance: its ``admin`` is the platform's.
        logins: what a cloud-config says.
        settings: those of the module users.

    Returns:
        What was done.

    Raises:
        ProvisioningError: the admin's account failed; the others were made all the same.
    """
    wish = lay_over(instance, logins) or AdminWish(NO_ADMIN)
    admin, warnings = wish.admin, []  # type: User, List[str]
    roles = find_roles(logins.accounts, admin.name)
    if roles.lacks_default:
        warnings.append(
            "`users` has no `default`; %s is made all the same, since it is the platform's admin"
            % admin.name
        )
    done = _make_groups(system, logins, roles, warnings)
    failure: Optional[ProvisioningError] = None
    if instance.admin is None:
        if not roles.besides_admin:
            warnings.append("the platform names no admin user")
    else:
        try:
            done.append(_provide_admin(system, admin, roles.admin, settings, warnings))
        except ProvisioningError as error:
            failure = error
    done += _provide_others(system, admin, roles, settings, warnings)
    done += add_members(system, logins.accounts.groups, warnings)
    done += _finish_passwords(system, logins, roles, admin, warnings)
    done += _grant(system, roles, admin, settings, warnings)
    if failure is not None:
        for warning in warnings:
            LOG.warning("%s", warning)
        raise failure
    return Outcome("; ".join(done), tuple(warnings))


def _make_groups(
    system: System, logins: GivenLogins, roles: Roles, warnings: List[str]
) -> List[str]:
    names = [group.name for group in logins.accounts.groups]
    for user in (*_listed(roles.admin), *roles.besides_admin):
        if user.create_groups:
            names += [*user.groups, *(each for each in (user.primary_group,) if each)]
    try:
        return ["made group " + name for name in make_groups(system, names, warnings)]
    except ProvisioningError as error:
        warnings.append("groups are not made: %s" % error)
        return []


def _listed(user: Optional[GivenUser]) -> Tuple[GivenUser, ...]:
    if user is None:
        return ()
    return (user,)


# -- accounts
# --------------------------------------------------------------------------------------------------


# What is below these is gone after a restart, or is not made for homes.
NO_HOMES = ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "tmp", "usr")


def _can_be_home(system: System, path: str) -> bool:
    """Whether the admin may have a home: no folder of the system, and no file."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not names or names[0] in NO_HOMES or (len(names) == 1 and system.exists(path)):
        return False
    return system.is_dir(path) or not system.exists(path)


def _provide_admin(
    system: System,
    admin: User,
    user: Optional[GivenUser],
    settings: Mapping[str, Any],
    warnings: List[str],
) -> str:
    """The platform's admin, with the options of a cloud-config that cost no login."""
    if user is None:
        return provide_admin(system, admin, settings, warnings).message
    for key in ("no_create_home", "system", "ssh_redirect_user"):
        if getattr(user, key):
            warnings.append(
                "`%s` is left out for %s: the platform's admin must be able to log in"
                % (key, admin.name)
            )
    user = user._replace(no_create_home=False, system=False)
    changed: Dict[str, Any] = dict(settings)
    account = find_account(system, admin.name)
    if account is not None:
        given_users.tell_differences(system, user, account, warnings)
    if user.shell and not _can_log_in(system, user.shell):
        text = "nobody could log in as %s with the shell %s; it has another one"
        warnings.append(text % (admin.name, user.shell))
        user = user._replace(shell="")
    if user.homedir and not _can_be_home(system, user.homedir):
        text = "nobody could log in as %s with the home %s; it has another one"
        warnings.append(text % (admin.name, user.homedir))
        user = user._replace(homedir="")
    changed["shell"] = user.shell or settings["shell"]
    changed["groups"] = tuple(dict.fromkeys((*settings["groups"], *user.groups)))
    if user.sudo is not None:
        changed["privileges"] = "none"  # they come with those of the other accounts
    plan = partial(given_users.plan_user, system, user, warnings)
    admitted = provide_admin(system, admin, changed, warnings, plan)
    if admitted.made:
        day = account_options.read_day(user.expiredate)
        if day is not None and day <= files.today(system):
            warnings.append("`expiredate` of %s is past: it does not expire" % admin.name)
            user = user._replace(expiredate="")
        given_users.set_end(system, user)
    return admitted.message


def _can_log_in(system: System, shell: str) -> bool:
    is_login = texts.Account("", 0, 0, "", shell).can_log_in
    return is_login and lookup.can_be_shell(system, shell)


def _provide_others(
    system: System,
    admin: User,
    roles: Roles,
    settings: Mapping[str, Any],
    warnings: List[str],
) -> List[str]:
    done: List[str] = []
    for user in roles.besides_admin:
        further: Tuple[str, ...] = ()
        is_default = roles.default is not None and user is roles.default
        if is_default and user.name != ROOT:
            further = settings["groups"]
        try:
            done += given_users.provide(system, user, further, warnings)
            password = platform.given_password(admin)
            if is_default and password and user.lock_passwd is not True:
                user_passwords.set_text(system, user.name, password)
        except ProvisioningError as error:
            warnings.append("account %s: %s" % (user.name, error))
    return done


# -- passwords and rights
# --------------------------------------------------------------------------------------------------


def _finish_passwords(
    system: System, logins: GivenLogins, roles: Roles, admin: User, warnings: List[str]
) -> List[str]:
    given = list_passwords(logins, roles, admin.name)
    of_admin = [] if roles.admin is None else _passwords_of(system, roles.admin)
    named = {each.name for each in given}
    set_passwords(
        system, [each for each in of_admin if each.name not in named], False, admin, warnings
    )
    names = set_passwords(system, given, logins.passwords.expire, admin, warnings)
    if roles.admin is not None and roles.admin.lock_passwd and admin.name not in names:
        _lock_admin(system, admin, warnings)
    return ["password of " + name for name in names]


def _passwords_of(system: System, user: GivenUser) -> List[GivenPassword]:
    if user.hashed_passwd:
        return [GivenPassword(user.name, HASH, user.hashed_passwd)]
    if user.plain_text_passwd:
        return [GivenPassword(user.name, TEXT, user.plain_text_passwd)]
    if user.passwd and not local_files.has_password(system, user.name):
        return [GivenPassword(user.name, HASH, user.passwd)]
    return []


def _lock_admin(system: System, admin: User, warnings: List[str]) -> None:
    if not admin.ssh_keys:
        warnings.append(
            "`lock_passwd` is left out for %s: without an ssh key nobody could log in" % admin.name
        )
        return
    try:
        user_passwords.lock(system, admin.name)
    except ProvisioningError as error:
        warnings.append("the password of %s is not locked: %s" % (admin.name, error))


def _grant(
    system: System,
    roles: Roles,
    admin: User,
    settings: Mapping[str, Any],
    warnings: List[str],
) -> List[str]:
    users = [
        user
        for user in (*_listed(roles.admin), *roles.besides_admin)
        if find_account(system, user.name) is not None
    ]
    granted = grant_given(system, users, warnings)
    done = ["rules of %s" % name for name in granted]
    for user in users:
        # The platform's admin, and the default user, become root unless nobody wants that.
        is_default = roles.default is not None and user is roles.default
        wants_root = user.sudo is None and is_default and user.name != ROOT
        has_lost_its_rules = user.sudo and user.name not in granted
        if not wants_root and not (has_lost_its_rules and (is_default or user is roles.admin)):
            continue
        try:
            who = admin._replace(name=user.name)
            root_rights.grant_root(system, who, settings["privileges"], warnings)
        except ProvisioningError as error:
            warnings.append("%s does not become root: %s" % (user.name, error))
    return done
