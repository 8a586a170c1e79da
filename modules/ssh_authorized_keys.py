"""Add the admin's SSH keys to the file where sshd looks for them. All that is in it stays.

Ready means that somebody can log in. If nobody could (no key in place, and no password that opens
the account), the module fails. The platform gives a path with each key, but that is not used: sshd
reads only the file that its own configuration names.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import List, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords
from lightinit.formats.accounts.admin_account import check_admin_account, check_user_name
from lightinit.formats.accounts.login_defs import read_uid_min
from lightinit.formats.certificates import x509
from lightinit.formats.ssh import authorized_keys, login_rules, password_policy, sshd_config
from lightinit.formats.ssh.effective import Effective
from lightinit.formats.ssh.given_keys import read_given_keys
from lightinit.formats.ssh.public_keys import PublicKey
from lightinit.host.accounts import files, lookup
from lightinit.host.files.home_folders import Owner
from lightinit.host.files.in_home import edit_private_file, find_trusted_base, read_private_file
from lightinit.host.files.selinux import restore_labels
from lightinit.host.ssh import config_files
from lightinit.host.ssh.server import SshServer
from lightinit.host.ssh.servers import find_server
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome, User
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.ssh_authorized_keys")

NAME = "ssh_authorized_keys"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
OPENS_LOGIN = True
SETTINGS: Tuple[Setting, ...] = ()
LISTS_HINT = (
    "change that list in the image; the setting groups of the module users says which groups the"
    " admin joins"
)
SHADOW_HINT = (
    "fix the account in the image (chage -l says more), or create the VM again with another admin"
    " user name"
)


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Add the admin's keys to the admin's authorized_keys file.

    Args:
        instance: its ``admin`` has the keys.
        system: the machine.
        settings: none.

    Returns:
        How many keys are new; a warning for each key that was refused.

    Raises:
        ProvisioningError: the account does not exist, the file is not safe to change, or nobody
            could log in.
    """
    admin = instance.admin
    if admin is None:
        return Outcome("no admin account asked for", skipped=True)
    name = check_user_name(admin.name)
    account = _find(system, name)
    keys, warnings = read_given_keys(admin.ssh_keys, instance.certificates, x509.public_key_line)
    by_password = _opens_by_password(system, admin)
    server = find_server(system)
    effective = _ask(system, server, name)
    _check_rules(system, admin, account, effective, warnings)
    if not keys and by_password:
        return Outcome("no keys given, and password login is on", tuple(warnings), skipped=True)
    if not by_password and not password_policy.keys_in_force(effective):
        raise ProvisioningError(
            "sshd is set to read no authorized keys",
            user=name,
            why="PubkeyAuthentication or AuthenticationMethods",
            hint="look for these in sshd_config, or switch password login on",
        )
    base, parts = _find_file(system, server, account, effective, warnings)
    if not parts:
        if by_password:
            return Outcome("no keys put in place, and password login is on", tuple(warnings))
        raise ProvisioningError(
            "sshd is set to read no authorized keys",
            user=name,
            hint="look for AuthorizedKeysFile in sshd_config, or switch password login on",
        )
    owner = Owner(account.uid, account.gid)
    if not keys:
        existing = read_private_file(system, base, parts, owner)
        return _go_without(admin, warnings, existing, _shown(base, parts))
    message, restricted = _put_in_place(system, base, parts, owner, keys)
    return Outcome(message, tuple(warnings) + restricted)


def _shown(base: str, parts: Sequence[str]) -> str:
    return "/".join((base.rstrip("/"),) + tuple(parts))


def _put_in_place(
    system: System, base: str, parts: Sequence[str], owner: Owner, keys: Sequence[PublicKey]
) -> Tuple[str, Tuple[str, ...]]:
    """Add the keys to the file. Return how many were new, and a warning for each that was there
    with options.
    """
    shown = _shown(base, parts)
    merged = authorized_keys.Merged(b"", 0)

    def merge(before: bytes) -> bytes:
        nonlocal merged
        merged = authorized_keys.merge(before, keys)
        return merged.data

    written = edit_private_file(system, base, parts, owner, merge)
    if written:
        restore_labels(system, [_shown(base, parts[:1])])
    return "%d of %d keys added to %s" % (merged.added, len(keys), shown), tuple(
        "a key was in %s already, restricted by options, and stays so: %s" % (shown, options)
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
        "the platform gives no ssh key; %d in %s still open the account" % (count, shown)
    )
    return Outcome("no keys given", tuple(warnings))


# -- whether the admin can log in
# --------------------------------------------------------------------------------------------------


def _opens_by_password(system: System, admin: User) -> bool:
    """Whether the platform wants password login, and the account has a password."""
    if passwords.login_wished(admin) is not True:
        return False
    if not system.live and passwords.given_password(admin):
        return True  # which the module users left out
    passwd = files.read_account_file(system, "/etc/passwd")
    if texts.find_account(passwd, admin.name) is None:
        return True  # NSS has the account, so its password cannot be looked at
    shadow = files.read_account_file(system, "/etc/shadow")
    return texts.is_password_hash(texts.find_password(passwd, shadow, admin.name))


def _check_rules(
    system: System, admin: User, account: texts.Account, effective: Effective, warnings: List[str]
) -> None:
    """Fail if sshd or shadow refuses the admin with any key and any password. Warn if that is
    possible.
    """
    pam = None
    if effective:
        pam = effective.words("usepam") == ["yes"]
    shadow = files.read_account_file(system, "/etc/shadow")
    left_out = not system.live and bool(passwords.given_password(admin))  # by the module users
    lists = login_rules.judge_lists(effective, _who(system, account))
    of_shadow = login_rules.judge_shadow(shadow, account.name, files.today(system), pam, left_out)
    for verdict, hint in ((lists, LISTS_HINT), (of_shadow, SHADOW_HINT)):
        if verdict.shut:
            raise ProvisioningError(
                "nobody could log in", user=account.name, why=verdict.shut, hint=hint
            )
        if verdict.doubt:
            warnings.append("%s may be kept out: %s" % (account.name, verdict.doubt))


def _find(system: System, name: str) -> texts.Account:
    account = texts.find_account(files.read_account_file(system, "/etc/passwd"), name)
    if account is None:
        elsewhere = lookup.look_up_elsewhere(system, name)
        if elsewhere is None:
            raise ProvisioningError(
                "user does not exist", user=name, hint="read what the module users says"
            )
        account = texts.Account(name, *elsewhere)
    uid_min = read_uid_min(system.read_text("/etc/login.defs"))
    return check_admin_account(account, uid_min, partial(lookup.can_be_shell, system))


def _who(system: System, account: texts.Account) -> sshd_config.Who:
    """The account with its groups, by this host's files and by NSS."""
    group = files.read_account_file(system, "/etc/group")
    found = texts.list_group_names(group, account.gid) + texts.list_groups(group, account.name)
    return sshd_config.Who(
        account.name, tuple(found) + lookup.list_groups_of(system, account.name, account.gid)
    )


# -- the file
# --------------------------------------------------------------------------------------------------


def _ask(system: System, server: SshServer, user: str) -> Effective:
    """The configuration in force. sshd prints it only with host keys, which ssh_host_keys makes."""
    try:
        return Effective(server.effective(system, user))
    except ProvisioningError as error:
        LOG.info("sshd was not asked for its configuration: %s", error)
        return Effective("")


def _find_file(
    system: System,
    server: SshServer,
    account: texts.Account,
    effective: Effective,
    warnings: List[str],
) -> Tuple[str, Tuple[str, ...]]:
    """(directory, names below it) of the file that sshd reads for ``account``; no names if it reads
    none.
    """
    paths = tuple(effective.words(sshd_config.KEYS_FILE)) or _read_config(
        system, server, account, warnings
    )
    if not paths or paths[0].lower() == "none":
        warnings.append("sshd is set to read no authorized keys (AuthorizedKeysFile none)")
        return "", ()
    home = account.home.rstrip("/")
    path = sshd_config.expand_tokens(paths[0], account.name, account.uid, home)
    if path.startswith(home + "/"):
        return home, tuple(part for part in path[len(home) :].split("/") if part not in ("", "."))
    return find_trusted_base(system, path)


def _read_config(
    system: System, server: SshServer, account: texts.Account, warnings: List[str]
) -> Tuple[str, ...]:
    path = server.find_config(system)
    if path is None:
        return sshd_config.DEFAULT
    reading = sshd_config.read_keys_files(
        system.read_text(path),
        _who(system, account),
        partial(config_files.read_included, system),
    )
    for block in reading.unclear:
        warnings.append(
            "%s: another AuthorizedKeysFile applies to logins that this matches: Match %s"
            % (path, block)
        )
    return reading.paths
