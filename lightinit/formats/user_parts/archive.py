"""``#cloud-config-archive``: a list of entries, each a text, or a table with content and type.

Source: cloud-init's documentation, "User data formats". It reads no YAML: it gets the list.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

from lightinit.model import NamedTuple

CLOUD_CONFIG = "text/cloud-config"


class Entry(NamedTuple):
    """An entry of an archive.

    Attributes:
        content: its data.
        content_type: its type; "" if it has none. The data then say what they are, and are a
            cloud-config if they do not.
        headers: its other keys, in lower case: ``filename``, ``merge-type`` …
        problem: why it cannot be used; or "".
    """

    content: bytes
    content_type: str = ""
    headers: Dict[str, str] = {}
    problem: str = ""


def read(values: Sequence[Any]) -> List[Entry]:
    """Read the list of an archive.

    Args:
        values: the items of the YAML document.
    """
    return [_read_entry(value) for value in values]


def _read_entry(value: Any) -> Entry:
    if isinstance(value, (str, bytes)):
        return Entry(_as_bytes(value))
    if not isinstance(value, dict):
        return Entry(b"", problem="it is neither a text nor a table with the key content")
    given = {str(key).lower(): each for key, each in value.items()}
    content, content_type = given.pop("content", ""), given.pop("type", None)
    if not isinstance(content, (str, bytes)):
        return Entry(b"", problem="its content is not a text; begin it with |")
    headers = {key: str(each) for key, each in given.items()}
    return Entry(_as_bytes(content), str(content_type or "").strip().lower(), headers)


def _as_bytes(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return str(content).encode("utf-8", "surrogateescape")
