"""Evaluates access.conf, in which pam_access looks up who may log in from where.

Pure. Semantics: access.conf(5). The first line that matches the user and the origin counts. If no
line matches, the login is allowed.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Callable, List, Optional, Sequence, Set, Tuple

from lightinit.formats.blanks import BLANKS, words_of
from lightinit.model import NamedTuple

SHOWN_CHARS = 120


class Visitor(NamedTuple):
    """Who logs in.

    Attributes:
        user: the account's name.
        groups: the names of its groups.
        address: where the login comes from; "" for somebody on a terminal of this host.
    """

    user: str
    groups: Tuple[str, ...]
    address: str


class AccessRules(NamedTuple):
    """The options of pam_access for reading its files.

    Attributes:
        separators: the characters between the fields.
        list_separators: the characters between the entries of a field.
        plain_groups: whether a name without parentheses may be a group.
    """

    separators: str = ":"
    list_separators: str = ", \t"
    plain_groups: bool = True


class AccessAnswer(NamedTuple):
    """The answer of access.conf.

    Attributes:
        allowed: whether the login is allowed; None if no line matches.
        line: the line that counts.
        depends: whether the answer may differ for a login from elsewhere, or because of something
            that is unknown here, such as netgroups.
    """

    allowed: Optional[bool] = None
    line: str = ""
    depends: bool = False


PLAIN_RULES = AccessRules()


def judge_access(text: str, visitor: Visitor, rules: AccessRules = PLAIN_RULES) -> AccessAnswer:
    """The answer of one access.conf."""
    others: Set[bool] = set()  # the answers of lines that may count for a login from elsewhere
    for line in text.split("\n"):
        fields = _split_fields(line.rstrip(BLANKS), rules.separators)
        if fields is None:
            continue
        allows = fields[0].startswith("+")
        is_user = _matches(fields[1], rules, lambda token: _names_user(token, visitor, rules))
        if is_user is False:
            continue
        names = _names_origin if visitor.address else _names_terminal
        is_origin = _matches(fields[2], rules, partial(names, visitor=visitor))
        if is_user and is_origin:
            shown = " ".join(words_of(line))[:SHOWN_CHARS]
            return AccessAnswer(allows, shown, (not allows) in others)
        may_be_elsewhere = bool(visitor.address) and _has_remote_origin(fields[2], rules)
        if is_origin is not False or is_user is None or may_be_elsewhere:
            others.add(allows)
    return AccessAnswer(depends=False in others)


def _split_fields(line: str, separators: str) -> Optional[List[str]]:
    """(permission, users, origins); None if pam_access ignores the line."""
    if not line or line.startswith("#"):
        return None
    fields = re.split("[%s]+" % re.escape(separators), line.lstrip(separators), maxsplit=2)
    if len(fields) < 3 or fields[0][:1] not in ("+", "-"):
        return None
    return fields


def _tokens(field: str, rules: AccessRules) -> List[str]:
    return [each for each in re.split("[%s]+" % re.escape(rules.list_separators), field) if each]


def _matches(
    field: str, rules: AccessRules, names: Callable[[str], Optional[bool]]
) -> Optional[bool]:
    """Whether a list with its EXCEPT matches; None if that is unknown."""
    lists: List[List[str]] = [[]]
    for token in _tokens(field, rules):
        if token.upper() == "EXCEPT":
            lists.append([])
        else:
            lists[-1].append(token)
    result: Optional[bool] = False
    for tokens in lists[::-1]:
        found = [names(token) for token in tokens]
        hit: Optional[bool] = True in found
        if not hit and None in found:
            hit = None
        result = _and_not(hit, result)
    return result


def _and_not(hit: Optional[bool], excepted: Optional[bool]) -> Optional[bool]:
    if hit is False or excepted is True:
        return False
    if hit is None or excepted is None:
        return None
    return True


def _names_user(token: str, visitor: Visitor, rules: AccessRules) -> Optional[bool]:
    if token.startswith("(") and token.endswith(")"):
        return token[1:-1] in visitor.groups
    if token.startswith("@"):
        return None  # a netgroup
    user, at, _host = token.partition("@")
    if token.upper() == "ALL" or token.lower() == visitor.user.lower():
        return True
    if at:
        if user.lower() != visitor.user.lower():
            return False
        return None  # on a host of that name only
    return rules.plain_groups and token in visitor.groups


def _names_origin(token: str, visitor: Visitor) -> Optional[bool]:
    if token.upper() == "ALL" or token == visitor.address:
        return True
    if _is_local(token):
        return False
    if token.startswith("@"):
        return None
    if token.endswith("."):
        return visitor.address.startswith(token)
    return _in_network(token, visitor.address)


def _names_terminal(token: str, visitor: Visitor) -> Optional[bool]:
    """As :func:`_names_origin`, for somebody on a terminal, whose name is unknown."""
    if token.upper() in ("ALL", "LOCAL"):
        return True
    if _is_local(token):
        return None
    return False


def _in_network(token: str, address: str) -> Optional[bool]:
    import ipaddress

    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(token, strict=False)
    except ValueError:
        return None  # the name of a host or of a domain


def _has_remote_origin(field: str, rules: AccessRules) -> bool:
    tokens: Sequence[str] = _tokens(field, rules)
    return any(not _is_local(token) for token in tokens if token.upper() != "EXCEPT")


def _is_local(token: str) -> bool:
    """Whether an origin is a terminal or a service of this host."""
    return bool(
        re.match(
            r"(?:tty\w*|pts/\w+|console|:\d*|crond?|atd|su|sudo|none|local)\Z", token, re.IGNORECASE
        )
    )
