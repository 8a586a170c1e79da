"""Rules for sudo and doas that somebody else wrote: the lines of lightinit's files for them.

Pure: text in, text out. Grammar: sudoers(5), doas.conf(5).
"""

from __future__ import annotations

import re
from typing import Collection, List, Optional, Sequence, Tuple

from lightinit.formats.accounts.privileges import doas_rule, quote

HEADER = "# Written by lightinit: the rules of accounts of a cloud-config.\n"
# HOSTS=(USERS) TAGS COMMANDS, as far as it is certain without visudo that sudo accepts it.
# Each part can be read in one way only: with two, a rule of n words would have 2 ** n.
_WORD = r"[A-Za-z0-9_%][A-Za-z0-9_.-]*"
_WORDS = r"%s(?:\s*,\s*%s){0,64}" % (_WORD, _WORD)
_TAGS = r"(?:(?:NOPASSWD|PASSWD|SETENV|NOSETENV|NOEXEC|EXEC)\s*:\s*){0,16}"
_COMMAND = r"(?:ALL|/[A-Za-z0-9_./*-]+(?: [A-Za-z0-9_./*@-]+){0,64})"
_PLAIN = re.compile(
    r"%s\s*=\s*(?:\((?:%s)?(?:\s*:\s*%s)?\)\s*)?%s%s(?:\s*,\s*%s%s){0,64}"
    % (_WORDS, _WORDS, _WORDS, _TAGS, _COMMAND, _TAGS, _COMMAND)
)
_ALL = re.compile(r"ALL\s*=\s*\(ALL(?:\s*:\s*ALL)?\)\s*(NOPASSWD\s*:\s*)?ALL")
_DOAS_OPTIONS = ("nopass", "nolog", "persist", "keepenv", "setenv")
_SETENV = re.compile(r"setenv\s*\{[^{}]*\}")
_OF_USER = re.compile(r'(?:"([^"]+)"|(\S+))[ \t]')

Rule = Tuple[str, str]


def is_plain(rule: str) -> bool:
    """Whether a rule is so plain that every sudo accepts it, so that no visudo need check it."""
    return len(rule) < 1000 and _PLAIN.fullmatch(rule) is not None


def why_not_one_line(rule: str) -> str:
    """Why a rule could change what the next lines mean; "" if it cannot."""
    if rule.endswith("\\"):
        return "it ends in a backslash, so it would take the next line in"
    if not rule.isprintable():
        return "a control character is in it"
    return ""


def is_doas_rule_of(user: str, rule: str) -> bool:
    """Whether a rule for doas is one of this account. doas takes almost any word as a name, so
    that it would accept many a mistake.
    """
    action, *words = _SETENV.sub("setenv", rule).split() or [""]
    name = next((word for word in words if word not in _DOAS_OPTIONS), "")
    return action in ("permit", "deny") and name in (user, '"%s"' % user)


def edit_rules_file(text: str, rules: Sequence[Rule], known_users: Collection[str]) -> str:
    """lightinit's file in sudoers.d for the rules of others.

    Args:
        text: the file as it is, "" if there is none.
        rules: (account, rule) of each.
        known_users: the accounts that exist. The rules of other accounts stay while these exist.
    """
    users = {user for user, _ in rules}
    lines: List[str] = []
    for line in text.split("\n"):
        match = _OF_USER.match(line)
        user = match and (match.group(1) or match.group(2))
        if user and user in known_users and user not in users and not line.startswith("#"):
            lines.append(line)
    lines += ["%s %s" % (quote(user), rule) for user, rule in rules]
    return HEADER + "".join(line + "\n" for line in dict.fromkeys(lines))


def as_doas_rule(user: str, rule: str) -> Optional[str]:
    """What gives the same rights by doas; None if a rule for sudo has no such counterpart."""
    match = _ALL.fullmatch(rule)
    if match is None:
        return None
    return doas_rule(user, not match.group(1))


def add_doas_rules(text: str, lines: Sequence[str]) -> str:
    """A doas.conf that has the lines, those that are new at its end."""
    there = set(text.split("\n"))
    new = [line for line in dict.fromkeys(lines) if line not in there]
    if not new:
        return text
    if text and not text.endswith("\n"):
        text += "\n"
    return text + "".join(line + "\n" for line in new)
