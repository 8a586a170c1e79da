"""sudoers and doas.conf: the lines that give a user root's rights.

Pure: text in, text out. Grammar: sudoers(5), doas.conf(5).
"""

from __future__ import annotations

import re
from typing import Collection, List, Optional, Sequence

from lightinit.formats.blanks import BLANKS

HEADER = "# Written by lightinit: the rules of the admin users.\n"
# With these settings sudo asks for the password of root, or of the user that the command runs as.
# Some kinds of sudo (sudo-rs) do not know all of them, and refuse a line that has an unknown one.
# So lightinit tries these lines in order, and uses the first one that sudo accepts.
OWN_PASSWORD = (("targetpw", "rootpw", "runaspw"), ("targetpw", "rootpw"), ())
# Words in lower case that have a meaning of their own in a sudoers file.
SUDO_WORDS = ("sudoedit", "sha224", "sha256", "sha384", "sha512")
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_-]*\Z")
# The key says whether sudo or doas asks for a password.
_SUDO_TAGS = {True: "", False: "NOPASSWD:"}
_DOAS_OPTIONS = {True: "", False: "nopass "}


# -- sudo
# --------------------------------------------------------------------------------------------------


def sudoers_rule(user: str, password: bool) -> str:
    """The line that lets ``user`` run every command as every user.

    Args:
        user: a name that passed ``check_user_name`` in
            :mod:`lightinit.formats.accounts.admin_account`.
        password: whether sudo asks for the user's password.
    """
    return _rule(quote(user), password)


def sudoers_defaults(user: str, own: Sequence[str]) -> str:
    """The line that makes sudo ask ``user`` for the user's own password.

    Args:
        user: as in :func:`sudoers_rule`.
        own: the settings that are switched off, one of ``OWN_PASSWORD``.
    """
    return _defaults(quote(user), own)


def sudoers_lines(user: str) -> List[str]:
    """All lines that lightinit may have written for ``user``, with and without quotes."""
    forms = (user, '"%s"' % user)
    lines = [_defaults(form, own) for own in OWN_PASSWORD if own for form in forms]
    return lines + [_rule(form, password) for password in (True, False) for form in forms]


def _rule(form: str, password: bool) -> str:
    return "%s ALL=(ALL:ALL) %sALL" % (form, _SUDO_TAGS[password])


def _defaults(form: str, own: Sequence[str]) -> str:
    return "Defaults:%s %s" % (form, ", ".join("!" + setting for setting in own))


def quote(user: str) -> str:
    """A user name as sudoers reads it: in quotes if it would be something else without."""
    # Some words without quotes are not user names in sudoers: an alias or a keyword in capitals,
    # ALL for everybody, an address, a digest, sudoedit. In quotes each of them is a user name.
    if _PLAIN_NAME.match(user) and user not in SUDO_WORDS:
        return user
    return '"%s"' % user


def edit_sudoers_end(
    text: str, user: str, password: bool, own: Sequence[str] = OWN_PASSWORD[0]
) -> str:
    """The main sudoers file with the rule of ``user`` as its last line, so that no other rule
    overrides it.

    Args:
        text: the file as it is.
        user: the admin.
        password: as in :func:`sudoers_rule`.
        own: as in :func:`edit_sudoers_file`.
    """
    ours = sudoers_lines(user)
    header = HEADER.rstrip("\n")
    lines = [line for line in text.split("\n") if line not in ours]
    while lines and not lines[-1].strip(BLANKS):
        lines.pop()
    if header not in lines:
        lines.append(header)
    if password and own:
        lines.append(sudoers_defaults(user, own))
    return "\n".join(lines + [sudoers_rule(user, password)]) + "\n"


def has_rule(sudoers: str, user: str) -> bool:
    """Whether a sudoers file has a line that lightinit wrote for ``user``."""
    ours = sudoers_lines(user)
    return any(line in ours for line in sudoers.split("\n"))


def edit_sudoers_file(
    text: str,
    user: str,
    password: bool,
    known_users: Collection[str],
    own: Sequence[str] = OWN_PASSWORD[0],
) -> str:
    """lightinit's own file in sudoers.d, with the rule of ``user``.

    Args:
        text: the file as it is, "" if there is none.
        user: the admin.
        password: as in :func:`sudoers_rule`.
        known_users: the users that exist. The lines of other admins stay while these exist.
        own: one of ``OWN_PASSWORD``; used only if sudo asks for a password.
    """
    lines: List[str] = []
    for line in text.split("\n"):
        of_user = _find_user(line)
        if of_user not in ("", user) and of_user in known_users:
            lines.append(line)
    if password and own:
        lines.append(sudoers_defaults(user, own))
    lines.append(sudoers_rule(user, password))
    return HEADER + "\n".join(lines) + "\n"


def _find_user(line: str) -> str:
    """The user whose line lightinit has written; "" if it is another line."""
    if not line:
        return ""
    match = re.match(
        r'"?([A-Za-z0-9_.-]+)"?[ \t]+ALL=\(ALL:ALL\) (?:NOPASSWD:)?ALL\Z', line
    ) or re.match(r'Defaults:"?([A-Za-z0-9_.-]+)"? !targetpw, !rootpw(?:, !runaspw)?\Z', line)
    return match.group(1) if match else ""


def includes_folder(sudoers: str, folder: str) -> bool:
    """Whether /etc/sudoers includes ``folder`` (``@includedir`` or the older ``#includedir``). A
    relative path starts at the folder of the file.
    """
    pattern = r'^[ \t]*[@#]includedir[ \t]+"?(?:%s|%s)/?"?[ \t]*\r?$' % (
        re.escape(folder),
        re.escape(folder.rsplit("/", 1)[-1]),
    )
    return re.search(pattern, sudoers, re.MULTILINE) is not None


def add_include(sudoers: str, folder: str) -> str:
    """A sudoers file that includes ``folder``. All versions of sudo read this form."""
    if sudoers and not sudoers.endswith("\n"):
        sudoers += "\n"
    return sudoers + "#includedir %s\n" % folder


def list_includes(sudoers: str) -> List[str]:
    """The files and folders that a sudoers file includes, as it names them."""
    pattern = r'^[ \t]*[@#]include(?:dir)?[ \t]+(?:"([^"\n]*)"|([^ \t\r\n]+))'
    return [quoted or plain for quoted, plain in re.findall(pattern, sudoers, re.MULTILINE)]


# -- doas
# --------------------------------------------------------------------------------------------------


def doas_rule(user: str, password: bool) -> str:
    """The line of doas.conf that lets ``user`` run every command.

    The name is in quotes, so that doas does not read it as a keyword.
    """
    return 'permit %s"%s"' % (_DOAS_OPTIONS[password], user)


def doas_rules(user: str) -> List[str]:
    """All rules that lightinit may have written for ``user``."""
    return [doas_rule(user, password) for password in (True, False)]


def edit_doas_conf(text: str, user: str, password: bool) -> str:
    """A doas.conf with the rule of ``user`` at its end: the last rule that matches counts.

    lightinit's earlier rule for this user is removed. All other lines stay.
    """
    ours = doas_rules(user)
    lines = [line for line in text.split("\n") if line not in ours]
    while lines and not lines[-1].strip(BLANKS):
        lines.pop()
    return "\n".join(lines + [doas_rule(user, password)]) + "\n"


def judge_doas(answer: str, password: bool) -> Optional[str]:
    """Read the output of ``doas -C FILE COMMAND``: can the user run the command as root?

    Args:
        answer: the output.
        password: whether the user has a password, which doas may ask for.

    Returns:
        "" if the user can; else why not. None if the output is not an answer.
    """
    word = answer.strip(BLANKS)
    if word == "deny":
        return "doas forbids it"
    if word == "permit" and not password:
        return "doas asks for a password"
    if word in ("permit", "permit nopass"):
        return ""
    return None
