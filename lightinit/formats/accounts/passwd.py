"""passwd, group, shadow and gshadow: read and edited as text.

Pure: it knows no path and no tool. An edit leaves all other lines unchanged. If nothing has to
change, the same text is returned. Formats: passwd(5), group(5), shadow(5), gshadow(5).
"""

from __future__ import annotations

import re
from typing import Iterator, List, Optional, Set

from lightinit.digits import ID_MOST, read_digits
from lightinit.formats.blanks import BLANKS
from lightinit.model import NamedTuple

# No password is accepted. sshd without PAM treats "!" as a locked account, but not "*".
NO_PASSWORD = "*"  # noqa: S105 - the mark for 'no password', not one
# useradd, adduser and passwd -l write these if an account never had a password.
NEVER_SET = ("!", "!!", "!*")
IN_SHADOW = "x"  # in passwd: the password is in shadow
# Fields of shadow for the ageing of a password or an account. NEVER: MAX_DAYS for 'never'.
LAST_CHANGE, MIN_DAYS, MAX_DAYS, INACTIVE_DAYS, EXPIRY_DAY = 2, 3, 4, 6, 7
NEVER = ("99999", "", "-1")
NO_LOGIN_SHELLS = (
    "nologin",
    "false",
    "true",
    "null",
    "sync",
    "halt",
    "shutdown",
    "git-shell",
    "sftp-server",
    "scponly",
    "rssh",
)


class Account(NamedTuple):
    """One line of passwd."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str

    @property
    def can_log_in(self) -> bool:
        """Whether the shell allows a login: it is not nologin, false or the like."""
        return self.shell.rsplit("/", 1)[-1] not in NO_LOGIN_SHELLS


# -- reading
# --------------------------------------------------------------------------------------------------


def is_password_hash(field: Optional[str]) -> bool:
    """Whether the password field of passwd or shadow is a hash, so that a password is accepted."""
    if field is None or len(field) < 4:
        return False  # such as "!" and "x", the usual ones
    # The hashes of crypt(5): $id$..., extended DES, DES. Anything else accepts no password.
    return bool(
        re.fullmatch(
            r"\$[^$]+\$.+|_[./0-9A-Za-z]{19}|[./0-9A-Za-z]{13}(?:[./0-9A-Za-z]{11})*", field
        )
    )


def find_password(passwd: str, shadow: str, name: str) -> Optional[str]:
    """The password field of ``name``, from shadow if passwd says so; None if there is no line."""
    field = find_field(passwd, name, 1)
    if field == IN_SHADOW:
        return find_field(shadow, name, 1)
    return field


def find_account(passwd: str, name: str) -> Optional[Account]:
    """The account ``name`` in a passwd file; None if there is none, or if its line is damaged."""
    for line in passwd.split("\n"):
        if line.split(":")[0] == name:
            account = _read_account(line)
            if account is not None:
                return account
    return None


def list_accounts(passwd: str) -> Iterator[Account]:
    """The accounts of a passwd file, in order; damaged lines are left out."""
    for line in passwd.split("\n"):
        account = _read_account(line)
        if account is not None:
            yield account


def _read_account(line: str) -> Optional[Account]:
    fields = line.split(":")
    if len(fields) < 7 or "\0" in line:
        return None
    uid, gid = read_digits(fields[2], ID_MOST), read_digits(fields[3], ID_MOST)
    if uid is None or gid is None:
        return None
    return Account(fields[0], uid, gid, fields[5], fields[6] or "/bin/sh")


def find_group(group: str, name: str) -> Optional[int]:
    """The id of the group ``name``; None if there is no such group."""
    for line in group.split("\n"):
        fields = line.split(":")
        if fields[0] == name and len(fields) >= 3:
            gid = read_digits(fields[2], ID_MOST)
            if gid is not None:
                return gid
    return None


def list_groups(group: str, user: str) -> List[str]:
    """The groups that list ``user`` as a member."""
    found = []
    for line in group.split("\n"):
        fields = line.split(":")
        if len(fields) >= 4 and user in _members(fields[3]):
            found.append(fields[0])
    return found


def list_group_names(group: str, gid: int) -> List[str]:
    """The names of the groups that have the id ``gid``."""
    lines = (line.split(":") for line in group.split("\n"))
    return [fields[0] for fields in lines if fields[2:3] == [str(gid)]]


def used_ids(text: str) -> Set[int]:
    """All ids in the third field of a passwd or group file."""
    lines = (line.split(":") for line in text.split("\n"))
    found = {read_digits(fields[2]) for fields in lines if len(fields) > 2}
    return {number for number in found if number is not None}


def find_field(text: str, name: str, field: int) -> Optional[str]:
    """Field number ``field`` (from 0) of the line of ``name``; None if there is no such line."""
    for line in text.split("\n"):
        fields = line.split(":")
        if fields[0] == name and len(fields) > field:
            return fields[field]
    return None


def _members(field: str) -> List[str]:
    """The members of a group. glibc skips blanks before a name, and takes what is behind one for a
    part of it: also the carriage return of a file from Windows.
    """
    return [each.lstrip(BLANKS) for each in field.split(",")]


def must_change_password(shadow: str, name: str) -> bool:
    """Whether shadow demands a new password at the next login (day 0 of the last change)."""
    day = find_field(shadow, name, 2)
    return bool(day) and not str(day).strip("0")


# -- editing
# --------------------------------------------------------------------------------------------------


def put_line(text: str, line: str) -> str:
    """``text`` with ``line`` (without a line end). It replaces the line of the same name, or is
    added.

    The ``+`` lines of NIS stay last, since lines after them are ignored.
    """
    name = line.split(":")[0]
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    for at, old in enumerate(lines):
        if old.split(":")[0] == name:
            lines[at] = line
            break
    else:
        at = next((number for number, old in enumerate(lines) if old[:1] in ("+", "-")), len(lines))
        lines.insert(at, line)
    return "\n".join(lines) + "\n"


def set_field(text: str, name: str, field: int, value: str) -> str:
    """``text`` with one field of the line of ``name`` replaced; unchanged if there is no such
    field.
    """
    lines = text.split("\n")
    for at, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] == name and len(fields) > field:
            fields[field] = value
            lines[at] = ":".join(fields)
    return "\n".join(lines)


def set_password(shadow: str, name: str, crypted: str, day: int) -> str:
    """A shadow file in which ``name`` has the hash ``crypted`` since ``day`` (days since 1970)."""
    return set_field(set_field(shadow, name, 1, crypted), name, 2, last_change(day))


def stop_ageing(shadow: str, name: str, is_new: bool) -> str:
    """A shadow file in which the password of ``name`` never has to be changed.

    Args:
        shadow: the text.
        name: the account. It has no password, so its user could not change it at a login.
        is_new: whether the account is new. Then its expiry date is removed, too, since it comes
            from a default for new accounts. In an existing account somebody has chosen the date.
    """
    wanted = {MAX_DAYS: NEVER, INACTIVE_DAYS: ("",), MIN_DAYS: ("0", "")}
    if is_new:
        wanted[EXPIRY_DAY] = ("",)
    for field, values in wanted.items():
        if (find_field(shadow, name, field) or "") not in values:
            shadow = set_field(shadow, name, field, values[0])
    return shadow


def add_member(group: str, name: str, user: str) -> str:
    """A group or gshadow file in which ``user`` is a member of the group ``name``; unchanged if
    there is no such group.
    """
    members = find_field(group, name, 3)
    if members is None or user in _members(members):
        return group
    others = [member for member in members.split(",") if member.strip(BLANKS)]
    return set_field(group, name, 3, ",".join(others + [user]))


def passwd_line(account: Account, password: str = IN_SHADOW, comment: str = "") -> str:
    """The line of passwd for ``account``.

    Args:
        account: what goes into the line.
        password: the password field; the default means that shadow has it.
        comment: the comment field, without colons.
    """
    return "%s:%s:%d:%d:%s:%s:%s" % (
        account.name,
        password,
        account.uid,
        account.gid,
        comment,
        account.home,
        account.shell,
    )


def shadow_line(name: str, day: int, password: str = NO_PASSWORD) -> str:
    """The line of shadow for an account whose password changes on ``day`` (days since 1970)."""
    return "%s:%s:%s:0:99999:7:::" % (name, password, last_change(day))


def last_change(day: int) -> str:
    """The field of the last change for ``day`` (days since 1970).

    While the clock is in 1970 the day is 0. The field must not be 0, since that means 'must be
    changed at the next login'.
    """
    return "" if day <= 0 else str(day)
