"""Checks the name of the admin account, and an existing account of that name.

Pure: it looks nothing up.
"""

from __future__ import annotations

import re
from typing import Callable

from lightinit.errors import ProvisioningError
from lightinit.formats.accounts.passwd import Account

NAME_MAX_CHARS = 32
_OTHER_NAME = (
    "create the VM again with another admin user name; if the settings name it, change default_user"
)


def check_user_name(name: str) -> str:
    """Check that ``name`` is allowed as the name of the admin account.

    Letters, digits, dots, hyphens and underscores are allowed: passwd, sudoers and all shells agree
    on these.

    Returns:
        The name.

    Raises:
        ProvisioningError: the name is not allowed; ``why`` says why.
    """
    why = why_no_admin(name)
    if why:
        raise ProvisioningError(
            "user name is not allowed", user=ascii(name[:64]), why=why, hint=_OTHER_NAME
        )
    return name


def why_no_admin(name: str) -> str:
    """Why the admin account cannot have a name; "" if it can."""
    return "root cannot be the admin account" if name == "root" else why_not_allowed(name)


def why_not_allowed(name: str) -> str:
    """Why an account cannot have a name; "" if it can."""
    if not name:
        return "it is empty"
    if len(name) > NAME_MAX_CHARS:
        return "it is longer than %d characters" % NAME_MAX_CHARS
    if name.isdigit():
        return "it is a number, which would be read as a user id"
    if name[0] in "-.":
        return "it starts with a hyphen or a dot"
    if not re.match(r"[A-Za-z0-9_.-]+\Z", name):
        return "only letters, digits, dots, hyphens and underscores are allowed"
    return ""


def check_admin_account(
    account: Account,
    uid_min: int,
    is_shell: Callable[[str], bool],
    is_home_of_person: Callable[[str, int], bool],
) -> Account:
    """Check that an existing account can become the admin account without changes.

    Args:
        account: the account.
        uid_min: the lowest user id of ordinary accounts; lower ones are system accounts.
        is_shell: takes a path; returns whether sshd accepts that program as a shell.
        is_home_of_person: takes a path and a user id; returns whether the path is the home of that
            user in a folder such as /home. Then a low user id is accepted, since some images have
            an ordinary account with one: Flatcar's core has 500.

    Returns:
        The account.

    Raises:
        ProvisioningError: it is a system account, or nobody can log in to it.
    """
    if account.uid == 0:
        raise ProvisioningError("user name belongs to root", user=account.name, hint=_OTHER_NAME)
    if not account.can_log_in:
        raise ProvisioningError(
            "user name belongs to an account that cannot log in",
            user=account.name,
            shell=account.shell,
            hint=_OTHER_NAME,
        )
    if account.uid < uid_min and not is_home_of_person(account.home, account.uid):
        raise ProvisioningError(
            "user name belongs to a system account",
            user=account.name,
            uid=account.uid,
            uid_min=uid_min,
            hint=_OTHER_NAME,
        )
    if not account.shell.startswith("/") or not is_shell(account.shell):
        raise ProvisioningError(
            "shell of the account is missing",
            user=account.name,
            shell=account.shell,
            hint="install that shell in the image, or change the account's shell: usermod -s",
        )
    if not _is_home(account.home):
        raise ProvisioningError(
            "home of the account cannot be used",
            user=account.name,
            path=account.home or "(empty)",
            hint="give the account its own home in the image: usermod -d",
        )
    return account


def _is_home(path: str) -> bool:
    """Whether a path can be the home of one account: absolute, without ``..``, not ``/``."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return path.startswith("/") and bool(parts) and ".." not in parts
