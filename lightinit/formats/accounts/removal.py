"""passwd, group, shadow, gshadow, subuid, subgid without an account, and the rules of sudo and doas
without its own.

Pure: text in, text out. Lines that do not mean the account stay as they are, byte for byte.
"""

from __future__ import annotations

import re
from typing import List

from lightinit.formats.accounts.passwd import Account, find_group
from lightinit.formats.accounts.privileges import HEADER, doas_rule, sudoers_lines


def drop_lines(text: str, name: str) -> str:
    """A file of the form of passwd, shadow, subuid without the lines of ``name``."""
    return "".join(
        line
        for line in re.findall(r"[^\n]*\n|[^\n]+", text)
        if line.split(":")[0].rstrip("\n") != name
    )


def drop_member(group: str, user: str) -> str:
    """A group or gshadow file in which ``user`` is a member, or (gshadow) an administrator, of no
    group.
    """
    lines = []
    for line in group.split("\n"):
        fields = line.split(":")
        for at in (2, 3):  # the third field of group is a number, which no user name is
            if len(fields) > at and user in fields[at].strip().split(","):
                fields[at] = ",".join(
                    each for each in fields[at].strip().split(",") if each != user
                )
        lines.append(":".join(fields))
    return "\n".join(lines)


def own_group_goes(passwd: str, group: str, account: Account) -> bool:
    """Whether the group of the account's name is the account's alone: its primary one, nobody
    else's, nobody else in it.

    Args:
        passwd: with or without the account.
        group: the group file.
        account: which account.
    """
    if find_group(group, account.name) != account.gid:
        return False
    for line in passwd.split("\n"):
        fields = line.split(":")
        if len(fields) > 3 and fields[0] != account.name and fields[3] == str(account.gid):
            return False
    members = [
        fields[3].strip()
        for fields in (line.split(":") for line in group.split("\n"))
        if fields[0] == account.name and len(fields) > 3
    ]
    return all(member in ("", account.name) for text in members for member in text.split(","))


def homes_of_others(passwd: str, account: Account) -> List[str]:
    """The accounts whose home is the home of ``account``, or lies in it."""
    mine = account.home.rstrip("/") + "/"
    found = []
    for line in passwd.split("\n"):
        fields = line.split(":")
        if len(fields) < 7 or fields[0] == account.name or not fields[5].strip("/"):
            continue
        other = fields[5].rstrip("/") + "/"
        if other.startswith(mine):
            found.append(fields[0])
    return found


def drop_sudoers_rule(text: str, user: str) -> str:
    """Our own file below sudoers.d without the lines of ``user``; "" when no rule is left, so that
    the file can go.
    """
    ours = sudoers_lines(user)
    lines = [line for line in text.split("\n") if line not in ours]
    if lines == text.split("\n"):
        return text
    left = "\n".join(lines)
    return "" if not left.replace(HEADER.strip(), "").strip() else left


def drop_doas_rule(text: str, user: str) -> str:
    """A doas.conf without our rule of ``user``."""
    ours = (doas_rule(user, True), doas_rule(user, False))
    return "\n".join(line for line in text.split("\n") if line not in ours)
