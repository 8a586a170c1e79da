"""Reads the headers of an HTTP answer: lengths, times, and values fit for a log line. No I/O."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

from lightinit.errors import MalformedError

MAX_RETRY_AFTER_S = 24 * 3600.0


def joined_headers(items: Iterable[Tuple[Any, Any]]) -> Dict[str, str]:
    """Headers by lower-case name. If one came several times, its values are joined by commas."""
    headers: Dict[str, str] = {}
    for name, value in items:
        key = str(name).lower()
        before = headers[key] + ", " if key in headers else ""
        headers[key] = before + str(value)
    return headers


def parse_retry_after(headers: Mapping[str, str], now_s: float) -> Optional[float]:
    """The seconds that ``Retry-After`` asks for (RFC 9110, 10.2.3).

    A date is compared with the ``Date`` of the same answer, since at boot the VM's clock may be
    wrong by years. Without a ``Date`` it is compared with ``now_s``.

    Args:
        headers: by lower-case name.
        now_s: Unix time in seconds.

    Returns:
        Seconds, at least 0; None if the header is missing, unusable, or a date more than a day
        ahead.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdigit() and value.isascii():
        return min(float(value[:9]), MAX_RETRY_AFTER_S)
    until_s = _http_date(value)
    if until_s is None:
        return None
    since_s = _http_date(headers.get("date", ""))
    if since_s is None:
        since_s = now_s
    wait_s = until_s - since_s
    if wait_s > MAX_RETRY_AFTER_S:
        return None
    return max(0.0, wait_s)


def _http_date(value: str) -> Optional[float]:
    from email.utils import mktime_tz, parsedate_tz

    try:
        parts = parsedate_tz(value[:64])
        if parts is None:
            return None
        return float(mktime_tz(parts))
    except (ValueError, OverflowError, IndexError, TypeError):  # parsedate_tz, given nonsense
        return None


def content_length(headers: Mapping[str, str], url: str) -> Optional[int]:
    """The length of the body in bytes, None if the header is missing.

    Raises:
        MalformedError: it is not a number, or it was given twice with different values.
    """
    values = {value.strip() for value in headers.get("content-length", "").split(",")}
    if values == {""}:
        return None
    value = values.pop()
    if values or not (value.isdigit() and value.isascii() and len(value) < 16):
        raise MalformedError("answer has a bad content-length", url=url)
    return int(value)


def one_line(text: str) -> str:
    """The first 200 characters of ``text``, with a ``?`` for each one that is not printable."""
    return "".join(character if character.isprintable() else "?" for character in text[:200])
