"""The part of CMS (PKCS#7, RFC 5652) that the platform's certificate bundles use: EnvelopedData,
encrypted to a transport certificate.

It finds the recipient and opens the envelope. It does not know the content.
"""

from __future__ import annotations

from typing import Tuple

from lightinit.errors import MalformedError
from lightinit.formats.certificates import ciphers, der
from lightinit.formats.certificates.transport_pair import TransportPair
from lightinit.model import NamedTuple

DATA = "1.2.840.113549.1.7.1"
ENVELOPED_DATA = "1.2.840.113549.1.7.3"
# 2: a recipient is identified by its key. 0: none is. lightinit looks at the recipients instead,
# and only checks that the version is one of these.
VERSIONS = (0, 2)


class Encrypted(NamedTuple):
    """Encrypted content: its algorithm, and the bytes."""

    algorithm: der.DerValue
    content: bytes


def read_content_info(element: der.DerValue, part: str) -> Tuple[str, der.DerValue]:
    """Return the type and the content of a ContentInfo.

    Args:
        element: the ContentInfo.
        part: its name for the error.

    Raises:
        MalformedError: it is something else.
    """
    kind, content = element.children(der.SEQUENCE, part, 2, 2)
    return kind.oid(part), content.only_child(0xA0, part)


def read_encrypted(element: der.DerValue, part: str) -> Encrypted:
    """Read an EncryptedContentInfo that holds data.

    Args:
        element: the EncryptedContentInfo.
        part: its name for the error.

    Raises:
        MalformedError: it is something else.
    """
    kind, algorithm, content = element.children(der.SEQUENCE, part, 3, 3)
    if kind.oid(part) != DATA:
        raise der.damaged(part, "has content of another kind")
    return Encrypted(algorithm, content.octets(part, 0x80))


def open_envelope(data: bytes, transport: TransportPair) -> bytes:
    """Decrypt an EnvelopedData for a transport certificate.

    Args:
        data: the ContentInfo as DER.
        transport: the certificate and its key.

    Returns:
        The content. Some wrong keys are not detected here, so the content must have its own
        checksum.

    Raises:
        MalformedError: the envelope is damaged, is for another recipient, or uses something that
            lightinit does not know.
        ProvisioningError: a cipher is missing.
    """
    part = "envelope"
    kind, envelope = read_content_info(der.read(data, part), part)
    if kind != ENVELOPED_DATA:
        raise der.damaged(part, "is of another kind")
    fields = envelope.children(der.SEQUENCE, part, 3, 5)
    _check_version(fields.pop(0), part)
    if fields[0].tag == 0xA0:
        # originatorInfo holds the sender's certificates, which are not needed.
        fields.pop(0)
    if len(fields) == 3 and fields[2].tag == 0xA1:  # unprotectedAttrs
        fields.pop()
    if len(fields) != 2:
        raise der.damaged(part, "has too many or too few elements")
    encrypted = read_encrypted(fields[1], "encrypted content")
    cipher, vector = ciphers.read_cipher(*encrypted.algorithm.algorithm("content encryption"))
    key = _find_content_key(fields[0], transport)
    return ciphers.decrypt_cbc(cipher, key, vector, encrypted.content)


def _find_content_key(recipients: der.DerValue, transport: TransportPair) -> bytes:
    """Decrypt the content's key, from the recipient that matches the transport certificate."""
    part = "recipients"
    for recipient in recipients.children(der.SET, part, 1):
        if recipient.tag != der.SEQUENCE:  # not a key pair
            continue
        version, name, algorithm, encrypted_key = recipient.children(der.SEQUENCE, part, 4, 4)
        _check_version(version, part)
        if _is_meant(name, transport):
            oid, parameters = algorithm.algorithm("key encryption")
            return ciphers.decrypt_rsa(transport.key, oid, parameters, encrypted_key.octets(part))
    raise MalformedError("certificate bundle is for another recipient")


def _is_meant(name: der.DerValue, transport: TransportPair) -> bool:
    part = "recipient"
    if name.tag == 0x80:
        return name.content == transport.key_id
    issuer, serial = name.children(der.SEQUENCE, part, 2, 2)
    return (issuer.whole, serial.whole) == (transport.issuer, transport.serial)


def _check_version(element: der.DerValue, part: str) -> None:
    if element.integer(part) not in VERSIONS:
        raise der.damaged(part, "has an unknown version")
