"""Decodes custom data and user data: the platform's text becomes the bytes that the owner gave.

It knows neither the kinds of user data nor the files in which they are stored. Errors have nothing
of the content.
"""

from __future__ import annotations

import base64
import binascii

from lightinit.errors import MalformedError
from lightinit.gunzip import GZIP, gunzip

# The platform accepts 64 KiB, but compressed data may unpack to much more.
UNPACKED_LIMIT_BYTES = 16 * 1024 * 1024


def decode(text: str) -> bytes:
    """Decode base64. White space and line ends in the text are ignored.

    Raises:
        MalformedError: the text is not base64.
    """
    try:
        return base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("not base64", characters=len(text)) from None


def unpack(data: bytes, limit_bytes: int = UNPACKED_LIMIT_BYTES) -> bytes:
    """Unpack data that are compressed with gzip. Return any other data unchanged.

    Bytes after the compressed data are ignored.

    Raises:
        MalformedError: the compressed data are damaged or cut off, or unpack to more than
            ``limit_bytes``.
    """
    if not data.startswith(GZIP):
        return data
    return gunzip(data, limit_bytes)[0]
