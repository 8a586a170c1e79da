"""Reads the lines of a settings file.

The rules: ``[section]``; ``key = value``; an indented line continues the value above it; a line
that starts with ``#`` or ``;`` is a comment.

configparser is not used, because it stops at the first mistake. This parser reports every mistake
with file and line, and keeps the other settings: a VM with a mistake in its settings boots with the
default of that one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple


@dataclass(frozen=True)
class Problem:
    """A mistake in a settings file: its place, and what to do."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        if self.line:
            return "%s:%d: %s" % (self.file, self.line, self.text)
        return "%s: %s" % (self.file, self.text)


@dataclass(frozen=True)
class Entry:
    """A ``key = value`` of a file; newlines join the lines of a continued value."""

    section: str
    key: str
    value: str
    file: str
    line: int


def parse(text: str, file: str) -> Tuple[List[Entry], List[Problem]]:
    """Return the entries and the mistakes of one file. Pure."""
    entries: List[Entry] = []
    problems: List[Problem] = []
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        if line[0] in " \t" and entries and entries[-1].section == section:
            last = entries.pop()
            entries.append(
                Entry(section, last.key, (last.value + "\n" + bare).strip(), file, last.line)
            )
        elif bare[0] == "[":
            section = ""
            if bare.endswith("]"):
                section = bare[1:-1].strip()
            if not section:
                problems.append(
                    Problem(
                        file,
                        number,
                        "a section must look like [name], this is %r; the keys below "
                        "it are ignored" % short(bare),
                    )
                )
                section = "?"
        elif "=" not in bare:
            problems.append(
                Problem(
                    file,
                    number,
                    "expected key = value, found %r; the line is ignored" % short(bare),
                )
            )
        elif not section:
            problems.append(
                Problem(
                    file,
                    number,
                    "the key %r is before the first [section]; move it below one"
                    % short(bare.partition("=")[0].strip()),
                )
            )
        elif section != "?":
            key, _, value = bare.partition("=")
            if any((entry.section, entry.key) == (section, key.strip()) for entry in entries):
                problems.append(
                    Problem(
                        file,
                        number,
                        "[%s] %s is set twice in this file; the later value is used"
                        % (section, key.strip()),
                    )
                )
            entries.append(Entry(section, key.strip(), value.strip(), file, number))
    return entries, problems


def short(text: str) -> str:
    """Return ``text``, cut to 60 characters for the log."""
    if len(text) <= 60:
        return text
    return text[:57] + "..."
