"""x509 certificates, as far as an SSH key can be taken from them.

Pure: bytes in, text out. ``cryptography`` is imported only when there is a certificate to read: most VMs get plain keys,
and the import would cost every first boot more than all the rest of this floor.
"""
from __future__ import annotations

from typing import Any

from lightinit.errors import MalformedError


def public_key_line(der: bytes) -> str:
    """The public key of an x509 certificate as a line for authorized_keys (``type base64``).

    The certificate's dates, issuer and signature are not looked at: the platform vouches for the key, not the
    certificate.

    Args:
        der: the certificate as DER.

    Raises:
        MalformedError: it is no certificate, holds a key that SSH does not know, or ``cryptography`` is missing.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from cryptography.x509 import load_der_x509_certificate
    except ImportError as error:
        raise MalformedError("x509 certificate cannot be read without python cryptography", error=error,
                             hint="install it, or give the key in OpenSSH form") from error
    try:
        key: Any = _load(load_der_x509_certificate, der).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedError("x509 certificate cannot be read", error=error) from error
    try:
        line = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
        raise MalformedError("x509 certificate holds a key that ssh does not know",
                             type=type(key).__name__.strip("_")) from error
    return str(line.decode("ascii"))


def _load(load: Any, der: bytes) -> Any:
    try:
        return load(der)
    except TypeError:  # before cryptography 3.1 the backend had to be named
        from cryptography.hazmat.backends import default_backend

        return load(der, default_backend())
