r"""The entries of the module write_files: one line for each file that is to be written.

Pure: it knows no path of the machine and no account. A line is a path, words ``key=value``, and
last what the file is to hold, which goes on to the end of the line::

    /etc/motd text=Welcome to this VM.\nAsk Bob.
    /etc/app/key mode=0600 owner=app:app base64=AAECAwQ=
    /etc/hosts append text=10.1.0.5 db
    /opt/site/big.bin mode=0755 source=/usr/share/site/big.bin

What an entry holds may be a secret, so no error quotes more than its path and the names of its
keys.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Dict, Optional

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.gunzip import TooLargeError, gunzip

CONTENT_LIMIT_BYTES = 16 * 1024 * 1024
PLAIN = "paths begin with a slash, end with a file's name, and have no blanks, . or .. in them"
WORDS = "after the path come mode=, owner= and append, and last text=, base64=, gzip= or source="
PACKED = "as `gzip <FILE | base64 -w0` prints it"
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?\Z")


@dataclass(frozen=True)
class FileEntry:
    """One file that is to be written.

    Attributes:
        path: absolute and plain.
        mode: permission bits; None when the entry gives none.
        owner: name or number; "" when the entry gives none.
        group: likewise.
        append: whether the content is added to what the file holds.
        source: the file on this machine that holds the content; "" when ``content`` does.
        content: may be a secret.
    """

    path: str
    mode: Optional[int] = None
    owner: str = ""
    group: str = ""
    append: bool = False
    source: str = ""
    content: bytes = field(default=b"", repr=False)


def parse_entry(line: str, number: int) -> FileEntry:
    """The file that one line means.

    Args:
        line: the entry.
        number: which one it is, from 1, for messages.

    Raises:
        ProvisioningError: it means none; ``why`` says what is wrong with it.
    """
    path, _, rest = line.strip().partition(" ")
    told = "%d (%s)" % (number, _shown(path)) if path.startswith("/") else str(number)
    if not _is_plain(path):
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
            raise _wrong(told, "its word %d is not known, or there twice" % at, WORDS)
        words[key] = value
    raise _wrong(told, "it does not say what the file holds", WORDS)


def _entry(told: str, path: str, words: Dict[str, str], key: str, value: str) -> FileEntry:
    mode = words.get("mode")
    if mode is not None and not re.match(r"[0-7]{3,4}\Z", mode):
        raise _wrong(told, "its mode is not octal", "such as mode=0644")
    owner, colon, group = words.get("owner", "").partition(":")
    if ("owner" in words and not _ID.match(owner)) or (colon and not _ID.match(group)):
        raise _wrong(
            told, "its owner is not valid", "such as owner=app, owner=app:web or owner=0:0"
        )
    if key == "source" and not _is_plain(value.strip()):
        raise _wrong(told, "its source is no plain path", PLAIN)
    return FileEntry(
        path,
        int(mode, 8) if mode else None,
        owner,
        group,
        "append" in words,
        value.strip() if key == "source" else "",
        b"" if key == "source" else _decode(told, key, value),
    )


def _decode(told: str, key: str, value: str) -> bytes:
    if key == "text":
        if not re.match(r"(?:[^\\]|\\[nt\\])*\Z", value):
            raise _wrong(
                told,
                "its text has a backslash that begins none of \\n, \\t and \\\\",
                "write two for one backslash",
            )
        text = re.sub(r"\\(.)", lambda match: _ESCAPES[match.group(1)], value)
        # A file of text ends with a newline; who wants it otherwise has base64.
        return (text if text.endswith("\n") or not text else text + "\n").encode(
            "utf-8", "surrogateescape"
        )
    try:
        data = base64.b64decode("".join(value.split()).encode("ascii"), validate=True)
    except ValueError:
        raise _wrong(told, "its content is not base64", "as `base64 -w0 FILE` prints it") from None
    return data if key == "base64" else _unpack(told, data)


def _unpack(told: str, data: bytes) -> bytes:
    try:
        content, rest = gunzip(data, CONTENT_LIMIT_BYTES)
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


def _is_plain(path: str) -> bool:
    return (
        path.startswith("/")
        and "\0" not in path
        and all(part not in ("", ".", "..") for part in path.split("/")[1:])
    )


def _shown(path: str) -> str:
    return path if len(path) <= 120 and path.isprintable() else ascii(path[:120])


def _wrong(told: str, why: str, hint: str) -> ProvisioningError:
    return ProvisioningError("entry of a file is not valid", entry=told, why=why, hint=hint)
