"""Sets the passwords of accounts: a text by the host's tools, a hash by editing shadow."""

from __future__ import annotations

import logging
from functools import partial

from lightinit.accounts import local_files
from lightinit.accounts.completion import complete_last_change
from lightinit.accounts.local_files import PASSWD, SHADOW, text_of
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.accounts import passwords as given
from lightinit.host.accounts import files, passwords
from lightinit.host.system import System

PAM_OF_SSHD = "/etc/pam.d/sshd"
LOG = logging.getLogger("lightinit.users")


def set_text(system: System, name: str, password: str) -> bool:
    """Set a password. It replaces any other.

    Args:
        system: the machine.
        name: the account.
        password: as it is typed in; a secret.

    Returns:
        Whether it was set: a scratch root leaves it out.

    Raises:
        ProvisioningError: it is not allowed, no tool can set it, or the account is not in the
            files of this host.
    """
    given.check_password(password, name)
    if not system.live:
        system.skip("the password of %s" % name)
        return False
    _check_local(system, name)
    before = local_files.password_field(system, name)

    def is_set() -> bool:
        field = local_files.password_field(system, name)
        return field != before and given.is_strong_hash(field)

    target = passwords.PasswordTarget(name, is_set, partial(_put_hash, system, name))
    tool = passwords.set_password(system, target, password)
    LOG.debug("password of %s set by %s", name, tool)
    complete_last_change(system, name, is_ours=True)
    return True


def set_hash(system: System, name: str, crypted: str) -> None:
    """Set a password's hash, which is a secret, too. No tool gets it, since its arguments are
    public.

    Raises:
        ProvisioningError: the account is not in the files of this host, or they cannot be changed.
    """
    _check_local(system, name)
    if not texts.is_password_hash(crypted):
        crypted = texts.NO_PASSWORD  # sshd without PAM would take ! as a locked account
    if local_files.password_field(system, name) == crypted:
        return
    with files.lock_accounts(system):
        _put_hash(system, name, crypted)


def has_any(system: System, name: str) -> bool:
    """Whether an account has a password, locked or not."""
    field = local_files.password_field(system, name) or ""
    return texts.is_password_hash(field.lstrip("!*"))


def lock(system: System, name: str) -> bool:
    """Lock the password of an account, if it has one. Keys still open the account.

    Returns:
        Whether it is locked now, and there is one.

    Raises:
        ProvisioningError: the files cannot be changed.
    """
    field = local_files.password_field(system, name)
    if not local_files.is_local(system, name) or not texts.is_password_hash(field):
        return has_any(system, name)
    # With this mark, passwd -u can unlock it; but sshd without PAM refuses keys, too.
    mark = "!"
    if not system.exists(PAM_OF_SSHD):
        mark = texts.NO_PASSWORD
    path = PASSWD
    if texts.find_field(text_of(system, PASSWD), name, 1) == texts.IN_SHADOW:
        path = SHADOW
    edit = partial(texts.set_field, name=name, field=1, value="%s%s" % (mark, field))
    with files.lock_accounts(system):
        files.edit_account_file(system, path, edit)
    return True


def expire(system: System, name: str) -> None:
    """Demand another password at the next login.

    Raises:
        ProvisioningError: the files cannot be changed.
    """
    local_files.put_shadow_fields(system, name, {texts.LAST_CHANGE: "0"})


def _check_local(system: System, name: str) -> None:
    if not local_files.is_local(system, name):
        raise ProvisioningError(
            "password of the account lies elsewhere",
            user=name,
            hint=(
                "set it where the account is, or create the VM again with another admin user name"
            ),
        )


def _put_hash(system: System, name: str, crypted: str) -> None:
    if texts.find_field(text_of(system, PASSWD), name, 1) == texts.IN_SHADOW:
        day = files.today(system)
        files.edit_account_file(
            system, SHADOW, partial(texts.set_password, name=name, crypted=crypted, day=day)
        )
    else:
        files.edit_account_file(
            system, PASSWD, partial(texts.set_field, name=name, field=1, value=crypted)
        )
