"""Decrypts with a password, as PKCS#12 does: with its own old schemes (RFC 7292) and with PBES2
(RFC 8018).

The platform's bundles have the empty password, which protects nothing. It has two encodings, which
give different keys. Here a password is always in the encoding of PKCS#12: UTF-16 and two zeros, or
no bytes at all.
"""

from __future__ import annotations

import hashlib
from typing import Dict, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.certificates import ciphers, der
from lightinit.formats.certificates.budget import Budget
from lightinit.model import NamedTuple

EMPTY, ABSENT = b"\0\0", b""
FOR_KEY, FOR_VECTOR, FOR_MAC = 1, 2, 3

PBES2 = "1.2.840.113549.1.5.13"
PBKDF2 = "1.2.840.113549.1.5.12"
HMACS: Dict[str, str] = {
    "1.2.840.113549.2.7": "sha1",
    "1.2.840.113549.2.8": "sha224",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
# pbeWithSHA1And3-KeyTripleDES-CBC and pbeWithSHA1And2-KeyTripleDES-CBC: the lengths of their keys
# in bytes.
TRIPLE_DES: Dict[str, int] = {"1.2.840.113549.1.12.1.3": 24, "1.2.840.113549.1.12.1.4": 16}
# pbeWithSHA1And128BitRC2-CBC and pbeWithSHA1And40BitRC2-CBC.
RC2: Dict[str, str] = {"1.2.840.113549.1.12.1.5": "RC2-128", "1.2.840.113549.1.12.1.6": "RC2-40"}


class Derivation(NamedTuple):
    """A salt, and the number of iterations."""

    salt: bytes
    iterations: int


def decrypt(algorithm: der.DerValue, password: bytes, data: bytes, budget: Budget) -> bytes:
    """Decrypt data with a password.

    Args:
        algorithm: the AlgorithmIdentifier, which has the salt and the number of iterations.
        password: ``EMPTY`` or ``ABSENT``.
        data: the encrypted data.
        budget: the remaining work for the bundle.

    Returns:
        The plain text, which is a SEQUENCE: a key or a list of bags.

    Raises:
        MalformedError: the data are damaged, ask for too much work, or the algorithm is unknown.
            RC2 is unknown here.
        ProvisioningError: the cipher is missing.
    """
    plain = _decrypt(algorithm, password, data, budget)
    # With a wrong key, the padding is right once in 256 times.
    try:
        is_right = der.read(plain, "plain text").tag == der.SEQUENCE
    except MalformedError:
        is_right = False
    if not is_right:
        raise ciphers.undecipherable()
    return plain


def _decrypt(algorithm: der.DerValue, password: bytes, data: bytes, budget: Budget) -> bytes:
    oid, parameters = algorithm.algorithm("password encryption")
    if parameters is None:
        raise der.damaged("password encryption", "has no parameters")
    if oid == PBES2:
        return _decrypt_pbes2(parameters, password, data, budget)
    if oid not in TRIPLE_DES:
        raise ciphers.unknown_algorithm(oid)
    how = read_derivation(parameters, budget)
    key = derive("sha1", password, how.salt, how.iterations, FOR_KEY, TRIPLE_DES[oid])
    vector = derive("sha1", password, how.salt, how.iterations, FOR_VECTOR, 8)
    return ciphers.decrypt_cbc(
        ciphers.CIPHERS[ciphers.DES_EDE3_CBC], (key + key[:8])[:24], vector, data
    )


def read_derivation(parameters: der.DerValue, budget: Budget) -> Derivation:
    """Read the parameters of the old schemes, and subtract their work from the budget.

    Raises:
        MalformedError: they are something else, or ask for too much work.
    """
    part = "password encryption"
    salt, iterations = parameters.children(der.SEQUENCE, part, 2, 2)
    how = Derivation(budget.read_salt(salt, part), budget.read_iterations(iterations, part))
    budget.spend_iterations(3 * how.iterations, part)  # two blocks of the key, one of the vector
    return how


def derive(
    digest: str, password: bytes, salt: bytes, iterations: int, purpose: int, length: int
) -> bytes:
    """Derive a key as PKCS#12 does (RFC 7292, appendix B.2).

    Args:
        digest: hashlib's name of the hash.
        password: ``EMPTY`` or ``ABSENT``.
        salt: the salt.
        iterations: how many times the hash is applied.
        purpose: ``FOR_KEY``, ``FOR_VECTOR`` or ``FOR_MAC``.
        length: the length of the result in bytes.
    """
    block = hashlib.new(digest).block_size
    text = _repeat(salt, block) + _repeat(password, block)
    result = b""
    while len(result) < length:
        last = hashlib.new(digest, bytes((purpose,)) * block + text).digest()
        for _ in range(iterations - 1):
            last = hashlib.new(digest, last).digest()
        result += last
        added = int.from_bytes((last * block)[:block], "big") + 1
        text = b"".join(
            ((int.from_bytes(text[at : at + block], "big") + added) % (1 << 8 * block)).to_bytes(
                block, "big"
            )
            for at in range(0, len(text), block)
        )
    return result[:length]


def _decrypt_pbes2(parameters: der.DerValue, password: bytes, data: bytes, budget: Budget) -> bytes:
    part = "password encryption"
    derivation, encryption = parameters.children(der.SEQUENCE, part, 2, 2)
    cipher, vector = ciphers.read_cipher(*encryption.algorithm(part))
    oid, inner = derivation.algorithm(part)
    if oid != PBKDF2 or inner is None:
        raise ciphers.unknown_algorithm(oid)
    salt, iterations, *rest = inner.children(der.SEQUENCE, part, 2, 4)
    how = Derivation(budget.read_salt(salt, part), budget.read_iterations(iterations, part))
    budget.spend_iterations(2 * how.iterations, part)
    if rest and rest[0].tag == der.INTEGER and rest.pop(0).integer(part) != cipher.key_bytes:
        raise der.damaged(part, "wants a key of another length")
    digest = _read_prf(tuple(rest), part)
    # PBKDF2 takes the password in UTF-8, where both encodings of the empty one have no bytes.
    key = hashlib.pbkdf2_hmac(
        digest,
        password.decode("utf-16-be").rstrip("\0").encode(),
        how.salt,
        how.iterations,
        cipher.key_bytes,
    )
    return ciphers.decrypt_cbc(cipher, key, vector, data)


def _read_prf(rest: Tuple[der.DerValue, ...], part: str) -> str:
    if not rest:
        return "sha1"
    if len(rest) > 1:
        raise der.damaged(part, "has too many elements")
    oid, nothing = rest[0].algorithm(part)
    der.expect_no_parameters(nothing, part)
    if oid not in HMACS:
        raise ciphers.unknown_algorithm(oid)
    return HMACS[oid]


def _repeat(data: bytes, block: int) -> bytes:
    """Repeat ``data`` until it fills whole blocks. Empty data stay empty."""
    size = (len(data) + block - 1) // block * block
    if not data:
        return b""
    return (data * (size // len(data) + 1))[:size]
