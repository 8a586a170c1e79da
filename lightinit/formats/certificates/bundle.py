"""The platform's certificate bundle: the WireServer's XML in, certificates with their keys out.

A wrong key, a wrong recipient or any damage is an error. Then no certificate is returned.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Dict, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats import xml
from lightinit.formats.certificates import ciphers, cms, pkcs12
from lightinit.formats.certificates.budget import Budget
from lightinit.formats.certificates.transport_pair import TransportPair
from lightinit.formats.certificates.x509 import find_thumbprint, read_fields, to_pem
from lightinit.model import Certificate

LIMIT_BYTES = 2 * 1024 * 1024
FORMATS = ("", "Pkcs7BlobWithPfxContents")


def parse_certificate_file(data: bytes) -> Optional[bytes]:
    """Read the WireServer's answer at the goal state's Certificates URL.

    Args:
        data: the body of the answer, UTF-8, with or without a byte-order mark.

    Returns:
        The bundle for :func:`open_bundle`. None: there is no bundle, or its format has no
        certificates.

    Raises:
        MalformedError: this is another document, or its data are not base64.
    """
    root = xml.parse(data, "CertificateFile", LIMIT_BYTES)
    text = ""
    found = root.find("Data")
    if found is not None:
        text = "".join(found.text.split())
    if root.value("Format") not in FORMATS or not text:
        return None
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise MalformedError("certificate file is not base64") from error


def open_bundle(
    data: bytes, transport: TransportPair, refused: Optional[List[MalformedError]] = None
) -> Tuple[Certificate, ...]:
    """Open a bundle and match its keys with its certificates.

    A key belongs to the certificates with the same public key; positions do not matter. A key
    without a certificate is left out. If a key or a certificate cannot be read, the others are
    still used.

    Args:
        data: the result of :func:`parse_certificate_file`.
        transport: the pair to which the platform encrypted the bundle.
        refused: gets an error for each key and each certificate that cannot be read.

    Returns:
        Each certificate once, sorted by thumbprint.

    Raises:
        MalformedError: the bundle is damaged, is for another recipient, asks for too much work, or
            uses something that lightinit does not know.
        ProvisioningError: a cipher is missing.
    """
    budget = Budget()
    contents = pkcs12.read(cms.open_envelope(data, transport), budget)
    bad: List[MalformedError] = []
    keys: Dict[bytes, str] = {}
    for key in contents.keys:
        try:
            budget.spend_key(len(key))
            public, pem = _read_key(key)
            keys[public] = pem
        except MalformedError as error:
            bad.append(error)
    found = {}
    for certificate in contents.certificates:
        try:
            public = _normalize(read_fields(certificate).public_key)
        except MalformedError as error:
            bad.append(error)
            continue
        thumbprint = find_thumbprint(certificate)
        found[thumbprint] = Certificate(
            thumbprint, to_pem("CERTIFICATE", certificate), keys.get(public, "")
        )
    if bad and not found:
        raise bad[0]
    if refused is not None:
        refused += bad
    return tuple(found[thumbprint] for thumbprint in sorted(found))


def _read_key(data: bytes) -> Tuple[bytes, str]:
    """Return the public key as DER, and the private key as PEM of PKCS#8."""
    engine = ciphers.backend()
    from cryptography.hazmat.primitives import serialization

    def read() -> Tuple[bytes, bytes]:
        key: Any = serialization.load_der_private_key(data, None, engine)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        whole = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return bytes(public), bytes(whole)

    try:
        public, whole = ciphers.parse_by_library(read)
    except ValueError:
        # The message of the library could hold parts of the key.
        raise MalformedError(
            "private key in the certificate bundle cannot be read",
            hint="it may be of a type that this version of cryptography does not know",
        ) from None
    return public, to_pem("PRIVATE KEY", whole)


def _normalize(public_key: bytes) -> bytes:
    """Return a public key in the form that ``cryptography`` writes, because DER leaves writers some
    choice. A key that it cannot read stays unchanged.
    """
    engine = ciphers.backend()
    from cryptography.hazmat.primitives import serialization

    def read() -> bytes:
        key: Any = serialization.load_der_public_key(public_key, engine)
        return bytes(
            key.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    try:
        return ciphers.parse_by_library(read)
    except ValueError:
        return public_key
