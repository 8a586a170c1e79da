"""Faulty forms of any XML document: a byte-order mark, CRLF, 50 MB. Knows no document."""

from __future__ import annotations

from typing import Sequence

from lightinit.emulator.wire.messages import Body

HUGE_BYTES = 50 * 1024 * 1024
_PADDING = b"<!-- " + b"x" * 65526 + b" -->"  # 64 KiB


def dress(data: bytes, variants: Sequence[str]) -> Body:
    """Return an XML document as the body of an answer.

    Args:
        data: the document, with LF line ends.
        variants: ``bom``, ``crlf`` and ``huge`` are applied; others are ignored.
    """
    if "crlf" in variants:
        data = data.replace(b"\n", b"\r\n")
    if "bom" in variants:
        data = b"\xef\xbb\xbf" + data
    if "huge" not in variants:
        return Body(((data, 1),))
    end = data.rindex(b"</")
    return Body(((data[:end], 1), (_PADDING, HUGE_BYTES // len(_PADDING)), (data[end:], 1)))
