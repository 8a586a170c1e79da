"""The VM's certificates: where they come from, and the document in which the WireServer hands them
out.

Knows no HTTP. Facts: the answer is ``CertificateFile`` XML around base64 of a CMS EnvelopedData,
whose recipient is named by subjectKeyIdentifier, around a PKCS#12 with an empty password. Source:
public traces of the protocol, and what agents do with it. Not documented, and decided here: a VM
without certificates gets the Format ``CertificatesNonPfxPackage`` and no Data, which agents take
for "none"; a transport key below 2048 bits is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from lightinit.emulator.certificates.der import CertificateFacts, read_certificate
from lightinit.emulator.certificates.openssl import run_openssl
from lightinit.emulator.certificates.pkcs12 import FORMS, Pair, make_pkcs12
from lightinit.emulator.documents.goal_state import VERSION
from lightinit.emulator.documents.store import dress
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.wire.messages import Body

AUTO = "auto"
CIPHERS = {"AES128_CBC": "-aes128", "DES_EDE3_CBC": "-des3"}
PADDINGS = ("pkcs1", "oaep")
PFX_FORMAT = "Pkcs7BlobWithPfxContents"
OTHER_FORMAT = "CertificatesNonPfxPackage"
OPTIONS = ("count", "without_key", "pkcs12", "padding", "ciphers")
_FILES = (".pem", ".crt", ".cer", ".key", ".prv")
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)

Source = Union[str, Sequence[Tuple[str, Optional[str]]]]


def find_option_problems(options: Any) -> List[str]:
    """Return one sentence for each thing that is wrong with a scenario's
    ``certificate_options``.
    """
    if not isinstance(options, dict):
        return ["'certificate_options' must be an object"]
    found = [
        "'certificate_options' has an unknown key %r: known are %s" % (key, ", ".join(OPTIONS))
        for key in options
        if key not in OPTIONS
    ]
    for key in ("count", "without_key"):
        value = options.get(key, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 20:
            found.append("certificate_options.%s must be a number from 0 to 20" % key)
    for key, known in (("pkcs12", tuple(FORMS)), ("padding", PADDINGS)):
        if options.get(key, known[0]) not in known:
            found.append("certificate_options.%s must be one of %s" % (key, ", ".join(known)))
    ciphers = options.get("ciphers", list(CIPHERS))
    if not isinstance(ciphers, list) or not ciphers or any(name not in CIPHERS for name in ciphers):
        found.append("certificate_options.ciphers must be a list of %s" % " and ".join(CIPHERS))
    return found


def make_pair(name: str, with_key: bool = True) -> Pair:
    """Make a self-signed RSA certificate on the spot.

    Args:
        name: its common name.
        with_key: whether the VM gets the private key too.

    Raises:
        EmulatorError: openssl is missing or failed.
    """
    key = run_openssl(["genrsa", "2048"])
    certificate = run_openssl(
        ["req", "-x509", "-new", "-key", "key.pem", "-days", "730", "-subj", "/CN=%s" % name],
        files={"key.pem": key},
    )
    return Pair(certificate, key if with_key else None)


def to_der(certificate: bytes) -> bytes:
    """Return the DER of a PEM certificate.

    Raises:
        EmulatorError: it is none.
    """
    found = _BLOCK.search(certificate)
    try:
        return base64.b64decode(
            b"".join(found.group(0).split(b"\n")[1:-1]) if found else b"?", validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise EmulatorError("a certificate is not PEM") from error


def thumbprint(pair: Pair) -> str:
    """Return a certificate's thumbprint: the SHA-1 of its DER in upper-case hex, as the platform
    names it.
    """
    # SHA-1 is the platform's choice.
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
    """Read certificates and private keys from a PEM file, or from the files of a directory.

    Keys are given to certificates by equal public keys; a certificate may have none.

    Args:
        path: a file, or a directory whose .pem, .crt, .cer, .key and .prv files are read.

    Raises:
        EmulatorError: it cannot be read, holds no certificate, a key in a passphrase, or a key of
            none of them.
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
                    "%s has a private key in a passphrase: decrypt it first (openssl pkey)" % path
                )
            keys[run_openssl(["pkey", "-pubout"], block)] = block
    if not certificates:
        raise EmulatorError(
            "%s holds no PEM certificate%s"
            % (
                path,
                (
                    "; of a directory, files that end in %s are read" % ", ".join(_FILES)
                    if os.path.isdir(path)
                    else ""
                ),
            )
        )
    pairs = []
    for certificate in certificates:
        public = run_openssl(["x509", "-noout", "-pubkey"], certificate)
        pairs.append(Pair(certificate, keys.pop(public, None)))
    if keys:
        raise EmulatorError(
            "%s holds a private key that belongs to none of its certificates" % path
        )
    return pairs


def read_transport_certificate(text: str) -> Tuple[bytes, CertificateFacts]:
    """Read the certificate that an agent sends to have the answer encrypted to it.

    Args:
        text: the header's value: base64 of the DER on one line.

    Returns:
        its DER, and what is known of it.

    Raises:
        ValueError: the platform could not use it; the text says why.
    """
    if "-----" in text:
        raise ValueError(
            "it has PEM's BEGIN or END line: only the base64 between them belongs there"
        )
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64 on one line") from error
    try:
        facts = read_certificate(der)
    except (ValueError, IndexError) as error:
        raise ValueError("it is no X.509 certificate in DER: %s" % error) from error
    if facts.rsa_bits < 2048:
        raise ValueError("its key is not RSA with 2048 bits or more")
    if not facts.key_identifier:
        raise ValueError("it has no subjectKeyIdentifier, by which the recipient is named")
    return der, facts


def _to_pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(der)


class Certificates:
    """What one VM is given.

    Args:
        source: ``auto`` to make certificates on the spot, a path for :func:`load_pairs`, pairs of
            PEM texts, or None for no certificates (for ``auto`` when the scenario has options).
        options: the scenario's ``certificate_options``, valid; None when it has none.
    """

    def __init__(
        self, source: Optional[Source] = None, options: Optional[Mapping[str, Any]] = None
    ) -> None:
        self._source: Optional[Source] = AUTO if source is None and options is not None else source
        self._options = dict(options or {})
        self.ciphers: List[str] = list(self._options.get("ciphers", CIPHERS))
        self.pairs: List[Pair] = []
        self._pfx = b""

    def prepare(self) -> None:
        """Make or read the certificates, and pack them.

        Raises:
            EmulatorError: openssl is missing, or a file or a pair cannot be used.
        """
        if self._source is None or self.pairs:
            return
        if self._source == AUTO:
            count, bare = self._options.get("count", 1), self._options.get("without_key", 0)
            self.pairs = [
                make_pair("lightinit-emulator-%d" % number, number <= count)
                for number in range(1, count + bare + 1)
            ]
        elif isinstance(self._source, str):
            self.pairs = load_pairs(self._source)
        else:
            self.pairs = [
                Pair(certificate.encode(), key.encode() if key else None)
                for certificate, key in self._source
            ]
        if self.pairs:
            self._pfx = make_pkcs12(self.pairs, self._options.get("pkcs12", "modern"))

    def _encrypt(self, cipher: str, der: bytes) -> bytes:
        content = self._pfx
        words = [
            "cms",
            "-encrypt",
            "-binary",
            "-outform",
            "DER",
            CIPHERS[cipher],
            "-recip",
            "recipient.pem",
            "-keyid",
        ]
        if self._options.get("padding") == "oaep":
            words += ["-keyopt", "rsa_padding_mode:oaep"]
        return run_openssl(words, content, {"recipient.pem": _to_pem(der)})

    def _make_data(
        self, cipher: str, der: bytes, facts: CertificateFacts, variants: Sequence[str]
    ) -> bytes:
        """Return the CMS, in the wrong ways that the variants ask for."""
        if "other-recipient" in variants or "other-key" in variants:
            other = to_der(make_pair("LinuxTransport").certificate)
            data = self._encrypt(cipher, other)
            if "other-key" in variants:  # says that it is for this recipient, and is not
                known = read_certificate(other).key_identifier or b""
                data = data.replace(known, facts.key_identifier or b"", 1)
        else:
            data = self._encrypt(cipher, der)
        if "flipped-data" in variants:  # near the end, where the encrypted content is
            place = len(data) * 3 // 4
            data = data[:place] + bytes((data[place] ^ 0x10,)) + data[place + 1 :]
        return data[: len(data) * 2 // 3] if "cut-data" in variants else data

    def format_document(
        self,
        incarnation: str,
        cipher: str,
        der: bytes,
        facts: CertificateFacts,
        variants: Sequence[str] = (),
    ) -> Body:
        """Return the answer to a good request.

        Args:
            incarnation: the goal state's.
            cipher: one of ``CIPHERS``.
            der: the transport certificate.
            facts: what is known of it.
            variants: forms to give it, of those in ``faults.VARIANTS["certificates"]``.

        Raises:
            EmulatorError: openssl cannot encrypt to this certificate.
        """
        lines = [
            "  <Version>%s</Version>" % VERSION,
            "  <Incarnation>%s</Incarnation>" % incarnation,
        ]
        kind = PFX_FORMAT if self.pairs and "other-format" not in variants else OTHER_FORMAT
        if "no-format" not in variants:
            lines.append("  <Format>%s</Format>" % ("" if "empty-format" in variants else kind))
        if self.pairs and "no-data" not in variants:
            data = base64.b64encode(self._make_data(cipher, der, facts, variants)).decode("ascii")
            rows = [data[place : place + 64] for place in range(0, len(data), 64)]
            if "not-base64" in variants:
                rows.insert(len(rows) // 2, "?" * 64)
            lines.append("  <Data>%s\n</Data>" % "\n".join(rows))
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n<CertificateFile'
            ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            ' xsi:noNamespaceSchemaLocation="certificates10.xsd">\n%s\n</CertificateFile>\n'
        )
        return dress((text % "\n".join(lines)).encode("utf-8"), variants)
