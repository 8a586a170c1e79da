"""Reads and edits files of shell assignments ``KEY=value``, such as conf.d/hostname and rc.conf.

Text in, text out. It knows no path.
"""

from __future__ import annotations

import re
from typing import List, Optional


def read_assignment(text: str, key: str) -> Optional[str]:
    """The value of the last assignment to ``key``, without quotes; None if there is none."""
    found = _assignments(text, key)
    if not found:
        return None
    value = found[-1].group("value")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value


def edit_assignment(text: str, key: str, value: str, add: bool) -> str:
    """The file with ``key`` set to ``value``.

    Args:
        text: the file. Only values are replaced; quotes and comments stay.
        key: such as ``hostname`` or ``HOSTNAME``.
        value: such as a host name or a time zone. It must have no blanks, quotes or other
            characters that a shell interprets.
        add: whether to add the assignment at the end if there is none.

    Returns:
        The new text; the same text if nothing had to change.
    """
    if read_assignment(text, key) == value:
        return text
    found = _assignments(text, key)
    if not found and add:
        if text and not text.endswith("\n"):
            text += "\n"
        return text + '%s="%s"\n' % (key, value)
    pieces, at = [], 0
    for match in found:
        quote = match.group("value")[:1]
        if quote not in ("'", '"'):
            quote = ""
        pieces += [text[at : match.start("value")], quote, value, quote]
        at = match.end("value")
    return "".join(pieces) + text[at:]


def _assignments(text: str, key: str) -> List["re.Match[str]"]:
    pattern = r"^[ \t]*(?:export[ \t]+)?%s=(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s#;]*)" % re.escape(
        key
    )
    return list(re.finditer(pattern, text, re.MULTILINE | re.ASCII))
