"""The answers of IMDS: bytes in, values out. It knows no HTTP and no field of the document.

A value that cannot be written again as JSON in UTF-8 is replaced, with a warning. Fields that
lightinit does not know stay in the document, for ``lightinit query``.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional, Tuple

from lightinit.errors import MalformedError

Document = Dict[str, Any]
# The place of the enclosing object or array (None at the top), and the key or index in it.
_Place = Tuple[Any, Any]

LIMIT_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 30
MAX_TEXT = 256
MAX_WARNINGS = 20
TYPE_NAMES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}


def parse(
    data: bytes, limit_bytes: int = LIMIT_BYTES, warnings: Optional[List[str]] = None
) -> Document:
    """Read the answer to ``GET /metadata/instance`` with ``format=json``.

    NaN, Infinity and numbers that are too large become null. Half a surrogate pair becomes ``?``.
    If a key occurs twice, its last value is used.

    Args:
        data: the body of the answer, UTF-8, with or without a byte-order mark.
        limit_bytes: the largest size that is accepted.
        warnings: a list that gets one sentence for each replaced value. None: no warnings.

    Returns:
        The document.

    Raises:
        MalformedError: the body is too large, not UTF-8, not JSON (such as HTML), not an object,
            or nested too deep.
    """
    if len(data) > limit_bytes:
        raise MalformedError("imds document is too large", bytes=len(data), limit_bytes=limit_bytes)
    try:
        document = json.loads(_decode(data), parse_int=_integer)
    except UnicodeDecodeError as error:
        raise MalformedError("imds document is not utf-8", at_byte=error.start) from None
    except RecursionError:
        raise MalformedError("imds document is too deep", max_depth=MAX_DEPTH) from None
    except json.JSONDecodeError as error:
        raise MalformedError(
            "imds document is not json", line=error.lineno, column=error.colno, error=error.msg
        ) from None
    if not isinstance(document, dict):
        raise MalformedError("imds document is not an object", found=TYPE_NAMES[type(document)])
    if warnings is None:
        warnings = []
    cleaned: Document = _clean(document, None, 1, warnings)
    return cleaned


def parse_text(data: bytes) -> str:
    """Read a single value, the answer to a request with ``format=text``. It may be empty.

    Raises:
        MalformedError: the body is not UTF-8, has more than 256 characters or several lines, or is
            markup (such as the page of a proxy).
    """
    try:
        text = _decode(data).strip()
    except UnicodeDecodeError as error:
        raise MalformedError("imds text is not utf-8", at_byte=error.start) from None
    if len(text) > MAX_TEXT or not text.isprintable() or text.startswith(("<", "{")):
        raise MalformedError("imds text is not a plain value", characters=len(text), limit=MAX_TEXT)
    return text


def newest_versions(body: bytes) -> Tuple[str, ...]:
    """Return the api-versions that an answer with status 400 offers, newest first. Without such a
    list the result is empty.
    """
    try:
        offered = parse(body).get("newest-versions")
    except MalformedError:
        return ()
    if not isinstance(offered, list):
        return ()
    return tuple(sorted({version for version in offered if _is_version(version)}, reverse=True))


def add_warning(warnings: List[str], text: str) -> None:
    """Add a warning, unless there are too many. Then one last warning says so."""
    if len(warnings) < MAX_WARNINGS:
        warnings.append(text)
    elif len(warnings) == MAX_WARNINGS:
        warnings.append("imds document has further invalid values, which are not listed")


def _decode(data: bytes) -> str:
    # The codec utf-8-sig would do the same, but Python has to import it first.
    text = data.decode("utf-8")
    if text.startswith("\ufeff"):
        return text[1:]
    return text


def _integer(digits: str) -> float:
    # Before Python 3.11 the time to read an integer grows with the square of its length.
    if len(digits) <= MAX_DIGITS:
        return int(digits)
    return float(digits)


def _is_version(text: Any) -> bool:
    # It goes into a URL, so only YYYY-MM-DD is accepted.
    return (
        isinstance(text, str)
        and text.isascii()
        and text.replace("-", "").isdigit()
        and [len(part) for part in text.split("-")] == [4, 2, 2]
    )


def _clean(value: Any, place: Optional[_Place], depth: int, warnings: List[str]) -> Any:
    """Copy a value and replace what cannot be written again.

    Raises:
        MalformedError: the value is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise MalformedError("imds document is too deep", max_depth=MAX_DEPTH)
    if isinstance(value, dict):
        return {
            _clean_text(key, place, warnings): _clean(inner, (place, key), depth + 1, warnings)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _clean(inner, (place, number), depth + 1, warnings)
            for number, inner in enumerate(value)
        ]
    if isinstance(value, str):
        return _clean_text(value, place, warnings)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        add_warning(
            warnings, "imds field %s has an impossible number, which is ignored" % _path(place)
        )
        return None
    return value


def _clean_text(text: str, place: Optional[_Place], warnings: List[str]) -> str:
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        add_warning(
            warnings, "imds field %s has half a surrogate pair, which is replaced" % _path(place)
        )
        return text.encode("utf-8", "replace").decode("utf-8")


def _path(place: Optional[_Place]) -> str:
    """Return ``place`` with dots between its steps. The keys come from the network, so each one is
    cut, and stays on one line.
    """
    steps: List[str] = []
    while place is not None:
        place, step = place
        steps.append("".join(_printable(character) for character in str(step)[:64]))
    return ".".join(reversed(steps)) or "(outermost)"


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return "?"
