"""Reads a JSON document that others wrote, such as a metadata service: bytes in, values out.

What it returns can be written again as JSON in UTF-8. It knows no field of any document.
"""

from __future__ import annotations

import json
from typing import Any, Dict

from lightinit.errors import MalformedError

LIMIT_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_DIGITS = 30


def read_json(data: bytes, name: str, limit_bytes: int = LIMIT_BYTES) -> Any:
    """The value of a JSON document.

    NaN, Infinity and numbers that are too large become null. Half a surrogate pair becomes ``?``.
    If a key occurs twice, its last value counts.

    Args:
        data: UTF-8, with or without a byte-order mark.
        name: the document's name, for errors.
        limit_bytes: the largest size that is accepted.

    Raises:
        MalformedError: it is too large, not UTF-8, not JSON (such as HTML), or nested too deep.
    """
    if len(data) > limit_bytes:
        raise MalformedError(
            "json document is too large", document=name, bytes=len(data), limit_bytes=limit_bytes
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            "json document is not utf-8", document=name, at_byte=error.start
        ) from None
    if text.startswith("\ufeff"):
        text = text[1:]
    try:
        value = json.loads(text, parse_int=_integer, parse_constant=lambda name: None)
    except RecursionError:
        raise _too_deep(name) from None
    except json.JSONDecodeError as error:
        raise MalformedError(
            "json document is not json",
            document=name,
            line=error.lineno,
            column=error.colno,
            error=error.msg,
        ) from None
    return _clean(value, name, 1)


def read_json_object(data: bytes, name: str, limit_bytes: int = LIMIT_BYTES) -> Dict[str, Any]:
    """As :func:`read_json`, for a document that is an object.

    Raises:
        MalformedError: also if it is a list or a single value.
    """
    value = read_json(data, name, limit_bytes)
    if not isinstance(value, dict):
        raise MalformedError(
            "json document is not an object", document=name, found=type(value).__name__
        )
    return value


def _integer(digits: str) -> Any:
    # Before Python 3.11 the time to read an integer grows with the square of its length.
    if len(digits) <= MAX_DIGITS:
        return int(digits)
    return None


def _clean(value: Any, name: str, depth: int) -> Any:
    """Copy a value and replace what cannot be written again."""
    if depth > MAX_DEPTH:
        raise _too_deep(name)
    if isinstance(value, dict):
        return {_text(key): _clean(inner, name, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner, name, depth + 1) for inner in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    return value


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _too_deep(name: str) -> MalformedError:
    return MalformedError("json document is too deep", document=name, max_depth=MAX_DEPTH)
