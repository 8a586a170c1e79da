"""The table at the end of a run: what each distribution could do."""

from __future__ import annotations

import json
from typing import Dict, Iterable, List

COLUMNS = ("Ready", "login", "root", "name in DNS", "second boot", "clone")


class Row:
    """One distribution.

    Args:
        name: of the image.
        stands_for: what it is like.

    Attributes:
        cells: column -> yes, no or not tried. What a test did not come to is not there.
    """

    def __init__(self, name: str, stands_for: str) -> None:
        self.name = name
        self.stands_for = stands_for
        self.cells: Dict[str, str] = {}

    def note(self, column: str, holds: object) -> None:
        """Note whether it could do what a column is about. A "no" stays."""
        if self.cells.get(column) != "no":
            self.cells[column] = "yes" if holds else "no"

    def note_answered(self, ready: bool) -> None:
        """Note that the admin, as root, has answered questions, and whether Ready was heard."""
        self.note("Ready", ready)
        self.note("login", True)
        self.note("root", True)

    def text(self, seconds: float) -> str:
        """The row, as JSON."""
        cells = [self.cells.get(column, "no") for column in COLUMNS]
        return json.dumps([self.name, *cells, "%.0f" % seconds, self.stands_for])


def table(rows: Iterable[str]) -> List[str]:
    """The lines of the table whose rows :meth:`Row.text` made."""
    lines = [["distribution", *COLUMNS, "seconds", "stands for"]]
    lines += sorted(json.loads(row) for row in rows)
    widths = [max(map(len, column)) for column in zip(*lines)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    ]
