"""Adds the admin's SSH keys to the file from which sshd reads them. Existing content stays.

The module fails if nobody could log in: there is no key, and no password for the account. Whether
sshd accepts the login is checked later, by the login check, so that the key is written in any case.
The platform gives a path with each key. It is not used, since sshd reads only the files that its
configuration names. The keys go into a file that belongs to this user only.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence, Union

from lightinit.accounts.authorized_keys import put_keys, read_keys
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwords
from lightinit.formats.accounts.admin_account import check_admin_account, check_user_name
from lightinit.formats.accounts.login_defs import read_uid_min, read_useradd_defaults
from lightinit.formats.accounts.passwd import Account
from lightinit.formats.certificates import x509
from lightinit.formats.ssh import authorized_keys, login_words
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.given_keys import read_given_keys
from lightinit.host.accounts import lookup
from lightinit.host.ssh.servers import find_answering
from lightinit.host.system import System
from lightinit.login import key_files
from lightinit.login.admin import find_account, find_who, opens_by_password
from lightinit.login.asking import ask
from lightinit.model import Instance, Outcome, User
from lightinit.settings import ModuleSettings

if TYPE_CHECKING:
    from lightinit.accounts.given.logins import GivenLogins

LOG = logging.getLogger("lightinit.ssh_authorized_keys")
NO_KEY = "nobody gives an ssh key for the default user %s, so nobody may be able to log in over ssh"


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Add the admin's keys to the admin's authorized_keys file, and those of the accounts of a
    cloud-config to theirs.

    Args:
        instance: its ``admin`` has the keys.
        system: the machine.
        settings: none of a file's; ``logins`` of a cloud-config.

    Returns:
        How many keys are new; a warning for each key that was refused.

    Raises:
        ProvisioningError: the account does not exist, no file is safe to change, or there is
            neither a key nor a password.
    """
    if settings.get("logins") is not None:
        return _apply_all(instance, system, settings["logins"])
    return _apply_admin(instance, system)


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of accounts and their keys: ``logins``."""
    from lightinit.accounts.given.logins import read_logins

    return {"logins": read_logins(values)}


def _apply_all(instance: Instance, system: System, logins: GivenLogins) -> Outcome:
    """The keys of the admin, then those of the other accounts, of which a failure is a warning."""
    from lightinit.accounts.given.keys import put_given_keys
    from lightinit.accounts.given.logins import lay_over

    wish = lay_over(instance, logins)
    if wish is None:
        outcome: Union[Outcome, ProvisioningError] = _apply_admin(instance, system)
        warnings: List[str] = []
    else:
        warnings = list(wish.kept_keys)
        try:
            outcome = _apply_admin(instance._replace(admin=wish.admin), system)
        except ProvisioningError as error:
            outcome = error
    done = put_given_keys(system, instance, logins, warnings)
    if isinstance(outcome, ProvisioningError):
        for warning in warnings:
            LOG.warning("%s", warning)
        raise outcome
    message = "; ".join([outcome.message, *done])
    return Outcome(message, (*outcome.warnings, *warnings), outcome.skipped and not done)


def _apply_admin(instance: Instance, system: System) -> Outcome:
    admin = instance.admin
    if admin is None:
        return Outcome("no admin account asked for", skipped=True)
    name = check_user_name(admin.name)
    account = _find(system, name)
    keys, warnings = read_given_keys(admin.ssh_keys, instance.certificates, x509.public_key_line)
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
        existing, shown = read_keys(system, account, own)
        return _go_without(admin, warnings, existing, shown)
    message, more = put_keys(system, account, own, keys)
    return Outcome(message, tuple(warnings + more))


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
    if not count and admin.is_default and passwords.login_wished(admin) is not True:
        warnings.append(NO_KEY % admin.name)
        return Outcome("no keys given", tuple(warnings), skipped=True)
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
