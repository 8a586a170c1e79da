"""login.defs and default/useradd: the host's policy for new accounts.

Pure: text in, values out. Formats: login.defs(5), useradd(8).
"""

from __future__ import annotations

from typing import Dict

from lightinit.digits import ID_MOST
from lightinit.formats.blanks import BLANKS, words_of

UID_MIN = 1000  # if login.defs does not say


def read_login_defs(text: str) -> Dict[str, str]:
    """Each key of login.defs with the first word of its value. If a key occurs twice, the last
    line counts.
    """
    found = {}
    for line in text.split("\n"):
        words = words_of(line)
        if len(words) > 1 and not words[0].startswith("#"):
            found[words[0]] = words[1].strip('"')
    return found


def read_number(found: Dict[str, str], key: str, default: int, base: int = 10) -> int:
    """The number of a key in the result of :func:`read_login_defs`. ``default`` if the key is
    missing, or if its value cannot be an id or a mode.
    """
    try:
        number = int(found.get(key, ""), base)
    except ValueError:
        return default
    if not 0 <= number <= ID_MOST:
        return default
    return number


def read_uid_min(text: str) -> int:
    """UID_MIN in login.defs: the lowest user id of ordinary accounts."""
    return read_number(read_login_defs(text), "UID_MIN", UID_MIN)


def home_mode(login_defs: Dict[str, str]) -> int:
    """The mode of a new home: HOME_MODE, else 0777 without the bits of UMASK, else 0700."""
    umask = read_number(login_defs, "UMASK", 0o077, 8)
    return read_number(login_defs, "HOME_MODE", 0o777 & ~umask, 8) & 0o777


def read_useradd_defaults(text: str) -> Dict[str, str]:
    """The paths in default/useradd: HOME (the folder of the homes), SKEL and SHELL.

    A value that is not a path is ignored. SHELL is "" if the file has none.
    """
    given = {}
    for line in text.split("\n"):
        key, equals, value = line.strip(BLANKS).partition("=")
        if equals and not key.startswith("#"):
            given[key.strip(BLANKS)] = value.strip(BLANKS).strip("\"'")
    found = {"HOME": "/home", "SKEL": "/etc/skel", "SHELL": ""}
    found.update(
        (key, value)
        for key, value in given.items()
        if value.startswith("/") and value.isprintable()
    )
    return found
