"""Bundles made by the real openssl are opened, in every combination; what is damaged or for others
is not.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any, List, Tuple

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.certificates.bundle import open_bundle, parse_certificate_file
from lightinit.formats.certificates.transport_pair import TransportPair, make_transport
from tests.lib.bundles import Desk, attempt, join, need_legacy, needs_openssl, openssl, safes_of
from tests.lib.noise import noise

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
pytestmark = needs_openssl

RECIPIENTS: List[Tuple[str, ...]] = [("-keyid",), ()]
CIPHERS = ["-aes128", "-des3", "-aes192", "-aes256"]
PADDINGS: List[Tuple[str, ...]] = [
    (),
    ("-keyopt", "rsa_padding_mode:oaep"),
    ("-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"),
    (
        "-keyopt",
        "rsa_padding_mode:oaep",
        "-keyopt",
        "rsa_oaep_md:sha256",
        "-keyopt",
        "rsa_mgf1_md:sha1",
    ),
    (
        "-keyopt",
        "rsa_padding_mode:oaep",
        "-keyopt",
        "rsa_oaep_md:sha512",
        "-keyopt",
        "rsa_mgf1_md:sha512",
    ),
    ("-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_label:48656c6c6f"),
]
BUNDLES: List[Tuple[str, ...]] = [
    (),
    ("-legacy",),
    ("-keypbe", "NONE", "-certpbe", "NONE"),
    ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
    ("-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-2DES"),
    ("-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC", "-macalg", "sha512"),
    ("-keypbe", "DES-EDE3-CBC", "-certpbe", "DES-EDE3-CBC", "-iter", "1"),
    ("-legacy", "-keypbe", "PBE-SHA1-RC2-40", "-certpbe", "PBE-SHA1-RC2-128"),
    ("-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "NONE"),
    ("-name", "friendly \u00fc", "-caname", "x", "-CSP", "some provider", "-LMK"),
]


@pytest.fixture(scope="module")
def transport() -> TransportPair:
    return make_transport(0.0)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: Any) -> Desk:
    made = Desk(tmp_path_factory.mktemp("desk"))
    for name, kind in (("one", ()), ("two", ()), ("rsa", ("rsa:2048",))):
        made.make_pair(name, *kind)
    return made


def shown(options: Tuple[str, ...]) -> str:
    return "_".join(options).replace("-keyopt_", "") or "default"


@pytest.mark.parametrize("padding", PADDINGS, ids=shown)
@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("recipient", RECIPIENTS, ids=shown)
def test_each_envelope(
    desk: Desk,
    transport: TransportPair,
    recipient: Tuple[str, ...],
    cipher: str,
    padding: Tuple[str, ...],
) -> None:
    data = desk.encrypt(desk.pkcs12("one"), transport, cipher, *recipient, *padding)
    assert open_bundle(data, transport) == (desk.expected("one"),)


@pytest.mark.parametrize("options", BUNDLES, ids=shown)
@pytest.mark.parametrize("name", ["one", "rsa"])
def test_each_pkcs12(
    desk: Desk, transport: TransportPair, name: str, options: Tuple[str, ...]
) -> None:
    if "-legacy" in options:
        need_legacy()
    data = desk.encrypt(desk.pkcs12(name, *options), transport)
    assert open_bundle(data, transport) == (desk.expected(name),)


def test_lengths_that_come_at_the_end_and_strings_in_pieces(
    desk: Desk, transport: TransportPair
) -> None:
    data = desk.encrypt(desk.pkcs12("rsa"), transport, "-aes128", "-keyid", "-stream")
    assert data.startswith(b"\x30\x80") and b"\xa0\x80\x04" in data
    assert open_bundle(data, transport) == (desk.expected("rsa"),)


def test_one_of_several_recipients(desk: Desk, transport: TransportPair) -> None:
    desk.write(
        "first.crt",
        b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
        % make_transport(0.0).header.encode(),
    )
    data = desk.encrypt(desk.pkcs12("one"), transport, "-keyid", "-recip", desk.at("first.crt"))
    assert open_bundle(data, transport) == (desk.expected("one"),)


def test_several_certificates_and_one_key(desk: Desk, transport: TransportPair) -> None:
    need_legacy()
    with open(desk.at("more.crt"), "wb") as file:
        file.write(desk.read("two.crt") + desk.read("rsa.crt"))
    for options in ((), ("-legacy",)):
        data = desk.encrypt(
            desk.pkcs12("one", "-certfile", desk.at("more.crt"), *options), transport
        )
        expected = [
            desk.expected("one"),
            desk.expected("two", with_key=False),
            desk.expected("rsa", with_key=False),
        ]
        assert open_bundle(data, transport) == tuple(
            sorted(expected, key=lambda each: each.thumbprint)
        )


@pytest.mark.parametrize(
    "options", [(), ("-legacy",), ("-keypbe", "NONE", "-certpbe", "NONE")], ids=shown
)
def test_several_keys_in_another_order(
    desk: Desk, transport: TransportPair, options: Tuple[str, ...]
) -> None:
    if "-legacy" in options:
        need_legacy()
    parts = [safes_of(desk.pkcs12(name, *options)) for name in ("one", "two", "rsa")]
    # Certificates first to last, keys last to first; one certificate twice; one key whose
    # certificate is not there.
    certificates, keys = [part[0] for part in parts[:2]], [part[1] for part in parts]
    made = join(certificates + keys[::-1] + certificates[:1])
    if "-legacy" not in options:
        # A first check by openssl itself that it accepts this.
        assert desk.check_by_openssl(made).count("BEGIN PRIVATE KEY") == 3
    expected = sorted(
        [desk.expected("one"), desk.expected("two")], key=lambda each: each.thumbprint
    )
    assert open_bundle(desk.encrypt(made, transport), transport) == tuple(expected)


def test_two_certificates_of_one_key(desk: Desk, transport: TransportPair) -> None:
    desk.write("again.key", desk.read("one.key"))
    openssl(
        "req",
        "-x509",
        "-key",
        desk.at("one.key"),
        "-subj",
        "/CN=renewed",
        "-out",
        desk.at("again.crt"),
    )
    data = desk.encrypt(desk.pkcs12("one", "-certfile", desk.at("again.crt")), transport)
    assert {each.thumbprint: each.key for each in open_bundle(data, transport)} == {
        desk.expected(name).thumbprint: desk.expected("one").key for name in ("one", "again")
    }


# -- what must not be opened
# -------------------------------------------------------------------------------------------


def test_another_recipient(desk: Desk, transport: TransportPair) -> None:
    other = make_transport(0.0)
    for options in (("-keyid",), ("-aes128",)):
        data = desk.encrypt(desk.pkcs12("one"), other, *options)
        with pytest.raises(MalformedError, match="certificate bundle is for another recipient"):
            open_bundle(data, transport)


@pytest.mark.parametrize("padding", PADDINGS[:3], ids=shown)
def test_a_wrong_key(desk: Desk, transport: TransportPair, padding: Tuple[str, ...]) -> None:
    """OpenSSL of today gives random bytes of random length for it; each envelope draws other
    ones.
    """
    wrong = transport._replace(key=make_transport(0.0).key)
    for _ in range(12):
        data = desk.encrypt(desk.pkcs12("one"), transport, "-keyid", *padding)
        assert attempt(open_bundle, data, wrong) == (
            "MalformedError",
            "certificate bundle cannot be decrypted",
        )


def test_a_wrong_content_key_of_the_right_length(desk: Desk, transport: TransportPair) -> None:
    """The worst that random bytes can be. Once in 256 times the content's padding looks right."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    data = desk.encrypt(desk.pkcs12("one"), transport)
    start = data.index(bytes.fromhex("300d06092a864886f70d010101050004820100")) + 19
    dice = random.Random(4)
    reasons = set()
    for _ in range(1500):
        encrypted = transport.key.public_key().encrypt(
            bytes(dice.randrange(256) for _ in range(16)), PKCS1v15()
        )
        assert len(encrypted) == 256
        kind, reason = attempt(
            open_bundle, data[:start] + encrypted + data[start + 256 :], transport
        )
        assert kind == "MalformedError"
        reasons.add(reason)
    assert reasons == {"certificate bundle cannot be decrypted", "certificate data are damaged"}


@pytest.mark.parametrize(
    "options",
    [
        ("-aes128", "-keyid"),
        ("-des3",),
        ("-aes128", "-keyid", "-keyopt", "rsa_padding_mode:oaep"),
        (
            "-aes256",
            "-stream",
            "-keyopt",
            "rsa_padding_mode:oaep",
            "-keyopt",
            "rsa_oaep_md:sha256",
            "-keyopt",
            "rsa_oaep_label:48656c6c6f",
        ),
    ],
    ids=shown,
)
def test_each_flipped_bit(desk: Desk, transport: TransportPair, options: Tuple[str, ...]) -> None:
    data = desk.encrypt(desk.pkcs12("one", "-iter", "2"), transport, *options)
    right = open_bundle(data, transport)
    dice = random.Random(4)
    harmless = []
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << dice.randrange(8)
        kind, result = attempt(open_bundle, bytes(damaged), transport)
        assert kind in ("", "MalformedError") and (kind or result == right), at
        if not kind:
            harmless.append(at)
    # What the version says, the recipient's name says too, so 0 and 2 are taken for the same.
    # Nothing else may pass.
    assert [at for at in harmless if data[at - 2 : at] != b"\2\1"] == []
    assert len(harmless) <= 2


def test_only_the_two_versions_have_a_bit_that_means_nothing(
    desk: Desk, transport: TransportPair
) -> None:
    data = desk.encrypt(desk.pkcs12("one", "-iter", "2"), transport)
    head = data.index(bytes.fromhex("300d06092a864886f70d010101050004820100"))
    passed = []
    for at in list(range(head + 19)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            kind, result = attempt(open_bundle, bytes(damaged), transport)
            if not kind:
                passed.append((data[at - 2 : at + 1], bit))
    assert passed == [(b"\2\1\2", 1)] * 2


@pytest.mark.parametrize("options", [(), ("-stream",)], ids=shown)
def test_each_length_that_is_too_short_or_too_long(
    desk: Desk, transport: TransportPair, options: Tuple[str, ...]
) -> None:
    data = desk.encrypt(desk.pkcs12("one", "-iter", "2"), transport, "-aes128", "-keyid", *options)
    for length in range(len(data)):
        assert attempt(open_bundle, data[:length], transport)[0] == "MalformedError", length
    for more in (b"\0", b"\0\0", b"\x30\0", data):
        assert attempt(open_bundle, data + more, transport)[0] == "MalformedError"


def test_what_is_no_bundle_at_all(desk: Desk, transport: TransportPair) -> None:
    plain = desk.pkcs12("one")
    for data in (
        b"",
        b"<html>",
        b"\x30\x80",
        b"\x30\x80\0\0",
        b"\x30\0",
        plain,
        b"\x30\x80" * 100000,
        noise(random.Random(4), 4096),
    ):
        assert attempt(open_bundle, data, transport)[0] == "MalformedError"
    for inner in (b"x", b"", plain[:-1], plain + b"x", b"\x30\x80" * 1000):
        assert (
            attempt(open_bundle, desk.encrypt(inner, transport), transport)[0] == "MalformedError"
        )
    with pytest.raises(MalformedError, match="unknown algorithm .*algorithm=1.2.840.113549.3.2"):
        need_legacy()
        open_bundle(
            desk.encrypt(
                plain, transport, "-rc2-128", "-provider", "legacy", "-provider", "default"
            ),
            transport,
        )


def test_a_certificate_that_is_none_gives_an_error(desk: Desk, transport: TransportPair) -> None:
    made = desk.pkcs12("one", "-keypbe", "NONE", "-certpbe", "NONE")
    safes = safes_of(made)
    certificate = openssl("x509", "-in", desk.at("one.crt"), "-outform", "DER")
    assert certificate in safes[0]
    wrong = [safes[0].replace(certificate, bytes(len(certificate))), safes[1]]
    assert (
        attempt(open_bundle, desk.encrypt(join(wrong), transport), transport)[0] == "MalformedError"
    )


def test_each_key_and_each_certificate_is_judged_alone(
    desk: Desk, transport: TransportPair
) -> None:
    """N6: one that cannot be read does not keep the others out."""
    options = ("-keypbe", "NONE", "-certpbe", "NONE", "-certfile", desk.at("two.crt"))
    both = desk.pkcs12("one", *options)
    safes = safes_of(both)
    one, two = (
        openssl("x509", "-in", desk.at(name), "-outform", "DER") for name in ("one.crt", "two.crt")
    )
    assert two in safes[0]
    refused: List[MalformedError] = []
    wrong = [safes[0].replace(two, bytes(len(two))), safes[1]]
    (found,) = open_bundle(desk.encrypt(join(wrong), transport), transport, refused)
    assert found.key and [error.reason for error in refused] == ["certificate data are damaged"]
    refused.clear()
    wrong = [safes[0], safes[1].replace(b"\2\1\1\4\x20", b"\2\1\1\5\x20")]
    assert wrong != safes
    opened = open_bundle(desk.encrypt(join(wrong), transport), transport, refused)
    assert [each.key for each in opened] == ["", ""] and one != two
    assert [error.reason for error in refused] == [
        "private key in the certificate bundle cannot be read"
    ]


def test_a_cipher_that_is_missing_is_named(desk: Desk, transport: TransportPair) -> None:
    """In a process whose OpenSSL has no legacy provider, in both ways that an installation can lack
    it.
    """
    from cryptography.hazmat.primitives import serialization

    need_legacy()
    desk.write("bundle", desk.encrypt(desk.pkcs12("one", "-legacy"), transport))
    desk.write(
        "own.key",
        transport.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    script = (
        "import sys; sys.path.insert(0, %r)\n"
        "from lightinit.errors import LightinitError\n"
        "from lightinit.formats.certificates import ciphers, pkcs12\n"
        "try:\n    ciphers.backend(); print(len(pkcs12.read(open(%r, 'rb').read()).certificates))\n"
        "except LightinitError as error:\n    print(type(error).__name__, error)\n"
        % (HERE, desk.at("made.p12"))
    )
    said = []
    for lacks in (
        {"CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1"},
        {"OPENSSL_MODULES": "/nonexistent"},
        {"CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1", "OPENSSL_MODULES": "/nonexistent"},
    ):
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            env=dict(os.environ, **lacks),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
        said.append(ended.stdout.decode().strip())
        assert ended.returncode == 0, ended.stderr.decode()
    for words in said:
        assert words == "1" or words.startswith(
            (
                (
                    "ProvisioningError cipher cannot be had (cipher=RC2-40); install OpenSSL's"
                    " legacy provider"
                ),
                "ProvisioningError python cryptography does not work (",
            )
        )
    import cryptography

    if int(cryptography.__version__.split(".")[0]) >= 44:
        assert "(cipher=RC2-40)" in said[-1]


# -- the file around
# --------------------------------------------------------------------------------------------------

FILE = (
    '\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<CertificateFile'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "\r\n<Version>2012-11-30</Version><Incarnation>1</Incarnation>%s"
    "<Data>%s</Data></CertificateFile>"
)


@pytest.mark.parametrize(
    "format_of, data, expected",
    [
        ("<Format>Pkcs7BlobWithPfxContents</Format>", "AQID\r\n  BA==\r\n", b"\1\2\3\4"),
        ("<Format> Pkcs7BlobWithPfxContents </Format>", "AQIDBA==", b"\1\2\3\4"),
        ("", "AQIDBA==", b"\1\2\3\4"),
        ("<Format/>", "AQIDBA==", b"\1\2\3\4"),
        ("<Format>CertificatesNonPfxPackage</Format>", "AQIDBA==", None),
        ("<Format>NonPfx</Format>", "???", None),
        ("", "", None),
        ("", " \r\n", None),
    ],
)
def test_the_file(format_of: str, data: str, expected: Any) -> None:
    assert parse_certificate_file((FILE % (format_of, data)).encode()) == expected


def test_a_file_without_data() -> None:
    assert parse_certificate_file(b"<CertificateFile><Version/></CertificateFile>") is None


@pytest.mark.parametrize(
    "data, reason",
    [
        (
            b"<CertificateFile><Data>AQ==AQ==</Data></CertificateFile>",
            "certificate file is not base64",
        ),
        (b"<CertificateFile><Data>A!!!</Data></CertificateFile>", "certificate file is not base64"),
        (
            "<CertificateFile><Data>AQI\u00fc</Data></CertificateFile>".encode(),
            "certificate file is not base64",
        ),
        (b"<CertificateFile><Data>AQI</Data></CertificateFile>", "certificate file is not base64"),
        (b"<GoalState/>", "xml document is of another kind"),
        (b"<CertificateFile>", "xml document is not well-formed"),
        (
            b"<CertificateFile><Data>" + b"A" * 2100000 + b"</Data></CertificateFile>",
            "xml document is too large",
        ),
    ],
)
def test_a_file_that_is_none(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_certificate_file(data)
    assert caught.value.reason == reason
