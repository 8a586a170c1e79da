"""Pairs of a certificate and its private key: made, or read from PEM files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from typing import Dict, List

from lightinit.emulator.certificates.openssl import run_openssl
from lightinit.emulator.certificates.pkcs12 import Pair
from lightinit.emulator.errors import EmulatorError

_FILES = (".pem", ".crt", ".cer", ".key", ".prv")
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


def make_pair(name: str, with_key: bool = True) -> Pair:
    """Make a self-signed RSA certificate.

    Args:
        name: its common name.
        with_key: whether the VM also gets the private key.

    Raises:
        EmulatorError: openssl is missing or failed.
    """
    key = run_openssl(["genrsa", "2048"])
    certificate = run_openssl(
        ["req", "-x509", "-new", "-key", "key.pem", "-days", "730", "-subj", "/CN=%s" % name],
        files={"key.pem": key},
    )
    if not with_key:
        return Pair(certificate)
    return Pair(certificate, key)


def to_der(certificate: bytes) -> bytes:
    """Return the DER of a PEM certificate.

    Raises:
        EmulatorError: it is not PEM.
    """
    found = _BLOCK.search(certificate)
    if found is None:
        raise EmulatorError("a certificate is not PEM")
    try:
        return base64.b64decode(b"".join(found.group(0).split(b"\n")[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EmulatorError("a certificate is not PEM") from error


def thumbprint(pair: Pair) -> str:
    """Return a certificate's thumbprint, as the platform writes it: the SHA-1 of its DER in
    upper-case hex.
    """
    # The platform uses SHA-1.
    return hashlib.sha1(to_der(pair.certificate)).hexdigest().upper()  # noqa: S324


def _read_files(path: str) -> bytes:
    paths = [path]
    if os.path.isdir(path):
        paths = sorted(
            os.path.join(path, name) for name in os.listdir(path) if name.endswith(_FILES)
        )
    blocks = []
    for name in paths:
        try:
            with open(name, "rb") as file:
                blocks.append(file.read())
        except OSError as error:
            raise EmulatorError(
                "cannot read the certificates in %s: %s" % (name, error.strerror)
            ) from error
    return b"\n".join(blocks)


def load_pairs(path: str) -> List[Pair]:
    """Read certificates and private keys from a PEM file, or from the files in a directory.

    A key belongs to the certificate with the same public key. A certificate may have no key.

    Args:
        path: a file, or a directory whose .pem, .crt, .cer, .key and .prv files are read.

    Raises:
        EmulatorError: a file cannot be read, there is no certificate, a key is encrypted, or a key
            belongs to none of the certificates.
    """
    certificates: List[bytes] = []
    keys: Dict[bytes, bytes] = {}
    for match in _BLOCK.finditer(_read_files(path)):
        kind, block = match.group(1), match.group(0) + b"\n"
        if kind == b"CERTIFICATE":
            certificates.append(block)
        elif kind.endswith(b"PRIVATE KEY"):
            if kind.startswith(b"ENCRYPTED") or b"ENCRYPTED" in block[:200]:
                raise EmulatorError(
                    "%s has an encrypted private key: decrypt it first (openssl pkey)" % path
                )
            keys[run_openssl(["pkey", "-pubout"], block)] = block
    if not certificates:
        note = ""
        if os.path.isdir(path):
            note = "; in a directory, only files that end in %s are read" % ", ".join(_FILES)
        raise EmulatorError("%s has no PEM certificate%s" % (path, note))
    pairs = []
    for certificate in certificates:
        public = run_openssl(["x509", "-noout", "-pubkey"], certificate)
        pairs.append(Pair(certificate, keys.pop(public, None)))
    if keys:
        raise EmulatorError("%s has a private key that belongs to none of its certificates" % path)
    return pairs
