"""The reader of ASN.1: what it takes, and that nothing else gets through."""

from __future__ import annotations

import itertools
import random

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.certificates import der
from tests.lib.bundles import attempt
from tests.lib.noise import noise

LONG = b"x" * 200


@pytest.mark.parametrize(
    "data, tag, content",
    [
        (b"\x04\x00", 0x04, b""),
        (b"\x04\x02ab", 0x04, b"ab"),
        (b"\x04\x81\xc8" + LONG, 0x04, LONG),
        (b"\x04\x82\x03\xe8" + LONG * 5, 0x04, LONG * 5),
        (b"\x30\x80\x04\x01a\x00\x00", 0x30, b"\x04\x01a"),
        (b"\x30\x80\x30\x80\x00\x00\x04\x01a\x00\x00", 0x30, b"\x30\x80\x00\x00\x04\x01a"),
    ],
)
def test_an_element(data: bytes, tag: int, content: bytes) -> None:
    assert der.read(data, "x") == der.DerValue(tag, content, data)
    if data[1] != 0x80:
        assert der.encode(tag, content) == data


@pytest.mark.parametrize(
    "data, why",
    [
        (b"", "ends too early"),
        (b"\x04", "ends too early"),
        (b"\x04\x02a", "ends too early"),
        (b"\x04\x01ab", "is followed by something else"),
        (b"\x04\x82\x01", "has an odd length"),
        (b"\x04\x81\x01a", "has an odd length"),
        (b"\x04\x82\x00\xc8" + LONG, "has an odd length"),
        (b"\x04\x85\x00\x00\x00\x00\x01a", "has an odd length"),
        (b"\x04\xff", "has an odd length"),
        (b"\x04\x80a\x00\x00", "has an odd length"),
        (b"\x30\x80\x04\x01a", "ends too early"),
        (b"\x1f\x01a", "has an unknown tag"),
        (b"\x00\x00", "has an unknown tag"),
        (b"\x30\x80" * 40 + b"\x00\x00" * 40, "is too deep"),
        (b"\x04\x84\x00\x40\x00\x00", "has an odd length"),
        (b"x" * (4 * 1024 * 1024 + 1), "is too large"),
    ],
)
def test_what_is_none(data: bytes, why: str) -> None:
    with pytest.raises(MalformedError) as caught:
        der.read(data, "a part")
    assert caught.value.details == {"part": "a part", "why": why}


def test_all_there_is_of_three_bytes_and_some_of_more() -> None:
    for data in itertools.product(range(256), (0, 1, 2, 0x80, 0x81, 0xFF), range(0, 256, 5)):
        kind, result = attempt(der.read, bytes(data), "x")
        assert kind in ("", "MalformedError") and (kind or result.whole == bytes(data))
    dice = random.Random(2)
    for _ in range(2000):
        assert attempt(der.read, b"\x30\x80" + noise(dice, 30), "x")[0] in ("", "MalformedError")


def read(data: bytes) -> der.DerValue:
    return der.read(data, "x")


def test_children() -> None:
    data = der.encode(der.SEQUENCE, b"\x02\x01\x05", b"\x05\x00")
    assert [child.whole for child in read(data).children(der.SEQUENCE, "x")] == [
        b"\x02\x01\x05",
        b"\x05\x00",
    ]
    for wrong in ((der.SET, 0, 9), (der.SEQUENCE, 3, 9), (der.SEQUENCE, 0, 1)):
        with pytest.raises(MalformedError):
            read(data).children(wrong[0], "x", *wrong[1:])
    with pytest.raises(MalformedError, match="too many elements"):
        read(der.encode(der.SEQUENCE, b"\x05\x00" * 10001)).children(der.SEQUENCE, "x")


@pytest.mark.parametrize(
    "data, value",
    [
        (b"\x02\x01\x00", 0),
        (b"\x02\x01\x7f", 127),
        (b"\x02\x02\x00\x80", 128),
        (b"\x02\x04\x7f\xff\xff\xff", 2**31 - 1),
        (b"\x02\x00", None),
        (b"\x02\x01\x80", None),
        (b"\x02\x02\x00\x7f", None),
        (b"\x02\x05\x01\x00\x00\x00\x00", None),
        (b"\x04\x01\x01", None),
    ],
)
def test_numbers(data: bytes, value: object) -> None:
    assert attempt(read(data).integer, "x") == (
        ("", value) if value is not None else ("MalformedError", "certificate data are damaged")
    )


@pytest.mark.parametrize(
    "data, value",
    [
        ("06092a864886f70d010701", "1.2.840.113549.1.7.1"),
        ("060960864801650304012a", "2.16.840.1.101.3.4.1.42"),
        ("0603883703", "2.999.3"),
        ("060100", "0.0"),
        ("0600", None),
        ("060180", None),
        ("06022a80", None),
        ("06032a8001", None),
        ("04012a", None),
    ],
)
def test_identifiers(data: str, value: object) -> None:
    assert attempt(read(bytes.fromhex(data)).oid, "x") == (
        ("", value) if value is not None else ("MalformedError", "certificate data are damaged")
    )


def test_strings_in_pieces() -> None:
    assert read(b"\x24\x80\x04\x01a\x04\x02bc\x00\x00").octets("x") == b"abc"
    assert read(b"\xa0\x06\x04\x01a\x04\x01b").octets("x", 0x80) == b"ab"
    for wrong in (
        b"\x24\x03\x02\x01a",
        b"\x24\x05\x24\x03\x04\x01a",
        b"\x02\x01a",
        b"\x24\x02\x04\x01",
    ):
        assert attempt(lambda data: read(data).octets("x"), wrong)[0] == "MalformedError"
