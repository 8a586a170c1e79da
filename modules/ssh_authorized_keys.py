"""Adds the admin's SSH keys to the file from which sshd reads them. Existing content stays.

The module fails if nobody could log in: there is no key, and no password for the account. Whether
sshd accepts the login is checked later, by the login check, so that the key is written in any case.
The platform gives a path with each key. It is not used, since sshd reads only the files that its
configuration names. The keys go into a file that belongs to this user only.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwords
from lightinit.formats.accounts.admin_account import check_admin_account, check_user_name
from lightinit.formats.accounts.login_defs import read_uid_min, read_useradd_defaults
from lightinit.formats.accounts.passwd import Account
from lightinit.formats.certificates import x509
from lightinit.formats.ssh import authorized_keys, login_words
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.given_keys import read_given_keys
from lightinit.formats.ssh.public_keys import PublicKey
from lightinit.host.accounts import lookup
from lightinit.host.files.home_folders import Owner
from lightinit.host.files.in_home import edit_private_file, find_trusted_base, read_private_file
from lightinit.host.files.selinux import restore_labels
from lightinit.host.ssh.servers import find_answering
from lightinit.host.system import System
from lightinit.login import key_files
from lightinit.login.admin import find_account, find_who, opens_by_password
from lightinit.login.asking import ask
from lightinit.model import Instance, Outcome, SshKey, User
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.ssh_authorized_keys")


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Add the admin's keys to the admin's authorized_keys file.

    Args:
        instance: its ``admin`` has the keys.
        system: the machine.
        settings: none of a file's; ``more_keys`` of a cloud-config.

    Returns:
        How many keys are new; a warning for each key that was refused.

    Raises:
        ProvisioningError: the account does not exist, no file is safe to change, or there is
            neither a key nor a password.
    """
    admin = instance.admin
    if admin is None:
        return Outcome("no admin account asked for", skipped=True)
    name = check_user_name(admin.name)
    account = _find(system, name)
    given: Sequence[SshKey] = settings.get("more_keys", ())
    keys, warnings = read_given_keys(
        (*admin.ssh_keys, *given), instance.certificates, x509.public_key_line
    )
    by_password = opens_by_password(system, admin)
    if not keys and by_password:
        return Outcome("no keys given, and password login is on", tuple(warnings), skipped=True)
    server = find_answering(system)
    effective = ask(system, server, name).effective
    found = key_files.list_entries(system, server, find_who(system, account), effective)
    warnings += found.warnings
    own, shared = key_files.split_shared(system, server, account, found.entries)
    if not own:
        return _without_file(name, shared, effective, by_password, warnings)
    if not keys:
        existing, shown = _read_keys(system, account, own)
        return _go_without(admin, warnings, existing, shown)
    message, more = _put_somewhere(system, account, own, keys)
    return Outcome(message, tuple(warnings + more))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The admin's further keys in a cloud-config: ``more_keys``."""
    from lightinit.formats.cloud_config.readers.users import read_accounts

    keys = read_accounts(values)[0].ssh_authorized_keys
    return {"more_keys": tuple(SshKey(text) for text in keys)}


# -- the file
# --------------------------------------------------------------------------------------------------


def _without_file(
    name: str, shared: Sequence[str], effective: Effective, by_password: bool, warnings: List[str]
) -> Outcome:
    """Handle the case that no file belongs to this user only."""
    error = ProvisioningError(
        "sshd is set to read no authorized keys",
        user=name,
        hint="look for AuthorizedKeysFile in sshd_config, or switch password login on",
    )
    if shared:
        error = ProvisioningError(
            "authorized keys are read from a shared file only",
            user=name,
            path=shared[0],
            hint=(
                "a key in it would open other accounts, too; add a file of each user to"
                " AuthorizedKeysFile in sshd_config, such as .ssh/authorized_keys"
            ),
        )
    others = login_words.key_commands(effective)
    if not by_password and not others:
        raise error
    warnings.append(str(error))
    if others:
        warnings.append("%s decides which keys can log in as %s" % (" and ".join(others), name))
    return Outcome("no keys put in place", tuple(warnings))


def _put_somewhere(
    system: System, account: Account, own: Sequence[str], keys: Sequence[PublicKey]
) -> Tuple[str, List[str]]:
    """Add the keys to the first file that sshd can read as the user. Return what was done, and
    warnings.

    If sshd can read none of them, the keys are still written; the login check reports the problem.
    """
    done: List[str] = []
    warnings: List[str] = []
    failure: Optional[ProvisioningError] = None
    for entry in own:
        try:
            base, parts = _find_place(system, account, entry)
            message, restricted = _put_in_place(system, base, parts, account, keys)
        except ProvisioningError as error:
            failure = failure or error
            if _is_in_home(account, entry):
                break  # an attacker may have put it there
            continue
        done.append(message)
        warnings += restricted
        path = _shown(base, parts)
        for folder in key_files.open_the_way(system, account, path):
            LOG.info("sshd reads %s as %s, who now may enter: %s", path, account.name, folder)
        if key_files.is_reached(system, account, path):
            break
    if not done and failure is not None:
        raise failure
    if failure is not None:
        warnings.append(str(failure))
    return "; ".join(done), warnings


def _read_keys(system: System, account: Account, own: Sequence[str]) -> Tuple[bytes, str]:
    """The content and the path of the first file that has keys."""
    shown = ""
    for entry in own:
        base, parts = _find_place(system, account, entry)
        shown = shown or _shown(base, parts)
        data = read_private_file(system, base, parts, Owner(account.uid, account.gid))
        if authorized_keys.count_keys(data):
            return data, _shown(base, parts)
    return b"", shown


def _is_in_home(account: Account, entry: str) -> bool:
    return key_files.expand(account, entry).startswith(account.home.rstrip("/") + "/")


def _find_place(system: System, account: Account, entry: str) -> Tuple[str, Tuple[str, ...]]:
    """(directory, names below it) of a file that sshd reads for ``account``."""
    home = account.home.rstrip("/")
    path = key_files.expand(account, entry)
    if _is_in_home(account, entry):
        return home, tuple(part for part in path[len(home) :].split("/") if part not in ("", "."))
    return find_trusted_base(system, path)


def _shown(base: str, parts: Sequence[str]) -> str:
    return "/".join((base.rstrip("/"),) + tuple(parts))


def _put_in_place(
    system: System, base: str, parts: Sequence[str], account: Account, keys: Sequence[PublicKey]
) -> Tuple[str, Tuple[str, ...]]:
    """Add the keys to the file. Return how many were new, and a warning for each key that was
    already there with options.
    """
    shown = _shown(base, parts)
    merged = authorized_keys.Merged(b"", 0)

    def merge(before: bytes) -> bytes:
        nonlocal merged
        merged = authorized_keys.merge(before, keys)
        return merged.data

    owner = Owner(account.uid, account.gid)
    written = edit_private_file(system, base, parts, owner, merge)
    if written:
        restore_labels(system, [_shown(base, parts[:1])])
    return "%d of %d keys added to %s" % (merged.added, len(keys), shown), tuple(
        "a key was already in %s, and stays restricted by its options: %s" % (shown, options)
        for options in merged.restricted
    )


def _go_without(admin: User, warnings: List[str], existing: bytes, shown: str) -> Outcome:
    if admin.ssh_keys:
        raise ProvisioningError(
            "none of the ssh keys can be used",
            user=admin.name,
            keys=len(admin.ssh_keys),
            why=warnings[0],
            hint="give an ed25519 key, or an RSA key of 2048 bits or more",
        )
    count = authorized_keys.count_keys(existing)
    if not count and passwords.login_wished(admin):
        raise ProvisioningError(
            "nobody could log in",
            user=admin.name,
            why="no ssh key, and password login is on, but there is no password",
            hint=(
                "only the provisioning media have the password: see whether they could be read; or"
                " give the VM an ssh key"
            ),
        )
    if not count:
        raise ProvisioningError(
            "nobody could log in",
            user=admin.name,
            why="no ssh key and no password login",
            hint="give the VM an ssh key, or switch password login on",
        )
    warnings.append(
        "the platform gives no ssh key; %d existing keys in %s can still log in" % (count, shown)
    )
    return Outcome("no keys given", tuple(warnings))


def _find(system: System, name: str) -> Account:
    account = find_account(system, name)
    if account is None:
        raise ProvisioningError(
            "user does not exist", user=name, hint="read what the module users says"
        )
    uid_min = read_uid_min(system.read_text("/etc/login.defs"))
    homes = read_useradd_defaults(system.read_text("/etc/default/useradd"))["HOME"]
    return check_admin_account(
        account,
        uid_min,
        partial(lookup.can_be_shell, system),
        partial(lookup.is_home_of_person, system, homes),
    )
