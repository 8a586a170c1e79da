"""Removes accounts that lightinit provisioned, with everything that belongs to them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import Callable, List, Optional, Tuple

from lightinit.commands.removal.changes import Change, RemovalContext
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.accounts import removal as texts
from lightinit.formats.accounts.admin_account import check_user_name
from lightinit.formats.accounts.login_defs import read_uid_min
from lightinit.formats.accounts.passwd import Account, find_account
from lightinit.host.accounts import files, privileges, removal
from lightinit.host.accounts.privileges import (
    DOAS,
    DOAS_CONF,
    DOAS_FILE,
    SUDO,
    SUDOERS_FILE,
    RuleKind,
)
from lightinit.host.system import System
from lightinit.state import INSTANCES, State

PASSWD, GROUP = "/etc/passwd", "/etc/group"
NAMED_FILES = ("/etc/shadow", "/etc/subuid", "/etc/subgid")
MEMBER_FILES = (GROUP, "/etc/gshadow")

# They have the user's name, so the next account of that name would get them.
MAIL = ("/var/mail/%s", "/var/spool/mail/%s")
NAMED_AFTER_USERS = (
    "/var/spool/cron/crontabs/%s",
    "/var/spool/cron/tabs/%s",
    "/var/spool/cron/%s",
    "/var/lib/systemd/linger/%s",
    "/var/lib/sudo/lectured/%s",
)


@dataclass(frozen=True)
class RuleFile:
    """A file that may have a rule of lightinit's.

    Attributes:
        path: where it is.
        kind: whose rules it has.
        drop: gives the file's text without the rule of a user.
    """

    path: str
    kind: RuleKind
    drop: Callable[[str, str], str]


RULE_FILES = (
    RuleFile(SUDOERS_FILE, SUDO, texts.drop_sudoers_rule),
    RuleFile(DOAS_FILE, DOAS, texts.drop_doas_rule),
    RuleFile(DOAS_CONF, DOAS, texts.drop_doas_rule),
)


def provisioned_users(system: System) -> List[str]:
    """The admin of each recorded instance, in order, each once. The names are not checked yet."""
    found = []
    for recorded in system.list_dir(INSTANCES):
        instance = State(system, recorded).load_instance()
        if instance is not None and instance.admin is not None and instance.admin.name:
            found.append(instance.admin.name)
    return list(dict.fromkeys(found))


def plan_users(context: RemovalContext) -> List[Change]:
    """The accounts that can be removed: never root, never a system account."""
    users = provisioned_users(context.system)
    try:
        return _plan(context, users)
    except (LightinitError, OSError):
        context.kept_users += users
        raise


def _plan(context: RemovalContext, users: List[str]) -> List[Change]:
    system = context.system
    uid_min = read_uid_min(system.read_text("/etc/login.defs"))
    changes = []
    for name in users:
        try:
            check_user_name(name)
        except LightinitError as error:
            context.notes.append(str(error))
            continue
        account = find_account(files.read_account_file(system, PASSWD), name)
        if account is not None and account.uid < uid_min:
            context.notes.append(
                "the account %s stays: it is a system account (user id %d)" % (name, account.uid)
            )
            continue
        things = _belongings(context, name, account)
        rules = _rules(system, name)
        if account is None and not things and not rules:
            continue
        parts = ["the user " + name] + things
        if rules:
            parts.append("its rights")
        what = ", ".join(parts)
        changes.append(
            Change(
                "remove " + what,
                "removed " + what,
                partial(_remove, context, name, account, things),
            )
        )
    return changes


def _belongings(context: RemovalContext, name: str, account: Optional[Account]) -> List[str]:
    system = context.system
    # On most hosts these two are the same folder.
    boxes = {
        os.path.realpath(system.path(path)): path
        for path in (pattern % name for pattern in MAIL[::-1])
    }
    found = [path for path in list(boxes.values())[::-1] if _is_mail(context, path, account)]
    # A folder, or a link to one, is not the user's: for a user `crontabs` it would be the crontabs
    # of everybody.
    found += [pattern % name for pattern in NAMED_AFTER_USERS if _is_file(system, pattern % name)]
    if account is None:
        return found
    others = texts.homes_of_others(files.read_account_file(system, PASSWD), account)
    why = removal.why_home_stays(system, account.home, account.uid)
    if others and not why:
        why = "it is the home of %s too" % ", ".join(others)
    if why:
        context.notes.append("the home of %s, %s, stays: %s" % (name, account.home, why))
    elif os.path.lexists(system.path(account.home, follow_last=False)):
        found.insert(0, account.home)
    return found


def _is_file(system: System, path: str) -> bool:
    real = system.path(path, follow_last=False)
    return (os.path.islink(real) or os.path.isfile(real)) and not system.is_dir(path)


def _is_mail(context: RemovalContext, path: str, account: Optional[Account]) -> bool:
    """Whether a path is the user's mail: a file or link, or a folder (a Maildir) of the account."""
    real = context.system.path(path, follow_last=False)
    if os.path.islink(real) or os.path.isfile(real):
        return True
    if not os.path.isdir(real):
        return False
    owner = os.stat(real).st_uid
    if account is not None and (owner == account.uid or not context.system.can_own):
        return True
    context.notes.append("%s stays: it is a folder of the user id %d" % (path, owner))
    return False


def _rules(system: System, name: str) -> List[Tuple[RuleFile, str]]:
    """Each file that has a rule of lightinit's for the user, with its text without that rule."""
    changed = []
    for file in RULE_FILES:
        before = privileges.read_rules(system, file.path)
        after = file.drop(before, name)
        if after != before:
            changed.append((file, after))
    return changed


def _remove(
    context: RemovalContext, name: str, account: Optional[Account], things: List[str]
) -> None:
    """Remove the belongings, then the account, then its rules.

    The account is what the next run looks for. So it goes after everything that may fail.
    """
    system = context.system
    try:
        for path in things:
            removal.remove_home(system, path)
        if account is not None:
            if removal.remove_user(system, name) is None:
                _edit_out(system, account)
            if find_account(files.read_account_file(system, PASSWD), name) is not None:
                raise ProvisioningError("account is still there after it was removed", user=name)
        for file, text in _rules(system, name):
            if text.strip():
                privileges.write_checked(system, file.path, file.kind, text)
            else:
                system.remove(file.path)
    except (LightinitError, OSError):
        context.kept_users.append(name)
        raise


def _edit_out(system: System, account: Account) -> None:
    """Remove an account by editing the files. passwd comes last: the next run looks there."""
    name = account.name
    with files.lock_accounts(system):
        passwd = files.read_account_file(system, PASSWD)
        alone = texts.own_group_goes(passwd, files.read_account_file(system, GROUP), account)
        for path in MEMBER_FILES:
            files.edit_account_file(system, path, partial(texts.drop_member, user=name))
            if alone:
                files.edit_account_file(system, path, partial(texts.drop_lines, name=name))
        for path in NAMED_FILES + (PASSWD,):
            files.edit_account_file(system, path, partial(texts.drop_lines, name=name))
