"""passwd, group, shadow, gshadow, login.defs and default/useradd: read and edited as text.

Pure: it knows no path and no tool. Every edit leaves the lines that it does not mean as they are,
and gives the same text back when nothing had to change. Formats: passwd(5), group(5), shadow(5),
gshadow(5), login.defs(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Collection, Dict, List, Optional

from lightinit.errors import ProvisioningError

NAME_MAX_CHARS = 32
# No password opens the account, and yet sshd does not take it for locked, as it does "!" where it
# runs without PAM.
NO_PASSWORD = "*"  # noqa: S105 - the mark for 'no password', not one
# What useradd, adduser and passwd -l leave in an account that never had a password.
NEVER_SET = ("!", "!!", "!*")
NO_LOGIN_SHELLS = ("nologin", "false", "sync", "halt", "shutdown")
UID_MIN = 1000  # where login.defs does not say
# What crypt(5) makes: $id$..., the extended DES form, the DES form. All else opens nothing: *, !,
# !!, *LK*, nothing.
_HASH = re.compile(r"\$[^$]+\$.+|_[./0-9A-Za-z]{19}|[./0-9A-Za-z]{13}(?:[./0-9A-Za-z]{11})*")


@dataclass(frozen=True)
class Account:
    """One line of passwd."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str

    @property
    def can_log_in(self) -> bool:
        """Whether the shell lets anybody in."""
        return self.shell.rsplit("/", 1)[-1] not in NO_LOGIN_SHELLS


def check_user_name(name: str) -> str:
    """Check that ``name`` may become an account that the platform's admin uses.

    Letters, digits, dots, hyphens and underscores are allowed: what every passwd, sudoers and shell
    agree on.

    Returns:
        The name.

    Raises:
        ProvisioningError: it may not; ``why`` says what is wrong with it.
    """
    why = ""
    if not name:
        why = "it is empty"
    elif len(name) > NAME_MAX_CHARS:
        why = "it is longer than %d characters" % NAME_MAX_CHARS
    elif name == "root":
        why = "root is not an admin account that can be made"
    elif name.isdigit():
        why = "it is a number, which would be read as a user id"
    elif name[0] in "-.":
        why = "it starts with a hyphen or a dot"
    elif not re.match(r"[A-Za-z0-9_.-]+\Z", name):
        why = "only letters, digits, dots, hyphens and underscores are allowed"
    if why:
        raise ProvisioningError(
            "user name is not allowed",
            user=ascii(name[:64]),
            why=why,
            hint="make the VM anew with another admin user name",
        )
    return name


def check_admin_account(account: Account, uid_min: int, is_shell: Callable[[str], bool]) -> Account:
    """Check that an account that is there already can be the admin's: nothing in it would be
    changed to make it so.

    Args:
        account: the account.
        uid_min: the lowest user id that is no system account's.
        is_shell: whether a path is a program, as sshd wants a shell to be.

    Returns:
        The account.

    Raises:
        ProvisioningError: it belongs to the system, or nobody could use it.
    """
    rename = "make the VM anew with another admin user name"
    if account.uid == 0:
        raise ProvisioningError("user name belongs to root", user=account.name, hint=rename)
    if not account.can_log_in:
        raise ProvisioningError(
            "user name belongs to an account that cannot log in",
            user=account.name,
            shell=account.shell,
            hint=rename,
        )
    if account.uid < uid_min:
        raise ProvisioningError(
            "user name belongs to a system account",
            user=account.name,
            uid=account.uid,
            uid_min=uid_min,
            hint=rename,
        )
    if not account.shell.startswith("/") or not is_shell(account.shell):
        raise ProvisioningError(
            "shell of the account is missing",
            user=account.name,
            shell=account.shell,
            hint="install that shell in the image, or give the account another: usermod -s",
        )
    parts = [part for part in account.home.split("/") if part not in ("", ".")]
    if not account.home.startswith("/") or not parts or ".." in parts:
        raise ProvisioningError(
            "home of the account cannot be used",
            user=account.name,
            path=account.home or "(empty)",
            hint="give the account a home of its own in the image: usermod -d",
        )
    return account


def is_password_hash(field: Optional[str]) -> bool:
    """Whether the password field of passwd or shadow holds a password that opens the account."""
    return field is not None and _HASH.fullmatch(field) is not None


def find_password(passwd: str, shadow: str, name: str) -> Optional[str]:
    """The password field of ``name``: that of passwd, or that of shadow where passwd says so; None
    without a line.
    """
    field = find_field(passwd, name, 1)
    return find_field(shadow, name, 1) if field == "x" else field


def find_account(passwd: str, name: str) -> Optional[Account]:
    """The account ``name`` in a passwd file; None when it has none, or its line is damaged."""
    for line in passwd.split("\n"):
        fields = line.split(":")
        if fields[0] == name and len(fields) >= 7 and fields[2].isdigit() and fields[3].isdigit():
            return Account(
                name, int(fields[2]), int(fields[3]), fields[5], fields[6].strip() or "/bin/sh"
            )
    return None


def find_group(group: str, name: str) -> Optional[int]:
    """The id of the group ``name``; None when there is no such group."""
    for line in group.split("\n"):
        fields = line.split(":")
        if fields[0] == name and len(fields) >= 3 and fields[2].isdigit():
            return int(fields[2])
    return None


def list_groups(group: str, user: str) -> List[str]:
    """The groups that name ``user`` as a member."""
    found = []
    for line in group.split("\n"):
        fields = line.strip().split(":")
        if len(fields) >= 4 and user in fields[3].split(","):
            found.append(fields[0])
    return found


def used_ids(text: str) -> Collection[int]:
    """Every id in the third field of a passwd or group file."""
    fields = (line.split(":") for line in text.split("\n"))
    return {int(each[2]) for each in fields if len(each) > 2 and each[2].isdigit()}


def choose_id(used: Collection[int], low: int, high: int, wished: Optional[int] = None) -> int:
    """An id that nobody uses: ``wished`` when it is free, else one above the highest used between
    ``low`` and ``high``.

    Raises:
        ProvisioningError: all are used.
    """
    if wished is not None and wished not in used and low <= wished <= high:
        return wished
    highest = max((number for number in used if low <= number <= high), default=low - 1)
    if highest < high:
        return highest + 1
    for number in range(low, high + 1):
        if number not in used:
            return number
    raise ProvisioningError(
        "no free user or group id",
        low=low,
        high=high,
        hint="raise UID_MAX and GID_MAX in /etc/login.defs",
    )


def find_field(text: str, name: str, field: int) -> Optional[str]:
    """Field number ``field`` (from 0) of the line of ``name``; None when there is no such line."""
    for line in text.split("\n"):
        fields = line.strip().split(":")
        if fields[0] == name and len(fields) > field:
            return fields[field]
    return None


def put_line(text: str, line: str) -> str:
    """``text`` with ``line`` (no line end) in place of the line of the same name, else added.

    NIS' ``+`` lines stay last: what stands behind them is not looked at.
    """
    name = line.split(":")[0]
    lines = text.split("\n")
    tail = [""] if lines[-1] == "" else []
    lines = lines[:-1] if tail else lines
    for at, old in enumerate(lines):
        if old.split(":")[0] == name:
            lines[at] = line
            break
    else:
        at = next((number for number, old in enumerate(lines) if old[:1] in ("+", "-")), len(lines))
        lines.insert(at, line)
    return "\n".join(lines) + "\n"


def set_field(text: str, name: str, field: int, value: str) -> str:
    """``text`` with one field of the line of ``name`` replaced; unchanged when there is no such
    line or field.
    """
    lines = text.split("\n")
    for at, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] == name and len(fields) > field:
            fields[field] = value
            lines[at] = ":".join(fields)
    return "\n".join(lines)


def set_password(shadow: str, name: str, crypted: str, day: int) -> str:
    """A shadow file in which ``name`` has the hash ``crypted`` as from ``day`` (days since
    1970).
    """
    return set_field(set_field(shadow, name, 1, crypted), name, 2, last_change(day))


def add_member(group: str, name: str, user: str) -> str:
    """A group or gshadow file in which ``user`` is a member of the group ``name``; unchanged if
    there is none.
    """
    members = find_field(group, name, 3)
    if members is None or user in members.split(","):
        return group
    return set_field(
        group, name, 3, ",".join([member for member in members.split(",") if member] + [user])
    )


def passwd_line(account: Account, password: str = "x") -> str:  # noqa: S107 - "x" says: see shadow
    """The line of passwd for ``account``; ``password`` is ``x`` where there is a shadow file."""
    return "%s:%s:%d:%d::%s:%s" % (
        account.name,
        password,
        account.uid,
        account.gid,
        account.home,
        account.shell,
    )


def shadow_line(name: str, day: int, password: str = NO_PASSWORD) -> str:
    """The line of shadow; ``day`` is today in days since 1970, as the day of the last change."""
    return "%s:%s:%s:0:99999:7:::" % (name, password, last_change(day))


def last_change(day: int) -> str:
    """The field of the last change. A clock in 1970 must not say 0: 'must be changed at the next
    login'.
    """
    return str(day) if day > 0 else ""


def read_login_defs(text: str) -> Dict[str, str]:
    """login.defs: each key with its first word; the last line of a key counts."""
    found = {}
    for line in text.split("\n"):
        words = line.split()
        if len(words) > 1 and not words[0].startswith("#"):
            found[words[0]] = words[1].strip('"')
    return found


def read_assignments(text: str) -> Dict[str, str]:
    """``KEY=value`` lines, as in default/useradd."""
    found = {}
    for line in text.split("\n"):
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key.strip()] = value.strip().strip("\"'")
    return found


def read_number(found: Dict[str, str], key: str, default: int, base: int = 10) -> int:
    """A number out of :func:`read_login_defs`; ``default`` when it is missing or no number."""
    try:
        return int(found.get(key, ""), base)
    except ValueError:
        return default


def home_mode(login_defs: Dict[str, str]) -> int:
    """The mode of a new home: HOME_MODE, else what UMASK leaves of 0777, else 0700."""
    umask = read_number(login_defs, "UMASK", 0o077, 8)
    return read_number(login_defs, "HOME_MODE", 0o777 & ~umask, 8) & 0o777
