"""What is in a bundle of certificates, behind the encryption and the checksum."""

from __future__ import annotations

import base64

from lightinit.errors import LightinitError
from lightinit.formats.certificates import bundle, cms, der, pkcs12, x509
from lightinit.formats.certificates.transport_pair import TransportPair
from tests.lib.authorities import ONE
from tests.lib.bundles import DATA, NULL, join, make_safe
from tests.lib.readers.reader import Reader

CERTIFICATE = base64.b64decode("".join(ONE.split("\n")[1:-2]))
# An Ed25519 key that opens nothing.
KEY = bytes.fromhex("302e020100300506032b657004220420") + bytes(range(32))
ISSUER, SERIAL = der.encode(der.SEQUENCE), b"\2\1\1"


class SameKey:
    """Stands in for a private key of RSA: all decrypts to the same."""

    key_size = 2048

    def decrypt(self, _data: bytes, _padding: object) -> bytes:
        """A key of AES."""
        return bytes(32)


PAIR = TransportPair(b"", ISSUER, SERIAL, b"id", SameKey())


def _bag(kind: str, *values: bytes) -> bytes:
    return der.encode(der.SEQUENCE, bytes.fromhex(kind), der.encode(0xA0, *values))


X509 = bytes.fromhex("060a2a864886f70d01091601")
OF_CERTIFICATE = der.encode(
    der.SEQUENCE, X509, der.encode(0xA0, der.encode(der.OCTET_STRING, CERTIFICATE))
)
# PBES2 with PBKDF2 (SHA-256, twice) and AES-256.
DERIVED = der.encode(
    der.SEQUENCE,
    bytes.fromhex("06092a864886f70d01050c"),
    der.encode(
        der.SEQUENCE,
        der.encode(der.OCTET_STRING, b"saltsalt"),
        b"\2\1\2",
        der.encode(der.SEQUENCE, bytes.fromhex("06082a864886f70d0209"), NULL),
    ),
)
AES = der.encode(
    der.SEQUENCE,
    bytes.fromhex("060960864801650304012a"),
    der.encode(der.OCTET_STRING, bytes(16)),
)
BY_PASSWORD = der.encode(
    der.SEQUENCE,
    bytes.fromhex("06092a864886f70d01050d"),
    der.encode(der.SEQUENCE, DERIVED, AES),
)
SHROUDED = der.encode(der.SEQUENCE, BY_PASSWORD, der.encode(der.OCTET_STRING, bytes(48)))
BAGS = "060b2a864886f70d010c0a01"
SAFE = make_safe(
    _bag(BAGS + "01", KEY), _bag(BAGS + "02", SHROUDED), _bag(BAGS + "03", OF_CERTIFICATE)
)
RSA = der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010101"), NULL)
RECIPIENT = der.encode(
    der.SEQUENCE,
    b"\2\1\0",
    der.encode(der.SEQUENCE, ISSUER, SERIAL),
    RSA,
    der.encode(der.OCTET_STRING, bytes(256)),
)
ENVELOPE = der.encode(
    der.SEQUENCE,
    bytes.fromhex("06092a864886f70d010703"),
    der.encode(
        0xA0,
        der.encode(
            der.SEQUENCE,
            b"\2\1\0",
            der.encode(0x31, RECIPIENT),
            der.encode(der.SEQUENCE, DATA, AES, b"\x80\x20" + bytes(32)),
        ),
    ),
)


def _safe(data: bytes) -> None:
    found = pkcs12.read(join([data]))
    for read, each in [
        *((bundle._read_key, each) for each in found.keys),
        *((x509.read_fields, each) for each in found.certificates),
        *((bundle._normalize, each) for each in found.certificates),
    ]:
        try:
            read(each)
        except LightinitError:
            pass


READERS = (
    Reader(
        "certificates.pkcs12.safe",
        _safe,
        seeds=(SAFE,),
        limit_bytes=16384,
    ),
    Reader(
        "certificates.cms",
        lambda data: cms.open_envelope(data, PAIR),
        ((b"\x30\x80", b"\0\0"),),
        seeds=(ENVELOPE,),
    ),
    Reader("certificates.x509.whole", x509.public_key_line, seeds=(CERTIFICATE,)),
)
