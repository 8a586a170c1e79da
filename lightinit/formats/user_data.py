"""Custom data and user data: from the text that the platform gives to the bytes that its owner
meant.

It knows neither their kinds nor where they are kept. None of their content is ever in an error.
"""

from __future__ import annotations

import base64
import binascii

from lightinit.errors import MalformedError
from lightinit.formats.gunzip import GZIP, gunzip

# The platform takes 64 KiB. What they unpack to is up to their owner.
UNPACKED_LIMIT_BYTES = 16 * 1024 * 1024


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
