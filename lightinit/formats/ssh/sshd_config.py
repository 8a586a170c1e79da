"""sshd_config, as far as the AuthorizedKeysFile of one user and the HostKey lines go.

Pure: included files come through a function that the caller passes in. Semantics: sshd_config(5).
The first value of a keyword counts; the first value in a Match block that applies counts before
that.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

DEFAULT = (".ssh/authorized_keys", ".ssh/authorized_keys2")
MAX_DEPTH = 16  # as sshd has it
_KEYWORD = "authorizedkeysfile"


@dataclass(frozen=True)
class Who:
    """For whom the configuration is read."""

    user: str
    groups: Tuple[str, ...] = ()


@dataclass
class Reading:
    """What was found.

    Attributes:
        plain: the values outside Match blocks, first one first.
        matched: the values in Match blocks that apply.
        unclear: conditions that cannot be known before somebody logs in, in whose block there was a
            value.
    """

    plain: List[Tuple[str, ...]] = field(default_factory=list)
    matched: List[Tuple[str, ...]] = field(default_factory=list)
    unclear: List[str] = field(default_factory=list)

    @property
    def paths(self) -> Tuple[str, ...]:
        """The value that counts."""
        return (self.matched + self.plain + [DEFAULT])[0]


def read_keys_files(text: str, who: Who, included: Callable[[str], Sequence[str]]) -> Reading:
    """Find the AuthorizedKeysFile that sshd would use for ``who``.

    Args:
        text: sshd_config.
        who: the user that logs in.
        included: gives the texts of the files that an Include pattern names, in order.

    Returns:
        The values; tokens such as ``%u`` are still in them.
    """
    reading = Reading()
    _read(text, who, included, reading, "", True, 0)
    return reading


def read_effective(output: str) -> Tuple[str, ...]:
    """The AuthorizedKeysFile in the output of ``sshd -T``; () when it does not say."""
    for line in output.split("\n"):
        words = line.split()
        if words and words[0].lower() == _KEYWORD:
            return tuple(words[1:])
    return ()


def read_host_keys(
    text: str, included: Callable[[str], Sequence[str]], depth: int = 0
) -> List[str]:
    """The files that HostKey lines name, in order, each once; none where sshd goes by its own list.

    Args:
        text: sshd_config.
        included: as in :func:`read_keys_files`.
        depth: how many Includes deep ``text`` is.
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
    """A path with its tokens (``%%``, ``%h``, ``%u``, ``%U``) replaced, absolute: a relative one
    starts at the home.
    """
    values = {"%%": "%", "%h": home, "%u": user, "%U": str(uid)}
    expanded = re.sub(r"%.", lambda match: values.get(match.group(), match.group()), path)
    return expanded if expanded.startswith("/") else "%s/%s" % (home.rstrip("/"), expanded)


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
    # ``block`` is the Match line that we are below, and ``applies`` whether it applies: None where
    # that cannot be known. An included file inherits both from the place of its Include, and its
    # own Match lines end with it.
    applies = outer
    for keyword, arguments in split_lines(text):
        if keyword == "match":
            block = " ".join(arguments)
            applies = _both(outer, _applies(arguments, who))
        elif keyword == "include" and depth < MAX_DEPTH:
            for pattern in arguments:
                for body in included(pattern):
                    _read(body, who, included, reading, block, applies, depth + 1)
        elif keyword == _KEYWORD and arguments:
            if not block:
                reading.plain.append(tuple(arguments))
            elif applies:
                reading.matched.append(tuple(arguments))
            elif applies is None:
                reading.unclear.append(block)


def _both(one: Optional[bool], other: Optional[bool]) -> Optional[bool]:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def split_lines(text: str) -> Iterator[Tuple[str, List[str]]]:
    """Each line that is one: (keyword in lower case, its arguments without quotes and comments)."""
    for line in text.split("\n"):
        match = re.match(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)", line)
        if match:
            words = re.findall(r'"([^"]*)"|([^\s"]+)', re.sub(r"(?:^|\s)#.*", "", match.group(2)))
            yield match.group(1).lower(), [quoted or bare for quoted, bare in words]


def _applies(conditions: Sequence[str], who: Who) -> Optional[bool]:
    """Whether a Match line applies; None when that hangs on something other than the user and the
    groups.
    """
    if [word.lower() for word in conditions] == ["all"]:
        return True
    result: Optional[bool] = None if len(conditions) % 2 or not conditions else True
    for name, patterns in zip(conditions[::2], conditions[1::2]):
        if name.lower() == "user":
            result = _both(result, _in_list(who.user, patterns))
        elif name.lower() == "group":
            result = _both(result, any(_in_list(group, patterns) for group in who.groups))
        else:
            result = _both(result, None)
    return result


def _in_list(value: str, patterns: str) -> bool:
    """sshd's pattern lists: commas between, ``!`` before what must not match."""
    hit = False
    for pattern in patterns.split(","):
        if pattern.startswith("!"):
            if matches_pattern(value, pattern[1:]):
                return False
        elif matches_pattern(value, pattern):
            hit = True
    return hit


def matches_pattern(value: str, pattern: str) -> bool:
    """One of sshd's patterns: ``*`` and ``?``, and nothing else that is special."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))
