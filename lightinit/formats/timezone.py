"""Time zones: which names are valid, and what a compiled zone says about itself.

Pure: it knows no path and no machine. The form of a compiled zone (TZif) is that of RFC 8536.
"""

from __future__ import annotations

import re

NAME_MAX_CHARS = 64


def is_zone_name(name: str) -> bool:
    """Whether ``name`` can be one of the zones' names, such as ``Europe/Berlin`` or ``Etc/GMT+5``.

    No zone's name has ``..``, a slash at its start, dots or blanks.
    """
    return len(name) <= NAME_MAX_CHARS and bool(
        re.match(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*\Z", name)
    )


def is_zone(data: bytes) -> bool:
    """Whether ``data`` is a compiled zone."""
    return len(data) >= 44 and data.startswith(b"TZif")


def read_posix_rule(data: bytes) -> str:
    """The rule in a compiled zone's footer, in the form that TZ has in POSIX:
    ``CET-1CEST,M3.5.0,M10.5.0/3``.

    Returns:
        The rule; "" when there is none (a zone of version 1, or one whose times follow no rule).
    """
    footer = re.search(rb"\n([ -~]*)\n\Z", data)
    return footer.group(1).decode("ascii") if footer and is_zone(data) and data[4:5] >= b"2" else ""
