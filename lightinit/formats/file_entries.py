r"""The entries of the module write_files: one line for each file to write.

Pure: it looks up no path and no account. A line has a path, words ``key=value``, and last the
content of the file, up to the end of the line::

    /etc/motd text=Welcome to this VM.\nAsk Bob.
    /etc/app/key mode=0600 owner=app:app base64=AAECAwQ=
    /etc/hosts append text=10.1.0.5 db
    /opt/site/big.bin mode=0755 source=/usr/share/site/big.bin

The content may be a secret, so errors have only the number and the path of an entry.
"""

from __future__ import annotations

import base64
import re
from typing import Callable, Dict, Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.gunzip import TooLargeError, gunzip
from lightinit.model import NamedTuple, repr_without

INJECTED_MODE = 0o660
CONTENT_LIMIT_BYTES = 16 * 1024 * 1024
PLAIN = "a path begins with a slash, ends with a file's name, and has no blanks, . or .. in it"
WORDS = "after the path come mode=, owner= and append, and last text=, base64=, gzip= or source="
PACKED = "as `gzip <FILE | base64 -w0` prints it"
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?\Z")


class FileEntry(NamedTuple):
    """One file to write.

    Attributes:
        path: absolute and plain.
        mode: permission bits; None if the entry has none.
        owner: name or number; "" if the entry has none.
        group: name or number; "" if the entry has none.
        append: whether the content is added at the end of the file, as whole lines, unless these
            are there already.
        source: the file on this machine with the content; "" if ``content`` has it.
        content: the bytes to write. They may be a secret.
        as_it_is: whether ``append`` adds the content byte for byte, unless the file ends with it.
        in_home: whether it may be in a user's home, or in a directory such as /tmp.
    """

    path: str
    mode: Optional[int] = None
    owner: str = ""
    group: str = ""
    append: bool = False
    source: str = ""
    content: bytes = b""
    as_it_is: bool = False
    in_home: bool = False

    def __repr__(self) -> str:
        return repr_without(self, "content")


def parse_entry(line: str, number: int) -> FileEntry:
    """Read one line.

    Args:
        line: the entry.
        number: its number, from 1, for messages.

    Raises:
        ProvisioningError: the line is not valid; ``why`` says why.
    """
    path, _, rest = line.strip().partition(" ")
    told = str(number)
    if path.startswith("/"):
        told = "%d (%s)" % (number, _shown(path))
    if not is_plain(path):
        raise _wrong(told, "it does not begin with a plain path", PLAIN)
    words: Dict[str, str] = {}
    for at in range(2, 7):
        content = re.match(r"\s*(text|base64|gzip|source)=", rest)
        if content:
            return _entry(told, path, words, content.group(1), rest[content.end() :])
        word, _, rest = rest.strip().partition(" ")
        if not word:
            break
        key, _, value = word.partition("=")
        if key in words or word != "append" and not (key in ("mode", "owner") and value):
            raise _wrong(told, "its word %d is unknown, or given twice" % at, WORDS)
        words[key] = value
    raise _wrong(told, "it does not say what is in the file", WORDS)


def read_injected(path: str, content: str) -> FileEntry:
    """The entry of a file that the platform puts into the VM: root's, and nobody else's to read, as
    with cloud-init.

    Args:
        path: as the platform gave it.
        content: in base64.

    Raises:
        ProvisioningError: it is not valid.
    """
    if not is_plain(path):
        raise _wrong(_shown(path), "the path that the platform gave is not plain", PLAIN)
    try:
        data = base64.b64decode(content, validate=True)
    except ValueError:
        raise _wrong(_shown(path), "its content is damaged", "make the VM again") from None
    return FileEntry(path, INJECTED_MODE, content=data, as_it_is=True, in_home=True)


def _entry(told: str, path: str, words: Dict[str, str], key: str, value: str) -> FileEntry:
    mode = words.get("mode")
    if mode is not None and not re.match(r"[0-7]{3,4}\Z", mode):
        raise _wrong(told, "its mode is not octal", "such as mode=0644")
    owner, colon, group = words.get("owner", "").partition(":")
    if ("owner" in words and not _ID.match(owner)) or (colon and not _ID.match(group)):
        raise _wrong(
            told, "its owner is not valid", "such as owner=app, owner=app:web or owner=0:0"
        )
    entry = FileEntry(path, _read_mode(mode), owner, group, "append" in words)
    if key != "source":
        return entry._replace(content=_DECODERS[key](told, value))
    source = value.strip()
    if not is_plain(source):
        raise _wrong(told, "its source is not a plain path", PLAIN)
    return entry._replace(source=source)


def _read_mode(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    return int(text, 8)


# -- content
# --------------------------------------------------------------------------------------------------


def _decode_text(told: str, value: str) -> bytes:
    if "\\" in re.sub(r"\\[nt\\]", "", value):
        raise _wrong(
            told,
            "its text has a backslash before something other than n, t and a backslash",
            "write two backslashes for one",
        )
    text = re.sub(r"\\(.)", lambda match: _ESCAPES[match.group(1)], value)
    # A text file ends with a newline. base64= is for other files.
    if text and not text.endswith("\n"):
        text += "\n"
    return text.encode("utf-8", "surrogateescape")


def _decode_base64(told: str, value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()).encode("ascii"), validate=True)
    except ValueError:
        raise _wrong(told, "its content is not base64", "as `base64 -w0 FILE` prints it") from None


def _decode_gzip(told: str, value: str) -> bytes:
    try:
        content, rest = gunzip(_decode_base64(told, value), CONTENT_LIMIT_BYTES)
    except TooLargeError:
        raise _wrong(
            told,
            "its content is larger than %d bytes" % CONTENT_LIMIT_BYTES,
            "put it into the image",
        ) from None
    except MalformedError:
        raise _wrong(told, "its content is not one whole gzip file in base64", PACKED) from None
    if rest:
        raise _wrong(told, "its content is not one whole gzip file in base64", PACKED)
    return content


_DECODERS: Dict[str, Callable[[str, str], bytes]] = {
    "text": _decode_text,
    "base64": _decode_base64,
    "gzip": _decode_gzip,
}


# -- paths and errors
# --------------------------------------------------------------------------------------------------


def is_plain(path: str) -> bool:
    """Whether a path is absolute, and has no empty part, ``.`` or ``..``."""
    return (
        path.startswith("/")
        and "\0" not in path
        and all(part not in ("", ".", "..") for part in path.split("/")[1:])
    )


def _shown(path: str) -> str:
    if len(path) <= 120 and path.isprintable():
        return path
    return ascii(path[:120])


def _wrong(told: str, why: str, hint: str) -> ProvisioningError:
    return ProvisioningError("entry of a file is not valid", entry=told, why=why, hint=hint)
