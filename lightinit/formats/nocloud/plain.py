"""Reads meta-data of lines ``key: value``, as most people write them, without PyYAML.

It is strict: what it takes, a reader of YAML takes in the same way, but for the types: every value
stays text, and null is an empty one. So an instance id such as ``007`` is the same with and without
PyYAML.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from lightinit.errors import MalformedError

# With one of these, a value is more than a plain line for YAML, or a comment.
SPECIAL = "[]{}&*!|>%@`#,"
NOTHING = ("null", "Null", "NULL")


class TooRich(Exception):
    """A line that only a reader of YAML can read; the text says why."""


def read_lines(text: str) -> Dict[str, str]:
    """Read a whole document.

    Raises:
        MalformedError: a line needs a reader of YAML.
    """
    found: Dict[str, str] = {}
    number = 0
    for number, line in enumerate(_lines(text), 1):
        if not line.strip() or line.lstrip().startswith("#") or (number == 1 and line == "---"):
            continue
        try:
            key, value = _read_line(line)
            if key in found:
                raise TooRich("the key is there twice")
        except TooRich as error:
            raise MalformedError(
                "meta-data need python3-yaml",
                line=number,
                why=error,
                hint="write lines `key: value` or JSON, or install the package python3-yaml",
            ) from None
        found[key] = value
    return found


def find_value(text: str, key: str) -> Optional[str]:
    """The value of a key at the left edge, if exactly one plain line has it; else None. A mapping
    in braces has none: its lines end with a comma or a brace.
    """
    found: List[str] = []
    if text.lstrip().startswith("{"):
        return None
    for line in _lines(text):
        if not line.startswith(key):
            continue
        try:
            name, value = _read_line(line)
        except TooRich:
            return None
        if name == key:
            found.append(value)
    return found[0] if len(found) == 1 else None


def _lines(text: str) -> List[str]:
    return [line.rstrip(" \t\r") for line in text.split("\n")]


def _read_line(line: str) -> Tuple[str, str]:
    key, colon, value = line.partition(":")
    if key[:1] in (" ", "\t"):
        raise TooRich("the line is indented")
    if not colon or not key.replace("-", "").replace("_", "").isalnum() or key[0] == "-":
        raise TooRich("it is not `key: value`")
    if value and value[0] not in " \t":
        raise TooRich("a blank is missing after the colon")
    value = value.strip(" \t")
    if value[:1] in ("'", '"'):
        return key, _unquote(value)
    value = _without_comment(value)
    if value in NOTHING:
        return key, ""
    if value and (
        value[0] in SPECIAL or value.startswith(("- ", "? ")) or value in ("-", "?", "~")
    ):
        raise TooRich("the value is no plain text")
    if ": " in value or value.endswith(":"):
        raise TooRich("the value has a colon in it")
    return key, value


def _without_comment(value: str) -> str:
    for place in range(1, len(value)):
        if value[place] == "#" and value[place - 1] in " \t":
            return value[:place].rstrip(" \t")
    return value


def _unquote(value: str) -> str:
    quote = value[0]
    end = value.find(quote, 1)
    rest = value[end + 1 :].strip(" \t")
    if end < 0 or "\\" in value or (rest and not rest.startswith("#")):
        raise TooRich("the quotes are more than a pair around plain text")
    return value[1:end]
