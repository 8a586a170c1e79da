"""Checks names of time zones, and reads the rule in a compiled zone (TZif, RFC 8536).

It knows no path.
"""

from __future__ import annotations

import re

NAME_MAX_CHARS = 64


def is_zone_name(name: str) -> bool:
    """Whether ``name`` can be a zone's name, such as ``Europe/Berlin`` or ``Etc/GMT+5``.

    A zone's name has no dots, no blanks and no slash at its start.
    """
    return len(name) <= NAME_MAX_CHARS and all(
        re.match(r"[A-Za-z0-9_+-]+\Z", part) for part in name.split("/")
    )


def is_zone(data: bytes) -> bool:
    """Whether ``data`` is a compiled zone."""
    return len(data) >= 44 and data.startswith(b"TZif")


def read_posix_rule(data: bytes) -> str:
    """The rule in the footer of a compiled zone, in the form of the variable TZ in POSIX:
    ``CET-1CEST,M3.5.0,M10.5.0/3``.

    Returns:
        The rule; "" if there is none (version 1, or a zone without a rule).
    """
    footer = re.search(rb"\n([ -~]*)\n\Z", data)
    if footer is None or not is_zone(data) or data[4:5] < b"2":
        return ""
    return footer.group(1).decode("ascii")
