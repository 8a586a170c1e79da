"""Put the admin's SSH keys where sshd looks for them, and lose nothing that is there already.

Ready means ready: when after this nobody could log in (no key in place, and no password that opens
the account), the module fails. The path that the platform gives with a key is not used: sshd reads
the file that its own configuration names, and no other.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import List, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords
from lightinit.formats.certificates import x509
from lightinit.formats.ssh import (
    authorized_keys,
    login_rules,
    password_policy,
    public_keys,
    sshd_config,
)
from lightinit.host.accounts import files, tools
from lightinit.host.files.in_home import (
    Owner,
    edit_private_file,
    find_trusted_base,
    read_private_file,
)
from lightinit.host.ssh import config_files, sshd
from lightinit.host.system import System
from lightinit.model import Certificate, Frequency, Instance, Outcome, User
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.ssh_authorized_keys")

NAME = "ssh_authorized_keys"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
OPENS_LOGIN = True
SETTINGS: Tuple[Setting, ...] = ()


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Add the admin's keys to his authorized_keys file.

    Args:
        instance: its ``admin`` brings the keys.
        system: the machine.
        settings: none.

    Returns:
        How many keys are new; a warning for each key that was refused.

    Raises:
        ProvisioningError: the account is missing, the file is not safe to change, or nobody could
            log in.
    """
    admin = instance.admin
    if admin is None:
        return Outcome("no admin account asked for", skipped=True)
    name = texts.check_user_name(admin.name)
    account = _find(system, name)
    warnings: List[str] = []
    keys = _read_keys(admin, instance.certificates, warnings)
    by_password = _opens_by_password(system, admin)
    effective = _ask_sshd(system, name)
    _check_rules(system, admin, account, effective, warnings)
    if not keys and by_password:
        return Outcome("no keys given, and password login is on", tuple(warnings), skipped=True)
    if not by_password and not password_policy.keys_in_force(
        password_policy.read_effective(effective)
    ):
        raise ProvisioningError(
            "sshd is set to read no authorized keys",
            user=name,
            why="PubkeyAuthentication or AuthenticationMethods",
            hint="look for these in sshd_config, or switch password login on",
        )
    base, parts = _find_file(system, account, effective, warnings)
    owner = Owner(account.uid, account.gid)
    shown = "/".join((base.rstrip("/"),) + parts)
    if not parts:
        if by_password:
            return Outcome("no keys put in place, and password login is on", tuple(warnings))
        raise ProvisioningError(
            "sshd is set to read no authorized keys",
            user=name,
            hint="look for AuthorizedKeysFile in sshd_config, or switch password login on",
        )
    if not keys:
        return _go_without(admin, warnings, read_private_file(system, base, parts, owner), shown)
    merged = authorized_keys.Merged(b"", 0)

    def merge(before: bytes) -> bytes:
        nonlocal merged
        merged = authorized_keys.merge(before, keys)
        return merged.data

    written = edit_private_file(system, base, parts, owner, merge)
    for options in merged.restricted:
        warnings.append(
            "a key was in %s already, behind options, and stays behind them: %s" % (shown, options)
        )
    if written:
        tools.restore_labels(system, ["%s/%s" % (base.rstrip("/"), parts[0])])
    message = "%d of %d keys added to %s" % (merged.added, len(keys), shown)
    return Outcome(message, tuple(warnings))


def _opens_by_password(system: System, admin: User) -> bool:
    """Whether a password opens the account over SSH: the platform wants that, and there is one."""
    if passwords.login_wished(admin) is not True:
        return False
    if not system.live and passwords.given_password(admin):
        return True  # which the module users left out
    passwd = files.read_account_file(system, "/etc/passwd")
    if texts.find_account(passwd, admin.name) is None:
        return True  # the password of an account that only NSS knows cannot be looked at
    shadow = files.read_account_file(system, "/etc/shadow")
    return texts.is_password_hash(texts.find_password(passwd, shadow, admin.name))


def _check_rules(
    system: System, admin: User, account: texts.Account, effective: str, warnings: List[str]
) -> None:
    """Fail where the admin is kept out whatever the key or the password, and warn where that may
    be.
    """
    pam = password_policy.read_effective(effective).get("usepam") == ["yes"] if effective else None
    shadow = files.read_account_file(system, "/etc/shadow")
    left_out = not system.live and bool(passwords.given_password(admin))  # by the module users
    for verdict, hint in (
        (
            login_rules.judge_lists(effective, _who(system, account)),
            (
                "change that list in the image; the setting groups of the module users says which"
                " groups the admin joins"
            ),
        ),
        (
            login_rules.judge_shadow(shadow, account.name, tools.today(system), pam, left_out),
            (
                "mend the account in the image (chage -l says more), or make the VM anew with"
                " another admin user name"
            ),
        ),
    ):
        if verdict.shut:
            raise ProvisioningError(
                "nobody could log in", user=account.name, why=verdict.shut, hint=hint
            )
        if verdict.doubt:
            warnings.append("%s may be kept out: %s" % (account.name, verdict.doubt))


# -- the keys
# --------------------------------------------------------------------------------------------------


def _read_keys(
    admin: User, known: Sequence[Certificate], warnings: List[str]
) -> List[public_keys.PublicKey]:
    keys: List[public_keys.PublicKey] = []
    for number, given in enumerate(admin.ssh_keys, 1):
        read = public_keys.read_given(given.text or _find_certificate(given.fingerprint, known))
        refused = list(read.refused)
        found = list(read.keys)
        for der in read.certificates:
            try:
                found.append(public_keys.read_key(x509.public_key_line(der)))
            except MalformedError as error:
                refused.append(error)
        if not found and not refused and given.fingerprint and not given.text:
            refused.append(
                MalformedError(
                    "certificate of the ssh key is unknown",
                    fingerprint=ascii(given.fingerprint[:80]),
                    hint="see what the boot says about certificates, or give the key itself",
                )
            )
        if not found and not refused:
            refused.append(MalformedError("ssh key is empty"))
        warnings += [
            "key %d of %d refused: %s" % (number, len(admin.ssh_keys), error) for error in refused
        ]
        warnings += [note for key in found for note in key.notes]
        keys += found
    return keys


def _find_certificate(fingerprint: str, known: Sequence[Certificate]) -> str:
    """The PEM of the certificate that a fingerprint names, in any case, with or without colons; ""
    when there is none.
    """
    wanted = re.sub(r"[\s:]", "", fingerprint).upper()
    return next((each.certificate for each in known if wanted and each.thumbprint == wanted), "")


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
                "a password comes with the provisioning media alone: see "
                "whether they could be read; or give the VM an ssh key"
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


# -- the place
# --------------------------------------------------------------------------------------------------


def _find(system: System, name: str) -> texts.Account:
    account = texts.find_account(files.read_account_file(system, "/etc/passwd"), name)
    if account is None:
        elsewhere = tools.look_up_elsewhere(system, name)
        if elsewhere is None:
            raise ProvisioningError(
                "user does not exist", user=name, hint="see what the module users says"
            )
        account = texts.Account(name, *elsewhere)
    uid_min = texts.read_number(
        texts.read_login_defs(system.read_text("/etc/login.defs")), "UID_MIN", texts.UID_MIN
    )
    return texts.check_admin_account(account, uid_min, partial(tools.can_be_shell, system))


def _find_file(
    system: System, account: texts.Account, effective: str, warnings: List[str]
) -> Tuple[str, Tuple[str, ...]]:
    """(directory, names below it) of the file that sshd reads for ``account``; no names when it
    reads none.
    """
    paths = sshd_config.read_effective(effective) or _read_config(system, account, warnings)
    if not paths or paths[0].lower() == "none":
        warnings.append("sshd is set to read no authorized keys (AuthorizedKeysFile none)")
        return "", ()
    home = account.home.rstrip("/")
    path = sshd_config.expand_tokens(paths[0], account.name, account.uid, home)
    if path.startswith(home + "/"):
        return home, tuple(part for part in path[len(home) :].split("/") if part not in ("", "."))
    return find_trusted_base(system, path)


def _ask_sshd(system: System, user: str) -> str:
    """What sshd itself says. It says nothing without host keys, which ssh_host_keys makes before
    this.
    """
    try:
        return sshd.effective(system, user)
    except ProvisioningError as error:
        LOG.info("sshd was not asked: %s", error)
        return ""


def _read_config(system: System, account: texts.Account, warnings: List[str]) -> Tuple[str, ...]:
    path = config_files.find_config(system)
    if path is None:
        return sshd_config.DEFAULT
    who = _who(system, account)
    reading = sshd_config.read_keys_files(
        system.read_text(path), who, partial(config_files.read_included, system)
    )
    for block in reading.unclear:
        warnings.append(
            "%s: another AuthorizedKeysFile holds where Match %s applies" % (path, block)
        )
    return reading.paths


def _who(system: System, account: texts.Account) -> sshd_config.Who:
    """The account with its groups, by this host's files and by what else it asks."""
    group = files.read_account_file(system, "/etc/group")
    primary = [
        line.split(":")[0]
        for line in group.split("\n")
        if line.split(":")[2:3] == [str(account.gid)]
    ]
    found = primary + texts.list_groups(group, account.name)
    return sshd_config.Who(
        account.name, tuple(found) + tools.list_groups_of(system, account.name, account.gid)
    )
