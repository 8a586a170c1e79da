"""Makes the PKCS#12 (RFC 7292) in which the platform packs a VM's certificates and private keys.

The platform packs all keys into one file, but ``openssl pkcs12`` packs only one key. So openssl
encrypts each pair, and this module joins the parts and adds the MAC (RFC 7292, appendix B). Knows
no CMS and no XML.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from lightinit.emulator.certificates.der import (
    INTEGER,
    NULL,
    OCTET_STRING,
    OID,
    SEQUENCE,
    read_elements,
    read_one,
    write_element,
)
from lightinit.emulator.certificates.openssl import run_openssl
from lightinit.emulator.errors import EmulatorError

DATA = bytes.fromhex("2a864886f70d010701")  # 1.2.840.113549.1.7.1
MAC_ROUNDS = 2048
_HASHES = {"sha1": bytes.fromhex("2b0e03021a"), "sha256": bytes.fromhex("608648016503040201")}


class _Form(NamedTuple):
    certificates: str
    keys: str
    mac: str
    is_legacy: bool  # OpenSSL 3 has these ciphers in its legacy provider


FORMS: Dict[str, _Form] = {
    "modern": _Form("AES-256-CBC", "AES-256-CBC", "sha256", False),
    "legacy-3des": _Form("PBE-SHA1-3DES", "PBE-SHA1-3DES", "sha1", False),
    "legacy-rc2": _Form("PBE-SHA1-RC2-40", "PBE-SHA1-3DES", "sha1", True),
}


class Pair(NamedTuple):
    """A certificate and its private key, both PEM; ``key`` is None if the VM does not get it."""

    certificate: bytes
    key: Optional[bytes] = None


def _export(pair: Pair, form: _Form) -> bytes:
    words = [
        "pkcs12",
        "-export",
        "-nomac",
        "-passout",
        "pass:",
        "-in",
        "certificate.pem",
        "-certpbe",
        form.certificates,
        "-keypbe",
        form.keys,
    ]
    words += ["-inkey", "key.pem", "-passin", "pass:"] if pair.key else ["-nokeys"]
    files = {"certificate.pem": pair.certificate, "key.pem": pair.key or b""}
    if not form.is_legacy:
        return run_openssl(words, files=files)
    try:
        return run_openssl(words + ["-legacy"], files=files)
    except EmulatorError as error:
        try:
            # OpenSSL before version 3 has no such option and does not need it.
            return run_openssl(words, files=files)
        except EmulatorError:
            raise error from None


def _split(pfx: bytes) -> List[bytes]:
    """Return the parts of a PKCS#12 without a MAC: first the certificates, then the keys."""
    _, safe = read_elements(read_one(pfx, SEQUENCE).content)[:2]
    _, wrapped = read_elements(safe.content)
    inner = read_one(read_one(wrapped.content, OCTET_STRING).content, SEQUENCE)
    return [part.raw for part in read_elements(inner.content)]


def _seal(safe: bytes, digest: str) -> bytes:
    """Return the MacData of the content for the empty password.

    openssl and Windows encode that password as two zero bytes.
    """
    salt = os.urandom(16)
    block = hashlib.new(digest).block_size
    key = b"\3" * block + (salt * block)[:block] + b"\0" * block
    for _ in range(MAC_ROUNDS):
        key = hashlib.new(digest, key).digest()
    mac = hmac.new(key, safe, digest).digest()
    algorithm = write_element(SEQUENCE, write_element(OID, _HASHES[digest]), write_element(NULL))
    return write_element(
        SEQUENCE,
        write_element(SEQUENCE, algorithm, write_element(OCTET_STRING, mac)),
        write_element(OCTET_STRING, salt),
        write_element(INTEGER, MAC_ROUNDS.to_bytes(2, "big")),
    )


def make_pkcs12(pairs: Sequence[Pair], form: str) -> bytes:
    """Pack pairs into one PKCS#12 with an empty password.

    The keys are in the reverse order of the certificates: agents must match them by public key, not
    by position.

    Args:
        pairs: what to pack, at least one.
        form: one of ``FORMS``.

    Raises:
        EmulatorError: openssl is missing or does not support the form, or a key does not belong to
            its certificate.
    """
    certificates: List[bytes] = []
    keys: List[bytes] = []
    for pair in pairs:
        parts: Tuple[bytes, ...] = tuple(_split(_export(pair, FORMS[form])))
        certificates.append(parts[0])
        keys[:0] = parts[1:]
    safe = write_element(SEQUENCE, *(certificates + keys))
    content = write_element(
        SEQUENCE, write_element(OID, DATA), write_element(0xA0, write_element(OCTET_STRING, safe))
    )
    return write_element(
        SEQUENCE, write_element(INTEGER, b"\3"), content, _seal(safe, FORMS[form].mac)
    )
