"""OpenPGP keys. The fingerprint is what gpg says of the same key."""

from __future__ import annotations

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.packages.openpgp import dearmour, is_named, read_keys
from tests.lib.pgp_key import FINGERPRINT, KEY


def test_a_key_of_gpg() -> None:
    data = dearmour("before\n" + KEY + "\nafter")
    assert read_keys(data) == {FINGERPRINT: data}
    assert dearmour(KEY + KEY) == data + data
    assert dearmour(KEY.replace("\n\n", "\nVersion: GnuPG v2\nComment: x\n\n")) == data
    assert dearmour(KEY.replace("\n", "\r\n")) == data
    assert dearmour(KEY.replace("=O+Xp\n", "")) == data


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "no PUBLIC KEY BLOCK"),
        ("AAAA", "no PUBLIC KEY BLOCK"),
        (KEY.replace("PUBLIC", "PRIVATE"), "a private key"),
        (KEY.replace("mDME", "m*ME"), "its base64 is damaged"),
        (KEY[: len(KEY) // 2], "no PUBLIC KEY BLOCK"),
    ],
)
def test_no_armour(text: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        dearmour(text)


@pytest.mark.parametrize(
    "data, why",
    [
        (b"", "no public key is in it"),
        (b"text", "its packets are damaged"),
        (b"\xc5\x01\x04", "it is a private key"),
        (b"\xc6\xff\x00\x00\xff\xff\x04", "it was cut off"),
        (b"\xc6\xe1\x04", "a packet is in pieces"),
        (b"\x9b\x04", "a packet has no length"),
        (b"\xc6\x01\x03", "its version is too old"),
        (b"\xc2\x01\x04", "no public key is in it"),
    ],
)
def test_no_key(data: bytes, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        read_keys(data)


def test_the_lengths_of_packets() -> None:
    for head in (b"\x98\x05", b"\x99\x00\x05", b"\xc6\x05", b"\xc6\xff\x00\x00\x00\x05"):
        assert len(read_keys(head + b"\x04abcd")) == 1
    body = b"\x04" + b"a" * 999
    assert read_keys(b"\xc6\xc3\x28" + body) == {
        list(read_keys(b"\x99\x03\xe8" + body))[0]: b"\xc6\xc3\x28" + body
    }
    for version in (b"\x05", b"\x06"):
        assert [len(each) for each in read_keys(b"\xc6\x05" + version + b"abcd")] == [64]


def test_names() -> None:
    for name in (FINGERPRINT, "0x" + FINGERPRINT.lower(), "9924E163", "0x02A87B369924e163"):
        assert is_named(FINGERPRINT, name)
    for name in ("", "63", "0x24E163", "9924E164", FINGERPRINT[:39]):
        assert not is_named(FINGERPRINT, name)
