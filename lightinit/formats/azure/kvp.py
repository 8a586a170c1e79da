"""Records of Hyper-V's key-value pool, through which a guest reports to the host.

A record has 512 bytes for the key and 2048 bytes for the value: UTF-8, padded with NUL. The kernel
converts both to UTF-16 for the host, and passes at most 254 and 1022 code units. If a text is not
valid UTF-8, the whole request of the host fails. So key and value are cut at 254 and 1022 bytes,
at the end of a character. (A text never has more code units than bytes.) See docs/protocol.md.
"""

from __future__ import annotations

from typing import List

KEY_FIELD_BYTES = 512
VALUE_FIELD_BYTES = 2048
RECORD_BYTES = KEY_FIELD_BYTES + VALUE_FIELD_BYTES
KEY_LIMIT_BYTES = 254
VALUE_LIMIT_BYTES = 1022
REPORT_KEY = "PROVISIONING_REPORT"


def encode_report(description: str) -> bytes:
    """Make the record that reports the end of provisioning. It is always one record, because the
    host looks it up by its key.

    Args:
        description: made by :mod:`lightinit.formats.azure.health`. It is cut at the limit.
    """
    return encode_record(REPORT_KEY, description)


def encode_record(key: str, value: str) -> bytes:
    """Make one record. A key or a value that is too long is cut at the end of a character."""
    return _field(cut(key, KEY_LIMIT_BYTES), KEY_FIELD_BYTES) + _field(
        cut(value, VALUE_LIMIT_BYTES), VALUE_FIELD_BYTES
    )


def encode_records(key: str, value: str) -> bytes:
    """Make as many records as ``value`` needs: one with the key itself, or several with ``|0``,
    ``|1`` … after the key.

    Each record has its own key, because readers may put the records into a dictionary. cloud-init
    does the same.
    """
    if len(_utf8(value)) <= VALUE_LIMIT_BYTES:
        return encode_record(key, value)
    parts = _split(_utf8(value), VALUE_LIMIT_BYTES)
    # Each key is cut to leave room for the longest index, so the keys differ only in the index.
    room = KEY_LIMIT_BYTES - len("|%d" % (len(parts) - 1))
    head = cut(key, room)
    return b"".join(
        _field(head + b"|%d" % number, KEY_FIELD_BYTES) + _field(part, VALUE_FIELD_BYTES)
        for number, part in enumerate(parts)
    )


def cut(text: str, limit_bytes: int) -> bytes:
    """Encode ``text`` in UTF-8, and cut it at ``limit_bytes`` or before, at the end of a
    character.
    """
    data = _utf8(text)
    return data[: _end(data, limit_bytes)]


def _utf8(text: str) -> bytes:
    # For the kernel, a NUL ends the text. UTF-8 cannot hold half a surrogate pair.
    return text.replace("\0", " ").encode("utf-8", "replace")


def _end(data: bytes, limit_bytes: int) -> int:
    """Return the end of the last whole character within ``limit_bytes`` of valid UTF-8."""
    end = min(limit_bytes, len(data))
    # A byte of the form 10xxxxxx continues a character.
    while 0 < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _split(data: bytes, limit_bytes: int) -> List[bytes]:
    """Split valid UTF-8 into valid parts of at most ``limit_bytes``, which must be four or more."""
    parts, begin = [], 0
    while begin < len(data):
        end = _end(data, begin + limit_bytes)
        parts.append(data[begin:end])
        begin = end
    return parts


def _field(text: bytes, size_bytes: int) -> bytes:
    return text.ljust(size_bytes, b"\0")
