"""Merges keys into an authorized_keys file: bytes in, bytes out.

Pure: it knows no path and no user. Format: sshd(8), AUTHORIZED_KEYS FILE FORMAT.

Two keys are the same if they have the same type and blob, whatever their comments and options.
"""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.formats.ssh.public_keys import (
    PublicKey,
    decode,
    drop_quoted,
    looks_like_kind,
    split_options,
    split_words,
)
from lightinit.model import NamedTuple

SHOWN_OPTIONS_CHARS = 60


class Merged(NamedTuple):
    """An authorized_keys file with keys merged in.

    Attributes:
        data: the whole new file; the same bytes if nothing was added.
        added: the number of new keys in it.
        restricted: for each key that was already there with options: the names of the options, cut
            and made printable, since the user may have written anything.
    """

    data: bytes
    added: int
    restricted: Tuple[str, ...] = ()


def merge(existing: bytes, keys: Sequence[PublicKey]) -> Merged:
    """Add ``keys`` to the file ``existing``.

    All old lines stay, byte for byte: other keys, options, comments, blank lines, line ends. A key
    that is already there is not added again: a second line without its options would undo them.

    Args:
        existing: the file, b"" if there is none.
        keys: the keys that the new file must have.

    Returns:
        The new file and what changed.
    """
    there: Dict[Tuple[bytes, bytes], bytes] = {}
    for line in existing.split(b"\n"):
        found = _identify(line)
        if found is not None:
            options, kind, blob = found
            # If the key has a line without options, it is not restricted.
            if there.get((kind, blob)) != b"":
                there[kind, blob] = options
    end = _line_end(existing)
    added: List[bytes] = []
    restricted: List[str] = []
    for key in keys:
        identity = (key.kind.encode(), key.blob)
        if identity not in there:
            there[identity] = b""
            added.append(key.line + end)
        elif there[identity]:
            restricted.append(_show_options(there[identity]))
    if not added:
        return Merged(existing, 0, tuple(restricted))
    if existing and not existing.endswith(b"\n"):
        existing += end
    return Merged(existing + b"".join(added), len(added), tuple(restricted))


def restrict(existing: bytes, keys: Sequence[PublicKey], options: bytes) -> Merged:
    """Put ``keys`` into a file with other options. A line that has one of them goes: sshd would
    use the first one that it finds.

    Args:
        existing: the file, b"" if there is none.
        keys: the keys; their own options do not count.
        options: what stands before each of them.
    """
    lines = [b" ".join((options, split_options(key.line)[1])) for key in keys]
    there = existing.split(b"\n")
    if all(line in there for line in lines):
        return Merged(existing, 0)
    new = {(key.kind.encode(), key.blob) for key in keys}
    kept = [line for line in there if (_identify(line) or (b"", b"", b""))[1:] not in new]
    text = b"\n".join(kept)
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return Merged(text + b"".join(line + b"\n" for line in dict.fromkeys(lines)), len(lines))


def count_keys(data: bytes) -> int:
    """The number of lines in an authorized_keys file that sshd reads as a key."""
    return sum(_identify(line) is not None for line in data.split(b"\n"))


def list_keys(data: bytes) -> List[Tuple[str, str, bytes]]:
    """(options, type, blob) of each key in a file. Options are given by their names; "" if none."""
    found = [_identify(line) for line in data.split(b"\n")]
    return [
        (_show_options(each[0]), each[1].decode("ascii", "replace"), each[2])
        for each in found
        if each is not None
    ]


def is_only_keys(data: bytes) -> bool:
    """Whether a file has nothing but public keys, comments and blank lines."""
    return all(
        not line.strip() or line.lstrip(b" \t").startswith(b"#") or _identify(line) is not None
        for line in data.split(b"\n")
    )


# -- lines
# --------------------------------------------------------------------------------------------------


def _line_end(data: bytes) -> bytes:
    """CRLF if all lines of the file end so, else LF."""
    ends = data.count(b"\r\n")
    if ends and ends == data.count(b"\n"):
        return b"\r\n"
    return b"\n"


def _identify(line: bytes) -> Optional[Tuple[bytes, bytes, bytes]]:
    """(options, type, blob) of a line; None if it has no key for logins."""
    if line.lstrip(b" \t").startswith(b"#") or b"\0" in line:
        return None
    options, rest = split_options(line)
    words = split_words(rest)
    if len(words) < 2 or not looks_like_kind(words[0]):
        return None
    blob = decode(words[1])
    if not blob or "cert-authority" in _option_names(options):
        return None
    return options, words[0], blob


def _option_names(options: bytes) -> List[str]:
    words = drop_quoted(options).split(b",")
    return [word.split(b"=")[0].decode("ascii", "replace").lower() for word in words if word]


def _show_options(options: bytes) -> str:
    shown = re.sub(r"[^ -~]", "?", ", ".join(_option_names(options)))
    if len(shown) > SHOWN_OPTIONS_CHARS:
        return shown[: SHOWN_OPTIONS_CHARS - 3] + "..."
    return shown
