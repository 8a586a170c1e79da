"""Reads PKCS#12 with an empty password (RFC 7292), the content of the platform's certificate
bundles.

The MAC shows that the data are not damaged, and that the envelope was opened with the right key.
Without a MAC, nothing is read. ``cryptography`` can read PKCS#12, too, but returns only one key. It
is used only for RC2, since its other interfaces lack RC2. Names and other attributes are ignored.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.certificates import ciphers, cms, der, pbe
from lightinit.formats.certificates.budget import Budget
from lightinit.model import NamedTuple

ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
KEY_BAG = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3"
SAFE_CONTENTS_BAG = "1.2.840.113549.1.12.10.1.6"
X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
MAX_NESTED = 4


class Contents(NamedTuple):
    """The content of a bundle, in its order: private keys as PKCS#8 (DER), certificates as DER."""

    keys: List[bytes]
    certificates: List[bytes]


class _OpenBundle(NamedTuple):
    """The encoding of the password, the contents so far, and the remaining budget."""

    password: bytes
    found: Contents
    budget: Budget


def read(data: bytes, budget: Optional[Budget] = None) -> Contents:
    """Read a PKCS#12.

    Args:
        data: DER or BER.
        budget: the remaining work for the bundle. None: a new budget.

    Returns:
        All keys and certificates. Anything else (CRLs, secrets) is left out.

    Raises:
        MalformedError: the data are damaged, have another password, ask for too much work, or use
            something that lightinit does not know.
        ProvisioningError: a cipher is missing.
    """
    part = "pkcs12"
    budget = budget or Budget()
    version, content, *mac = der.read(data, part).children(der.SEQUENCE, part, 2, 3)
    if version.integer(part) != 3:
        raise der.damaged(part, "has an unknown version")
    kind, inner = cms.read_content_info(content, part)
    if kind != cms.DATA:  # the RFC allows a signature here, but nobody uses one
        raise ciphers.unknown_algorithm(kind)
    if not mac:
        raise MalformedError("certificate bundle has no mac")
    safes = inner.octets(part)
    password = _find_password(mac[0], safes, budget)
    bundle = _OpenBundle(password, Contents([], []), budget)
    for safe in der.read(safes, part).children(der.SEQUENCE, part):
        _read_safe(safe, bundle)
    return bundle.found


def _find_password(mac: der.DerValue, safes: bytes, budget: Budget) -> bytes:
    """Return the encoding of the empty password that gives the right MAC."""
    part = "mac"
    info, salt, *iterations = mac.children(der.SEQUENCE, part, 2, 3)
    algorithm, wanted = info.children(der.SEQUENCE, part, 2, 2)
    oid, nothing = algorithm.algorithm(part)
    der.expect_no_parameters(nothing, part)
    digest = ciphers.find_hash(oid)
    count = 1
    if iterations:
        count = budget.read_iterations(iterations[0], part)
    salt_bytes = budget.read_salt(salt, part)
    for password in (pbe.EMPTY, pbe.ABSENT):
        budget.spend_iterations(count, part)
        if hmac.compare_digest(
            _make_mac(digest, password, salt_bytes, count, safes), wanted.octets(part)
        ):
            return password
    raise MalformedError("certificate bundle has a wrong mac")


def _make_mac(digest: str, password: bytes, salt: bytes, iterations: int, safes: bytes) -> bytes:
    key = pbe.derive(
        digest, password, salt, iterations, pbe.FOR_MAC, hashlib.new(digest).digest_size
    )
    return hmac.new(key, safes, digest).digest()


def _read_safe(safe: der.DerValue, bundle: _OpenBundle) -> None:
    part = "safe"
    kind, content = cms.read_content_info(safe, part)
    if kind == cms.DATA:
        _read_bags(content.octets(part), bundle)
    elif kind == ENCRYPTED_DATA:
        version, inner = content.children(der.SEQUENCE, part, 2, 2)
        if version.integer(part) != 0:
            raise der.damaged(part, "has an unknown version")
        encrypted = cms.read_encrypted(inner, part)
        oid, parameters = encrypted.algorithm.algorithm(part)
        if oid in pbe.RC2:
            _open_by_library(safe.whole, oid, parameters, bundle)
        else:
            _read_bags(
                pbe.decrypt(encrypted.algorithm, bundle.password, encrypted.content, bundle.budget),
                bundle,
            )
    else:
        raise ciphers.unknown_algorithm(kind)


def _read_bags(data: bytes, bundle: _OpenBundle, depth: int = 0) -> None:
    part = "bag"
    if depth > MAX_NESTED:
        raise der.damaged(part, "is too deep")
    found = bundle.found
    for bag in der.read(data, part).children(der.SEQUENCE, part):
        bundle.budget.spend_bag(part)
        kind_of, value, *_ = bag.children(der.SEQUENCE, part, 2, 3)
        kind = kind_of.oid(part)
        inner = value.only_child(0xA0, part)
        if kind == KEY_BAG:
            found.keys.append(inner.whole)
        elif kind == SHROUDED_KEY_BAG:
            algorithm, encrypted = inner.children(der.SEQUENCE, part, 2, 2)
            oid, parameters = algorithm.algorithm(part)
            if oid in pbe.RC2:
                bags = der.encode(der.OCTET_STRING, der.encode(der.SEQUENCE, bag.whole))
                _open_by_library(_make_content_info(bags), oid, parameters, bundle)
            else:
                found.keys.append(
                    pbe.decrypt(algorithm, bundle.password, encrypted.octets(part), bundle.budget)
                )
        elif kind == CERTIFICATE_BAG:
            type_of, certificate = inner.children(der.SEQUENCE, part, 2, 2)
            if type_of.oid(part) == X509_CERTIFICATE:
                found.certificates.append(certificate.only_child(0xA0, part).octets(part))
        elif kind == SAFE_CONTENTS_BAG:
            _read_bags(inner.whole, bundle, depth + 1)


# -- RC2
# --------------------------------------------------------------------------------------------------


def _open_by_library(
    safe: bytes, oid: str, parameters: Optional[der.DerValue], bundle: _OpenBundle
) -> None:
    """Let ``cryptography`` read one part, wrapped into another PKCS#12.

    It returns all certificates and one key. That is enough: keys are encrypted one by one, so a
    part with RC2 has one key at most.
    """
    if parameters is None:
        raise der.damaged("password encryption", "has no parameters")
    pbe.read_derivation(parameters, bundle.budget)  # the library has no limit of its own
    safes = der.encode(der.SEQUENCE, safe)
    salt, iterations = bytes(8), 2
    # The algorithm is SHA-1.
    algorithm = der.encode(der.SEQUENCE, bytes.fromhex("06052b0e03021a"), der.encode(der.NULL))
    mac = _make_mac("sha1", bundle.password, salt, iterations, safes)
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
    key, certificates = _load(whole, bundle.password, pbe.RC2[oid])
    bundle.found.keys.extend(key)
    bundle.found.certificates.extend(certificates)


def _load(whole: bytes, password: bytes, cipher: str) -> Tuple[List[bytes], List[bytes]]:
    engine = ciphers.backend()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

    given: Optional[bytes] = None
    if password == pbe.EMPTY:
        given = b""
    try:
        loaded: Any = load_key_and_certificates(whole, given, engine)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The MAC was right, so the part is not damaged: the cipher must be missing.
        raise ciphers.missing_cipher(cipher) from error
    key, first, more = loaded
    keys = [
        each.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        for each in [key]
        if each is not None
    ]
    certificates = [
        each.public_bytes(serialization.Encoding.DER)
        for each in [first] + list(more)
        if each is not None
    ]
    return keys, certificates


def _make_content_info(data: bytes) -> bytes:
    return der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010701"), der.encode(0xA0, data))
