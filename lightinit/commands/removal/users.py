"""The accounts that lightinit provisioned, and how one is removed with all that belongs to it."""

from __future__ import annotations

import os
from functools import partial
from typing import List, Optional, Tuple

from lightinit.commands.removal.changes import Change, Job
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.accounts import removal as texts
from lightinit.formats.accounts.passwd import (
    UID_MIN,
    Account,
    check_user_name,
    find_account,
    read_login_defs,
    read_number,
)
from lightinit.host.accounts import files, privileges, removal
from lightinit.host.accounts.privileges import DOAS_CONF, DOAS_FILE, SUDOERS_FILE
from lightinit.host.system import System
from lightinit.state import INSTANCES, State

PASSWD, GROUP = "/etc/passwd", "/etc/group"
NAMED_FILES = ("/etc/shadow", "/etc/subuid", "/etc/subgid")
MEMBER_FILES = (GROUP, "/etc/gshadow")
DOAS_FILES = (DOAS_FILE, DOAS_CONF)
# Under the user's name, so that the next account of that name would inherit it.
MAIL = ("/var/mail/%s", "/var/spool/mail/%s")
NAMED_AFTER_USERS = (
    "/var/spool/cron/crontabs/%s",
    "/var/spool/cron/tabs/%s",
    "/var/spool/cron/%s",
    "/var/lib/systemd/linger/%s",
    "/var/lib/sudo/lectured/%s",
)


def provisioned_users(system: System) -> List[str]:
    """The admin of every recorded instance, in the instances' order, each once; not yet checked."""
    found = []
    for recorded in system.list_dir(INSTANCES):
        instance = State(system, recorded).load_instance()
        if instance is not None and instance.admin is not None and instance.admin.name:
            found.append(instance.admin.name)
    return list(dict.fromkeys(found))


def plan_users(job: Job) -> List[Change]:
    """Remove those that may go: never root, never an account of the system's."""
    users = provisioned_users(job.system)
    try:
        return _plan(job, users)
    except (LightinitError, OSError):
        job.kept_users += users
        raise


def _plan(job: Job, users: List[str]) -> List[Change]:
    system = job.system
    uid_min = read_number(read_login_defs(system.read_text("/etc/login.defs")), "UID_MIN", UID_MIN)
    changes = []
    for name in users:
        try:
            check_user_name(name)
        except LightinitError as error:
            job.notes.append(str(error))
            continue
        account = find_account(files.read_account_file(system, PASSWD), name)
        if account is not None and account.uid < uid_min:
            job.notes.append(
                "the account %s stays: it is the system's (user id %d)" % (name, account.uid)
            )
            continue
        things = _belongings(job, name, account)
        rules = _rules(system, name)
        if account is None and not things and not rules:
            continue
        what = "the user %s" % name + "".join(
            ", " + thing for thing in things + (["its rights"] if rules else [])
        )
        changes.append(
            Change(
                "remove " + what, "removed " + what, partial(_remove, job, name, account, things)
            )
        )
    return changes


def _belongings(job: Job, name: str, account: Optional[Account]) -> List[str]:
    system = job.system
    # These two are mostly one folder.
    boxes = {
        os.path.realpath(system.path(path)): path
        for path in (pattern % name for pattern in MAIL[::-1])
    }
    found = [path for path in list(boxes.values())[::-1] if _is_mail(job, path, account)]
    # A folder, or what leads to one, is not the user's: that of the user `crontabs` would be
    # everybody's crontabs.
    found += [pattern % name for pattern in NAMED_AFTER_USERS if _is_file(system, pattern % name)]
    if account is None:
        return found
    others = texts.homes_of_others(files.read_account_file(system, PASSWD), account)
    why = removal.why_home_stays(system, account.home, account.uid)
    if others and not why:
        why = "it is the home of %s too" % ", ".join(others)
    if why:
        job.notes.append("the home of %s, %s, stays: %s" % (name, account.home, why))
    elif os.path.lexists(system.path(account.home, follow_last=False)):
        found.insert(0, account.home)
    return found


def _is_file(system: System, path: str) -> bool:
    real = system.path(path, follow_last=False)
    return (os.path.islink(real) or os.path.isfile(real)) and not system.is_dir(path)


def _is_mail(job: Job, path: str, account: Optional[Account]) -> bool:
    """Whether it is the user's mail: a file or link of that name, or a folder (a Maildir) that
    belongs to the account.
    """
    real = job.system.path(path, follow_last=False)
    if os.path.islink(real) or os.path.isfile(real):
        return True
    if not os.path.isdir(real):
        return False
    owner = os.stat(real).st_uid
    if account is not None and (owner == account.uid or not job.system.can_own):
        return True
    job.notes.append("%s stays: it is a folder of the user id %d" % (path, owner))
    return False


def _rules(system: System, name: str) -> List[Tuple[str, str]]:
    """(path, new text) of each file that gives the user the rights of root by a rule of ours."""
    changed = []
    for path in (SUDOERS_FILE,) + DOAS_FILES:
        before = privileges.read_rules(system, path)
        drop = texts.drop_sudoers_rule if path == SUDOERS_FILE else texts.drop_doas_rule
        after = drop(before, name)
        if after != before:
            changed.append((path, after))
    return changed


def _remove(job: Job, name: str, account: Optional[Account], things: List[str]) -> None:
    """The account goes last but for its rights, so that a second run finds what a first one could
    not remove.
    """
    system = job.system
    try:
        for path in things:
            removal.remove_home(system, path)
        if account is not None:
            if removal.remove_user(system, name) is None:
                _edit_out(system, account)
            if find_account(files.read_account_file(system, PASSWD), name) is not None:
                raise ProvisioningError("account is still there after it was removed", user=name)
        for path, text in _rules(system, name):
            if text.strip():
                checker = ("visudo", "-cf") if path == SUDOERS_FILE else ("doas", "-C")
                privileges.write_checked(
                    system, path, text, 0o440 if path == SUDOERS_FILE else 0o600, checker
                )
            else:
                system.remove(path)
    except (LightinitError, OSError):
        job.kept_users.append(name)
        raise


def _edit_out(system: System, account: Account) -> None:
    """Remove an account from the files themselves; passwd comes last, since that is where the next
    run looks.
    """
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
