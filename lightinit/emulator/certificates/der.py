"""DER (X.690), as far as certificates and PKCS#12 need it: definite lengths, one-byte tags.

Bytes in, bytes out: knows no key and no file. Wrong lengths raise ValueError.
"""

from __future__ import annotations

from typing import List, NamedTuple, Optional

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x05, 0x06, 0x30
KEY_IDENTIFIER = bytes.fromhex("551d0e")  # 2.5.29.14
RSA = bytes.fromhex("2a864886f70d010101")  # 1.2.840.113549.1.1.1


class DerValue(NamedTuple):
    """One element: its tag, its content, and all of its bytes."""

    tag: int
    content: bytes
    raw: bytes


def read_elements(data: bytes) -> List[DerValue]:
    """Split bytes into elements.

    Raises:
        ValueError: the bytes are not a sequence of whole elements.
    """
    found = []
    offset = 0
    while offset < len(data):
        start, tag = offset, data[offset]
        if tag & 0x1F == 0x1F:
            raise ValueError("it has a tag of several bytes")
        head = data[offset + 1 : offset + 2]
        if not head or head[0] == 0x80:
            raise ValueError("it has no definite length")
        offset += 2
        length = head[0]
        if length > 0x80:
            length = int.from_bytes(data[offset : offset + head[0] - 0x80], "big")
            offset += head[0] - 0x80
        if offset + length > len(data):
            raise ValueError("it is cut short")
        found.append(DerValue(tag, data[offset : offset + length], data[start : offset + length]))
        offset += length
    return found


def read_one(data: bytes, tag: int) -> DerValue:
    """Read bytes that must be exactly one element with this tag.

    Raises:
        ValueError: they are something else.
    """
    found = read_elements(data)
    if len(found) != 1 or found[0].tag != tag:
        raise ValueError("it is not one element of the expected kind")
    return found[0]


def write_element(tag: int, *parts: bytes) -> bytes:
    """Return an element; its content is the parts, joined."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 + len(length))) + length + content


class CertificateFacts(NamedTuple):
    """The parts of a transport certificate that the platform checks."""

    rsa_bits: int  # 0 if the key is not RSA
    key_identifier: Optional[bytes]  # the subjectKeyIdentifier, None if the extension is missing


def read_certificate(der: bytes) -> CertificateFacts:
    """Read an X.509 certificate (RFC 5280) as far as the platform needs it.

    Raises:
        ValueError: it is not a certificate.
    """
    parts = read_elements(read_one(der, SEQUENCE).content)
    if [part.tag for part in parts] != [SEQUENCE, SEQUENCE, BIT_STRING]:
        raise ValueError("it is not a certificate")
    fields = read_elements(parts[0].content)
    if fields and fields[0].tag == 0xA0:  # the version
        fields = fields[1:]
    if len(fields) < 6 or fields[5].tag != SEQUENCE:
        raise ValueError("it is not a certificate")
    algorithm, key = read_elements(fields[5].content)[:2]
    bits = 0
    if read_elements(algorithm.content)[0].content == RSA:
        modulus = read_elements(read_one(key.content[1:], SEQUENCE).content)[0]
        bits = int.from_bytes(modulus.content, "big").bit_length()
    identifier = None
    for field in fields[6:]:
        if field.tag == 0xA3:
            for extension in read_elements(read_one(field.content, SEQUENCE).content):
                name, *_, value = read_elements(extension.content)
                if name.content == KEY_IDENTIFIER:
                    identifier = read_one(value.content, OCTET_STRING).content
    return CertificateFacts(bits, identifier)
