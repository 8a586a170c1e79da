"""PKCS#12 with an empty password (RFC 7292), as it lies in the platform's certificate bundles.

The checksum (MAC) is what shows that nothing was damaged on the way, and that the envelope around
was opened with the right key; without one nothing is taken. ``cryptography`` can read such files
too, but gives one key of several; it is used for RC2, which it has in no other way. Names and other
attributes of the parts are not looked at.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, List, NamedTuple, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.certificates import ciphers, cms, der, pbe

ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
KEY_BAG = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3"
SAFE_CONTENTS_BAG = "1.2.840.113549.1.12.10.1.6"
X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
MAX_NESTED = 4


class Contents(NamedTuple):
    """What is in a bundle, in its order: private keys as DER of PKCS#8, and certificates as DER."""

    keys: List[bytes]
    certificates: List[bytes]


def read(data: bytes) -> Contents:
    """Open a PKCS#12.

    Args:
        data: DER, or BER.

    Returns:
        All keys and certificates; what else there is (CRLs, secrets) is left out.

    Raises:
        MalformedError: it is damaged, has another password, or uses what is unknown here.
        ProvisioningError: a cipher is missing.
    """
    part = "pkcs12"
    version, content, *mac = der.read(data, part).children(der.SEQUENCE, part, 2, 3)
    if version.integer(part) != 3:
        raise der.damaged(part, "has an unknown version")
    kind, inner = cms.read_content_info(content, part)
    if kind != cms.DATA:  # it can be signed instead, which nobody does
        raise ciphers.unknown_algorithm(kind)
    if not mac:
        raise MalformedError("certificate bundle has no mac")
    safes = inner.octets(part)
    password = _find_password(mac[0], safes)
    found = Contents([], [])
    for safe in der.read(safes, part).children(der.SEQUENCE, part):
        _read_safe(safe, password, found)
    return found


def _find_password(mac: der.Element, safes: bytes) -> bytes:
    """Which spelling of the empty password the checksum fits to."""
    part = "mac"
    info, salt, *iterations = mac.children(der.SEQUENCE, part, 2, 3)
    algorithm, wanted = info.children(der.SEQUENCE, part, 2, 2)
    oid, nothing = algorithm.algorithm(part)
    der.expect_no_parameters(nothing, part)
    digest = ciphers.find_hash(oid)
    count = pbe.check_iterations(iterations[0], part) if iterations else 1
    for password in (pbe.EMPTY, pbe.ABSENT):
        if hmac.compare_digest(
            _make_mac(digest, password, salt.octets(part), count, safes), wanted.octets(part)
        ):
            return password
    raise MalformedError("certificate bundle has a wrong mac")


def _make_mac(digest: str, password: bytes, salt: bytes, iterations: int, safes: bytes) -> bytes:
    key = pbe.derive(
        digest, password, salt, iterations, pbe.FOR_MAC, hashlib.new(digest).digest_size
    )
    return hmac.new(key, safes, digest).digest()


def _read_safe(safe: der.Element, password: bytes, found: Contents) -> None:
    part = "safe"
    kind, content = cms.read_content_info(safe, part)
    if kind == cms.DATA:
        _read_bags(content.octets(part), password, found)
    elif kind == ENCRYPTED_DATA:
        version, inner = content.children(der.SEQUENCE, part, 2, 2)
        if version.integer(part) != 0:
            raise der.damaged(part, "has an unknown version")
        encrypted = cms.read_encrypted(inner, part)
        oid, _ = encrypted.algorithm.algorithm(part)
        if oid in pbe.RC2:
            _open_by_library(safe.whole, oid, password, found)
        else:
            _read_bags(
                pbe.decrypt(encrypted.algorithm, password, encrypted.content), password, found
            )
    else:
        raise ciphers.unknown_algorithm(kind)


def _read_bags(data: bytes, password: bytes, found: Contents, depth: int = 0) -> None:
    part = "bag"
    if depth > MAX_NESTED:
        raise der.damaged(part, "is too deep")
    for bag in der.read(data, part).children(der.SEQUENCE, part):
        kind_of, value, *_ = bag.children(der.SEQUENCE, part, 2, 3)
        kind = kind_of.oid(part)
        inner = value.only_child(0xA0, part)
        if kind == KEY_BAG:
            found.keys.append(inner.whole)
        elif kind == SHROUDED_KEY_BAG:
            algorithm, encrypted = inner.children(der.SEQUENCE, part, 2, 2)
            oid, _ = algorithm.algorithm(part)
            if oid in pbe.RC2:
                bags = der.encode(der.OCTET_STRING, der.encode(der.SEQUENCE, bag.whole))
                _open_by_library(_make_content_info(bags), oid, password, found)
            else:
                found.keys.append(pbe.decrypt(algorithm, password, encrypted.octets(part)))
        elif kind == CERTIFICATE_BAG:
            type_of, certificate = inner.children(der.SEQUENCE, part, 2, 2)
            if type_of.oid(part) == X509_CERTIFICATE:
                found.certificates.append(certificate.only_child(0xA0, part).octets(part))
        elif kind == SAFE_CONTENTS_BAG:
            _read_bags(inner.whole, password, found, depth + 1)


# -- RC2
# --------------------------------------------------------------------------------------------------


def _open_by_library(safe: bytes, oid: str, password: bytes, found: Contents) -> None:
    """Have ``cryptography`` open one part, put into a PKCS#12 of its own.

    It gives all certificates and one key, which is all that ever is in one part with RC2: keys are
    encrypted one by one.
    """
    safes = der.encode(der.SEQUENCE, safe)
    salt, iterations = bytes(8), 2
    # The algorithm is SHA-1.
    algorithm = der.encode(der.SEQUENCE, bytes.fromhex("06052b0e03021a"), der.encode(der.NULL))
    mac = _make_mac("sha1", password, salt, iterations, safes)
    whole = der.encode(
        der.SEQUENCE,
        der.encode(der.INTEGER, b"\3"),
        _make_content_info(der.encode(der.OCTET_STRING, safes)),
        der.encode(
            der.SEQUENCE,
            der.encode(der.SEQUENCE, algorithm, der.encode(der.OCTET_STRING, mac)),
            der.encode(der.OCTET_STRING, salt),
            der.encode(der.INTEGER, bytes((iterations,))),
        ),
    )
    key, certificates = _load(whole, password, pbe.RC2[oid])
    found.keys.extend(key)
    found.certificates.extend(certificates)


def _load(whole: bytes, password: bytes, cipher: str) -> Tuple[List[bytes], List[bytes]]:
    engine = ciphers.backend()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    try:
        loaded: Any = load_key_and_certificates(whole, b"" if password else None, engine)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The checksum was right, so the part is what its author wrote: it is the cipher that is
        # missing.
        raise ciphers.missing_cipher(cipher) from error
    key, first, more = loaded
    keys = (
        []
        if key is None
        else [
            key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        ]
    )
    certificates = [
        each.public_bytes(serialization.Encoding.DER)
        for each in [first] + list(more)
        if each is not None
    ]
    return keys, certificates


def _make_content_info(data: bytes) -> bytes:
    return der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010701"), der.encode(0xA0, data))
