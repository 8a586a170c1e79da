"""Adds what an account lacks: its line in shadow, its primary group, its home, its groups."""

from __future__ import annotations

from functools import partial
from typing import List, Optional, Sequence

from lightinit.accounts import local_files
from lightinit.accounts.local_files import GROUP, GSHADOW, PASSWD, SHADOW, text_of
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import login_defs
from lightinit.formats.accounts import passwd as texts
from lightinit.host.accounts import files, lookup, tools
from lightinit.host.accounts.homes import make_home
from lightinit.host.files.access import Access
from lightinit.host.files.selinux import restore_labels
from lightinit.host.system import System


def complete(
    system: System, account: texts.Account, made: bool, has_home: bool = True
) -> List[str]:
    """Add what a local account lacks.

    Args:
        system: the machine.
        account: it is in passwd.
        made: whether it was made in this run.
        has_home: whether it is to have a home.

    Returns:
        What was done, in words.

    Raises:
        ProvisioningError: something cannot be added.
    """
    done = []
    name = account.name
    groups = text_of(system, GROUP)
    if account.gid not in texts.used_ids(groups):
        group = name
        if texts.find_group(groups, name) is not None:
            group = "%s-%d" % (name, account.gid)
        with files.lock_accounts(system):
            local_files.put_line(system, GROUP, "%s:x:%d:" % (group, account.gid), 0o644)
        done.append("its primary group")
    done += complete_password(system, name)
    done += complete_last_change(system, name)
    if has_home and _complete_home(system, account, made):
        done.append("its home")
    if (made or done) and has_home:
        restore_labels(system, [account.home])
    return done


def _complete_home(system: System, account: texts.Account, made: bool) -> bool:
    defaults = local_files.useradd_defaults(system)
    usual = "%s/%s" % (defaults["HOME"].rstrip("/"), account.name)
    access = Access(login_defs.home_mode(local_files.policy(system)), account.uid, account.gid)
    # useradd leaves such a home if it crashes. Another folder of root's is not the user's.
    among_homes = lookup.is_among_homes(defaults["HOME"], account.home)
    adopt = account.home == usual or (made and among_homes)
    return make_home(system, account.home, access, defaults["SKEL"], adopt)


def make_home_elsewhere(system: System, account: texts.Account) -> List[str]:
    """Make the home of an account that only NSS knows, such as one of userdb, unless it is there,
    or is in a folder that no homes of people are in.
    """
    defaults = local_files.useradd_defaults(system)
    access = Access(login_defs.home_mode(local_files.policy(system)), account.uid, account.gid)
    if system.exists(account.home) or not lookup.is_among_homes(defaults["HOME"], account.home):
        return []
    make_home(system, account.home, access, defaults["SKEL"], adopt=False)
    restore_labels(system, [account.home])
    return ["its home"]


def complete_password(system: System, name: str) -> List[str]:
    """If the account never had a password, mark it so that sshd does not treat it as locked."""
    in_passwd = texts.find_field(text_of(system, PASSWD), name, 1)
    if not local_files.has_shadow(system):
        return _mark_password(system, name, PASSWD, in_passwd)
    in_shadow = texts.find_field(text_of(system, SHADOW), name, 1)
    if in_shadow is not None:
        return _mark_password(system, name, SHADOW, in_shadow)
    if in_passwd not in (texts.IN_SHADOW,) + texts.NEVER_SET:
        return []  # the password is in passwd itself
    with files.lock_accounts(system):
        local_files.put_shadow_line(system, name)
    return ["its line in shadow"]


def _mark_password(system: System, name: str, path: str, field: Optional[str]) -> List[str]:
    if field not in texts.NEVER_SET:
        return []
    if not tools.set_password_mark(system, name, texts.NO_PASSWORD):
        edit = partial(texts.set_field, name=name, field=1, value=texts.NO_PASSWORD)
        with files.lock_accounts(system):
            files.edit_account_file(system, path, edit)
    return ["login without a password"]


def complete_last_change(system: System, name: str, is_ours: bool = False) -> List[str]:
    """Set the day of the last change to today, if shadow demands a new password although there is
    no password or lightinit has just set it.

    While the clock is in 1970, busybox's adduser and chpasswd write 0 as the day of the last
    change. Then every login ends with a request for a new password.
    """
    text = text_of(system, SHADOW)
    if not texts.must_change_password(text, name):
        return []
    if texts.is_password_hash(texts.find_field(text, name, 1)) and not is_ours:
        return []
    value = texts.last_change(files.today(system))
    local_files.put_shadow_fields(system, name, {texts.LAST_CHANGE: value})
    return ["the day of its last change in shadow"]


def stop_ageing(system: System, name: str, made: bool) -> List[str]:
    """Switch ageing off if there is no password: nobody could set a new one at a login.

    login.defs and default/useradd may switch ageing on for new accounts.
    """
    if local_files.has_password(system, name):
        return []
    edit = partial(texts.stop_ageing, name=name, is_new=made)
    text = text_of(system, SHADOW)
    if edit(text) == text:
        return []
    with files.lock_accounts(system):
        files.edit_account_file(system, SHADOW, edit)
    return ["no ageing of its password"]


def join_groups(
    system: System, name: str, gid: Optional[int], wished: Sequence[str], warnings: List[str]
) -> List[str]:
    """Make an account a member of those of some groups that the host has.

    Args:
        system: the machine.
        name: the account.
        gid: its primary group, which it need not join; None if that is not known.
        wished: the groups.
        warnings: gets why it could not join.

    Returns:
        What was done, in words.
    """
    text = text_of(system, GROUP)
    member_of = set(texts.list_groups(text, name))
    missing = [
        group
        for group in wished
        if group not in member_of and texts.find_group(text, group) not in (None, gid)
    ]
    if not missing:
        return []
    local = local_files.is_local(system, name)
    try:
        # usermod knows only the accounts in passwd.
        if not (local and tools.add_to_groups(system, name, missing)):
            _edit_groups(system, name, missing)
    except ProvisioningError as error:
        # If a login depends on a group, the login check says so.
        warnings.append("%s has not joined %s: %s" % (name, ", ".join(missing), error))
        return []
    return ["group " + group for group in missing]


def _edit_groups(system: System, name: str, groups: Sequence[str]) -> None:
    with files.lock_accounts(system):
        for group in groups:
            add = partial(texts.add_member, name=group, user=name)
            files.edit_account_file(system, GSHADOW, add)
            files.edit_account_file(system, GROUP, add)
