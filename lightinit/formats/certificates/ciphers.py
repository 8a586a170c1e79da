"""The ciphers of certificate bundles, by their object identifiers. The work itself is done by
``cryptography``.

It is imported only here and where a key is read, when there is something to decrypt: the import
costs more than a first boot has to spare. Where it has no such cipher, or OpenSSL below it has
none, the error says which one is missing.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.certificates import der


class Cipher(NamedTuple):
    """A block cipher in CBC mode: its name, and the lengths of its key and its blocks in bytes."""

    name: str
    key_bytes: int
    block_bytes: int


DES_EDE3_CBC = "1.2.840.113549.3.7"
CIPHERS: Dict[str, Cipher] = {
    DES_EDE3_CBC: Cipher("3DES", 24, 8),
    "2.16.840.1.101.3.4.1.2": Cipher("AES-128", 16, 16),
    "2.16.840.1.101.3.4.1.22": Cipher("AES-192", 24, 16),
    "2.16.840.1.101.3.4.1.42": Cipher("AES-256", 32, 16),
}
HASHES: Dict[str, str] = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSAES_OAEP = "1.2.840.113549.1.1.7"
MGF1 = "1.2.840.113549.1.1.8"
P_SPECIFIED = "1.2.840.113549.1.1.9"


def backend() -> Any:
    """The backend of ``cryptography``, which had to be named before its version 3.1.

    Raises:
        ProvisioningError: ``cryptography`` is missing, or cannot work here.
    """
    try:
        from cryptography.exceptions import InternalError

        try:
            from cryptography.hazmat.backends import default_backend

            return default_backend()
        except (InternalError, RuntimeError) as error:  # some of its versions insist on old ciphers
            raise ProvisioningError(
                "python cryptography does not work",
                error=type(error).__name__,
                hint="install OpenSSL's legacy provider (legacy.so), which it asks for",
            ) from error
    except ImportError as error:
        raise ProvisioningError(
            "python cryptography is missing",
            error=error,
            hint="install it (python3-cryptography), or set certificates = none in [azure]",
        ) from error


def read_cipher(oid: str, parameters: Optional[der.Element]) -> Tuple[Cipher, bytes]:
    """The cipher that an AlgorithmIdentifier names, and its initialization vector.

    Raises:
        MalformedError: it is none of ``CIPHERS``, or the vector is missing or of another length.
    """
    if oid not in CIPHERS:
        raise unknown_algorithm(oid)
    part = "initialization vector"
    vector = parameters.octets(part) if parameters is not None else b""
    if len(vector) != CIPHERS[oid].block_bytes:
        raise der.damaged(part, "is of another length")
    return CIPHERS[oid], vector


def decrypt_cbc(cipher: Cipher, key: bytes, vector: bytes, data: bytes) -> bytes:
    """The plain text, without its padding.

    Args:
        cipher: one of ``CIPHERS``.
        key: as long as the cipher wants it, or it is a wrong one.
        vector: the initialization vector, as :func:`read_cipher` gives it.
        data: the encrypted text.

    Raises:
        MalformedError: the key is surely wrong. A wrong key passes about once in 256 times: what
            comes out must be checked by other means too.
        ProvisioningError: the cipher is missing.
    """
    size = cipher.block_bytes
    if len(key) != cipher.key_bytes or not data or len(data) % size:
        raise undecipherable()
    engine = backend()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import ciphers

    algorithms = ciphers.algorithms
    try:
        algorithm: Any = _triple_des(key) if cipher.name == "3DES" else algorithms.AES(key)
        decryptor = ciphers.Cipher(algorithm, ciphers.modes.CBC(vector), engine).decryptor()
        text = decryptor.update(data) + decryptor.finalize()
    except UnsupportedAlgorithm as error:
        raise missing_cipher(cipher.name) from error
    padding = text[-1]
    if not 1 <= padding <= size or text[-padding:] != bytes((padding,)) * padding:
        raise undecipherable()
    return text[:-padding]


def decrypt_rsa(key: Any, oid: str, parameters: Optional[der.Element], data: bytes) -> bytes:
    """What was encrypted with the public key of a pair.

    With PKCS#1 v1.5 padding, an OpenSSL of today answers a wrong key with random bytes of random
    length, so the caller must check what it gets.

    Args:
        key: the private key, an object of ``cryptography``.
        oid: the padding.
        parameters: those of the padding.
        data: the encrypted text.

    Raises:
        MalformedError: the key is wrong, or the padding is unknown.
        ProvisioningError: the padding is known and cannot be had.
    """
    backend()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import padding as paddings

    if oid == RSA_ENCRYPTION:
        der.expect_no_parameters(parameters, "key encryption")
        padding: Any = paddings.PKCS1v15()
    elif oid == RSAES_OAEP:
        padding = _read_oaep(parameters)
    else:
        raise unknown_algorithm(oid)
    try:
        return bytes(key.decrypt(data, padding))
    except UnsupportedAlgorithm as error:
        raise missing_cipher("RSA") from error
    except (ValueError, TypeError) as error:
        raise undecipherable() from error


def find_hash(oid: str) -> str:
    """The name that hashlib has for a hash.

    Raises:
        MalformedError: it is none of ``HASHES``.
    """
    if oid not in HASHES:
        raise unknown_algorithm(oid)
    return HASHES[oid]


def undecipherable() -> MalformedError:
    """The error of a wrong key. It is one for all of its causes, so that nobody can tell from it
    what went wrong.
    """
    return MalformedError("certificate bundle cannot be decrypted")


def unknown_algorithm(oid: str) -> MalformedError:
    """The error of a bundle that uses what is not known here."""
    return MalformedError("certificate bundle uses an unknown algorithm", algorithm=oid)


def missing_cipher(name: str) -> ProvisioningError:
    """The error of an installation that lacks a cipher which is known here."""
    return ProvisioningError(
        "cipher cannot be had",
        cipher=name,
        hint="install OpenSSL's legacy provider (legacy.so; openssl-provider-legacy where it is a "
        "package of its own), or let the platform make the bundle with newer ciphers",
    )


def _triple_des(key: bytes) -> Any:
    try:  # its home since cryptography 43
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
    return TripleDES(key)


def _read_oaep(parameters: Optional[der.Element]) -> Any:
    """The padding that RSAES-OAEP-params describe (RFC 8017, appendix A.2.1), whose fields all have
    defaults.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding as paddings

    part = "oaep parameters"
    digest = mask_digest = "sha1"
    label = b""
    seen = 0
    for field in parameters.children(der.SEQUENCE, part) if parameters is not None else []:
        if field.tag <= seen:
            raise der.damaged(part, "are out of order")
        seen = field.tag
        oid, inner = field.only_child(seen, part).algorithm(part)
        if seen == 0xA0:
            digest = find_hash(oid)
            der.expect_no_parameters(inner, part)
        elif seen == 0xA1 and oid == MGF1 and inner is not None:
            mask_oid, nothing = inner.algorithm(part)
            mask_digest = find_hash(mask_oid)
            der.expect_no_parameters(nothing, part)
        elif seen == 0xA2 and oid == P_SPECIFIED and inner is not None:
            label = inner.octets(part)
        else:
            raise unknown_algorithm(oid)

    def make(name: str) -> Any:
        return getattr(hashes, name.upper())()

    return paddings.OAEP(paddings.MGF1(make(mask_digest)), make(digest), label or None)
