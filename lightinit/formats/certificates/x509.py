"""X.509 certificates: their public keys, their thumbprints, and PEM.

``cryptography`` is imported only when there is a certificate to read. Most VMs get plain keys, and
the import takes longer than all of ``formats/``.
"""

from __future__ import annotations

import base64
from typing import Any

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.certificates import der
from lightinit.model import NamedTuple


class CertificateFields(NamedTuple):
    """Fields of a certificate as DER: its serial number, the name of its issuer, and its public key
    (SubjectPublicKeyInfo).
    """

    serial: bytes
    issuer: bytes
    public_key: bytes


def read_fields(certificate: bytes) -> CertificateFields:
    """Read the fields of a certificate that lightinit needs (RFC 5280, 4.1).

    Args:
        certificate: DER.

    Raises:
        MalformedError: it is not a certificate.
    """
    part = "certificate"
    signed = der.read(certificate, part).children(der.SEQUENCE, part, 3, 3)[0]
    fields = signed.children(der.SEQUENCE, part, 6)
    if fields[0].tag == 0xA0:  # the version; version 1 has none
        fields.pop(0)
    if len(fields) < 6 or fields[0].tag != der.INTEGER or fields[5].tag != der.SEQUENCE:
        raise der.damaged(part, "is of another kind")
    return CertificateFields(fields[0].whole, fields[2].whole, fields[5].whole)


def find_thumbprint(certificate: bytes) -> str:
    """Return the thumbprint of a certificate: the SHA-1 of its DER, in upper-case hex."""
    import hashlib

    return hashlib.sha1(certificate).hexdigest().upper()  # noqa: S324 - a name, not a protection


def to_pem(label: str, data: bytes) -> str:
    """Write DER as PEM (RFC 7468).

    Args:
        label: the type, such as ``CERTIFICATE``.
        data: DER.
    """
    text = base64.b64encode(data).decode("ascii")
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "".join(
        line + "\n"
        for line in ["-----BEGIN %s-----" % label] + lines + ["-----END %s-----" % label]
    )


def public_key_line(certificate: bytes) -> str:
    """Return the public key of a certificate as a line for authorized_keys (``type base64``).

    The dates, the issuer and the signature of the certificate are not checked, since the key is
    trusted because the platform gave it.

    Args:
        certificate: DER.

    Raises:
        MalformedError: it is not a certificate, SSH does not know its type of key, or
            ``cryptography`` is missing.
    """
    from lightinit.formats.certificates import ciphers

    try:
        backend = ciphers.backend()
    except ProvisioningError as error:
        raise MalformedError(
            "x509 certificate cannot be read without python cryptography",
            error=error.reason,
            hint="install it, or give the key in OpenSSH form",
        ) from error
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    try:
        key: Any = ciphers.parse_by_library(
            lambda: load_der_x509_certificate(certificate, backend).public_key()
        )
    except ValueError as error:
        said = error.__cause__ or error
        raise MalformedError(
            "x509 certificate cannot be read", error=str(said)[:200] or type(said).__name__
        ) from error
    try:
        line = ciphers.parse_by_library(
            lambda: key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        )
    except ValueError as error:
        raise MalformedError(
            "x509 certificate holds a key that ssh does not know",
            type=type(key).__name__.strip("_"),
        ) from error
    return str(line.decode("ascii"))
