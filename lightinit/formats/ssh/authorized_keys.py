"""authorized_keys files, into which keys are merged: bytes in, bytes out.

Pure: it knows no path and no user. What a line may look like is said in sshd(8), AUTHORIZED_KEYS
    FILE FORMAT.

A key is its type and its blob. Comments and options do not make another key of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from lightinit.formats.ssh.public_keys import PublicKey, decode, looks_like_kind, split_options

SHOWN_OPTIONS_CHARS = 60


@dataclass(frozen=True)
class Merged:
    """An authorized_keys file with keys merged in.

    Attributes:
        data: the whole new file; the same bytes when nothing was added.
        added: how many keys are new in it.
        restricted: for keys that were there already, behind options: those options' names,
            printable and cut, since they are the user's own words.
    """

    data: bytes
    added: int
    restricted: Tuple[str, ...] = ()


def merge(existing: bytes, keys: Sequence[PublicKey]) -> Merged:
    """Add ``keys`` to the file ``existing``.

    Everything that is there stays, byte for byte: foreign lines, options, comments, blank lines,
    line ends. A key that is there already is not added again, whatever its comment or options: a
    second line without the options would undo them.

    Args:
        existing: the file, b"" when there is none.
        keys: what must be in it.

    Returns:
        The new file and what changed.
    """
    there: Dict[Tuple[bytes, bytes], bytes] = {}
    for line in existing.split(b"\n"):
        found = _identify(line)
        if found is not None:
            options, kind, blob = found
            # A line without options speaks for the key, even when a restricted one is there too.
            there[kind, blob] = b"" if there.get((kind, blob)) == b"" else options
    end = (
        b"\r\n"
        if b"\r\n" in existing and existing.count(b"\r\n") == existing.count(b"\n")
        else b"\n"
    )
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
    gap = end if existing and not existing.endswith(b"\n") else b""
    return Merged(existing + gap + b"".join(added), len(added), tuple(restricted))


def count_keys(data: bytes) -> int:
    """How many lines of an authorized_keys file sshd would read as a key."""
    return sum(_identify(line) is not None for line in data.split(b"\n"))


# -- lines
# --------------------------------------------------------------------------------------------------


def _identify(line: bytes) -> Optional[Tuple[bytes, bytes, bytes]]:
    """(options, type, blob) of a line in an authorized_keys file; None when it is no login key."""
    if line.lstrip().startswith(b"#") or b"\0" in line:
        return None
    options, rest = split_options(line)
    words = rest.split(None, 2)
    if len(words) < 2 or not looks_like_kind(words[0]):
        return None
    blob = decode(words[1])
    if not blob or "cert-authority" in _option_names(options):
        return None
    return options, words[0], blob


def _option_names(options: bytes) -> List[str]:
    bare = re.sub(rb'"(?:\\.|[^"\\])*"', b"", options)
    return [
        word.split(b"=")[0].decode("ascii", "replace").lower() for word in bare.split(b",") if word
    ]


def _show_options(options: bytes) -> str:
    shown = re.sub(r"[^ -~]", "?", ", ".join(_option_names(options)))
    return shown if len(shown) <= SHOWN_OPTIONS_CHARS else shown[: SHOWN_OPTIONS_CHARS - 3] + "..."
