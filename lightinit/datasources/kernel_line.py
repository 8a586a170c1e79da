"""Splits the kernel's command line into words, without what quoting for a boot loader has left.

Sources: the kernel's Documentation/admin-guide/kernel-parameters (double quotes around blanks);
GRUB's manual, "Quoting": it needs a backslash or quotes for ``;``, and hands on what is quoted
twice, as by grub-mkconfig.
"""

from __future__ import annotations

from typing import List

QUOTES = ("'", '"')


def split_words(line: str) -> List[str]:
    """The words of a command line. Double quotes keep blanks together and are left out, as are
    single quotes around a word and backslashes before ``;``.
    """
    # With an odd one, the kernel would take all the rest as one word.
    is_odd = line.count('"') % 2
    found = [word.strip('"') for word in line.split()] if is_odd else _split(line)
    return [_unquote(word) for word in found]


def _split(line: str) -> List[str]:
    words: List[str] = []
    # Every second piece was in quotes.
    for number, piece in enumerate(line.split('"')):
        parts = [piece] if number % 2 else _pieces(piece)
        if number:  # it goes on without a blank
            words[-1] += parts[0]
            parts = parts[1:]
        words += parts
    return [word for word in words if word]


def _pieces(text: str) -> List[str]:
    """The words, with an empty one at each end that has a blank."""
    found = text.split()
    if not found:
        return ["", ""] if text else [""]
    return [""] * text[0].isspace() + found + [""] * text[-1].isspace()


def _unquote(word: str) -> str:
    if len(word) > 1 and word[0] in QUOTES and word[0] == word[-1]:
        word = word[1:-1]
    return ";".join(part.rstrip("\\") for part in word.split(";"))
