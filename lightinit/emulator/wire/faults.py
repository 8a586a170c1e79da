"""The keys of fault steps: where each is allowed, which values are valid, what it means.

A step is one object in a scenario's sequence, such as ``{"status": 500, "repeat": 2}``. This file
only checks steps; it plays nothing and reads no file.
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
    "extended",
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


def _complain_unless(valid: Any, complaint: str) -> str:
    if valid:
        return ""
    return complaint


def _seconds(value: Any) -> str:
    valid = _is_number(value) and 0 <= value <= 86400
    return _complain_unless(valid, "must be a number of seconds from 0 to 86400")


def _true(value: Any) -> str:
    return _complain_unless(value is True, "must be true (leave the key out for false)")


def _status(value: Any) -> str:
    valid = _is_count(value) and 200 <= value <= 599
    return _complain_unless(valid, "must be an HTTP status from 200 to 599")


def _text(value: Any) -> str:
    return _complain_unless(isinstance(value, str), "must be a text")


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
    return _complain_unless(good, "must be an object of header names and one-line texts")


def _size(value: Any) -> str:
    valid = _is_count(value) and 0 <= value <= 1 << 30
    return _complain_unless(valid, "must be a whole number of bytes")


def _megabytes(value: Any) -> str:
    valid = _is_number(value) and 0 < value <= 1024
    return _complain_unless(valid, "must be a number of megabytes, more than 0, at most 1024")


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
    return _complain_unless(good, "must be a list of dotted paths")


def _settings(value: Any) -> str:
    good = isinstance(value, dict) and value and all(value)
    return _complain_unless(good, "must be an object: dotted path to value")


def _endpoint(value: Any) -> str:
    return _complain_unless(value in ENDPOINTS, "must be one of: " + ", ".join(ENDPOINTS))


def _variant(value: Any) -> str:
    names = value
    if isinstance(value, str):
        names = [value]
    known = {name for names_of in VARIANTS.values() for name in names_of}
    good = isinstance(names, list) and names and all(name in known for name in names)
    return _complain_unless(good, "must be one of, or a list of: " + ", ".join(sorted(known)))


def _repeat(value: Any) -> str:
    good = value == FOREVER or (_is_count(value) and value >= 1)
    return _complain_unless(good, 'must be a count from 1, or "forever"')


def _advance(value: Any) -> str:
    valid = _is_count(value) and 1 <= value <= 1000
    return _complain_unless(valid, "must be a count from 1 to 1000")


class Key(NamedTuple):
    """One key of a step.

    Attributes:
        check: takes the value; returns a complaint, or "" if the value is valid.
        group: the kind of key; :func:`find_conflicts` says which kinds can be combined.
        endpoints: where the key is allowed.
        meaning: one sentence for docs/emulator.md.
    """

    check: Callable[[Any], str]
    group: str
    endpoints: Tuple[str, ...]
    meaning: str


KEYS: Dict[str, Key] = {
    "status": Key(_status, "answer", ENDPOINTS, "this HTTP status instead of the good answer"),
    "body": Key(
        _text, "answer", ENDPOINTS, "this text as the body (with 200 unless `status` is set)"
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
        "429 if the last request to this endpoint that was not throttled was less than this many"
        " seconds ago",
    ),
    "hang_s": Key(
        _seconds,
        "delivery",
        ENDPOINTS,
        "reads the request, sends nothing for this many seconds, then closes",
    ),
    "reset": Key(
        _true, "delivery", ENDPOINTS, "reads the request, then resets the connection (RST)"
    ),
    "close": Key(_true, "delivery", ENDPOINTS, "reads the request, then closes without an answer"),
    "truncate": Key(
        _size,
        "delivery",
        ENDPOINTS,
        "announces the whole body, sends this many bytes of it, then closes",
    ),
    "drip_s": Key(
        _seconds,
        "delivery",
        ENDPOINTS,
        "sends one byte every this many seconds, including the head",
    ),
    "endless_mb": Key(
        _megabytes,
        "delivery",
        ENDPOINTS,
        "sends a body without end; stops after this many MB, for safety",
    ),
    "delay_s": Key(_seconds, "modifier", ENDPOINTS, "waits this many seconds before the answer"),
    "waits_for": Key(
        _endpoint,
        "modifier",
        ENDPOINTS,
        "holds the answer until a request for this other endpoint has come; after 45 s without"
        " one, the answer is 504",
    ),
    "retry_after_s": Key(_seconds, "modifier", ENDPOINTS, "adds Retry-After in whole seconds"),
    "retry_after_date_s": Key(
        _seconds,
        "modifier",
        ENDPOINTS,
        "adds Retry-After as an HTTP date this many seconds from now",
    ),
    "processed": Key(
        _true,
        "modifier",
        ENDPOINTS,
        "the request takes effect although its answer is lost or an error",
    ),
    "advance_incarnation": Key(
        _advance,
        "modifier",
        ("goalstate", "health", "progress"),
        "increases the incarnation by this number: after a goal state is sent, before a report is"
        " checked",
    ),
    "repeat": Key(
        _repeat,
        "modifier",
        ENDPOINTS,
        'how many times the step is played: a count (1), or "forever"',
    ),
    "note": Key(_text, "modifier", ENDPOINTS, "a remark for readers of the file"),
}

DELIVERIES = tuple(name for name, key in KEYS.items() if key.group == "delivery")
MUTE = ("hang_s", "reset", "close", "endless_mb")  # deliveries that never send the answer itself


def delivery_of(step: FaultStep) -> str:
    """Return the step's delivery key, "" for a normal delivery."""
    for name in DELIVERIES:
        if name in step:
            return name
    return ""


def edits_document(step: FaultStep) -> bool:
    """Return whether the step changes the good document.

    Only a request that gets the document uses such a step.
    """
    return any(KEYS[name].group == "edit" for name in step)


def variants_of(step: FaultStep) -> Tuple[str, ...]:
    """Return the names of the step's document forms."""
    value = step.get("variant", ())
    if isinstance(value, str):
        return (value,)
    return tuple(value)


def find_conflicts(step: FaultStep, endpoint: str) -> List[str]:
    """Return one sentence for each pair of keys in a step that exclude each other.

    Args:
        step: an object with known keys and values of the right types.
        endpoint: the endpoint that has the step.
    """
    found = []
    contents = sorted({KEYS[name].group for name in step} - {"modifier", "delivery"})
    deliveries = [name for name in DELIVERIES if name in step]
    if len(contents) > 1:
        found.append(
            "has keys of the kinds %s: keep one kind, or use two steps" % " and ".join(contents)
        )
    if len(deliveries) > 1:
        found.append("has %s: keep one of them, or use two steps" % " and ".join(deliveries))
    if contents and deliveries and deliveries[0] in MUTE:
        found.append("has %r, which sends no answer: remove the keys of the answer" % deliveries[0])
    if "body" in step and "body_base64" in step:
        found.append("has both 'body' and 'body_base64': keep one")
    if "processed" in step and not ({"status", "hang_s", "reset", "close"} & set(step)):
        found.append("has 'processed', which also needs 'status', 'hang_s', 'reset' or 'close'")
    replaced = set(contents) - {"edit"} or (deliveries and deliveries[0] in MUTE)
    if "advance_incarnation" in step and replaced and "processed" not in step:
        found.append("has 'advance_incarnation' on a request that takes no effect: add 'processed'")
    retry = [name for name in ("retry_after_s", "retry_after_date_s") if name in step]
    if len(retry) > 1:
        found.append("has both forms of Retry-After: keep one")
    if retry and not ({"status", "throttle_s"} & set(step)):
        found.append("has %r, which also needs 'status' or 'throttle_s'" % retry[0])
    strange = [name for name in variants_of(step) if name not in VARIANTS.get(endpoint, ())]
    if strange:
        known = ", ".join(VARIANTS.get(endpoint, ()))
        found.append("%s has no variant %r: it has %s" % (endpoint, strange[0], known))
    return found
