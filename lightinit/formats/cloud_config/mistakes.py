"""A mistake in a cloud-config: where it is, what is wrong, and what to do next."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple, Union

from lightinit.model import NamedTuple

Path = Tuple[Union[str, int], ...]


class Mistake(NamedTuple):
    """One mistake. Neither text has a value of the document: it may be a secret.

    Attributes:
        path: the keys and list indexes that lead to the value, such as ``("users", 1, "name")``.
        what: what is wrong.
        remedy: what to do next.
        line: the line in the document, from 1; 0 if it is not known.
        has_effect: whether the value is used all the same.
    """

    path: Path
    what: str
    remedy: str
    line: int = 0
    has_effect: bool = False

    def __str__(self) -> str:
        where = show_path(self.path)
        said = "%s; %s" % (self.what, self.remedy)
        if self.line:
            where = ("line %d, %s" % (self.line, where)).rstrip(", ")
        if where:
            said = "%s: %s" % (where, said)
        return said


def show_path(path: Sequence[Union[str, int]]) -> str:
    """A path as text, such as ``users[1].name``. What cannot be printed, and what is long, is not
    told.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += "[%d]" % part
        else:
            text += ".%s" % show_key(part)
    return text.lstrip(".")


def show_key(key: str) -> str:
    """A key as text: printable, and at most 60 characters of it."""
    if not key.isprintable() or len(key) > 60:
        key = ascii(key[:60])[1:-1] + "..."
    return key


def with_lines(mistakes: Sequence[Mistake], lines: Dict[Path, int]) -> List[Mistake]:
    """The same mistakes, each with the line of its value, or of the nearest one above it.

    Args:
        mistakes: those of a reader, which knows no lines.
        lines: those of the document.
    """
    return [
        each if each.line else each._replace(line=line_of(each.path, lines)) for each in mistakes
    ]


def line_of(path: Path, lines: Dict[Path, int]) -> int:
    """The line of a value, or of the nearest one above it; 0 if there is none."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 0)
