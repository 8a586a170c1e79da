"""sudoers and doas.conf: the lines that make an admin of a user.

Pure: text in, text out. Grammar: sudoers(5), doas.conf(5).
"""
from __future__ import annotations

import re
from typing import Collection, List

HEADER = "# Written by lightinit: one line for each admin user.\n"


def sudoers_rule(user: str, password: bool) -> str:
    """The line that lets ``user`` run everything, with a password or without.

    Args:
        user: a name that :func:`lightinit.formats.accounts.check_user_name` has passed.
        password: whether sudo asks for the user's password.
    """
    # A bare word in capitals would be the name of an alias, and ALL everybody; Defaults and User_Alias open other
    # kinds of line. In quotes each of them is a user.
    name = '"%s"' % user if re.match(r"[A-Z][A-Z0-9_]*\Z|Defaults|.*_Alias\Z", user) else user
    return "%s ALL=(ALL:ALL) %sALL" % (name, "" if password else "NOPASSWD:")


def edit_sudoers_file(text: str, user: str, password: bool, known_users: Collection[str]) -> str:
    """Our own file below sudoers.d, with the rule of ``user`` in it.

    Args:
        text: the file as it is, "" when there is none.
        user: the admin.
        password: as in :func:`sudoers_rule`.
        known_users: users that still exist: an earlier admin's rule in our file stays as long as there is one.
    """
    keep: List[str] = []
    for line in text.split("\n"):
        match = re.match(r'"?([A-Za-z0-9_.-]+)"?[ \t]+ALL=\(ALL:ALL\) (?:NOPASSWD:)?ALL\Z', line)
        if match and match.group(1) != user and match.group(1) in known_users:
            keep.append(line)
    return HEADER + "\n".join(keep + [sudoers_rule(user, password)]) + "\n"


def includes_folder(sudoers: str, folder: str) -> bool:
    """Whether a sudoers file includes ``folder``: ``@includedir``, or the older ``#includedir``."""
    pattern = r'^[ \t]*[@#]includedir[ \t]+"?%s/?"?[ \t]*\r?$' % re.escape(folder)
    return re.search(pattern, sudoers, re.MULTILINE) is not None


def add_include(sudoers: str, folder: str) -> str:
    """A sudoers file that includes ``folder``, in the form that every version of sudo reads."""
    gap = "" if not sudoers or sudoers.endswith("\n") else "\n"
    return sudoers + gap + "#includedir %s\n" % folder


def doas_rule(user: str, password: bool) -> str:
    """The line of doas.conf that lets ``user`` run everything. In quotes no name is taken for a keyword."""
    return 'permit %s"%s"' % ("" if password else "nopass ", user)


def edit_doas_conf(text: str, user: str, password: bool) -> str:
    """A doas.conf with the rule of ``user`` in it; the last matching rule counts, so it stands at the end.

    An earlier rule of ours for the same user goes; every other line stays.
    """
    rule = doas_rule(user, password)
    ours = (doas_rule(user, True), doas_rule(user, False))
    lines = [line for line in text.split("\n") if line not in ours]
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(lines + [rule]) + "\n"
