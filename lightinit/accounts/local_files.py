"""Passwd, shadow, group and gshadow of this host, and its policy for new accounts."""

from __future__ import annotations

from functools import partial
from typing import Dict, Optional

from lightinit.formats.accounts import login_defs
from lightinit.formats.accounts import passwd as texts
from lightinit.host.accounts import files
from lightinit.host.system import System

PASSWD, SHADOW, GROUP, GSHADOW = "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"


def text_of(system: System, path: str) -> str:
    """The text of one of the files; "" if it does not exist."""
    return files.read_account_file(system, path)


def policy(system: System) -> Dict[str, str]:
    """The keys of login.defs."""
    return login_defs.read_login_defs(system.read_text("/etc/login.defs"))


def useradd_defaults(system: System) -> Dict[str, str]:
    """HOME, SKEL and SHELL of default/useradd."""
    return login_defs.read_useradd_defaults(system.read_text("/etc/default/useradd"))


def is_local(system: System, name: str) -> bool:
    """Whether the account is in passwd, and not only known to NSS."""
    return texts.find_account(text_of(system, PASSWD), name) is not None


def has_shadow(system: System) -> bool:
    """Whether passwords are in shadow."""
    return system.exists(SHADOW) or not system.live


def put_shadow_line(system: System, name: str) -> None:
    """Give an account a new line in shadow, without a password. The caller holds the lock."""
    put_line(system, SHADOW, texts.shadow_line(name, files.today(system)), 0o640)


def put_line(system: System, path: str, line: str, new_mode: Optional[int] = None) -> None:
    """Put a line into a file, in the place of the one of the same name. The caller holds the lock.

    Args:
        system: the machine.
        path: the file.
        line: without a line end.
        new_mode: the mode of a new file; None: a missing file is not made.
    """
    files.edit_account_file(system, path, partial(texts.put_line, line=line), new_mode)


def put_shadow_fields(system: System, name: str, fields: Dict[int, str]) -> bool:
    """Set fields of an account's line in shadow. Returns whether anything was changed."""

    def edit(text: str) -> str:
        for number, value in fields.items():
            text = texts.set_field(text, name, number, value)
        return text

    before = text_of(system, SHADOW)
    if edit(before) == before:
        return False
    with files.lock_accounts(system):
        return files.edit_account_file(system, SHADOW, edit)


def password_field(system: System, name: str) -> Optional[str]:
    """The password field of an account, from shadow if passwd says so."""
    return texts.find_password(text_of(system, PASSWD), text_of(system, SHADOW), name)


def has_password(system: System, name: str) -> bool:
    """Whether a password opens the account."""
    return texts.is_password_hash(password_field(system, name))
