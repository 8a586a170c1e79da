"""The platform's bundle of certificates: from the XML that the WireServer answers to certificates
with their keys.

A wrong key, a wrong recipient and any damage give an error and no certificate at all.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Dict, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats import xml
from lightinit.formats.certificates import ciphers, cms, pkcs12
from lightinit.formats.certificates.transport_pair import TransportPair
from lightinit.formats.certificates.x509 import find_thumbprint, read_fields, to_pem
from lightinit.model import Certificate

LIMIT_BYTES = 2 * 1024 * 1024
FORMATS = ("", "Pkcs7BlobWithPfxContents")


def parse_certificate_file(data: bytes) -> Optional[bytes]:
    """Read what the WireServer answers at the goal state's Certificates URL.

    Args:
        data: the answer's body, UTF-8, with or without a byte-order mark.

    Returns:
        The bundle for :func:`open_bundle`; None when there is none, or when it is of a format that
        holds no certificates.

    Raises:
        MalformedError: it is no such document, or its data are no base64.
    """
    root = xml.parse(data, "CertificateFile", LIMIT_BYTES)
    found = root.find("Data")
    text = "".join(found.text.split()) if found is not None else ""
    if root.value("Format") not in FORMATS or not text:
        return None
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise MalformedError("certificate file is not base64") from error


def open_bundle(data: bytes, transport: TransportPair) -> Tuple[Certificate, ...]:
    """Open a bundle and put each key to its certificates.

    Keys belong to certificates by equal public key, never by position. A key that belongs to none
    is left out.

    Args:
        data: as :func:`parse_certificate_file` gives it.
        transport: the pair for which it was made.

    Returns:
        Each certificate once, in the order of their thumbprints.

    Raises:
        MalformedError: it is damaged, for somebody else, or holds what is unknown here.
        ProvisioningError: a cipher is missing.
    """
    contents = pkcs12.read(cms.open_envelope(data, transport))
    keys: Dict[bytes, str] = {}
    for key in contents.keys:
        public, pem = _read_key(key)
        keys[public] = pem
    found = {}
    for certificate in contents.certificates:
        public = _normalize(read_fields(certificate).public_key)
        thumbprint = find_thumbprint(certificate)
        found[thumbprint] = Certificate(
            thumbprint, to_pem("CERTIFICATE", certificate), keys.get(public, "")
        )
    return tuple(found[thumbprint] for thumbprint in sorted(found))


def _read_key(data: bytes) -> Tuple[bytes, str]:
    """A key's public part as DER, and all of it as PEM of PKCS#8."""
    engine = ciphers.backend()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key: Any = serialization.load_der_private_key(data, None, engine)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        whole = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        # What the library says could hold parts of the key.
        raise MalformedError(
            "private key in the certificate bundle cannot be read",
            hint="it may be of a type that this version of cryptography does not know",
        ) from None
    return bytes(public), to_pem("PRIVATE KEY", bytes(whole))


def _normalize(public_key: bytes) -> bytes:
    """A public key as ``cryptography`` writes it, since DER leaves its writer some choice; else as
    it is.
    """
    engine = ciphers.backend()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key: Any = serialization.load_der_public_key(public_key, engine)
        return bytes(
            key.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        return public_key
