"""Adds a host name to /etc/hosts, and removes host names from it. Text in, text out.

Lines that are not about the host stay as they are, byte for byte.
"""

from __future__ import annotations

import re
from typing import Collection, List, Sequence, Set, Tuple

from lightinit.formats.blanks import BLANKS, words_of
from lightinit.formats.hostname import SHARED_NAMES, split_lines

LOCAL_ADDRESS = "127.0.1.1"
MARKER = "# lightinit"
_EMPTY_HOSTS = ("127.0.0.1\tlocalhost\n", "::1\tlocalhost\n")


def edit_hosts(text: str, name: str, old_names: Collection[str], fqdn: str = "") -> str:
    """/etc/hosts in which ``name`` and its short form have an address.

    The new name replaces the old one on the line that lightinit wrote before (it has a marker), or
    on a line of 127.0.1.1 with an old host name. Other names on that line stay. If another line
    already gives the name an address, no line is added.

    Args:
        text: the file, with any line ends.
        name: the new host name, short or with its domain.
        old_names: earlier host names, short or with their domains.
        fqdn: the name with its domain if ``name`` is another one; it comes first.

    Returns:
        The new text; the same text if nothing had to change.
    """
    wanted = _with_short(name)
    if fqdn:
        wanted = tuple(dict.fromkeys((fqdn, *wanted)))
    new = {form.lower() for form in wanted}
    old = _short_names(old_names) - new
    lines = split_lines(text) or list(_EMPTY_HOSTS)
    known = old | new
    ours = [at for at, line in enumerate(lines) if _is_ours(line, known)]
    is_ours = set(ours)
    elsewhere = {
        word.lower()
        for at, line in enumerate(lines)
        if at not in is_ours
        for word in _words(line)[1:]
    }
    needed = not elsewhere.issuperset(new)
    for at in ours:
        if new.issubset(word.lower() for word in _words(lines[at])):
            continue
        if needed and at == ours[0]:
            lines[at] = _renamed(lines[at], wanted, _names_of_host(lines[at], known))
        elif not new.intersection(word.lower() for word in _words(lines[at])):
            lines[at] = _renamed(lines[at], (), _names_of_host(lines[at], old))
            if len(_words(lines[at])) < 2:
                lines[at] = ""
    if needed and not ours:
        _insert(lines, "%s\t%s\t%s" % (LOCAL_ADDRESS, " ".join(wanted), MARKER))
    return "".join(lines)


def drop_host(text: str, old_names: Collection[str]) -> str:
    """/etc/hosts without ``old_names`` on its loopback lines (127.*, ::1).

    The short form of a name is removed too, and a longer name whose first label it is. A line
    without any name left is removed. The names that every host has, such as localhost, stay.

    Args:
        text: the file, with any line ends.
        old_names: host names, short or with their domains.

    Returns:
        The new text; the same text if nothing had to change.
    """
    old = _short_names(old_names)
    lines = []
    for line in split_lines(text):
        gone: List[str] = []
        if _is_loopback(line):
            gone = _names_on(line, old)
        if not gone:
            lines.append(line)
        elif set(gone) != set(_words(line)[1:]):
            lines.append(_without(line, gone))
    return "".join(lines)


def addresses_of_host(text: str, old_names: Collection[str]) -> List[str]:
    """The addresses outside loopback whose lines have one of ``old_names``, each once, in order."""
    old = _short_names(old_names)
    found = [
        _words(line)[0]
        for line in split_lines(text)
        if _names_on(line, old) and not _is_loopback(line)
    ]
    return list(dict.fromkeys(found))


# -- lines
# --------------------------------------------------------------------------------------------------


def _with_short(name: str) -> Tuple[str, ...]:
    short = name.split(".")[0]
    if short == name:
        return (name,)
    return name, short


def _words(line: str) -> List[str]:
    return words_of(line.split("#")[0])


def _is_known(word: str, known: Collection[str]) -> bool:
    # A known name with a domain is that name too: the file with the host name often lacks the
    # domain.
    return word.lower() in known or word.split(".")[0].lower() in known


def _is_ours(line: str, stale: Collection[str]) -> bool:
    words = _words(line)
    if not words or words[0] != LOCAL_ADDRESS:
        return False
    return line.rstrip(BLANKS).endswith(MARKER) or any(_is_known(word, stale) for word in words[1:])


def _names_of_host(line: str, known: Collection[str]) -> List[str]:
    """The host's own names on one of our lines. Somebody else has added the other names."""
    names = _words(line)[1:]
    found = [word for word in names if _is_known(word, known)]
    # The line has our marker but no known name. Then the first name is the host's, and the second
    # may be its short form.
    return found or [word for word in names[:2] if word in (names[0], names[0].split(".")[0])]


def _renamed(line: str, wanted: Sequence[str], gone: Collection[str]) -> str:
    """``line`` with the names ``gone`` replaced by ``wanted``. Spacing, other names and the comment
    stay.
    """
    names = _words(line)[1:]
    dropped = set(gone)
    after = list(wanted) + [word for word in names if word not in dropped]
    if after == names:
        return line
    text, mark, comment = line.partition("#")
    bare = text.lstrip(BLANKS)
    address, gap, rest = _divide(bare)
    tail = rest[len(rest.rstrip(BLANKS)) :]
    return text[: len(text) - len(bare)] + address + gap + " ".join(after) + tail + mark + comment


def _divide(text: str) -> Tuple[str, str, str]:
    """The first word of a line, the blanks after it (a tab if there are none), and the rest."""
    address = words_of(text)[0]
    rest = text[len(address) :]
    names = rest.lstrip(" \t")
    return address, rest[: len(rest) - len(names)] or "\t", names


def _short_names(names: Collection[str]) -> Set[str]:
    return {form.lower() for full in names if full for form in _with_short(full)} - set(
        SHARED_NAMES
    )


def _names_on(line: str, old: Collection[str]) -> List[str]:
    return [word for word in _words(line)[1:] if _is_known(word, old)]


def _is_loopback(line: str) -> bool:
    words = _words(line)
    return bool(words) and (words[0].startswith("127.") or words[0] == "::1")


def _without(line: str, gone: Collection[str]) -> str:
    """``line`` without the names ``gone``. It must have other names. Blanks between words stay."""
    head, mark, comment = line.partition("#")
    # Blanks and words in turn, blanks first. A name is removed with the blanks after it, the last
    # one with the blanks before it.
    parts = re.findall("([%s]*)([^%s]*)" % (BLANKS, BLANKS), head)
    dropped = set(gone)
    kept = [at for at, (_, word) in enumerate(parts) if word and (at == 0 or word not in dropped)]
    text, blanks_at = "", 0
    for at in kept:
        text += parts[blanks_at][0] + parts[at][1]
        blanks_at = at + 1  # the blanks after the word that was kept
    end = head[len(head.rstrip(BLANKS)) :]
    return text + end + mark + comment


def _insert(lines: List[str], line: str) -> None:
    at = max(
        (number + 1 for number, there in enumerate(lines) if _words(there)[:1] == ["127.0.0.1"]),
        default=len(lines),
    )
    end = "\n"
    if lines and lines[at - 1].endswith("\r\n"):
        end = "\r\n"
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += end
    lines.insert(at, line + end)
