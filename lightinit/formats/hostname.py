"""Checks host names, and edits files that contain only the host name. Text in, text out.

It knows no path. The caller knows which of these files a host has.

The rules are RFC 1123 section 2.1 (labels of at most 63 letters, digits and hyphens) and Linux's
limit of 64 for the whole name (HOST_NAME_MAX). RFC 1123 forbids a last label of digits only, so
that no name looks like an address. But Azure allows names such as 12345 and web.01 for a Linux VM.
So a name is refused only if it has several labels and all of them are numbers.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.blanks import BLANKS, words_of

LABEL_MAX_CHARS = 63
NAME_MAX_CHARS = 64
# The names that every host has.
SHARED_NAMES = ("localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback")


def clean_hostname(name: str) -> Tuple[str, Tuple[str, ...]]:
    """Make ``name`` a host name that Linux and RFC 1123 allow.

    It corrects white space around the name, hyphens and dots at the end, and labels and names that
    are too long. It keeps upper case, since case does not matter in host names.

    Args:
        name: the name from the platform or the settings.

    Returns:
        The name, and one phrase for each change except removed white space.

    Raises:
        MalformedError: the name has a character that is not allowed, is empty after the
            corrections, or is one that every host has (localhost).
    """
    notes: List[str] = []
    text = name.strip()
    if text.endswith("."):
        text = text.rstrip(".")
        notes.append("dots at the end removed")
    labels = text.split(".")
    for position, label in enumerate(labels):
        if not re.match(r"[A-Za-z0-9-]+\Z", label):
            raise _invalid(name, _why_not_a_label(label, text))
        if len(label) > LABEL_MAX_CHARS:
            label = label[:LABEL_MAX_CHARS]
            notes.append("a label cut to %d characters" % LABEL_MAX_CHARS)
        if label.endswith("-"):
            label = label.rstrip("-")
            notes.append("hyphens at the end of a label removed")
        if not label or label.startswith("-"):
            raise _invalid(name, "a label starts with a hyphen")
        labels[position] = label
    if len(".".join(labels)) > NAME_MAX_CHARS:
        # A part of the domain would be another domain, so remove all of it.
        labels = labels[:1]
        notes.append("longer than %d characters, so the domain was removed" % NAME_MAX_CHARS)
    if len(labels) > 1 and all(label.isdigit() for label in labels):
        raise _invalid(name, "it looks like an address")
    cleaned = ".".join(labels)
    if cleaned.lower() in SHARED_NAMES:
        raise _invalid(name, "every machine uses this name for itself")
    return cleaned, tuple(notes)


def _why_not_a_label(label: str, text: str) -> str:
    if not text:
        return "it is empty"
    if not label:
        return "a label is empty"
    return "only letters, digits, hyphens and dots are allowed"


def _invalid(name: str, why: str) -> MalformedError:
    return MalformedError("host name is not valid", name=ascii(name[:80]), why=why)


def read_plain(text: str) -> str:
    """The name in a file such as /etc/hostname: the first word outside comments; "" if there is
    none.
    """
    for line in split_lines(text):
        words = words_of(line)
        if words and not words[0].startswith("#"):
            return words[0]
    return ""


def edit_plain(text: str, name: str) -> str:
    """A file such as /etc/hostname with ``name``. Its comments stay.

    Returns:
        The new text; the same text if it already has that name.
    """
    if read_plain(text) == name:
        return text
    comments = [
        line.rstrip("\r\n") for line in split_lines(text) if line.lstrip(BLANKS).startswith("#")
    ]
    return "\n".join(comments + [name]) + "\n"


def split_lines(text: str) -> List[str]:
    """The lines of a file with their ends. Unlike ``splitlines``, it splits at newlines only."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def short_names_first(names: Iterable[str]) -> Tuple[str, ...]:
    """The names of a platform whose names may have a domain: each without it, then as it is.

    An image that was made with cloud-init expects the part before the first dot as its host name.
    What may be an address stays whole.

    Args:
        names: the names, best first; empty ones do not count.
    """
    found: Dict[str, None] = {}
    for name in filter(None, names):
        short, _, domain = name.partition(".")
        if short and domain.strip("0123456789."):
            found[short] = None
        found[name] = None
    return tuple(found)
