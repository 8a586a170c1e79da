"""The transport certificate and its key. The platform encrypts the certificate bundle to it.

A pair is used for one bundle, and is never on the disk. The caller passes the time in.
"""

from __future__ import annotations

import base64
from typing import Any

from lightinit.formats.certificates import ciphers
from lightinit.formats.certificates.x509 import read_fields
from lightinit.model import NamedTuple, repr_without

SUBJECT = "LinuxTransport"
KEY_BITS = 2048
YEAR_S = 365 * 86400
# The certificate is valid from 2000 to 2050 at least: at boot this VM's clock may be years off.
EARLIEST_S, LATEST_S = 946684800, 2524608000


class TransportPair(NamedTuple):
    """A transport certificate and its key.

    Attributes:
        certificate: the certificate as DER.
        issuer: the name of its issuer as DER.
        serial: its serial number as DER.
        key_id: its subjectKeyIdentifier.
        key: the private key, an object of ``cryptography``. A secret.
    """

    certificate: bytes
    issuer: bytes
    serial: bytes
    key_id: bytes
    key: Any

    def __repr__(self) -> str:
        return repr_without(self, "key")

    @property
    def header(self) -> str:
        """The certificate for the request header: the body of its PEM on one line."""
        return base64.b64encode(self.certificate).decode("ascii")


def make_transport(now_s: float) -> TransportPair:
    """Make a pair: RSA, self-signed, with a subjectKeyIdentifier, because the platform identifies
    the recipient by it.

    Args:
        now_s: Unix time in seconds. It may be wrong.

    Raises:
        ProvisioningError: ``cryptography`` is missing.
    """
    engine = ciphers.backend()
    from datetime import datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    now_s = min(max(now_s, 0), 2 * LATEST_S)
    epoch = datetime(1970, 1, 1)
    key: Any = rsa.generate_private_key(65537, KEY_BITS, engine)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT)])
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(epoch + timedelta(seconds=int(min(now_s - 10 * YEAR_S, EARLIEST_S))))
        .not_valid_after(epoch + timedelta(seconds=int(max(now_s + 10 * YEAR_S, LATEST_S))))
        .add_extension(key_id, critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256(), engine).public_bytes(Encoding.DER)
    fields = read_fields(certificate)
    return TransportPair(certificate, fields.issuer, fields.serial, key_id.digest, key)
