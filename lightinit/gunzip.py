"""Unpacks gzip data, up to a limit. It does not interpret the content."""

from __future__ import annotations

from typing import Tuple

from lightinit.errors import MalformedError

GZIP = b"\x1f\x8b"
MAX_MEMBERS = 1000
PIECE_BYTES = 4096
_GZIP_WINDOW = 31  # zlib: expect a gzip header, and accept any window size


class TooLargeError(MalformedError):
    """The content is larger than the caller allows."""


class CutOffError(MalformedError):
    """The data end within a member."""


def gunzip(data: bytes, limit_bytes: int) -> Tuple[bytes, bytes]:
    """Unpack gzip data: one member, or several in a row, whose contents are joined (RFC 1952).

    Args:
        data: bytes that begin with a gzip header.
        limit_bytes: the largest content; at most one byte more is unpacked.

    Returns:
        The content, and the bytes that follow the last member.

    Raises:
        TooLargeError: the content has more than ``limit_bytes``.
        CutOffError: the data are cut off.
        MalformedError: the data are damaged, or have more than 1,000 members; or this Python was
            built without zlib.
    """
    try:
        import zlib
    except ImportError:
        raise MalformedError(
            "gzip data cannot be unpacked", why="this Python has no zlib"
        ) from None
    content = bytearray()
    at = 0
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            # Unpack in pieces: at the end of a member, zlib copies the rest of its input.
            while at < len(data) and not member.eof and len(content) <= limit_bytes:
                piece = data[at : at + PIECE_BYTES]
                # zlib takes a limit of 0 for no limit, so ask for one byte more than is allowed.
                content += member.decompress(piece, limit_bytes - len(content) + 1)
                at += len(piece) - len(member.unconsumed_tail) - len(member.unused_data)
        except zlib.error:
            raise MalformedError("gzip data are damaged", bytes=len(data)) from None
        if len(content) > limit_bytes:
            raise TooLargeError("gzip data unpack to too much", limit_bytes=limit_bytes)
        if not member.eof:
            raise CutOffError("gzip data are damaged", bytes=len(data), why="they are cut off")
        if not data.startswith(GZIP, at):
            return bytes(content), data[at:]
    raise MalformedError(
        "gzip data are damaged", why="they have more than %d members" % MAX_MEMBERS
    )
