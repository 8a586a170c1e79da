"""Reads and writes the ASN.1 elements of certificates and their bundles.

It accepts DER, and two features of BER that bundles use: indefinite lengths, and strings in pieces.
It refuses everything else. Each length must fit exactly and have its shortest form, so that no
element can hide data behind another one. This file does not know the structure of any document.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.model import NamedTuple

LIMIT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_CHILDREN = 10000

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x02, 0x03, 0x04, 0x05, 0x06
SEQUENCE, SET = 0x30, 0x31
CONSTRUCTED, CONTEXT = 0x20, 0x80


class DerValue(NamedTuple):
    """One element: its identifier octet ``tag``, its ``content``, and ``whole``, both together."""

    tag: int
    content: bytes
    whole: bytes

    def children(
        self, tag: int, part: str, least: int = 0, most: int = MAX_CHILDREN
    ) -> List[DerValue]:
        """Return the elements inside this one.

        Args:
            tag: the identifier octet that this element must have.
            part: its name for the error.
            least: the smallest number of elements.
            most: the largest number of elements.

        Raises:
            MalformedError: this element has another tag, or does not hold a right number of whole
                elements.
        """
        if self.tag != tag:
            raise damaged(part, "is of another kind")
        found = []
        at = 0
        while at < len(self.content):
            element, at = _next(self.content, at, part, 0)
            found.append(element)
            if len(found) > most:
                raise damaged(part, "has too many elements")
        if len(found) < least:
            raise damaged(part, "has too few elements")
        return found

    def only_child(self, tag: int, part: str) -> DerValue:
        """Return the only element inside this one, as :meth:`children` does."""
        return self.children(tag, part, 1, 1)[0]

    def integer(self, part: str) -> int:
        """Return the value of an INTEGER from 0 to 2**31 - 1.

        Raises:
            MalformedError: this element is something else.
        """
        data = self.content
        if (
            self.tag != INTEGER
            or not 1 <= len(data) <= 4
            or data[0] & 0x80
            or (len(data) > 1 and not data[0] and not data[1] & 0x80)
        ):
            raise damaged(part, "is not a small number")
        return int.from_bytes(data, "big")

    def oid(self, part: str) -> str:
        """Return the value of an OBJECT IDENTIFIER, with dots.

        Raises:
            MalformedError: this element is something else.
        """
        data = self.content
        if self.tag != OID or not 1 <= len(data) <= 64 or data[-1] & 0x80:
            raise damaged(part, "is no object identifier")
        numbers, value = [], 0
        for byte in data:
            if not value and byte == 0x80:
                raise damaged(part, "is no object identifier")
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(value)
                value = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(str(number) for number in [first, numbers[0] - 40 * first] + numbers[1:])

    def octets(self, part: str, tag: int = OCTET_STRING) -> bytes:
        """Return the value of an OCTET STRING, whole or in pieces.

        Args:
            part: the name of this element for the error.
            tag: the identifier octet of the whole form; an implicit tag replaces that of an OCTET
                STRING.

        Raises:
            MalformedError: this element is something else.
        """
        if self.tag == tag:
            return self.content
        pieces = self.children(tag | CONSTRUCTED, part)
        if any(piece.tag != OCTET_STRING for piece in pieces):
            raise damaged(part, "is in pieces of another kind")
        return b"".join(piece.content for piece in pieces)

    def algorithm(self, part: str) -> Tuple[str, Optional[DerValue]]:
        """Return the object identifier of an AlgorithmIdentifier, with dots, and its parameters.

        Raises:
            MalformedError: this element is something else.
        """
        identifier, *parameters = self.children(SEQUENCE, part, 1, 2)
        if parameters:
            return identifier.oid(part), parameters[0]
        return identifier.oid(part), None


def read(data: bytes, part: str) -> DerValue:
    """Read the one element that fills ``data``.

    Args:
        data: DER or BER.
        part: the name of the element for the error.

    Raises:
        MalformedError: the element is malformed or too large, or something follows it.
    """
    if len(data) > LIMIT_BYTES:
        raise damaged(part, "is too large")
    element, end = _next(data, 0, part, 0)
    if end != len(data):
        raise damaged(part, "is followed by something else")
    return element


def encode(tag: int, *contents: bytes) -> bytes:
    """Write an element with all of ``contents`` inside."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


def expect_no_parameters(parameters: Optional[DerValue], part: str) -> None:
    """Check that the parameters of an AlgorithmIdentifier are absent or NULL.

    Raises:
        MalformedError: they are something else.
    """
    if parameters is not None and parameters.whole != b"\x05\x00":
        raise damaged(part, "has parameters")


def damaged(part: str, why: str) -> MalformedError:
    """Make the error for a damaged certificate or bundle."""
    return MalformedError("certificate data are damaged", part=part, why=why)


def _next(data: bytes, at: int, part: str, depth: int) -> Tuple[DerValue, int]:
    """Return the element that begins at ``at``, and its end."""
    if at + 2 > len(data):
        raise damaged(part, "ends too early")
    tag, length = data[at], data[at + 1]
    start = at + 2
    if tag & 0x1F == 0x1F or not tag:
        raise damaged(part, "has an unknown tag")
    if length == 0x80:
        return _indefinite(data, at, part, depth)
    if length > 0x80:
        count = length & 0x7F
        digits = data[start : start + count]
        start += count
        length = int.from_bytes(digits, "big")
        if count > 4 or len(digits) < count or length < 0x80 or not digits[0]:
            raise damaged(part, "has an odd length")
    end = start + length
    if end > len(data):
        raise damaged(part, "ends too early")
    return DerValue(tag, data[start:end], data[at:end]), end


def _indefinite(data: bytes, at: int, part: str, depth: int) -> Tuple[DerValue, int]:
    """Return an element of indefinite length, and its end. Two zeros follow its last child."""
    tag, start = data[at], at + 2
    if not tag & CONSTRUCTED:
        raise damaged(part, "has an odd length")
    if depth >= MAX_DEPTH:
        raise damaged(part, "is too deep")
    end = start
    while data[end : end + 2] != b"\0\0":
        _, end = _next(data, end, part, depth + 1)
    return DerValue(tag, data[start:end], data[at : end + 2]), end + 2
