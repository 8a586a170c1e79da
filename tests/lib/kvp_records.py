"""Reads records of the key-value pool. It shares no code with the writer."""

from __future__ import annotations

from typing import List, Tuple


def records(data: bytes) -> List[Tuple[str, str]]:
    """Return the keys and values of a pool's records. A field has 512 or 2048 bytes and ends at its
    first NUL.
    """
    assert len(data) % 2560 == 0
    found = []
    for at in range(0, len(data), 2560):
        key, value = data[at : at + 512], data[at + 512 : at + 2560]
        assert set(key[key.index(b"\0") :]) == {0} and set(value[value.index(b"\0") :]) == {0}
        found.append(
            (key[: key.index(b"\0")].decode("utf-8"), value[: value.index(b"\0")].decode("utf-8"))
        )
    return found
