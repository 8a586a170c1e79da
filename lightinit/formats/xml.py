"""XML as the Azure platform writes it, read without any of what XML can do harm with.

A document becomes plain :class:`Element` objects. There are no entities, no document types, no
external
anything: a document that mentions them is refused before a parser sees it. This file knows no
schema; who reads which element is for the other files here.
"""

from __future__ import annotations

from typing import Any, List, Optional
from xml.parsers import expat

from lightinit.errors import MalformedError

LIMIT_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 20000
MAX_TEXT = 512


class Element:
    """One element: its ``name`` without a prefix, ``namespace`` ("" for none), ``text`` and
    ``children``.
    """

    __slots__ = ("children", "name", "namespace", "text")

    def __init__(self, name: str, namespace: str = "") -> None:
        self.name = name
        self.namespace = namespace
        self.text = ""
        self.children: List[Element] = []

    def find(self, *names: str) -> Optional[Element]:
        """The first element on the path of child ``names``, or None."""
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
        """The children called ``name``."""
        return [child for child in self.children if child.name == name]

    def value(self, *names: str, limit: int = MAX_TEXT) -> str:
        """The text at the path ``names``, without white space around it; "" when it is missing or
        empty.

        Raises:
            MalformedError: it is longer than ``limit`` characters, or has control characters.
        """
        found = self.find(*names)
        text = found.text.strip() if found is not None else ""
        where = "/".join((self.name,) + names)
        if len(text) > limit:
            raise MalformedError(
                "xml field is too long", field=where, characters=len(text), limit=limit
            )
        if not text.isprintable():
            raise MalformedError("xml field has control characters", field=where)
        return text

    def required(self, *names: str, limit: int = MAX_TEXT) -> str:
        """As :meth:`value`, and it must be there.

        Raises:
            MalformedError: as :meth:`value`; or it is missing or empty.
        """
        text = self.value(*names, limit=limit)
        if not text:
            raise MalformedError("xml field is missing", field="/".join((self.name,) + names))
        return text


def parse(data: bytes, root: Optional[str], limit_bytes: int = LIMIT_BYTES) -> Element:
    """Read a whole document.

    Args:
        data: UTF-8, with or without a byte-order mark, with any line ends.
        root: the name that the outermost element must have; None for any.
        limit_bytes: how long it may be.

    Returns:
        The outermost element.

    Raises:
        MalformedError: too long, not UTF-8, a document type or an entity declaration, not
            well-formed, too deep, too many elements, or another outermost element.
    """
    if len(data) > limit_bytes:
        raise MalformedError("xml document is too large", bytes=len(data), limit_bytes=limit_bytes)
    try:
        # Decoded here, not by the parser: UTF-16 could hide a DOCTYPE from the search.
        text = data.decode("utf-8")  # a byte-order mark is left to the parser, which takes it
    except UnicodeDecodeError as error:
        raise MalformedError("xml document is not utf-8", at_byte=error.start) from None
    # UTF-16 without a byte-order mark passes for UTF-8 full of NULs, and expat believes the NULs.
    if "\0" in text:
        raise MalformedError("xml document is not utf-8", at_byte=data.find(b"\0"))
    for banned in ("<!DOCTYPE", "<!ENTITY"):
        if banned in text:
            raise MalformedError("xml document has a document type", found=banned)
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
        found = outermost.name[:64] if outermost is not None else "nothing"
        raise MalformedError("xml document is of another kind", expected=root, found=found)
    return outermost


class _Builder:
    """Puts elements together as the parser meets them."""

    def __init__(self) -> None:
        self.outermost: Optional[Element] = None
        self._open: List[Element] = []
        self._count = 0

    def doctype(self, *_: Any) -> None:
        """A document type that the search before parsing did not see."""
        raise MalformedError("xml document has a document type", found="<!DOCTYPE")

    def start(self, name: str, attributes: Any) -> None:
        """An element begins; its attributes mean nothing to us."""
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
        """The innermost element ends."""
        self._open.pop()

    def characters(self, text: str) -> None:
        """Text inside the innermost element."""
        self._open[-1].text += text


def escape(text: str) -> str:
    """Text made fit to stand between two tags: what XML cannot hold becomes ``?``, markup is
    escaped.
    """
    safe = "".join(character if _is_legal(character) else "?" for character in text)
    return safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _is_legal(character: str) -> bool:
    # XML 1.0, section 2.2, production Char, less the carriage return, which readers turn into a
    # newline.
    code = ord(character)
    return (
        code in (0x9, 0xA) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
    )
