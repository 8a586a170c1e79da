"""Reads the lines of a settings file.

The rules: ``[section]``; ``key = value``; an indented line continues the value above it; a line
that starts with ``#`` or ``;`` is a comment.

configparser is not used, because it stops at the first mistake. This parser reports every mistake
with file and line, and keeps the other settings: a VM with a mistake in its settings boots with the
default of that one key.
"""

from __future__ import annotations

from typing import List, Set, Tuple

from lightinit.model import NamedTuple

_IGNORED = "?"  # the section of keys below a line that is not a section


class Problem(NamedTuple):
    """A mistake in a settings file: its place, and what to do."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        if self.line:
            return "%s:%d: %s" % (self.file, self.line, self.text)
        return "%s: %s" % (self.file, self.text)


class IniValue(NamedTuple):
    """A ``key = value`` of a file; newlines join the lines of a continued value."""

    section: str
    key: str
    value: str
    file: str
    line: int


def parse(text: str, file: str) -> Tuple[List[IniValue], List[Problem]]:
    """Return the entries and the mistakes of one file. Pure."""
    entries: List[IniValue] = []
    more: List[str] = []  # the lines that continue the last entry
    seen: Set[Tuple[str, str]] = set()
    problems: List[Problem] = []
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        bare, mistake = line.strip(), ""
        if not bare or bare[0] in "#;":
            continue
        if line[0] in " \t" and entries and entries[-1].section == section:
            more.append(bare)
        elif bare[0] == "[":
            section, mistake = _read_section(bare)
        elif "=" not in bare:
            mistake = "expected key = value, found %r; the line is ignored" % short(bare)
        elif not section:
            mistake = "the key %r is before the first [section]; move it below one" % short(
                bare.partition("=")[0].strip()
            )
        elif section != _IGNORED:
            _continue(entries, more)
            key, value = (part.strip() for part in bare.split("=", 1))
            if (section, key) in seen:
                mistake = "[%s] %s is set twice in this file; the later value is used"
                mistake %= (section, key)
            seen.add((section, key))
            entries.append(IniValue(section, key, value, file, number))
        if mistake:
            problems.append(Problem(file, number, mistake))
    _continue(entries, more)
    return entries, problems


def _continue(entries: List[IniValue], more: List[str]) -> None:
    """Add the lines of ``more`` to the last entry, and forget them."""
    if more:
        last = entries.pop()
        value = "\n".join([last.value] + more).strip()
        entries.append(IniValue(last.section, last.key, value, last.file, last.line))
        more.clear()


def _read_section(bare: str) -> Tuple[str, str]:
    """Return the name of a section and the mistake in its line, "" for none."""
    name = ""
    if bare.endswith("]"):
        name = bare[1:-1].strip()
    if name:
        return name, ""
    mistake = "a section must look like [name], this is %r; the keys below it are ignored"
    return _IGNORED, mistake % short(bare)


def short(text: str) -> str:
    """Return ``text``, cut to 60 characters for the log."""
    if len(text) <= 60:
        return text
    return text[:57] + "..."
