"""The lines of a settings file.

A file is read by rules of our own and not by configparser's, for two things that configparser does
not do: every problem is told with its file and line, and what stands around the problem still
counts, so that a VM with a broken settings file comes up with defaults for just what was broken.
The rules: ``[section]``; ``key = value``; an indented line continues the value above it; a line
that starts with ``#`` or ``;`` is a comment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Tuple


@dataclass(frozen=True)
class Problem:
    """Something wrong in a settings file: where, and a sentence that says what and what to do."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return (
            "%s:%d: %s" % (self.file, self.line, self.text)
            if self.line
            else "%s: %s" % (self.file, self.text)
        )


@dataclass(frozen=True)
class Entry:
    """A ``key = value`` as it stands in a file; the lines that continue a value are joined by
    newlines.
    """

    section: str
    key: str
    value: str
    file: str
    line: int


def parse(text: str, file: str) -> Tuple[List[Entry], List[Problem]]:
    """The entries of one file and what is wrong with its lines. Pure."""
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
            section = bare[1:-1].strip() if bare.endswith("]") else ""
            if not section:
                problems.append(
                    Problem(
                        file,
                        number,
                        "a section must look like [name], this is %r; the keys below "
                        "it are passed over" % short(bare),
                    )
                )
                section = "?"
        elif "=" not in bare:
            problems.append(
                Problem(
                    file,
                    number,
                    "expected key = value, found %r; the line is passed over" % short(bare),
                )
            )
        elif not section:
            problems.append(
                Problem(
                    file,
                    number,
                    "the key %r stands before any [section]; put it below one"
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
                        "[%s] %s is set twice in this file; the later one counts"
                        % (section, key.strip()),
                    )
                )
            entries.append(Entry(section, key.strip(), value.strip(), file, number))
    return entries, problems


def short(text: str) -> str:
    """``text``, cut to what a line of the log can bear."""
    return text if len(text) <= 60 else text[:57] + "..."
