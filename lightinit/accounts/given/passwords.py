"""Sets the passwords that ``chpasswd`` and ``password`` of a cloud-config give.

Random ones are in a file that root alone can read, and not on the console as with cloud-init: the
platform keeps what the console prints.
"""

from __future__ import annotations

import os
from typing import Dict, List, Sequence, Tuple

from lightinit.accounts import local_files, user_passwords
from lightinit.accounts.given.logins import GivenLogins, Roles
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwords as platform
from lightinit.formats.cloud_config.readers.passwords import HASH, RANDOM, TEXT, GivenPassword
from lightinit.formats.cloud_config.readers.passwords import is_hash as is_hash_text
from lightinit.host.system import System
from lightinit.login.admin import find_account
from lightinit.model import User

# In memory, so that they are in no image of the disk.
RANDOM_FILE = "/run/lightinit/random-passwords"
RANDOM_CHARS = 20
# Without those that look alike.
LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789"


def list_passwords(logins: GivenLogins, roles: Roles, admin: str) -> Tuple[GivenPassword, ...]:
    """The passwords by account: those of ``chpasswd``; without any, that of the default user."""
    given = logins.passwords
    if given.passwords or not given.default_password:
        return given.passwords
    name = admin
    if roles.default is not None:
        name = roles.default.name
    if not name:
        return ()
    kind = TEXT
    if is_hash_text(given.default_password):
        kind = HASH
    return (GivenPassword(name, kind, given.default_password),)


def set_passwords(
    system: System,
    passwords: Sequence[GivenPassword],
    expire: bool,
    admin: User,
    warnings: List[str],
) -> List[str]:
    """Set them.

    Args:
        system: the machine.
        passwords: one for each account.
        expire: whether each must be changed at the next login.
        admin: the platform's admin, with the keys and the password of a cloud-config; its name is
            "" if there is none.
        warnings: gets what did not go as asked.

    Returns:
        The names of the accounts that have a new password.
    """
    done = []
    random: Dict[str, str] = {}
    for each in passwords:
        if find_account(system, each.name) is None:
            warnings.append("there is no account %s for a password; name it in `users`" % each.name)
        elif each.kind == RANDOM and each.name == admin.name and not admin.ssh_keys:
            warnings.append(
                "%s gets no random password: without an ssh key nobody could log in to read it"
                % each.name
            )
        elif each.kind == RANDOM and not system.live:
            system.skip("the password of %s" % each.name)
        else:
            if each.kind == RANDOM:
                random[each.name] = _make_random()
                each = GivenPassword(each.name, TEXT, random[each.name])
                _keep(system, random)
            if _set(system, each, admin, warnings):
                done.append(each.name)
    _expire(system, done, expire, random, admin, warnings)
    if random:
        warnings.append(
            "random passwords of %s are in %s until the next restart; only root can read them"
            % (", ".join(random), RANDOM_FILE)
        )
    return done


def _set(system: System, each: GivenPassword, admin: User, warnings: List[str]) -> bool:
    is_of_platform = each.name == admin.name and each.password == platform.given_password(admin)
    try:
        if each.kind == HASH:
            user_passwords.set_hash(system, each.name, each.password)
        elif is_of_platform and local_files.has_password(system, each.name):
            return True  # it was set with the account
        else:
            return user_passwords.set_text(system, each.name, each.password)
    except ProvisioningError as error:
        warnings.append("password of %s: %s" % (each.name, error))
        return False
    return True


def _expire(
    system: System,
    names: Sequence[str],
    expire: bool,
    random: Dict[str, str],
    admin: User,
    warnings: List[str],
) -> None:
    if not expire:
        return
    for name in names:
        if name == admin.name and name in random:
            warnings.append(
                "the random password of %s does not expire: it can be read only after a login"
                % name
            )
            continue
        try:
            user_passwords.expire(system, name)
        except ProvisioningError as error:
            warnings.append("the password of %s does not expire: %s" % (name, error))


def _make_random() -> str:
    chars = ""
    while len(chars) < RANDOM_CHARS:
        # A byte beyond the last multiple would prefer the first letters.
        usable = 256 - 256 % len(LETTERS)
        chars += "".join(LETTERS[each % len(LETTERS)] for each in os.urandom(32) if each < usable)
    return chars[:RANDOM_CHARS]


def _keep(system: System, random: Dict[str, str]) -> None:
    """Write them before they are set, so that none is lost."""
    text = "".join("%s:%s\n" % item for item in random.items())
    system.write(RANDOM_FILE, text.encode("ascii", "replace"), 0o600)
