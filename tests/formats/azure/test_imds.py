"""The answers of IMDS: whole, broken, of another form."""

from __future__ import annotations

import json
import random
from typing import Any, List

import pytest

from lightinit.errors import LightinitError, MalformedError
from lightinit.formats.azure import imds, imds_instance
from lightinit.formats.secrets import redact
from tests.lib.imds_document import DOCUMENT


@pytest.mark.parametrize(
    "text, taken, path",
    [
        ('{"a": NaN}', {"a": None}, "a"),
        ('{"a": [1, {"b": -Infinity}]}', {"a": [1, {"b": None}]}, "a.1.b"),
        ('{"a": 1e999}', {"a": None}, "a"),
        ('{"a": ' + "9" * 500000 + "}", {"a": None}, "a"),
        ('{"a": "x\\ud800y"}', {"a": "x?y"}, "a"),
        ('{"b": {"\\udfff": 1}}', {"b": {"?": 1}}, "b"),
        ('{"\\udfff": [NaN]}', {"?": [None]}, "?.0"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_cannot_be_written_down_again_is_replaced(text: str, taken: Any, path: str) -> None:
    warnings: List[str] = []
    document = imds.parse(text.encode(), warnings=warnings)
    assert document == taken
    assert any(warning.startswith("imds field %s has " % path) for warning in warnings)
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    assert imds.parse(b'{"a": 1, "a": {"b": 2}}') == {"a": {"b": 2}}


def test_a_thousand_odd_values_are_not_a_thousand_warnings() -> None:
    warnings: List[str] = []
    imds.parse(b'{"%s": [%s]}' % (b"k\\u001b" * 9000, b"NaN," * 90000 + b"1"), warnings=warnings)
    assert 20 <= len(warnings) <= 21 and all(
        len(warning) < 200 and warning.isprintable() for warning in warnings
    )


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "imds document is not json"),
        (b"<html><body>portal</body></html>", "imds document is not json"),
        (b"[]", "imds document is not an object"),
        (b"null", "imds document is not an object"),
        (b'"text"', "imds document is not an object"),
        (b"\xff{}", "imds document is not utf-8"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "imds document is too deep"),
        (b'{"a":' + b"[" * 200000, "imds document is too deep"),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "imds document is too deep"),
        (b" " * (1024 * 1024 + 1), "imds document is too large"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        imds.parse(data)
    assert caught.value.reason == reason


def test_every_prefix_is_refused() -> None:
    data = json.dumps(DOCUMENT).encode()
    for length in range(len(data)):
        with pytest.raises(MalformedError):
            imds.parse(data[:length])


def test_changed_and_random_bytes_give_nothing_but_our_errors() -> None:
    dice = random.Random(169)
    whole = json.dumps(DOCUMENT).encode()
    survived = 0
    for turn in range(3000):
        data = (
            bytearray(whole)
            if turn % 3
            else bytearray(dice.randrange(256) for _ in range(turn // 20))
        )
        for _ in range(dice.randint(1, 6)):
            if data:
                value = dice.choice(b'{}[]",:0n\\\x00\xff') if turn % 2 else dice.randrange(256)
                data[dice.randrange(len(data))] = value
        try:
            document = imds.parse(bytes(data))
            imds_instance.missing_parts(document)
        except LightinitError:
            continue
        json.dumps(redact(document), ensure_ascii=False).encode("utf-8")
        survived += 1
    assert survived > 100


@pytest.mark.parametrize(
    "body, versions",
    [
        (
            (
                b'{"error": "Bad request", "newest-versions": ["2018-02-01", "2021-12-13",'
                b' "2020-10-01"]}'
            ),
            ("2021-12-13", "2020-10-01", "2018-02-01"),
        ),
        (
            (
                b'{"newest-versions": ["2021-12-13", 7, null, "2021-12-13", "../../x",'
                b' "2021-12-13&x", "20-10-2001"]}'
            ),
            ("2021-12-13",),
        ),
        (b'{"newest-versions": "2021-12-13"}', ()),
        (b"{}", ()),
        (b"<html>", ()),
        (b"", ()),
        (b"[1]", ()),
    ],
)
def test_newest_versions(body: bytes, versions: Any) -> None:
    assert imds.newest_versions(body) == versions


@pytest.mark.parametrize(
    "data, text", [(b"vm-1", "vm-1"), (b"\xef\xbb\xbfvm-1\r\n", "vm-1"), (b"", "")]
)
def test_a_single_value(data: bytes, text: str) -> None:
    assert imds.parse_text(data) == text


@pytest.mark.parametrize(
    "data", [b"<html></html>", b'{"error": "x"}', b"a\nb", b"a\x00b", b"x" * 300, b"\xff"]
)
def test_what_is_no_single_value(data: bytes) -> None:
    with pytest.raises(MalformedError):
        imds.parse_text(data)
