"""The VM's certificates, and the document in which the WireServer sends them.

Knows no HTTP. The document is ``CertificateFile`` XML with the base64 of a CMS EnvelopedData, whose
subjectKeyIdentifier names the recipient. The encrypted content is a PKCS#12 with an empty password.
Source: public traces of the protocol, and the behaviour of agents.

Not documented, so decided here: a VM without certificates gets the Format
``CertificatesNonPfxPackage`` and no Data, which agents understand as "none". A transport key with
fewer than 2048 bits is refused.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

from lightinit.emulator.certificates.der import CertificateFacts, read_certificate
from lightinit.emulator.certificates.openssl import run_openssl
from lightinit.emulator.certificates.pairs import load_pairs, make_pair, to_der
from lightinit.emulator.certificates.pkcs12 import FORMS, Pair, make_pkcs12
from lightinit.emulator.documents.goal_state import VERSION
from lightinit.emulator.documents.store import dress
from lightinit.emulator.wire.messages import Body

AUTO = "auto"
CIPHERS = {"AES128_CBC": "-aes128", "DES_EDE3_CBC": "-des3"}
PADDINGS = ("pkcs1", "oaep")
PFX_FORMAT = "Pkcs7BlobWithPfxContents"
OTHER_FORMAT = "CertificatesNonPfxPackage"
OPTIONS = ("count", "without_key", "pkcs12", "padding", "ciphers")

Source = Union[str, Sequence[Tuple[str, Optional[str]]]]


def find_option_problems(options: Any) -> List[str]:
    """Return one sentence for each mistake in a scenario's ``certificate_options``."""
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


def read_transport_certificate(text: str) -> Tuple[bytes, CertificateFacts]:
    """Read the certificate that an agent sends, so that the answer is encrypted to it.

    Args:
        text: the header's value: base64 of the DER on one line.

    Returns:
        its DER, and the facts that matter.

    Raises:
        ValueError: the platform could not use it; the text says why.
    """
    if "-----" in text:
        raise ValueError("it has PEM's BEGIN or END line: send only the base64 between them")
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64 on one line") from error
    try:
        facts = read_certificate(der)
    except (ValueError, IndexError) as error:
        raise ValueError("it is not an X.509 certificate in DER: %s" % error) from error
    if facts.rsa_bits < 2048:
        raise ValueError("its key is not RSA with at least 2048 bits")
    if not facts.key_identifier:
        raise ValueError("it has no subjectKeyIdentifier, which must name the recipient")
    return der, facts


def _to_pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(der)


class Certificates:
    """The certificates of one VM.

    Args:
        source: ``auto`` to make certificates, a path for :func:`load_pairs`, pairs of PEM texts, or
            None for no certificates (``auto`` if the scenario has options).
        options: the scenario's valid ``certificate_options``; None if it has none.
    """

    def __init__(
        self, source: Optional[Source] = None, options: Optional[Mapping[str, Any]] = None
    ) -> None:
        self._source = source
        if source is None and options is not None:
            self._source = AUTO
        self._options = dict(options or {})
        self.ciphers: List[str] = list(self._options.get("ciphers", CIPHERS))
        self.pairs: List[Pair] = []
        self._pfx = b""

    def prepare(self) -> None:
        """Make or read the certificates, and pack them.

        Raises:
            EmulatorError: openssl is missing, or a file or a pair is not usable.
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
        """Return the CMS, with the faults of the variants."""
        if "other-recipient" in variants or "other-key" in variants:
            other = to_der(make_pair("LinuxTransport").certificate)
            data = self._encrypt(cipher, other)
            if "other-key" in variants:  # it names this recipient, but is encrypted to another key
                known = read_certificate(other).key_identifier or b""
                data = data.replace(known, facts.key_identifier or b"", 1)
        else:
            data = self._encrypt(cipher, der)
        if "flipped-data" in variants:  # near the end, in the encrypted content
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
            facts: the transport certificate's facts.
            variants: faulty forms, from ``faults.VARIANTS["certificates"]``.

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
