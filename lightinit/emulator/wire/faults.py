"""The vocabulary of faults: which keys a step may have, on which endpoints, and what each means.

A step is one object in a scenario's sequence, such as ``{"status": 500, "repeat": 2}``. This file
only says what is valid; it plays nothing and reads no file.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

FaultStep = Dict[str, Any]

ENDPOINTS = (
    "goalstate",
    "health",
    "progress",
    "versions",
    "certificates",
    "imds",
    "reprovisiondata",
)
DOCUMENTS = ("goalstate", "imds")
FOREVER = "forever"
VARIANTS = {
    "goalstate": ("bom", "crlf", "dtd", "entity-bomb", "external-entity", "huge"),
    "certificates": (
        "bom",
        "crlf",
        "huge",
        "no-format",
        "empty-format",
        "other-format",
        "no-data",
        "not-base64",
        "cut-data",
        "flipped-data",
        "other-recipient",
        "other-key",
    ),
    "imds": ("bom", "deep", "huge"),
    "reprovisiondata": ("bom", "crlf", "huge"),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seconds(value: Any) -> str:
    return (
        ""
        if _is_number(value) and 0 <= value <= 86400
        else "must be a number of seconds from 0 to 86400"
    )


def _true(value: Any) -> str:
    return "" if value is True else "must be true (leave the key out for the opposite)"


def _status(value: Any) -> str:
    return (
        "" if _is_count(value) and 200 <= value <= 599 else "must be an HTTP status from 200 to 599"
    )


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "must be a text"


def _base64(value: Any) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return "must be base64 text"
    return ""


def _headers(value: Any) -> str:
    good = isinstance(value, dict) and all(
        isinstance(text, str) and not {"\r", "\n"} & set(name + text)
        for name, text in value.items()
    )
    return "" if good else "must be an object of header names and one-line texts"


def _size(value: Any) -> str:
    return "" if _is_count(value) and 0 <= value <= 1 << 30 else "must be a whole number of bytes"


def _megabytes(value: Any) -> str:
    return (
        ""
        if _is_number(value) and 0 < value <= 1024
        else "must be a number of megabytes from 0 to 1024"
    )


def _url(value: Any) -> str:
    if (
        isinstance(value, str)
        and value.startswith(("http://", "https://", "/"))
        and value.split() == [value]
    ):
        return ""
    return "must be a URL"


def _paths(value: Any) -> str:
    good = (
        isinstance(value, list) and value and all(isinstance(path, str) and path for path in value)
    )
    return "" if good else "must be a list of dotted paths"


def _settings(value: Any) -> str:
    good = isinstance(value, dict) and value and all(value)
    return "" if good else "must be an object: dotted path to value"


def _variant(value: Any) -> str:
    names = [value] if isinstance(value, str) else value
    known = {name for names_of in VARIANTS.values() for name in names_of}
    good = isinstance(names, list) and names and all(name in known for name in names)
    return "" if good else "must be one of, or a list of: " + ", ".join(sorted(known))


def _repeat(value: Any) -> str:
    good = value == FOREVER or (_is_count(value) and value >= 1)
    return "" if good else 'must be a count from 1, or "forever"'


def _advance(value: Any) -> str:
    return "" if _is_count(value) and 1 <= value <= 1000 else "must be a count from 1 to 1000"


class Key(NamedTuple):
    """One key of a step.

    Attributes:
        check: takes the value, returns a complaint or "".
        group: which kind of key it is; :func:`find_conflicts` says which kinds go together.
        endpoints: where the key may stand.
        meaning: one sentence for readers.
    """

    check: Callable[[Any], str]
    group: str
    endpoints: Tuple[str, ...]
    meaning: str


KEYS: Dict[str, Key] = {
    "status": Key(_status, "answer", ENDPOINTS, "this HTTP status instead of the good answer"),
    "body": Key(
        _text, "answer", ENDPOINTS, "this text as the body (with 200 unless `status` says else)"
    ),
    "body_base64": Key(_base64, "answer", ENDPOINTS, "these bytes as the body, written as base64"),
    "headers": Key(_headers, "answer", ENDPOINTS, "headers of that answer, such as Content-Type"),
    "redirect": Key(
        _url,
        "redirect",
        ENDPOINTS,
        "a 302 to this URL; `{imds}` and `{wireserver}` stand for host:port",
    ),
    "omit": Key(_paths, "edit", DOCUMENTS, "the good document without these dotted paths"),
    "set": Key(
        _settings,
        "edit",
        DOCUMENTS,
        "the good document with these dotted paths set to these values",
    ),
    "variant": Key(
        _variant, "edit", tuple(VARIANTS), "another form of the good document, or a list of forms"
    ),
    "throttle_s": Key(
        _seconds,
        "throttle",
        ENDPOINTS,
        "429 when the last request to this endpoint is younger than this",
    ),
    "hang_s": Key(
        _seconds, "delivery", ENDPOINTS, "reads the request, sends nothing so long, then closes"
    ),
    "reset": Key(
        _true, "delivery", ENDPOINTS, "reads the request, then resets the connection (RST)"
    ),
    "close": Key(_true, "delivery", ENDPOINTS, "reads the request, then closes without an answer"),
    "truncate": Key(
        _size,
        "delivery",
        ENDPOINTS,
        "announces the whole body, sends so many bytes of it, then closes",
    ),
    "drip_s": Key(_seconds, "delivery", ENDPOINTS, "sends one byte per so long, the head included"),
    "endless_mb": Key(
        _megabytes, "delivery", ENDPOINTS, "streams a body without end; the cap in MB is for safety"
    ),
    "delay_s": Key(_seconds, "modifier", ENDPOINTS, "waits so long before it starts to answer"),
    "retry_after_s": Key(_seconds, "modifier", ENDPOINTS, "adds Retry-After in whole seconds"),
    "retry_after_date_s": Key(
        _seconds,
        "modifier",
        ENDPOINTS,
        "adds Retry-After as the HTTP date so many seconds from now",
    ),
    "processed": Key(
        _true, "modifier", ENDPOINTS, "the request takes effect although its answer is lost or bad"
    ),
    "advance_incarnation": Key(
        _advance,
        "modifier",
        ("goalstate", "health", "progress"),
        "moves the incarnation by so many: after a goal state was answered, before a report is"
        " checked",
    ),
    "repeat": Key(
        _repeat, "modifier", ENDPOINTS, 'how often the step is played: a count (1), or "forever"'
    ),
    "note": Key(_text, "modifier", ENDPOINTS, "a remark for readers of the file"),
}

DELIVERIES = tuple(name for name, key in KEYS.items() if key.group == "delivery")
MUTE = ("hang_s", "reset", "close", "endless_mb")  # deliveries that never send the answer itself


def delivery_of(step: FaultStep) -> str:
    """Return which key says how the answer is delivered, "" for an ordinary delivery."""
    for name in DELIVERIES:
        if name in step:
            return name
    return ""


def edits_document(step: FaultStep) -> bool:
    """Tell whether the step alters the good document, so that only a request that gets one uses it
    up.
    """
    return any(KEYS[name].group == "edit" for name in step)


def variants_of(step: FaultStep) -> Tuple[str, ...]:
    """Return the names of the document forms that the step asks for."""
    value = step.get("variant", ())
    return (value,) if isinstance(value, str) else tuple(value)


def find_conflicts(step: FaultStep, endpoint: str) -> List[str]:
    """Return one sentence for each pair of keys in a step that cannot stand together.

    Args:
        step: an object whose keys are all known and whose values are of the right types.
        endpoint: where the step stands.
    """
    found = []
    contents = sorted({KEYS[name].group for name in step} - {"modifier", "delivery"})
    deliveries = [name for name in DELIVERIES if name in step]
    if len(contents) > 1:
        found.append(
            "has keys of the kinds %s: keep one kind, or make it two steps" % " and ".join(contents)
        )
    if len(deliveries) > 1:
        found.append("has %s: keep one of them, or make it two steps" % " and ".join(deliveries))
    if contents and deliveries and deliveries[0] in MUTE:
        found.append(
            "has %r, which sends no answer: leave the answer's own keys out" % deliveries[0]
        )
    if "body" in step and "body_base64" in step:
        found.append("has both 'body' and 'body_base64': keep one")
    if "processed" in step and not ({"status", "hang_s", "reset", "close"} & set(step)):
        found.append(
            "has 'processed', which needs one of 'status', 'hang_s', 'reset', 'close' beside it"
        )
    replaced = set(contents) - {"edit"} or (deliveries and deliveries[0] in MUTE)
    if "advance_incarnation" in step and replaced and "processed" not in step:
        found.append("has 'advance_incarnation' on a request that takes no effect: add 'processed'")
    retry = [name for name in ("retry_after_s", "retry_after_date_s") if name in step]
    if len(retry) > 1:
        found.append("has both forms of Retry-After: keep one")
    if retry and not ({"status", "throttle_s"} & set(step)):
        found.append("has %r, which needs 'status' or 'throttle_s' beside it" % retry[0])
    strange = [name for name in variants_of(step) if name not in VARIANTS.get(endpoint, ())]
    if strange:
        known = ", ".join(VARIANTS.get(endpoint, ()))
        found.append("asks %s for the variant %r: it has %s" % (endpoint, strange[0], known))
    return found
