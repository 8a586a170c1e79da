"""Reads the output of ``sshd -T``: the configuration that is in force for one login.

Pure. Each line has a keyword in lower case and its value. Some keywords, such as AllowUsers, have
one line per entry.
"""

from __future__ import annotations

from typing import Dict, List, Sequence

from lightinit.formats.blanks import BLANKS, words_of


class Effective:
    """sshd's configuration for one login.

    Args:
        output: the output of ``sshd -T``; "" if sshd did not answer. Then there are no keywords.
    """

    def __init__(self, output: str) -> None:
        self._values: Dict[str, List[str]] = {}
        for line in output.split("\n"):
            keyword, _, value = line.strip(BLANKS).partition(" ")
            if keyword:
                self._values.setdefault(keyword.lower(), []).append(value)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __contains__(self, keyword: str) -> bool:
        return keyword.lower() in self._values

    def values(self, keyword: str) -> List[str]:
        """The values of all lines of a keyword; an empty list if sshd does not know it."""
        return list(self._values.get(keyword.lower(), ()))

    def words(self, keyword: str, default: Sequence[str] = ()) -> List[str]:
        """The words of a keyword's first line; ``default`` if sshd does not know it."""
        lines = self.values(keyword)
        if not lines:
            return list(default)
        return words_of(lines[0])
