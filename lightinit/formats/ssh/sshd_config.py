"""sshd_config: the AuthorizedKeysFile of one user, the HostKey lines, and lightinit's own blocks.

Pure: the caller passes in a function that reads included files. Semantics: sshd_config(5). The
first value of a keyword counts. The first value in a matching Match block overrides it.
"""

from __future__ import annotations

import fnmatch
import re
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from lightinit.model import NamedTuple

DEFAULT = (".ssh/authorized_keys", ".ssh/authorized_keys2")
MAX_DEPTH = 16  # sshd's own limit
KEYS_FILE = "authorizedkeysfile"
# The name of the block about host keys.
HOST_KEYS = "lightinit host keys"


class Who(NamedTuple):
    """The user for whom the configuration is read."""

    user: str
    groups: Tuple[str, ...] = ()


class Reading:
    """The values of a keyword.

    Attributes:
        plain: the values outside of Match blocks, in order.
        matched: the values in matching Match blocks, in order.
        unclear: the conditions of Match blocks that have a value, and of which only the login can
            show whether they match.
    """

    def __init__(self) -> None:
        self.plain: List[Tuple[str, ...]] = []
        self.matched: List[Tuple[str, ...]] = []
        self.unclear: List[str] = []

    @property
    def paths(self) -> Tuple[str, ...]:
        """The value that counts."""
        return (self.matched + self.plain + [DEFAULT])[0]


def read_keys_files(text: str, who: Who, included: Callable[[str], Sequence[str]]) -> Reading:
    """Find the AuthorizedKeysFile that sshd uses for ``who``.

    Args:
        text: sshd_config.
        who: the user who logs in.
        included: takes an Include pattern; returns the texts of its files, in order.

    Returns:
        The values, with tokens such as ``%u``.
    """
    reading = Reading()
    _read(text, who, included, reading, "", True, 0)
    return reading


def read_host_keys(
    text: str, included: Callable[[str], Sequence[str]], depth: int = 0
) -> List[str]:
    """The files that HostKey lines name, in order, each once; empty if sshd uses its default list.

    Args:
        text: sshd_config.
        included: as in :func:`read_keys_files`.
        depth: how deeply ``text`` is nested in Includes.
    """
    found: List[str] = []
    for keyword, arguments in split_lines(text):
        if keyword == "hostkey":
            found += arguments[:1]
        elif keyword == "include" and depth < MAX_DEPTH:
            for pattern in arguments:
                for body in included(pattern):
                    found += read_host_keys(body, included, depth + 1)
    return list(dict.fromkeys(found))


def expand_tokens(path: str, user: str, uid: int, home: str) -> str:
    """A path with its tokens (``%%``, ``%h``, ``%u``, ``%U``) replaced.

    A relative path starts at the home.
    """
    values = {"%%": "%", "%h": home, "%u": user, "%U": str(uid)}
    expanded = re.sub(r"%.", lambda match: values.get(match.group(), match.group()), path)
    if expanded.startswith("/"):
        return expanded
    return "%s/%s" % (home.rstrip("/"), expanded)


def absolute(pattern: str) -> str:
    """The pattern of an Include as a path: a relative one starts at /etc/ssh."""
    if pattern.startswith("/"):
        return pattern
    return "/etc/ssh/" + pattern


def names_file(pattern: str, path: str) -> bool:
    """Whether the pattern of an Include matches ``path``. A wildcard does not match a slash."""
    one, other = absolute(pattern).split("/"), path.split("/")
    return len(one) == len(other) and all(
        fnmatch.fnmatchcase(part, match) for match, part in zip(one, other)
    )


def includes(text: str, path: str) -> bool:
    """Whether a sshd_config includes a file of this path, before any Match block."""
    for keyword, arguments in split_lines(text):
        if keyword == "match":
            return False
        if keyword == "include" and any(names_file(pattern, path) for pattern in arguments):
            return True
    return False


def put_block(text: str, name: str, lines: str) -> str:
    """A sshd_config with ``lines`` at its top, in a block of this name in place of an older one."""
    return "# BEGIN %s\n%s# END %s\n%s" % (name, lines, name, drop_block(text, name))


def drop_block(text: str, name: str) -> str:
    """A sshd_config without the block of this name, as :func:`put_block` makes it."""
    before, begin, rest = text.partition("# BEGIN %s\n" % name)
    ours, end, after = rest.partition("# END %s\n" % name)
    is_whole = begin and end and (not before or before.endswith("\n"))
    if not is_whole:
        return text
    return before + after


# -- inner
# --------------------------------------------------------------------------------------------------


def _read(
    text: str,
    who: Who,
    included: Callable[[str], Sequence[str]],
    reading: Reading,
    block: str,
    outer: Optional[bool],
    depth: int,
) -> None:
    # ``block`` is the last Match line. ``applies`` says whether it matches; None: unknown. An
    # included file inherits both from its Include line. Its own Match lines end with the file.
    applies = outer
    for keyword, arguments in split_lines(text):
        if keyword == "match":
            block = " ".join(arguments)
            applies = _both(outer, _applies(arguments, who))
        elif keyword == "include" and depth < MAX_DEPTH:
            for pattern in arguments:
                for body in included(pattern):
                    _read(body, who, included, reading, block, applies, depth + 1)
        elif keyword == KEYS_FILE and arguments:
            if not block:
                reading.plain.append(tuple(arguments))
            elif applies:
                reading.matched.append(tuple(arguments))
            elif applies is None:
                reading.unclear.append(block)


def _both(one: Optional[bool], other: Optional[bool]) -> Optional[bool]:
    if one is False or other is False:
        return False
    if one is None or other is None:
        return None
    return True


def split_lines(text: str) -> Iterator[Tuple[str, List[str]]]:
    """(keyword in lower case, arguments) of each line, without quotes and comments."""
    # For sshd a zero byte hides the rest of its line, with the line's end.
    for line in re.sub(r"\0[^\n]*\n?", "", text).split("\n"):
        line = line.lstrip(" \t\r").rstrip(" \t\r\f")
        if not line[:1].isalnum():  # most lines are comments
            continue
        match = re.match(r"([A-Za-z0-9]+)(?:[ \t\r]*=[ \t\r]*|[ \t\r]+)(.*)", line)
        if match:
            plain = re.sub(r"(?:^|[ \t])#.*", "", match.group(2))
            words = re.findall(r'"([^"]*)"|([^ \t"]+)', plain)
            yield match.group(1).lower(), [quoted or bare for quoted, bare in words]


def _applies(conditions: Sequence[str], who: Who) -> Optional[bool]:
    """Whether a Match line matches; None if that depends on more than the user and the groups."""
    if [word.lower() for word in conditions] == ["all"]:
        return True
    result: Optional[bool] = True
    if len(conditions) % 2 or not conditions:
        result = None
    for name, patterns in zip(conditions[::2], conditions[1::2]):
        if name.lower() == "user":
            result = _both(result, in_pattern_list(who.user, patterns))
        elif name.lower() == "group":
            result = _both(result, any(in_pattern_list(group, patterns) for group in who.groups))
        else:
            result = _both(result, None)
    return result


def in_pattern_list(value: str, patterns: str) -> bool:
    """Whether a value matches one of sshd's pattern lists: separated by commas; ``!`` excludes."""
    hit = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if matches_pattern(value, pattern[1:]):
                return False
        elif matches_pattern(value, pattern):
            hit = True
    return hit


def matches_pattern(value: str, pattern: str) -> bool:
    """Whether one of sshd's patterns matches. Only ``*`` and ``?`` are special.

    After a mismatch only the last ``*`` is tried again, at the next place. A regular expression
    with many ``*`` would take exponential time.
    """
    at = place = 0
    star, resume = -1, 0
    while at < len(value):
        if pattern[place : place + 1] == "*":
            star, resume, place = place, at, place + 1
        elif pattern[place : place + 1] in ("?", value[at]):
            at, place = at + 1, place + 1
        elif star >= 0:
            resume += 1
            at, place = resume, star + 1
        else:
            return False
    return not pattern[place:].strip("*")
