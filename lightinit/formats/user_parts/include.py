"""``#include`` and ``#include-once``: lists of URLs, one on each line.

Source: cloud-init's documentation, "User data formats". It fetches nothing.
"""

from __future__ import annotations

from typing import List
from urllib.parse import urlsplit

from lightinit.model import NamedTuple

INCLUDE, ONCE = "#include", "#include-once"


class Included(NamedTuple):
    """A line that names a URL.

    Attributes:
        url: as it is there; not checked.
        once: whether it follows ``#include-once``: then it is fetched once for the instance.
    """

    url: str
    once: bool


def read(data: bytes) -> List[Included]:
    """Read the lines. A URL may follow ``#include`` on the same line. Blank lines and comments are
    passed over.
    """
    found = []
    once = False
    for line in data.decode("utf-8", "replace").lstrip("\ufeff").splitlines():
        lower, url = line.lower(), line
        if lower.startswith(ONCE):
            url, once = line[len(ONCE) :], True
        elif lower.startswith(INCLUDE):
            url, once = line[len(INCLUDE) :], False
        url = url.strip()
        if url and not url.startswith("#"):
            found.append(Included(url, once))
    return found


def describe(url: str) -> str:
    """A URL for messages, without what is often secret: user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.port:
            host += ":%d" % parts.port
    except ValueError:
        return "a damaged URL"
    if not parts.scheme or not host:
        return "no URL"
    return "%s://%s%s" % (parts.scheme[:20], host[:100], parts.path[:100])
