"""The octal escapes of fstab and of the kernel's tables, such as ``\\040`` for a blank."""

from __future__ import annotations

import re

ESCAPED = " \t\n\\#"


def escape(text: str) -> str:
    """``text`` with blanks, line ends, backslashes and ``#`` escaped."""
    return re.sub("[%s]" % re.escape(ESCAPED), lambda found: "\\%03o" % ord(found.group()), text)


def unescape(text: str) -> str:
    """``text`` with these escapes replaced by their characters."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)
