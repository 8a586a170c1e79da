"""The operator's vendor data: JSON documents in, user data for lightinit out.

What counts of a document is as in cloud-init: a text is user data; a list has several; of an
object, only the key ``cloud-init`` counts, and the rest is for other programs.

Source: Nova's admin guide, "Vendordata", and cloud-init's documentation, "Vendor data".
"""

from __future__ import annotations

import base64
from typing import Any, Dict, Iterable, List, Sequence, Tuple

KEY = "cloud-init"
# A line of base64 never begins with it.
BOUNDARY = "==lightinit-vendor-data=="
PLAIN = "text/plain"


def join_vendor_data(documents: Sequence[Any], warnings: List[str]) -> bytes:
    """The user data in the documents, b"" for none. Several become one MIME document, in order.

    Args:
        documents: those of vendor_data.json and vendor_data2.json.
        warnings: gets a sentence for each that cannot be used.
    """
    parts: List[Tuple[str, bytes]] = []
    for document in documents:
        parts += _parts_of(document, warnings)
    if not parts:
        return b""
    if len(parts) == 1 and parts[0][0] == PLAIN:
        return parts[0][1]
    return b"".join(_as_mime(parts))


def _parts_of(document: Any, warnings: List[str]) -> List[Tuple[str, bytes]]:
    if isinstance(document, dict):
        document = document.get(KEY)
        if isinstance(document, dict):
            warnings.append("vendor data are not used: their key cloud-init is an object, not text")
            return []
    if document is None or document == "":
        return []
    if isinstance(document, str):
        return [(PLAIN, document.encode("utf-8"))]
    if not isinstance(document, list):
        warnings.append("vendor data are not used: they are neither text nor a list nor an object")
        return []
    found: List[Tuple[str, bytes]] = []
    for number, entry in enumerate(document, 1):
        part = _part_of_list(entry)
        if part is None:
            warnings.append("entry %d of the vendor data is not used: it has no text" % number)
        else:
            found.append(part)
    return found


def _part_of_list(entry: Any) -> Any:
    """(type, content) of one entry of a list: a text, or an object with ``content``."""
    fields: Dict[str, Any] = entry if isinstance(entry, dict) else {"content": entry}
    content, kind = fields.get("content"), fields.get("type", PLAIN)
    if not isinstance(content, str):
        return None
    if not isinstance(kind, str) or not kind.isascii() or not kind.isprintable():
        kind = PLAIN
    return kind, content.encode("utf-8")


def _as_mime(parts: Iterable[Tuple[str, bytes]]) -> Iterable[bytes]:
    yield b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="%s"\n' % BOUNDARY.encode()
    for kind, content in parts:
        yield b"\n--%s\nContent-Type: %s\n" % (BOUNDARY.encode(), kind.encode())
        yield b"Content-Transfer-Encoding: base64\n\n" + base64.b64encode(content)
    yield b"\n--%s--\n" % BOUNDARY.encode()
