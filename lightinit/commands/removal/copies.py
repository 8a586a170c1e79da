"""Copies of the account files: those that tools make before a change, and those that people make.

An account that was removed is still in them, with its password's hash. useradd, usermod and userdel
leave ``passwd-`` and the like, vipw leaves ``passwd.edit``, and a daily job of Debian's leaves
``/var/backups/passwd.bak``.
"""

from __future__ import annotations

import os
import re
from functools import partial
from typing import List, Optional, Sequence

from lightinit.commands.removal.changes import (
    Change,
    RemovalContext,
    is_no_folder,
    matches,
    removals,
)
from lightinit.commands.removal.table import Row
from lightinit.formats.accounts import removal as texts
from lightinit.formats.accounts.passwd import find_account, find_group
from lightinit.host.accounts import files
from lightinit.host.system import System

PASSWD, GROUP = "/etc/passwd", "/etc/group"
GROUP_FILES = ("group", "gshadow")
ACCOUNT_FILES = ("passwd", "shadow", "subuid", "subgid") + GROUP_FILES
# Of pam_unix and pam_pwhistory: the hashes of earlier passwords.
OLD_PASSWORDS = "/etc/security/opasswd"
PLACES = ("/etc/%s[-~+._]*", "/etc/.%s[-~+._]*", "/etc/n%s", "/var/backups/%s*")
LOCKS = re.compile(r"/etc/[a-z]+\.lock\Z")
TEXT_LIMIT_BYTES = files.READ_LIMIT_BYTES


def list_copies(system: System) -> List[str]:
    """The copies of the account files, in order. Compressed ones are not among them."""
    patterns = [place % name for name in ACCOUNT_FILES for place in PLACES]
    patterns.append(OLD_PASSWORDS + "*")
    return [path for path in matches(system, patterns) if _is_copy(system, path)]


def _is_copy(system: System, path: str) -> bool:
    real = system.path(path, follow_last=False)
    if os.path.islink(real) or not os.path.isfile(real) or LOCKS.match(path):
        return False
    return os.path.getsize(real) <= TEXT_LIMIT_BYTES


def copies_with(system: System, name: str) -> List[str]:
    """The copies that have the account ``name``, its group or a membership.

    Raises:
        ProvisioningError: a copy cannot be read.
    """
    has_group = _has_group(system, name)
    found = []
    for path in list_copies(system):
        text = files.read_account_file(system, path)
        if _drop(text, path, name, has_group) != text:
            found.append(path)
    return found


def forget_account(system: System, name: str, uid: Optional[int] = None) -> None:
    """Remove an account that is gone from the account files and from every copy of them.

    Its group goes from the copies, unless the machine still has it. userdel leaves lines of subuid
    and subgid that have the user id in the place of the name.

    Args:
        system: the machine.
        name: the account.
        uid: its user id, if it is known.

    Raises:
        ProvisioningError: a file cannot be read or written.
    """
    with files.lock_accounts(system):
        has_group = _has_group(system, name)
        ours = ["/etc/" + each for each in ACCOUNT_FILES if each not in GROUP_FILES]
        for path in ours + list_copies(system):
            edit = partial(_drop, path=path, name=name, has_group=has_group)
            files.edit_account_file(system, path, edit)
            if uid is not None and "/sub" in path:
                files.edit_account_file(system, path, partial(texts.drop_lines, name=str(uid)))


def _has_group(system: System, name: str) -> bool:
    """Whether a group of that name is meant to stay: it is there, and no account of that name."""
    if find_account(files.read_account_file(system, PASSWD), name) is not None:
        return False
    return find_group(files.read_account_file(system, GROUP), name) is not None


def _drop(text: str, path: str, name: str, has_group: bool) -> str:
    """The text of an account file, or of a copy, without an account."""
    if not any(each in os.path.basename(path) for each in GROUP_FILES):
        return texts.drop_lines(text, name)
    text = texts.drop_member(text, user=name)
    if has_group:
        return text
    return texts.drop_lines(text, name)


def plan_copies(context: RemovalContext, row: Row) -> List[Change]:
    """The backups that tools make. Removing an account makes new ones, so that this comes later."""
    system = context.system
    there = [path for path in matches(system, row.paths) if is_no_folder(system, path)]
    if not there and not (context.going_users and system.tool("userdel")):
        return []
    what = "the backups of the account files in /etc and /var/backups"
    return [Change("remove " + what, "removed " + what, partial(_remove, system, row.paths))]


def _remove(system: System, paths: Sequence[str]) -> None:
    for change in removals(system, matches(system, paths)):
        change.do()
