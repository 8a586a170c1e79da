"""Removes accounts that lightinit provisioned, with everything that belongs to them."""

from __future__ import annotations

from functools import partial
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.commands.removal.belongings import PASSWD, list_belongings
from lightinit.commands.removal.changes import (
    Change,
    RemovalContext,
    matches,
    show_some,
)
from lightinit.commands.removal.copies import copies_with, forget_account
from lightinit.commands.removal.mounted import remove_home
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.accounts import removal as texts
from lightinit.formats.accounts.admin_account import check_user_name
from lightinit.formats.accounts.login_defs import read_uid_min
from lightinit.formats.accounts.passwd import Account, find_account
from lightinit.host.accounts import files, privileges, removal
from lightinit.host.accounts.effect import doas_folder_files
from lightinit.host.accounts.made import list_made
from lightinit.host.accounts.privileges import (
    DOAS,
    DOAS_CONF,
    DOAS_FILE,
    FORMER_NAMES,
    GIVEN_FILE,
    SUDO,
    SUDOERS,
    SUDOERS_FILE,
    SUDOERS_FOLDER,
    RuleKind,
)
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.state import INSTANCES, State

GROUP = "/etc/group"
NAMED_FILES = ("/etc/shadow", "/etc/subuid", "/etc/subgid")
MEMBER_FILES = (GROUP, "/etc/gshadow")

# What gives rights by name, and is nobody's to edit but the administrator's.
MAY_NAME_USERS = (
    "/etc/sudoers",
    "/etc/sudoers.d/*",
    "/etc/doas.conf",
    "/etc/doas.d/*",
    "/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/*.conf",
    "/etc/security/access.conf",
    "/etc/security/access.d/*.conf",
    "/etc/cron.allow",
    "/etc/at.allow",
    "/etc/crontab",
    "/etc/cron.d/*",
    "/etc/aliases",
    "/etc/polkit-1/rules.d/*.rules",
    "/etc/polkit-1/localauthority/*/*.pkla",
    "/etc/systemd/system/*getty@*.service.d/*.conf",
    "/etc/sssd/sssd.conf",
    "/etc/sssd/conf.d/*.conf",
)


class RuleFile(NamedTuple):
    """A file that may have a rule of lightinit's.

    Attributes:
        path: where it is.
        kind: whose rules it has.
        drop: gives the file's text without the rule of a user.
    """

    path: str
    kind: RuleKind
    drop: Callable[[str, str], str]


# Of cloud-init and the Azure Linux agent, which had the same admin.
OTHER_AGENTS = ("90-cloud-init-users", "waagent")


def rule_files(system: System) -> List[RuleFile]:
    """Every file that may have a rule for an admin: of lightinit's, of an earlier version's, and of
    another agent's.
    """
    sudo = (SUDOERS[0], SUDOERS_FILE, FORMER_NAMES[SUDOERS_FILE])
    doas = [DOAS_CONF, DOAS_FILE, FORMER_NAMES[DOAS_FILE]] + doas_folder_files(system)
    found = [RuleFile(path, SUDO, texts.drop_sudoers_rule) for path in sudo]
    found.append(RuleFile(GIVEN_FILE, SUDO, texts.drop_rules_of_user))
    found += [RuleFile(path, DOAS, texts.drop_doas_rule) for path in dict.fromkeys(doas)]
    others = ["%s/%s" % (SUDOERS_FOLDER, name) for name in OTHER_AGENTS]
    return found + [RuleFile(path, SUDO, texts.drop_rules_of_user) for path in others]


def provisioned_users(system: System) -> List[str]:
    """The admin of each recorded instance, and the accounts of its cloud-config that were made, in
    order, each once. The names are not checked yet.
    """
    found = []
    for recorded in system.list_dir(INSTANCES):
        instance = State(system, recorded).load_instance()
        if instance is not None and instance.admin is not None and instance.admin.name:
            found.append(instance.admin.name)
        found += list_made(system, "%s/%s" % (INSTANCES, recorded))
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
            context.note(str(error))
            continue
        account = find_account(files.read_account_file(system, PASSWD), name)
        if account is not None and account.uid < uid_min:
            context.note(
                "the account %s stays: it is a system account (user id %d)" % (name, account.uid)
            )
            changes += _plan_rights(system, name)
            continue
        things = list_belongings(context, name, account)
        rules = _rules(system, name)
        copies = copies_with(system, name)
        _note_mentions(context, name, [file.path for file, _ in rules])
        if account is None and not things and not rules and not copies:
            continue
        parts = ["the user " + name] + things
        if rules:
            parts.append("its rights")
        parts += ["its lines in " + path for path in copies]
        what = ", ".join(parts)
        changes.append(
            Change(
                "remove " + what,
                "removed " + what,
                partial(_remove, context, name, account, things),
            )
        )
    return changes


def _plan_rights(system: System, name: str) -> List[Change]:
    """The rules alone: the account is the image's, and stays."""
    if not _rules(system, name):
        return []
    what = "the rights of " + name
    return [Change("remove " + what, "removed " + what, partial(_drop_rules, system, name))]


def _drop_rules(system: System, name: str) -> None:
    for file, text in _rules(system, name):
        if text.strip():
            privileges.write_checked(system, file.path, file.kind, text)
        else:
            system.remove(file.path)


def _note_mentions(context: RemovalContext, name: str, edited: Sequence[str]) -> None:
    """Note the files that give rights to the account's name, and stay as they are."""
    found = [
        path
        for path in matches(context.system, MAY_NAME_USERS)
        if path not in edited and texts.names_user(context.system.read_text(path), name)
    ]
    if found:
        context.note(
            "%s still names the account %s: whoever gets that name on a VM made from this image"
            " gets these rights" % (show_some(found), name)
        )


def _rules(system: System, name: str) -> List[Tuple[RuleFile, str]]:
    """Each file that has a rule of lightinit's for the user, with its text without that rule."""
    changed = []
    for file in rule_files(system):
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
            remove_home(system, path)
        if account is not None:
            if removal.remove_user(system, name) is None:
                _edit_out(system, account)
            if find_account(files.read_account_file(system, PASSWD), name) is not None:
                raise ProvisioningError("account is still there after it was removed", user=name)
        forget_account(system, name, account.uid if account is not None else None)
        _drop_rules(system, name)
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
