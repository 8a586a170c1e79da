"""sudoers and doas.conf: the lines that make an admin of a user.

Pure: text in, text out. Grammar: sudoers(5), doas.conf(5).
"""

from __future__ import annotations

import re
from typing import Collection, List, Sequence

HEADER = "# Written by lightinit: the rules of the admin users.\n"
# Settings of sudo's that have it ask for root's password, or that of whoever the command is run as.
# Some kinds of sudo (sudo-rs) do not know all of them, and take a line that names a strange one for
# faulty: the first that is taken counts.
OWN_PASSWORD = (("targetpw", "rootpw", "runaspw"), ("targetpw", "rootpw"), ())


def sudoers_rule(user: str, password: bool) -> str:
    """The line that lets ``user`` run everything, with a password or without.

    Args:
        user: a name that :func:`lightinit.formats.accounts.passwd.check_user_name` has passed.
        password: whether sudo asks for the user's password.
    """
    return "%s ALL=(ALL:ALL) %sALL" % (_quote(user), "" if password else "NOPASSWD:")


def sudoers_defaults(user: str, own: Sequence[str]) -> str:
    """The line that has sudo ask ``user`` for the user's own password, whatever it asks others for.

    Args:
        user: as in :func:`sudoers_rule`.
        own: the settings that are switched off, one of ``OWN_PASSWORD``.
    """
    return "Defaults:%s %s" % (_quote(user), ", ".join("!" + setting for setting in own))


def sudoers_lines(user: str) -> List[str]:
    """Every line that is ours and means ``user``."""
    defaults = [sudoers_defaults(user, own) for own in OWN_PASSWORD if own]
    return defaults + [sudoers_rule(user, password) for password in (True, False)]


def _quote(user: str) -> str:
    # A bare word in capitals would be the name of an alias, and ALL everybody; Defaults and
    # User_Alias open other kinds of line. In quotes each of them is a user.
    return '"%s"' % user if re.match(r"[A-Z][A-Z0-9_]*\Z|Defaults|.*_Alias\Z", user) else user


def edit_sudoers_file(
    text: str,
    user: str,
    password: bool,
    known_users: Collection[str],
    own: Sequence[str] = OWN_PASSWORD[0],
) -> str:
    """Our own file below sudoers.d, with the rule of ``user`` in it.

    Args:
        text: the file as it is, "" when there is none.
        user: the admin.
        password: as in :func:`sudoers_rule`.
        known_users: users that still exist: an earlier admin's lines in our file stay as long as
            there is one.
        own: where sudo asks, the settings by which that could be for another's password; one of
            ``OWN_PASSWORD``.
    """
    keep: List[str] = []
    for line in text.split("\n"):
        match = re.match(
            r'"?([A-Za-z0-9_.-]+)"?[ \t]+ALL=\(ALL:ALL\) (?:NOPASSWD:)?ALL\Z', line
        ) or re.match(r'Defaults:"?([A-Za-z0-9_.-]+)"? !targetpw, !rootpw(?:, !runaspw)?\Z', line)
        if match and match.group(1) != user and match.group(1) in known_users:
            keep.append(line)
    defaults = [sudoers_defaults(user, own)] if password and own else []
    return HEADER + "\n".join(keep + defaults + [sudoers_rule(user, password)]) + "\n"


def includes_folder(sudoers: str, folder: str) -> bool:
    """Whether a sudoers file includes ``folder``: ``@includedir``, or the older ``#includedir``."""
    pattern = r'^[ \t]*[@#]includedir[ \t]+"?%s/?"?[ \t]*\r?$' % re.escape(folder)
    return re.search(pattern, sudoers, re.MULTILINE) is not None


def add_include(sudoers: str, folder: str) -> str:
    """A sudoers file that includes ``folder``, in the form that every version of sudo reads."""
    gap = "" if not sudoers or sudoers.endswith("\n") else "\n"
    return sudoers + gap + "#includedir %s\n" % folder


def doas_rule(user: str, password: bool) -> str:
    """The line of doas.conf that lets ``user`` run everything. In quotes no name is taken for a
    keyword.
    """
    return 'permit %s"%s"' % ("" if password else "nopass ", user)


def edit_doas_conf(text: str, user: str, password: bool) -> str:
    """A doas.conf with the rule of ``user`` in it; the last matching rule counts, so it stands at
    the end.

    An earlier rule of ours for the same user goes; every other line stays.
    """
    rule = doas_rule(user, password)
    ours = (doas_rule(user, True), doas_rule(user, False))
    lines = [line for line in text.split("\n") if line not in ours]
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join(lines + [rule]) + "\n"
