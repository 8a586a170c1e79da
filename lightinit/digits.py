"""Reads whole numbers out of text that others wrote: the host's files, and answers of tools.

``str.isdigit`` is true for superscripts, which ``int`` refuses, and ``int`` refuses very long
numbers. So a check by the one and a conversion by the other raise for some texts.
"""

from __future__ import annotations

from typing import Optional

MOST = 2**63 - 1
ID_MOST = 2**32 - 2  # the largest user id or group id; one more means 'no change' to the kernel


def read_digits(text: str, most: int = MOST) -> Optional[int]:
    """The whole number that ``text`` is; None if it is something else.

    Args:
        text: nothing but ASCII digits counts: no sign, no blank.
        most: a larger number counts as something else.
    """
    if not (0 < len(text) <= 19 and text.isascii() and text.isdigit()):
        return None
    number = int(text)
    if number > most:
        return None
    return number
