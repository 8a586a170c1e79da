"""Evaluates PAM modules whose answer depends on their arguments: pam_succeed_if and pam_listfile.

Pure. Semantics: pam_succeed_if(8), pam_listfile(8).
"""

from __future__ import annotations

import operator
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from lightinit.digits import read_digits

_FLAGS = ("debug", "use_uid", "quiet", "quiet_fail", "quiet_success", "audit")
_ALIASES = {"login": "user", "name": "user", "dir": "home", "homedir": "home"}
_NUMBERS: Dict[str, Callable[[int, int], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "<": operator.lt,
    "le": operator.le,
    "<=": operator.le,
    "gt": operator.gt,
    ">": operator.gt,
    "ge": operator.ge,
    ">=": operator.ge,
}


def succeed_if(
    arguments: Sequence[str], values: Dict[str, str], groups: Sequence[str]
) -> Optional[bool]:
    """Whether pam_succeed_if succeeds; None if that is unknown.

    Args:
        arguments: the module's arguments.
        values: user, uid, gid, shell, home, service and rhost as text.
        groups: the names of the user's groups.
    """
    words = [word for word in arguments if word not in _FLAGS]
    results: List[Optional[bool]] = []
    for name, word, wanted in zip(words[::3], words[1::3], words[2::3]):
        results.append(_compare(values.get(_ALIASES.get(name, name)), word, wanted, groups))
    if len(words) % 3 or None in results:
        if False in results:
            return False
        return None
    return all(results)


def _compare(value: Optional[str], word: str, wanted: str, groups: Sequence[str]) -> Optional[bool]:
    if value is None:
        return None
    if word in ("ingroup", "notingroup"):
        is_in = any(group in wanted.split(":") for group in groups)
        return is_in == (word == "ingroup")
    if word in ("in", "notin"):
        return (value in wanted.split(":")) == (word == "in")
    if word in ("=", "!="):
        return (value == wanted) == (word == "=")
    numbers = read_digits(value), read_digits(wanted)
    if word in _NUMBERS and None not in numbers:
        return _NUMBERS[word](int(value), int(wanted))
    return None


def read_listfile(arguments: Sequence[str]) -> Tuple[str, str, bool, bool]:
    """(item, path, whether entries of the list may log in, whether a missing file allows it)."""
    values = dict(word.partition("=")[::2] for word in arguments if "=" in word)
    return (
        values.get("item", ""),
        values.get("file", ""),
        values.get("sense") == "allow",
        values.get("onerr") == "succeed",
    )
