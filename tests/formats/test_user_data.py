"""Custom data: base64 and gzip."""

from __future__ import annotations

import base64
import gzip
import random
import subprocess

import pytest

from lightinit.errors import MalformedError
from lightinit.formats import user_data
from tests.lib.noise import noise

SECRET = b"correct horse battery staple"


def test_base64_with_white_space_in_it() -> None:
    data = noise(random.Random(20), 300)
    text = base64.encodebytes(data).decode()
    assert user_data.decode(text) == data
    assert user_data.decode("\r\n " + text.replace("\n", "\r\n\t") + " ") == data
    assert user_data.decode("") == b""


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\necho hi\n", "YWJ", "YWJjZA==YWJj", "YW-_", "YWJ\u00e9", "Y", "a\0bc"]
)
def test_what_is_no_base64_is_told(text: str) -> None:
    with pytest.raises(MalformedError, match="not base64") as raised:
        user_data.decode(text)
    assert text not in str(raised.value.details)


def test_what_is_not_compressed_stays() -> None:
    for data in (b"", b"\x1f", b"#!/bin/sh\n", b"x\x1f\x8b"):
        assert user_data.unpack(data) == data


def test_what_the_real_gzip_makes_is_unpacked() -> None:
    data = SECRET * 1000
    packed = subprocess.run(
        ["gzip", "-9", "-c"], input=data, stdout=subprocess.PIPE, check=True
    ).stdout
    assert len(packed) < 1000 and user_data.unpack(packed) == data
    assert user_data.unpack(packed + gzip.compress(b"more")) == data + b"more"
    assert user_data.unpack(packed + b"\0" * 512) == data
    assert user_data.unpack(gzip.compress(b"")) == b""


@pytest.mark.parametrize("limit", [1, 100, 65536])
def test_a_limit_is_exact(limit: int) -> None:
    assert len(user_data.unpack(gzip.compress(b"\0" * limit), limit)) == limit
    for packed in (
        gzip.compress(b"\0" * (limit + 1)),
        gzip.compress(b"\0" * limit) + gzip.compress(b"\0"),
    ):
        with pytest.raises(MalformedError, match="unpack to too much"):
            user_data.unpack(packed, limit)


def test_a_bomb_is_not_unpacked() -> None:
    import resource

    bomb = gzip.compress(b"\0" * (300 * 1024 * 1024), 9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(MalformedError, match="unpack to too much"):
        user_data.unpack(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_many_members_come_to_an_end() -> None:
    with pytest.raises(MalformedError, match="more than 1000 members"):
        user_data.unpack(gzip.compress(b"") * 100000)


@pytest.mark.parametrize("seed", range(30))
def test_damage_is_told_without_the_content(seed: int) -> None:
    source = random.Random(seed)
    packed = bytearray(gzip.compress(SECRET * 20))
    if seed % 2:
        del packed[source.randrange(3, len(packed)) :]
    else:
        packed[source.randrange(10, len(packed) - 8)] ^= 1 << source.randrange(8)
    with pytest.raises(MalformedError, match="gzip data are damaged") as raised:
        user_data.unpack(bytes(packed))
    assert "horse" not in str(raised.value)
