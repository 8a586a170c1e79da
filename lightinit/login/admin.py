"""The admin's account on the host, and the key or password that the platform gave for it; and
who else could log in.
"""

from __future__ import annotations

from typing import Optional

from lightinit.errors import MalformedError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords
from lightinit.formats.certificates import x509
from lightinit.formats.ssh import authorized_keys, sshd_config
from lightinit.formats.ssh.given_keys import read_given_keys
from lightinit.host.accounts import files, lookup
from lightinit.host.system import System
from lightinit.login.question import Question
from lightinit.model import Instance, User

LIMIT_BYTES = 256 * 1024  # of a file of keys


def find_account(system: System, name: str) -> Optional[texts.Account]:
    """The account of this name, from this host's files or from NSS; None if there is none."""
    account = texts.find_account(files.read_account_file(system, "/etc/passwd"), name)
    if account is not None:
        return account
    elsewhere = lookup.look_up_elsewhere(system, name)
    if elsewhere is None:
        return None
    return texts.Account(name, *elsewhere)


def find_who(system: System, account: texts.Account) -> sshd_config.Who:
    """The account with its groups, from this host's files and from NSS."""
    group = files.read_account_file(system, "/etc/group")
    found = texts.list_group_names(group, account.gid) + texts.list_groups(group, account.name)
    return sshd_config.Who(
        account.name, tuple(found) + lookup.list_groups_of(system, account.name, account.gid)
    )


def opens_by_password(system: System, admin: User) -> bool:
    """Whether the platform wants password login, and the account has a password."""
    if passwords.login_wished(admin) is not True:
        return False
    passwd = files.read_account_file(system, "/etc/passwd")
    if texts.find_account(passwd, admin.name) is None:
        return True  # the account is in NSS, so its password cannot be checked
    return has_password(system, admin)


def has_password(system: System, admin: User) -> bool:
    """Whether the account is known to have a password, or gets one."""
    if is_left_out(system, admin):
        return True
    passwd = files.read_account_file(system, "/etc/passwd")
    shadow = files.read_account_file(system, "/etc/shadow")
    return texts.is_password_hash(texts.find_password(passwd, shadow, admin.name))


def is_left_out(system: System, admin: User) -> bool:
    """Whether the platform gave a password and this is a scratch root, where the module users does
    not set it.
    """
    return not system.live and bool(passwords.given_password(admin))


def make_question(
    system: System,
    instance: Instance,
    admin: User,
    keys_are_ours: bool,
    privileges: str = "none",
) -> Optional[Question]:
    """The question for an instance's admin; None if there is no such account.

    Args:
        system: the machine.
        instance: the instance; a key may be the fingerprint of one of its certificates.
        admin: the instance's admin.
        keys_are_ours: whether the module ssh_authorized_keys puts the keys in place.
        privileges: the setting ``privileges`` of the module users.
    """
    account = find_account(system, admin.name)
    if account is None:
        return None
    keys, _ = read_given_keys(admin.ssh_keys, instance.certificates, x509.public_key_line)
    return Question(
        system,
        admin,
        account,
        find_who(system, account),
        tuple(keys),
        opens_by_password(system, admin),
        is_left_out(system, admin),
        keys_are_ours,
        privileges,
        has_password(system, admin),
    )


def find_other(system: System) -> Optional[str]:
    """The name of an account that has a shell, and a password or a key in its usual file; None if
    no account of this host's files has that.

    Args:
        system: the machine.
    """
    passwd = files.read_account_file(system, "/etc/passwd")
    shadow = files.read_account_file(system, "/etc/shadow")
    for account in texts.list_accounts(passwd):
        if not account.name or not account.can_log_in:
            continue
        field = texts.find_password(passwd, shadow, account.name)
        if texts.is_password_hash(field) or _has_key(system, account.home):
            return account.name
    return None


def _has_key(system: System, home: str) -> bool:
    if not home.startswith("/"):
        return False
    try:
        data = system.read(home.rstrip("/") + "/.ssh/authorized_keys", LIMIT_BYTES)
    except (OSError, MalformedError):
        return False
    return bool(authorized_keys.list_keys(data))
