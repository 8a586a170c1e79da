"""Host names: which are valid, and how the files that hold one are edited. Text in, text out.

Pure: it knows no path and no machine; which of these files a host has is for the caller to say.

The rules are those of RFC 1123 section 2.1 (labels of letters, digits and hyphens, 63 at most) and
Linux's own limit of 64 for the whole name (HOST_NAME_MAX). RFC 1123 wants a last label that is not
all digits, so that no name reads as an address; Azure lets a Linux VM be called 12345 or web.01, so
only numbers with dots between them are refused.
"""

from __future__ import annotations

import re
from typing import Collection, List, Optional, Sequence, Set, Tuple

from lightinit.errors import MalformedError

LABEL_MAX_CHARS = 63
NAME_MAX_CHARS = 64
LOCAL_ADDRESS = "127.0.1.1"
MARKER = "# lightinit"
_EMPTY_HOSTS = ("127.0.0.1\tlocalhost\n", "::1\tlocalhost\n")
_TAKEN = ("localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback")


def clean_hostname(name: str) -> Tuple[str, Tuple[str, ...]]:
    """Make ``name`` a host name that Linux and RFC 1123 allow.

    What can be mended without guessing is mended and said: white space around it, hyphens and dots
    at the end, labels and names that are too long. Upper case is kept: host names are compared
    without regard to it.

    Args:
        name: what the platform or the settings say.

    Returns:
        The name, and one phrase for each thing that was changed.

    Raises:
        MalformedError: it holds a character that no host name may hold, or nothing of it is left.
    """
    notes: List[str] = []
    text = name.strip()
    if text.endswith("."):
        text = text.rstrip(".")
        notes.append("dots at the end removed")
    labels = text.split(".")
    for position, label in enumerate(labels):
        if not re.match(r"[A-Za-z0-9-]+\Z", label):
            why = (
                "a label is empty"
                if not label
                else "only letters, digits, hyphens and dots are allowed"
            )
            raise _invalid(name, why if text else "it is empty")
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
        # A domain cut in its middle would be another domain, so it goes as a whole.
        labels = labels[:1]
        notes.append("longer than %d characters, so the domain was left off" % NAME_MAX_CHARS)
    if len(labels) > 1 and all(label.isdigit() for label in labels):
        raise _invalid(name, "it would be read as an address")
    cleaned = ".".join(labels)
    if cleaned.lower() in _TAKEN:
        raise _invalid(name, "this name means every machine itself")
    return cleaned, tuple(notes)


def read_plain(text: str) -> str:
    """The name in a file of the form of /etc/hostname: its first word that is no comment, or ""."""
    for line in _lines(text):
        words = line.split()
        if words and not words[0].startswith("#"):
            return words[0]
    return ""


def edit_plain(text: str, name: str) -> str:
    """/etc/hostname (or /etc/HOSTNAME) with ``name`` in it; comments are kept, unchanged when it
    already says so.
    """
    if read_plain(text) == name:
        return text
    comments = [line.rstrip("\r\n") for line in _lines(text) if line.lstrip().startswith("#")]
    return "\n".join(comments + [name]) + "\n"


def read_assignment(text: str, key: str) -> Optional[str]:
    """The value of a shell assignment ``key=value``: the last one counts, as in the shell. None
    when there is none.
    """
    found = _assignments(text, key)
    if not found:
        return None
    value = found[-1].group("value")
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def edit_assignment(text: str, key: str, name: str, add: bool) -> str:
    """A file of shell assignments (conf.d/hostname, sysconfig/network, rc.conf) with ``key`` set to
    ``name``.

    Args:
        text: the file; everything but the value stays as it is, quotes and comments at the line's
            end included.
        key: such as ``hostname`` or ``HOSTNAME``.
        name: a valid host name, so it needs no escaping.
        add: whether the assignment is added at the end when there is none.

    Returns:
        The new text; the same text when nothing had to change.
    """
    if read_assignment(text, key) == name:
        return text
    found = _assignments(text, key)
    if not found:
        return (
            text + ("" if not text or text.endswith("\n") else "\n") + '%s="%s"\n' % (key, name)
            if add
            else text
        )
    for match in found[::-1]:
        quote = match.group("value")[:1]
        quote = quote if quote in ("'", '"') else ""
        text = text[: match.start("value")] + quote + name + quote + text[match.end("value") :]
    return text


def edit_hosts(text: str, name: str, old_names: Collection[str]) -> str:
    """/etc/hosts in which ``name`` (and its short form) has an address.

    Our own earlier line (it carries a marker), or a 127.0.1.1 line that names the previous host
    name, becomes the new one; names on it that are neither are kept. A host name that another line
    already gives an address is left to that line. Every other line stays, byte for byte.

    Args:
        text: the file, with whatever line ends it has.
        name: the new host name, short or with its domain.
        old_names: earlier host names, short or with domain.

    Returns:
        The new text; the same text when nothing had to change.
    """
    wanted = _with_short(name)
    new = {form.lower() for form in wanted}
    old = (
        {form.lower() for full in old_names if full for form in _with_short(full)}
        - new
        - set(_TAKEN)
    )
    lines = _lines(text) or list(_EMPTY_HOSTS)
    ours = [at for at, line in enumerate(lines) if _is_ours(line, old | new)]
    elsewhere = {
        word.lower() for at, line in enumerate(lines) if at not in ours for word in _words(line)[1:]
    }
    needed = not elsewhere.issuperset(new)
    for at in ours:
        if new.issubset(word.lower() for word in _words(lines[at])):
            continue
        if needed and at == ours[0]:
            lines[at] = _renamed(lines[at], wanted, _names_of_host(lines[at], old | new))
        elif not new.intersection(word.lower() for word in _words(lines[at])):
            left = _renamed(lines[at], (), _names_of_host(lines[at], old))
            lines[at] = left if len(_words(left)) > 1 else ""
    if needed and not ours:
        _insert(lines, "%s\t%s\t%s" % (LOCAL_ADDRESS, " ".join(wanted), MARKER))
    return "".join(lines)


def drop_host(text: str, old_names: Collection[str]) -> str:
    """/etc/hosts without ``old_names`` on its loopback lines (127.*, ::1).

    A name goes in its short form too, and where it is the first label of a longer one. A line that
    has no name left goes; nothing is added, and everything else stays, byte for byte. The names
    that every host has (localhost and the like) always stay.

    Args:
        text: the file, with whatever line ends it has.
        old_names: host names, short or with domain.

    Returns:
        The new text; the same text when nothing had to change.
    """
    old = _short_names(old_names)
    lines = []
    for line in _lines(text):
        gone = _names_on(line, old) if _is_loopback(line) else []
        if gone and set(gone) == set(_words(line)[1:]):
            continue
        lines.append(_without(line, gone) if gone else line)
    return "".join(lines)


def addresses_of_host(text: str, old_names: Collection[str]) -> List[str]:
    """The addresses, none of them loopback, whose lines in /etc/hosts have one of ``old_names``;
    each once, in order.
    """
    old = _short_names(old_names)
    found = [
        _words(line)[0] for line in _lines(text) if _names_on(line, old) and not _is_loopback(line)
    ]
    return list(dict.fromkeys(found))


# -- inner
# --------------------------------------------------------------------------------------------------


def _invalid(name: str, why: str) -> MalformedError:
    return MalformedError("host name is not valid", name=ascii(name[:80]), why=why)


def _assignments(text: str, key: str) -> List["re.Match[str]"]:
    pattern = r"^[ \t]*(?:export[ \t]+)?%s=(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s#;]*)" % re.escape(
        key
    )
    return list(re.finditer(pattern, text, re.MULTILINE))


def _lines(text: str) -> List[str]:
    # Not splitlines(): it also splits at form feeds and other characters that end no line of a
    # file.
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _with_short(name: str) -> Tuple[str, ...]:
    short = name.split(".")[0]
    return (name,) if short == name else (name, short)


def _words(line: str) -> List[str]:
    return line.split("#")[0].split()


def _is_known(word: str, known: Collection[str]) -> bool:
    # A known name with some domain is that name too: the host name file often has it without the
    # domain.
    return word.lower() in known or word.split(".")[0].lower() in known


def _is_ours(line: str, stale: Collection[str]) -> bool:
    words = _words(line)
    if not words or words[0] != LOCAL_ADDRESS:
        return False
    return line.rstrip().endswith(MARKER) or any(_is_known(word, stale) for word in words[1:])


def _names_of_host(line: str, known: Collection[str]) -> List[str]:
    """Which names on one of our lines are the host's own (the rest was added by somebody else)."""
    names = _words(line)[1:]
    found = [word for word in names if _is_known(word, known)]
    # Marked as ours, with a name that nobody remembers: the first is the host's, the second may be
    # its short form.
    return found or [word for word in names[:2] if word in (names[0], names[0].split(".")[0])]


def _renamed(line: str, wanted: Sequence[str], gone: Collection[str]) -> str:
    """``line`` with ``wanted`` in the place of the names that are ``gone``; spacing, other names,
    comment stay.
    """
    names = _words(line)[1:]
    after = list(wanted) + [word for word in names if word not in gone]
    match = re.match(
        r"(?P<head>\s*\S+\s+)(?P<names>[^#\r\n]*?)(?P<tail>\s*(?:#[^\r\n]*)?\r?\n?)\Z", line
    )
    if after == names or match is None:
        return line
    return match.group("head") + " ".join(after) + match.group("tail")


def _short_names(names: Collection[str]) -> Set[str]:
    return {form.lower() for full in names if full for form in _with_short(full)} - set(_TAKEN)


def _names_on(line: str, old: Collection[str]) -> List[str]:
    return [word for word in _words(line)[1:] if _is_known(word, old)]


def _is_loopback(line: str) -> bool:
    words = _words(line)
    return bool(words) and (words[0].startswith("127.") or words[0] == "::1")


def _without(line: str, gone: Collection[str]) -> str:
    """``line`` without these names, of which it has others; what parts its words stays as it is."""
    head, mark, comment = line.partition("#")
    # Blanks and words in turn, blanks first; a name goes with the blanks behind it, the last one
    # with those before it.
    parts = re.findall(r"(\s*)(\S*)", head)
    kept = [at for at, (_, word) in enumerate(parts) if word and (at == 0 or word not in gone)]
    text = ""
    for number, at in enumerate(kept):
        # The blanks behind the word that stays before it.
        text += parts[kept[number - 1] + 1 if number else 0][0] + parts[at][1]
    end = head[len(head.rstrip()) :]
    return text + end + mark + comment


def _insert(lines: List[str], line: str) -> None:
    at = max(
        (number + 1 for number, there in enumerate(lines) if _words(there)[:1] == ["127.0.0.1"]),
        default=len(lines),
    )
    end = "\r\n" if lines and lines[at - 1].endswith("\r\n") else "\n"
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += end
    lines.insert(at, line + end)
