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
    if local_files.password_field(system, name) == crypted:
        return
    with files.lock_accounts(system):
        _put_hash(system, name, crypted)


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
