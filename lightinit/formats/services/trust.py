"""Certificates of authorities that a host is to trust: are they sound, and the list of those that
its package brings. It knows no path.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, List

from lightinit.errors import LibraryError, MalformedError
from lightinit.formats.certificates.x509 import find_thumbprint, read_fields, to_pem
from lightinit.libraries import load
from lightinit.model import NamedTuple

DESELECTED = "# Deselected by lightinit, as the cloud-config says.\n"


class Authority(NamedTuple):
    """A certificate that is sound.

    Attributes:
        thumbprint: the SHA-1 of its DER, in upper-case hex.
        pem: itself, alone in a text.
        notes: what is strange about it.
    """

    thumbprint: str
    pem: str
    notes: List[str]


def read_authority(pem: str, now_s: float) -> Authority:
    """Read one certificate.

    Args:
        pem: its PEM; also ``TRUSTED CERTIFICATE``, whose settings of OpenSSL are left out.
        now_s: Unix time, in seconds.

    Raises:
        MalformedError: it is none.
    """
    lines = [line.strip() for line in pem.strip().split("\n")]
    try:
        der = base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError("certificate is damaged", why="it is not base64") from None
    if "TRUSTED" in lines[0]:
        der = _first_element(der)
    read_fields(der)
    return Authority(find_thumbprint(der), to_pem("CERTIFICATE", der), _notes(der, now_s))


def _first_element(data: bytes) -> bytes:
    """A certificate without what OpenSSL puts behind it."""
    if len(data) > 4 and data[:2] == b"\x30\x82":
        return data[: 4 + int.from_bytes(data[2:4], "big")]
    return data


def _notes(der: bytes, now_s: float) -> List[str]:
    """Let cryptography read it; without cryptography its form alone was checked.

    Raises:
        MalformedError: cryptography cannot read it.
    """
    try:
        x509 = load("cryptography.x509", "load_der_x509_certificate")
        backend = load("cryptography.hazmat.backends", "default_backend").default_backend()
    except LibraryError:
        return []
    try:
        certificate = x509.load_der_x509_certificate(der, backend)
        # Old versions of cryptography read it only when they are asked.
        str(certificate.version)
        ends_s = _ends_s(certificate)
        is_authority = _is_authority(x509, certificate)
    except (
        ValueError,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
    ):
        raise MalformedError("certificate is damaged", why="cryptography cannot read it") from None
    notes = []
    if ends_s < now_s:
        notes.append("it has expired")
    if not is_authority:
        notes.append("it is not an authority's: it vouches for nobody but itself")
    return notes


def _ends_s(certificate: Any) -> float:
    """When it expires, in Unix time."""
    import calendar

    ends = getattr(certificate, "not_valid_after_utc", None)
    if ends is None:
        ends = certificate.not_valid_after
    return float(calendar.timegm(ends.utctimetuple()))


def _is_authority(x509: Any, certificate: Any) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        # Version 1 has no extensions; such an authority is its own issuer.
        return bool(certificate.issuer == certificate.subject)
    return bool(found.value.ca)


def deselect_all(text: str) -> str:
    """The text of /etc/ca-certificates.conf with each certificate deselected, by a ``!``."""
    lines, changed = [], False
    for line in text.split("\n"):
        if line.strip() and line[0] not in "#!":
            line, changed = "!" + line, True
        lines.append(line)
    if not changed:
        return text
    return DESELECTED + "\n".join(lines)
