"""Removes an account from the account files, and its rules from the files of sudo and doas.

Pure: text in, text out. Lines of other accounts stay byte for byte.
"""

from __future__ import annotations

import re
from typing import List

from lightinit.formats.accounts.passwd import Account, find_group
from lightinit.formats.accounts.privileges import HEADER, doas_rules, sudoers_lines


def drop_lines(text: str, name: str) -> str:
    """passwd, shadow, subuid or the like without the lines of ``name``."""
    return "".join(
        line
        for line in re.findall(r"[^\n]*\n|[^\n]+", text)
        if line.split(":")[0].rstrip("\n") != name
    )


def drop_member(group: str, user: str) -> str:
    """A group or gshadow file in which ``user`` is neither a member nor (gshadow) an administrator
    of any group.
    """
    lines = []
    for line in group.split("\n"):
        fields = line.split(":")
        for at in (2, 3):  # in group the third field is a number; a user name never is
            if len(fields) > at and user in fields[at].strip().split(","):
                fields[at] = ",".join(
                    each for each in fields[at].strip().split(",") if each != user
                )
        lines.append(":".join(fields))
    return "\n".join(lines)


def own_group_goes(passwd: str, group: str, account: Account) -> bool:
    """Whether the group with the account's name can be removed with the account: it is the primary
    group of this account and of no other, and it has no other member.

    Args:
        passwd: the text of passwd, with or without the account.
        group: the text of group.
        account: the account.
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
    """The other accounts whose home is the home of ``account``, or is inside it."""
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
    """lightinit's own file in sudoers.d, or the main sudoers file, without lightinit's lines for
    ``user``; "" if no rule is left.
    """
    ours = sudoers_lines(user)
    lines = [line for line in text.split("\n") if line not in ours]
    if lines == text.split("\n"):
        return text
    if lines[-2:] == [HEADER.strip(), ""]:
        del lines[-2]
    left = "\n".join(lines)
    if not left.replace(HEADER.strip(), "").strip():
        return ""
    return left


def drop_doas_rule(text: str, user: str) -> str:
    """A doas.conf without lightinit's rule for ``user``."""
    ours = doas_rules(user)
    return "\n".join(line for line in text.split("\n") if line not in ours)


def drop_rules_of_user(text: str, user: str) -> str:
    """A file in sudoers.d without the rules that begin with ``user``, and without the comments that
    announce them; "" if no rule is left.

    Other agents write such files: one rule per line, and no aliases.
    """
    starts = (user, '"%s"' % user, "Defaults:" + user, 'Defaults:"%s"' % user)
    comment = "# User rules for " + user
    lines = text.split("\n")
    left = [
        line
        for line in lines
        if line.strip() != comment and not any(_begins(line, each) for each in starts)
    ]
    if left == lines:
        return text
    if all(not line.strip() or line.lstrip().startswith("#") for line in left):
        return ""
    return "\n".join(left)


def _begins(line: str, word: str) -> bool:
    return line.split(None, 1)[:1] == [word]


def names_user(text: str, user: str) -> bool:
    """Whether ``user`` occurs as a word outside of comment lines."""
    word = re.compile(r"(?<![\w.-])%s(?![\w.-])" % re.escape(user))
    return any(
        word.search(line) for line in text.split("\n") if not line.lstrip().startswith(("#", "//"))
    )
