"""What a cloud-config says of accounts, beside the admin that the platform names.

The platform's admin is always made: the platform waits for it, and its owner logs in with it.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.formats.accounts import passwords as platform
from lightinit.formats.certificates import x509
from lightinit.formats.cloud_config.readers.passwords import KEYS as PASSWORD_KEYS
from lightinit.formats.cloud_config.readers.passwords import TEXT, GivenPasswords, read_passwords
from lightinit.formats.cloud_config.readers.passwords import is_hash as is_hash_text
from lightinit.formats.cloud_config.readers.users import (
    DEFAULT,
    GivenAccounts,
    GivenUser,
    read_accounts,
)
from lightinit.formats.cloud_config.readers.users import KEYS as USER_KEYS
from lightinit.formats.ssh.given_keys import read_given_keys
from lightinit.model import Instance, NamedTuple, SshKey, User, repr_without

ROOT = "root"


class GivenLogins(NamedTuple):
    """The part of a cloud-config that is about accounts, read.

    Attributes:
        accounts: users, groups and keys.
        passwords: passwords, and whether sshd takes them.
    """

    accounts: GivenAccounts
    passwords: GivenPasswords


class Roles(NamedTuple):
    """Who is who in a cloud-config.

    Attributes:
        admin: what is said of the platform's admin; None if nothing is.
        default: the default user, if it is not the platform's admin; its name is not ``default``.
        others: the other accounts.
        lacks_default: whether ``users`` is there and names neither ``default`` nor the admin.
    """

    admin: Optional[GivenUser]
    default: Optional[GivenUser]
    others: Tuple[GivenUser, ...]
    lacks_default: bool

    @property
    def besides_admin(self) -> Tuple[GivenUser, ...]:
        """All but the admin, the default user first."""
        return tuple(each for each in (self.default,) if each is not None) + self.others


def read_logins(values: Mapping[str, Any]) -> Optional[GivenLogins]:
    """Read the keys of a cloud-config that are about accounts. Its mistakes are told elsewhere.

    Returns:
        None if it has no such key.
    """
    if not any(key in values for key in USER_KEYS + PASSWORD_KEYS):
        return None
    return GivenLogins(read_accounts(values)[0], read_passwords(values)[0])


def find_roles(accounts: GivenAccounts, admin: str) -> Roles:
    """Who is who.

    Args:
        accounts: what a cloud-config says.
        admin: the name of the platform's admin; "" if it names none.
    """
    users: Dict[str, GivenUser] = {each.name: each for each in accounts.users or ()}
    of_default = users.pop(DEFAULT, None)
    of_admin = users.pop(admin, None)
    name = accounts.default_name or admin
    default = None
    if of_default is not None and name != admin:
        default = _joined(of_default._replace(name=name), users.pop(name, None))
    elif of_default is not None and admin:
        of_admin = _joined(of_default._replace(name=admin), of_admin)
    lacks = accounts.users is not None and of_default is None and of_admin is None
    return Roles(of_admin, default, tuple(users.values()), lacks and bool(admin))


def _joined(first: GivenUser, second: Optional[GivenUser]) -> GivenUser:
    """Two entries for one account: what the first one says counts, and their groups and keys."""
    if second is None:
        return first
    defaults = GivenUser._field_defaults
    told = {
        key: value for key, value in first._asdict().items() if value != defaults.get(key, None)
    }
    told["groups"] = tuple(dict.fromkeys(first.groups + second.groups))
    keys = first.ssh_authorized_keys + second.ssh_authorized_keys
    told["ssh_authorized_keys"] = tuple(dict.fromkeys(keys))
    return second._replace(**told)


def settle_admin(instance: Instance, logins: Optional[GivenLogins]) -> Instance:
    """The instance with the admin that its cloud-config wants, where the platform names none. This
    is the default user: ``user`` names it, or the settings do; and ``users`` may leave it out. Root
    is none: it gets the keys and the password as one of the other accounts.

    Args:
        instance: its ``admin`` is that of the platform or of the settings, or None.
        logins: what a cloud-config says; None if there is none.
    """
    admin = instance.admin or User("", instance.public_keys, is_default=True)
    if logins is None or not admin.is_default:
        return instance
    users = logins.accounts.users
    name = logins.accounts.default_name or admin.name
    is_left_out = users is not None and not any(each.name == DEFAULT for each in users)
    if not name or name == ROOT or is_left_out:
        return instance._replace(admin=None)
    return instance._replace(admin=admin._replace(name=name))


class AdminWish(NamedTuple):
    """The admin with what a cloud-config adds.

    Attributes:
        admin: with further keys, another password and another policy for password login.
        kept_keys: why the platform's keys are used against the order of a cloud-config; empty if
            they are not.
        kept_login: why login with a password stays on against its order; empty if it does not.
    """

    admin: User
    kept_keys: Tuple[str, ...] = ()
    kept_login: Tuple[str, ...] = ()

    def __repr__(self) -> str:
        return repr_without(self, "admin")


def lay_over(instance: Instance, logins: Optional[GivenLogins]) -> Optional[AdminWish]:
    """The instance's admin as the platform and a cloud-config want it. What would shut the admin
    out for certain is left out.

    Args:
        instance: its ``admin`` is that of the platform.
        logins: what a cloud-config says; None if there is none.

    Returns:
        None if the platform names no admin.
    """
    admin = instance.admin
    if admin is None or logins is None:
        return admin and AdminWish(admin)
    kept_keys: List[str] = []
    kept_login: List[str] = []
    keys = tuple(SshKey(text) for text in _keys_of_admin(logins.accounts, admin.name))
    ours, _ = read_given_keys(keys, instance.certificates, x509.public_key_line)
    theirs, _ = read_given_keys(admin.ssh_keys, instance.certificates, x509.public_key_line)
    if logins.accounts.allow_public_ssh_keys or not admin.ssh_keys:
        keys = admin.ssh_keys + keys
    elif not ours and platform.login_wished(admin) is not True:
        keys = admin.ssh_keys + keys
        kept_keys.append(
            "`allow_public_ssh_keys` is false, but without the platform's keys nobody could log in"
            " as %s: they are used" % admin.name
        )
    admin = _with_password(admin, logins)
    pwauth = logins.passwords.ssh_pwauth
    if pwauth is False and platform.login_wished(admin) is True and not (ours or theirs):
        kept_login.append(
            "`ssh_pwauth` is false, but %s has no ssh key, and nobody could log in: login with a"
            " password stays on" % admin.name
        )
    elif pwauth is not None:
        admin = admin._replace(password_login=pwauth)
    return AdminWish(admin._replace(ssh_keys=keys), tuple(kept_keys), tuple(kept_login))


def _keys_of_admin(accounts: GivenAccounts, admin: str) -> Sequence[str]:
    roles = find_roles(accounts, admin)
    keys: Tuple[str, ...] = ()
    if roles.admin is not None:
        keys = roles.admin.ssh_authorized_keys
    if roles.default is None:
        keys = accounts.ssh_authorized_keys + keys
    return tuple(dict.fromkeys(keys))


def text_for_admin(logins: GivenLogins, admin: str) -> str:
    """The password that a cloud-config gives for the admin as text; "" if it gives none."""
    given, roles = logins.passwords, find_roles(logins.accounts, admin)
    for each in given.passwords:
        if each.name == admin:
            return each.password if each.kind == TEXT else ""
    if not given.passwords and roles.default is None and given.default_password:
        return "" if is_hash_text(given.default_password) else given.default_password
    if roles.admin is not None:
        return roles.admin.plain_text_passwd
    return ""


def _with_password(admin: User, logins: GivenLogins) -> User:
    """The admin with the password of a cloud-config, if the platform or the cloud-config says
    whether login with one is allowed: without that, a password alone would switch it on.
    """
    text = text_for_admin(logins, admin.name)
    if not text or (admin.password_login is None and logins.passwords.ssh_pwauth is None):
        return admin
    return admin._replace(password=text, had_password=False)
