"""What the platform gives as a key: several keys, broken lines, certificates, rubbish."""

from __future__ import annotations

import base64

import pytest

from lightinit.formats.ssh.given_keys import read_given
from tests.lib.ssh_keys import ED, ED_2, GOOD, rsa


def test_several_keys_and_crlf_in_one_value() -> None:
    given = read_given("\ufeff# mine\r\n" + ED + " one\r\n\r\n  " + ED_2 + " two \r\nrubbish\r\n")
    assert [key.line for key in given.keys] == [(ED + " one").encode(), (ED_2 + " two").encode()]
    assert [error.reason for error in given.refused] == ["not an ssh public key"]


# What Azure hands out for keys that it has generated itself: base64 in lines of 64 characters, with
# CRLF.
def broken(line: str, end: str = "\r\n", size: int = 64, indent: str = "") -> str:
    kind, body, *comment = line.split(" ")
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return " ".join([kind, (end + indent).join(pieces)] + comment) + end


@pytest.mark.parametrize("name", list(GOOD))
@pytest.mark.parametrize(
    "end, size, indent", [("\r\n", 64, ""), ("\n", 76, ""), ("\r\n", 1, " "), ("\n\n", 20, "\t")]
)
def test_line_ends_within_a_key_are_passed_over(
    name: str, end: str, size: int, indent: str
) -> None:
    whole = GOOD[name] + " generated-by-azure"
    if len(whole) > 400 * size:
        size = 8
    given = read_given(broken(whole, end, size, indent))
    assert [key.line for key in given.keys] == [whole.encode()] and not given.refused


def test_broken_keys_among_whole_ones() -> None:
    first, second = rsa(2048), rsa(3072)
    given = read_given(
        broken(first + " one") + ED + " two\n" + "no-pty " + broken(second + " three")
    )
    assert [key.line.decode() for key in given.keys] == [
        first + " one",
        ED + " two",
        "no-pty " + second + " three",
    ]
    assert not given.refused


def test_a_key_in_pieces_without_its_end_takes_no_other_with_it() -> None:
    cut = broken(rsa(2048)).rsplit("\r\n", 2)[0]
    given = read_given(cut + "\r\n" + ED + "\r\n" + 'from="10.0.0.0/8" ' + ED_2 + "\r\n")
    assert [key.kind for key in given.keys] == ["ssh-ed25519", "ssh-ed25519"]
    assert given.refused and given.refused[0].reason in (
        "ssh key does not hold what its type says",
        "ssh key is not base64",
    )


def test_a_type_and_its_blob_on_two_lines() -> None:
    assert [key.line.decode() for key in read_given(ED.replace(" ", "\r\n") + "\r\n").keys] == [ED]


DER = b"\x30\x82\x01\x04" + b"d" * 0x104
DER_TEXT = base64.b64encode(DER).decode()


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN CERTIFICATE-----\r\n"
        + DER_TEXT[:64]
        + "\r\n"
        + DER_TEXT[64:]
        + "\r\n-----END CERTIFICATE-----\r\n",
        "-----BEGIN CERTIFICATE----- " + DER_TEXT + " -----END CERTIFICATE-----",
        DER_TEXT,
        DER_TEXT[:40] + "\n" + DER_TEXT[40:],
    ],
)
def test_x509_is_recognised(value: str) -> None:
    given = read_given(value)
    assert given.certificates == (DER,)
    assert not given.keys and not given.refused


def test_several_certificates() -> None:
    one = "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n" % DER_TEXT
    assert read_given(one + one).certificates == (DER, DER)
    assert read_given(one.replace(DER_TEXT, "???")).refused[0].reason == "certificate is not base64"


def test_a_private_key_is_refused_and_not_shown() -> None:
    given = read_given(
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    assert given.refused[0].reason == "a private key was given in place of a public one"
    assert "c2VjcmV0" not in str(given.refused[0])


def test_rfc_4716_is_refused_with_what_to_do() -> None:
    given = read_given("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n")
    assert given.refused[0].reason == "ssh key has a form that sshd does not read"
    assert "ssh-keygen" in str(given.refused[0])


@pytest.mark.parametrize(
    "value", ["", " \r\n", "\0", "\ud800", "=" * 100, "AAAA" * 1000, "MIIB", "-----BEGIN "]
)
def test_rubbish_never_raises(value: str) -> None:
    assert not read_given(value).keys
