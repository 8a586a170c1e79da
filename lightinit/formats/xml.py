"""Reads the XML that the Azure platform writes, without XML's dangerous features.

A document becomes plain :class:`Element` objects. A document with a document type or an entity
declaration is refused before a parser sees it, so nothing external can be loaded. This file knows
no schema.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, List, Optional

from lightinit.errors import MalformedError

LIMIT_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 20000
MAX_TEXT = 512
# XML 1.0, appendix F: a byte-order mark, or the first character of a document without one.
_STARTS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_SINGLE_BYTE = (b"iso-8859-1", b"iso-8859-15", b"windows-1250", b"windows-1252")


class OtherDocumentError(MalformedError):
    """It is a document of another kind, perhaps of another program. A search for our document goes
    on.
    """


class Element:
    """One element: its ``name`` without a prefix, its ``namespace`` (or ""), its ``text`` and its
    ``children``.
    """

    __slots__ = ("children", "name", "namespace", "pieces")

    def __init__(self, name: str, namespace: str = "") -> None:
        self.name = name
        self.namespace = namespace
        self.pieces: List[str] = []  # of the text, as the parser gives them
        self.children: List[Element] = []

    @property
    def text(self) -> str:
        """The text, without that of the children."""
        return "".join(self.pieces)

    def find(self, *names: str) -> Optional[Element]:
        """Return the first element at the path ``names``, or None."""
        here = self
        for name in names:
            for child in here.children:
                if child.name == name:
                    here = child
                    break
            else:
                return None
        return here

    def find_all(self, name: str) -> List[Element]:
        """Return the children with this name."""
        return [child for child in self.children if child.name == name]

    def value(self, *names: str, limit: int = MAX_TEXT) -> str:
        """Return the text at the path ``names``, without white space around it. If the element is
        missing, the result is "".

        Raises:
            MalformedError: the text has more than ``limit`` characters, or control characters.
        """
        text = ""
        found = self.find(*names)
        if found is not None:
            text = found.text.strip()
        where = "/".join((self.name,) + names)
        if len(text) > limit:
            raise MalformedError(
                "xml field is too long", field=where, characters=len(text), limit=limit
            )
        if not text.isprintable():
            raise MalformedError("xml field has control characters", field=where)
        return text

    def required(self, *names: str, limit: int = MAX_TEXT) -> str:
        """Return a text as :meth:`value` does. It must not be empty.

        Raises:
            MalformedError: as in :meth:`value`; or the text is missing or empty.
        """
        text = self.value(*names, limit=limit)
        if not text:
            raise MalformedError("xml field is missing", field="/".join((self.name,) + names))
        return text


def parse(data: bytes, root: Optional[str], limit_bytes: int = LIMIT_BYTES) -> Element:
    """Read a whole document.

    Args:
        data: UTF-8, with or without a byte-order mark, with any line ends; or as :func:`decode`
            says.
        root: the name that the root element must have. None: any name.
        limit_bytes: the largest size that is accepted.

    Returns:
        The root element.

    Raises:
        MalformedError: the document is too large, in no known encoding, not well-formed, or nested
            too deep; it has a document type, an entity declaration, or too many elements.
        OtherDocumentError: it has another root element.
    """
    if len(data) > limit_bytes:
        raise MalformedError("xml document is too large", bytes=len(data), limit_bytes=limit_bytes)
    # The parser does not decode it: in UTF-16, the search below would miss a DOCTYPE.
    text = decode(data)
    for banned in ("<!DOCTYPE", "<!ENTITY"):
        if banned in text:
            raise MalformedError("xml document has a document type", found=banned)
    from xml.parsers import expat

    builder = _Builder()
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise MalformedError(
            "xml document is not well-formed",
            line=error.lineno,
            column=error.offset,
            error=expat.ErrorString(error.code),
        ) from None
    except UnicodeEncodeError:  # pragma: no cover - text decoded from UTF-8 has no surrogates
        raise MalformedError("xml document is not utf-8") from None
    outermost = builder.outermost
    if outermost is None or root not in (None, outermost.name):
        found = "nothing"
        if outermost is not None:
            found = outermost.name[:64]
        raise OtherDocumentError("xml document is of another kind", expected=root, found=found)
    return outermost


def decode(data: bytes) -> str:
    """The text of a document. The platform writes UTF-8. Other tools may write UTF-16 or UTF-32, or
    one of a few single-byte encodings, which the document must declare.

    Raises:
        MalformedError: it is in no known encoding.
    """
    begun = [name for start, name in _STARTS if data.startswith(start)]
    try:
        text = data.decode(begun[0]) if begun else _decode_bytes(data)
    except UnicodeDecodeError as error:
        raise MalformedError("xml document is not utf-8", at_byte=error.start) from None
    # UTF-16 would be valid UTF-8 with many NULs.
    if "\0" in text:
        raise MalformedError("xml document is not utf-8", at_byte=max(0, data.find(b"\0")))
    return text


def _decode_bytes(data: bytes) -> str:
    try:
        return data.decode("utf-8")  # the parser accepts a byte-order mark
    except UnicodeDecodeError:
        declared = re.match(
            rb"""<\?xml[^>]{1,60}encoding\s{0,8}=\s{0,8}["']([A-Za-z0-9._-]{1,40})["']""", data
        )
        if declared is None or declared.group(1).lower() not in _SINGLE_BYTE:
            raise
        return data.decode(declared.group(1).decode("ascii"))


class _Builder:
    """Builds the elements from the parser's events."""

    def __init__(self) -> None:
        self.outermost: Optional[Element] = None
        self._open: List[Element] = []
        self._count = 0

    def doctype(self, *_: Any) -> None:
        """Refuse a document type that the search before parsing did not find."""
        raise MalformedError("xml document has a document type", found="<!DOCTYPE")

    def start(self, name: str, attributes: Any) -> None:
        """Begin an element. Its attributes are ignored."""
        namespace, _, local = name.rpartition(" ")
        element = Element(local, namespace)
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise MalformedError(
                "xml document is too deep or has too many elements",
                max_depth=MAX_DEPTH,
                max_elements=MAX_ELEMENTS,
            )
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.outermost = element
        self._open.append(element)

    def end(self, name: str) -> None:
        """End the innermost element."""
        self._open.pop()

    def characters(self, text: str) -> None:
        """Add text to the innermost element."""
        self._open[-1].pieces.append(text)


def escape(text: str) -> str:
    """Escape a text for use between two tags. A character that XML does not allow becomes ``?``."""
    safe = "".join(_make_legal(character) for character in text)
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _make_legal(character: str) -> str:
    # XML 1.0, section 2.2, production Char. The carriage return is left out, since readers turn it
    # into a newline.
    code = ord(character)
    if code in (0x9, 0xA) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000:
        return character
    return "?"
