"""Records of Hyper-V's key-value pool, in which the host reads what a guest says about itself.

A record has 512 bytes for the key and 2048 for the value: UTF-8, padded with NUL. On the way to the
host the kernel turns both into UTF-16 and passes at most 254 and 1022 units of them; a text that is
no valid UTF-8 fails the host's whole request. So both are cut by bytes, which are never fewer than
units, and never inside a character. See docs/protocol.md.
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
    """The record with which provisioning ends. It is always one, since the host looks it up by its
    key.

    Args:
        description: as :mod:`lightinit.formats.azure.health` makes it; cut where it is longer than
            the host would see.
    """
    return encode_record(REPORT_KEY, description)


def encode_record(key: str, value: str) -> bytes:
    """One record; what is too long for it is cut at a character."""
    return _field(cut(key, KEY_LIMIT_BYTES), KEY_FIELD_BYTES) + _field(
        cut(value, VALUE_LIMIT_BYTES), VALUE_FIELD_BYTES
    )


def encode_records(key: str, value: str) -> bytes:
    """As many records as ``value`` needs: one of the key as it is, or several with ``|0``, ``|1`` …
    behind it.

    Several of one key would be one to whoever reads them into a dictionary, so each has a key of
    its own, as those of cloud-init have.
    """
    if len(_utf8(value)) <= VALUE_LIMIT_BYTES:
        return encode_record(key, value)
    parts = _split(_utf8(value), VALUE_LIMIT_BYTES)
    # Every index has the room that the last one needs, so that the keys differ in nothing but the
    # index.
    room = KEY_LIMIT_BYTES - len("|%d" % (len(parts) - 1))
    head = cut(key, room)
    return b"".join(
        _field(head + b"|%d" % number, KEY_FIELD_BYTES) + _field(part, VALUE_FIELD_BYTES)
        for number, part in enumerate(parts)
    )


def cut(text: str, limit_bytes: int) -> bytes:
    """``text`` in UTF-8, as much of it as has ``limit_bytes``, ending at the end of a character."""
    data = _utf8(text)
    return data[: _end(data, limit_bytes)]


def _utf8(text: str) -> bytes:
    # A NUL would end the text for the kernel. Half of a surrogate pair cannot be written in UTF-8.
    return text.replace("\0", " ").encode("utf-8", "replace")


def _end(data: bytes, limit_bytes: int) -> int:
    """Where the last character of valid UTF-8 that ``limit_bytes`` hold whole ends."""
    end = min(limit_bytes, len(data))
    # Bytes of the form 10xxxxxx go on with a character that began before them.
    while 0 < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def _split(data: bytes, limit_bytes: int) -> List[bytes]:
    """Valid UTF-8 in parts of at most ``limit_bytes`` (four or more), each of them valid too."""
    parts = []
    while data:
        end = _end(data, limit_bytes)
        parts.append(data[:end])
        data = data[end:]
    return parts


def _field(text: bytes, size_bytes: int) -> bytes:
    return text.ljust(size_bytes, b"\0")
