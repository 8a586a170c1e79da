"""The table of docs/azure-image.md, made of the table of the code.

`python -m tests.lib.image_table` writes it into the page.
"""

from __future__ import annotations

import os

from lightinit.commands.removal.table import NOT_OURS, read_table
from tests.lib.scratch import HERE

PAGE = os.path.join(HERE, "docs", "azure-image.md")
BEGIN, END = "<!-- The table of image.ini: begin -->\n", "<!-- The table of image.ini: end -->\n"


def render() -> str:
    """The Markdown table."""
    lines = ["| what | fate | where, and why | virt-sysprep, others |", "|---|---|---|---|"]
    for row in read_table():
        fate = row.fate if row.fate == NOT_OURS else "**%s**" % row.fate
        where = " ".join("`%s`" % path for path in row.paths)
        why = ". ".join(each for each in (where, row.why[:1].upper() + row.why[1:]) if each)
        others = ", ".join(row.operations + row.also)
        lines.append("| **%s**: %s | %s | %s | %s |" % (row.name, row.what, fate, why, others))
    return "\n".join(lines) + "\n"


def split_page() -> "tuple[str, str, str]":
    """The page before the table, the table, and the page after it."""
    with open(PAGE, encoding="utf-8") as handle:
        text = handle.read()
    before, begin, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    assert begin and end, "the page has lost the marks around its table"
    return before, table, after


if __name__ == "__main__":
    first, _, last = split_page()
    with open(PAGE, "w", encoding="utf-8") as page:
        page.write(first + BEGIN + render() + END + last)
