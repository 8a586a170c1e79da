"""What the options of an account may be: its comment, home, shell, groups, and its last day.

Pure: it looks nothing up.
"""

from __future__ import annotations

import re
from typing import Optional

from lightinit.digits import read_digits

MOST_CHARS = 20  # of a date
_GROUP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?")
_SELINUX_USER = re.compile("[A-Za-z0-9_.]{1,64}")


def is_group_name(name: str) -> bool:
    """Whether a group can have a name. Some tools allow fewer, such as only lower case."""
    return _GROUP_NAME.fullmatch(name) is not None


def is_comment(text: str) -> bool:
    """Whether a text can be the comment in passwd."""
    return ":" not in text and text.isprintable()


def is_path(text: str) -> bool:
    """Whether a text can be a home or a shell in passwd: an absolute path, not ``/``."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    return is_comment(text) and text.startswith("/") and bool(parts) and ".." not in parts


def is_date(text: str) -> bool:
    """Whether a text is a date that shadow can hold."""
    return read_day(text) is not None


def is_days(text: str) -> bool:
    """Whether a text is a number of days, or -1 for never."""
    return text == "-1" or (len(text) <= 6 and read_digits(text) is not None)


def is_selinux_user(text: str) -> bool:
    """Whether a text can be a user's name in SELinux."""
    return _SELINUX_USER.fullmatch(text) is not None


def read_day(text: str) -> Optional[int]:
    """The day of a date such as 2032-09-01, in days since 1970, as shadow counts them; None if it
    is no date after 1970-01-01.
    """
    from datetime import date

    if len(text) > MOST_CHARS:
        return None
    try:
        year, month, day = [int(part) for part in text.strip().split("-")]
        number = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    except (ValueError, OverflowError):
        return None
    return number if number > 0 else None
