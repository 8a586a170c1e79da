"""The ciphers of certificate bundles, by their object identifiers. ``cryptography`` does the work.

``cryptography`` is imported only when there is something to decrypt, because the import takes long.
If it or its OpenSSL lacks a cipher, the error names the cipher.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

from lightinit.errors import LibraryError, MalformedError, ProvisioningError
from lightinit.formats.certificates import der
from lightinit.libraries import load
from lightinit.model import NamedTuple


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
# The parts of cryptography that the files of this folder import.
PARTS = (
    "hazmat.primitives.asymmetric.padding",
    "hazmat.primitives.asymmetric.rsa",
    "hazmat.primitives.ciphers.algorithms",
    "hazmat.primitives.hashes",
    "hazmat.primitives.serialization.pkcs12",
    "x509.oid",
)
Result = TypeVar("Result")


def parse_by_library(work: Callable[[], Result]) -> Result:
    """Let ``cryptography`` read one key or certificate.

    Its versions raise different exceptions for data that they do not accept. InvalidVersion is not
    a ValueError, and a panic in its Rust part is not even an Exception. One bad key must not stop
    the others, so all of them become ValueError.

    Args:
        work: reads the data. It has no side effects.

    Raises:
        ValueError: ``work`` raised an exception. The message has its name, and no data.
    """
    try:
        return work()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise ValueError("%s of python cryptography" % type(error).__name__) from error


def backend() -> Any:
    """Return the backend of ``cryptography``. Versions before 3.1 require it as an argument.

    This imports all parts that the other files of this folder import, so that a damaged part is
    found here.

    Raises:
        ProvisioningError: ``cryptography`` is missing or does not work here.
    """
    try:
        internal_error = load("cryptography.exceptions").InternalError
        for part in PARTS:
            load("cryptography." + part)
        engine = load("cryptography.hazmat.backends").default_backend
    except LibraryError as error:
        raise _without_cryptography(error) from error
    try:
        return engine()
    except (internal_error, RuntimeError) as error:  # some versions demand old ciphers
        raise ProvisioningError(
            "python cryptography does not work",
            error=type(error).__name__,
            hint="install OpenSSL's legacy provider (legacy.so), which it needs",
        ) from error


def _without_cryptography(error: LibraryError) -> ProvisioningError:
    if error.is_missing:
        return ProvisioningError(
            "python cryptography is missing",
            error=error.details.get("said", error.reason),
            hint="install it (python3-cryptography), or set certificates = none in [azure]",
        )
    hint = error.details.pop("hint")
    if error.details.get("error") in ("InternalError", "RuntimeError"):
        hint = "install OpenSSL's legacy provider (legacy.so), which it needs"
    return ProvisioningError("python cryptography does not work", **error.details, hint=hint)


def read_cipher(oid: str, parameters: Optional[der.DerValue]) -> Tuple[Cipher, bytes]:
    """Return the cipher of an AlgorithmIdentifier, and its initialization vector.

    Args:
        oid: the object identifier of the cipher.
        parameters: the parameters of the AlgorithmIdentifier.

    Raises:
        MalformedError: the cipher is not in ``CIPHERS``, or the vector is missing or has another
            length.
    """
    if oid not in CIPHERS:
        raise unknown_algorithm(oid)
    part = "initialization vector"
    vector = b""
    if parameters is not None:
        vector = parameters.octets(part)
    if len(vector) != CIPHERS[oid].block_bytes:
        raise der.damaged(part, "is of another length")
    return CIPHERS[oid], vector


def decrypt_cbc(cipher: Cipher, key: bytes, vector: bytes, data: bytes) -> bytes:
    """Decrypt data and remove the padding.

    Args:
        cipher: one of ``CIPHERS``.
        key: the key. If its length is not the cipher's, it is a wrong key.
        vector: the initialization vector, from :func:`read_cipher`.
        data: the encrypted data.

    Returns:
        The plain text. About 1 in 256 wrong keys is not detected, so the caller must also check
        the text in another way.

    Raises:
        MalformedError: the key is wrong.
        ProvisioningError: the cipher is missing.
    """
    size = cipher.block_bytes
    if len(key) != cipher.key_bytes or not data or len(data) % size:
        raise undecipherable()
    engine = backend()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import ciphers

    try:
        algorithm = make_algorithm(cipher, key)
        decryptor = ciphers.Cipher(algorithm, ciphers.modes.CBC(vector), engine).decryptor()
        text = decryptor.update(data) + decryptor.finalize()
    except UnsupportedAlgorithm as error:
        raise missing_cipher(cipher.name) from error
    padding = text[-1]
    if not 1 <= padding <= size or text[-padding:] != bytes((padding,)) * padding:
        raise undecipherable()
    return text[:-padding]


def make_algorithm(cipher: Cipher, key: bytes) -> Any:
    """Make the algorithm object that ``cryptography`` has for a cipher with this key."""
    from cryptography.hazmat.primitives.ciphers import algorithms

    if cipher.name != "3DES":
        return algorithms.AES(key)
    try:  # its place since cryptography 43
        from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    except ImportError:
        from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
    return TripleDES(key)


def decrypt_rsa(key: Any, oid: str, parameters: Optional[der.DerValue], data: bytes) -> bytes:
    """Decrypt data that were encrypted with the public key of a pair.

    Args:
        key: the private key, an object of ``cryptography``.
        oid: the object identifier of the padding.
        parameters: the parameters of the padding.
        data: the encrypted data.

    Returns:
        The plain text. With a wrong key and PKCS#1 v1.5 padding, current versions of OpenSSL return
        random bytes of random length, so the caller must check the text.

    Raises:
        MalformedError: the key is wrong, or the padding is unknown.
        ProvisioningError: the padding is known but not available.
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
    """Return hashlib's name of a hash.

    Raises:
        MalformedError: the hash is not in ``HASHES``.
    """
    if oid not in HASHES:
        raise unknown_algorithm(oid)
    return HASHES[oid]


def undecipherable() -> MalformedError:
    """Make the error of a wrong key. It is the same for every cause, so an attacker learns nothing
    from it.
    """
    return MalformedError("certificate bundle cannot be decrypted")


def unknown_algorithm(oid: str) -> MalformedError:
    """Make the error of a bundle with an algorithm that lightinit does not know."""
    return MalformedError("certificate bundle uses an unknown algorithm", algorithm=oid)


def missing_cipher(name: str) -> ProvisioningError:
    """Make the error for a cipher that lightinit knows and this installation lacks."""
    return ProvisioningError(
        "cipher cannot be had",
        cipher=name,
        hint="install OpenSSL's legacy provider (legacy.so; some systems have a package"
        " openssl-provider-legacy), or let the platform make the bundle with newer ciphers",
    )


def _read_oaep(parameters: Optional[der.DerValue]) -> Any:
    """Make the padding that RSAES-OAEP-params describe (RFC 8017, appendix A.2.1). Every field has
    a default.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding as paddings

    part = "oaep parameters"
    digest = mask_digest = "sha1"
    label = b""
    seen = 0
    fields: List[der.DerValue] = []
    if parameters is not None:
        fields = parameters.children(der.SEQUENCE, part)
    for field in fields:
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
