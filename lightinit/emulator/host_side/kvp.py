"""Reads a pool of Hyper-V key-value pairs as the host does. Does not know what the keys mean.

Source: the Linux kernel's hv_kvp driver and its user-space daemon. A pool is a file of records. A
record is a key of 512 bytes and a value of 2048 bytes, both UTF-8 and padded with NULs. The driver
passes at most 254 bytes of the key and 1022 bytes of the value to the host.
"""

from __future__ import annotations

from typing import List, Tuple

from lightinit.emulator.errors import EmulatorError

KEY_BYTES, VALUE_BYTES = 512, 2048
KEY_PASSED, VALUE_PASSED = 254, 1022
RECORD_BYTES = KEY_BYTES + VALUE_BYTES
FILE_BYTES = 16384 * RECORD_BYTES  # no host reads so much


def _read_text(field: bytes, passed: int, where: str) -> str:
    text, _, padding = field.partition(b"\0")
    if padding.strip(b"\0"):
        raise EmulatorError("%s has other bytes after its first NUL: pad it with NULs only" % where)
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EmulatorError(
            "%s is not UTF-8: %s at its byte %d" % (where, error.reason, error.start)
        ) from error
    # A character that the limit cuts becomes U+FFFD.
    return text[:passed].decode("utf-8", "replace")


def read_pool(path: str) -> List[Tuple[str, str]]:
    """Return a pool's pairs, in order, cut to the lengths that reach the host.

    Args:
        path: the pool's file, such as ``/var/lib/hyperv/.kvp_pool_1``.

    Raises:
        EmulatorError: the file cannot be read or ends within a record, or a record is not padded
            UTF-8 or has no key.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise EmulatorError("cannot read the pool %s: %s" % (path, error.strerror)) from error
    if len(data) > FILE_BYTES:
        raise EmulatorError("%s is longer than %d bytes" % (path, FILE_BYTES))
    if len(data) % RECORD_BYTES:
        raise EmulatorError(
            "%s ends within a record: it has %d bytes, %d more than whole records of %d"
            % (path, len(data), len(data) % RECORD_BYTES, RECORD_BYTES)
        )
    pairs = []
    for start in range(0, len(data), RECORD_BYTES):
        where = "%s: record %d" % (path, start // RECORD_BYTES)
        key = _read_text(data[start : start + KEY_BYTES], KEY_PASSED, where + ": the key")
        value = _read_text(
            data[start + KEY_BYTES : start + RECORD_BYTES], VALUE_PASSED, where + ": the value"
        )
        if not key:
            raise EmulatorError(where + " has no key")
        pairs.append((key, value))
    return pairs
