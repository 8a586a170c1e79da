"""Custom data and user data: from the text that the platform gives to the bytes that its owner
meant, and what they are.

It knows neither where they are kept nor whether they are to be executed. Nothing of them is ever in
an error.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.gunzip import GZIP, gunzip

# The platform takes 64 KiB. What they unpack to is up to their owner.
UNPACKED_LIMIT_BYTES = 16 * 1024 * 1024
SCRIPT = "script"
OTHER = "other"

# How the formats begin that cloud-init knows besides scripts; longer before shorter. Source:
# cloud-init's documentation, "User data formats". White space before them is passed over, as MIME
# archives often have an empty line first.
_FOREIGN: Tuple[Tuple[bytes, str], ...] = tuple(
    (name.encode("ascii"), name)
    for name in (
        "#cloud-config-archive",
        "#cloud-config-jsonp",
        "#cloud-config",
        "#cloud-boothook",
        "#include-once",
        "#include",
        "#part-handler",
        "#upstart-job",
        "## template: jinja",
        "## template:jinja",
    )
)
_MIME = (b"content-type:", b"mime-version:")


@dataclass(frozen=True)
class Interpreter:
    """The first line of a script: the program that it is for, and the one argument that it may
    have, or "".
    """

    path: str
    argument: str = ""


def decode(text: str) -> bytes:
    """The bytes that a base64 text means; white space and line ends in it do not count.

    Raises:
        MalformedError: it is no base64.
    """
    try:
        return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("not base64", characters=len(text)) from None


def unpack(data: bytes, limit_bytes: int = UNPACKED_LIMIT_BYTES) -> bytes:
    """``data``, or what it holds where it is compressed by gzip. What stands behind the compressed
    data is passed over.

    Raises:
        MalformedError: the compressed data are damaged or cut off, or hold more than
            ``limit_bytes``.
    """
    if not data.startswith(GZIP):
        return data
    return gunzip(data, limit_bytes)[0]


def recognise(data: bytes) -> str:
    """What ``data`` are: ``SCRIPT``, the name of a format of cloud-init's (such as
    ``#cloud-config``), or ``OTHER``.
    """
    if data.startswith(b"#!"):
        return SCRIPT
    start = data[:4096].lstrip(b"\xef\xbb\xbf").lstrip()
    lowered = start.lower()
    for beginning, name in _FOREIGN:
        if lowered.startswith(beginning):
            return name
    return "MIME" if lowered.startswith(_MIME) else OTHER


def has_mark_before_script(data: bytes) -> bool:
    """Whether it would be a script but for what stands before its ``#!``: a byte-order mark, or
    white space.
    """
    return not data.startswith(b"#!") and data[:4096].lstrip(b"\xef\xbb\xbf").lstrip().startswith(
        b"#!"
    )


def read_interpreter(script: bytes) -> Optional[Interpreter]:
    """The interpreter of a script, as the kernel reads it (everything behind the first blank is one
    argument).

    Returns:
        None when the first line names none.
    """
    line = script[2:].split(b"\n", 1)[0].strip(b" \t").decode("utf-8", "replace")
    path, _, argument = line.replace("\t", " ").partition(" ")
    return Interpreter(path, argument.strip(" ")) if path else None
