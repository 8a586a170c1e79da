"""Says in plain words what is wrong with a document that is no YAML.

PyYAML's own words name its tokens, and quote the document, which may have secrets; these do not.
"""

from __future__ import annotations

import re
from typing import Any, Tuple

from lightinit.errors import MalformedError

QUOTE = "put the whole text in quotes"
INDENT = "give the lines of one block the same indentation, in spaces"
# (what PyYAML says, what is wrong, what to do). The first one that is found counts.
TOLD: Tuple[Tuple[str, str, str], ...] = (
    (
        r"mapping values are not allowed",
        "`: ` is inside a text without quotes, or the line is indented too far",
        "put the text in quotes, or give the line the indentation of its neighbours",
    ),
    (r"scanning an (alias|anchor)", "a text without quotes begins with * or &", QUOTE),
    (r"undefined tag handle|a tag|tag URI", "a text without quotes begins with !", QUOTE),
    (r"block scalar", "after | or > on a line comes only + or -", "begin the text on a new line"),
    (
        r"unknown escape character|expected escape sequence",
        "in double quotes a backslash begins a sequence such as \\n; this one is unknown",
        "write two backslashes, or use single quotes",
    ),
    (r"quoted scalar", "a quote is opened and never closed", "close it on the same line"),
    (
        r"expected ',' or",
        "a [ or { is not closed, or a comma is missing",
        "close it, or write the list with `- ` on lines of their own",
    ),
    (
        r"could not find expected ':'",
        "the line is neither `key: value` nor a part of the text above it",
        "write `key: value`, or indent the line as the text that it belongs to",
    ),
    (r"expected <block end>", "the indentation does not fit that of the lines above", INDENT),
    (r"block (mapping|collection|sequence)", "the indentation does not fit", INDENT),
    (
        r"flow node .*stream end",
        "a [ or { is not closed",
        "close it, or write the list with `- ` on lines of their own",
    ),
    (r"node content", "a value begins with a character that needs quotes", QUOTE),
    (r"document start", "text follows after the end of the document", "remove what follows `...`"),
    (
        r"incompatible YAML document",
        "%YAML names a version that cannot be read",
        "remove the line that begins with %YAML",
    ),
    (r"directive", "the line begins with %", QUOTE),
)
CANNOT_START = "cannot start any token"


def explain(error: Any, text: str) -> MalformedError:
    """The error for a document that PyYAML refused.

    Args:
        error: a ``yaml.YAMLError``.
        text: the document.
    """
    mark = getattr(error, "problem_mark", None)
    said = "%s %s" % (getattr(error, "context", ""), getattr(error, "problem", ""))
    if mark is None:
        position = getattr(error, "position", 0)
        return _no_yaml(
            text.count("\n", 0, position) + 1,
            "a control character is there",
            "remove it, or give the content with `encoding: b64`",
        )
    opened = getattr(error, "context_mark", None)
    if opened is not None and re.search(r"quoted scalar|could not find expected ':'", said):
        mark = opened
    what, remedy = _told(said, _line_at(text, mark.index), mark.column)
    return _no_yaml(mark.line + 1, what, remedy)


def beyond_numbers(line: int) -> MalformedError:
    """The error for a number that PyYAML reads, and Python cannot.

    Args:
        line: where it is.
    """
    what = "the number after \\U is that of no character, or %YAML names no version"
    return _no_yaml(line, what, "write the character itself; remove the line %YAML")


def _told(said: str, line: str, column: int) -> Tuple[str, str]:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "the line is indented with a tab", "indent with spaces"
    if CANNOT_START in said:
        begins = line[column : column + 1]
        if begins == "\t":
            return "a tab is where YAML takes only blanks", "write blanks instead"
        if begins not in ("@", "`", "%"):
            begins = "a character that has a meaning in YAML"
        return "a text without quotes begins with %s" % begins, QUOTE
    for pattern, what, remedy in TOLD:
        if re.search(pattern, said):
            return what, remedy
    return "the line cannot be read", INDENT


def _line_at(text: str, index: int) -> str:
    start = text.rfind("\n", 0, index) + 1
    end = text.find("\n", index)
    if end < 0:
        end = len(text)
    return text[start:end]


def _no_yaml(line: int, what: str, hint: str) -> MalformedError:
    return MalformedError("cloud-config is not valid yaml", line=line, why=what, hint=hint)
