"""Records of the key-value pool."""

from __future__ import annotations

import random

import pytest

from lightinit.formats.azure import kvp
from tests.lib.kvp_records import records

ALPHABET = "a|=é€ß漢\U0001f600\u0301\n\0"


def random_text(random_source: random.Random, length: int) -> str:
    return "".join(random_source.choice(ALPHABET) for _ in range(length))


def test_a_record_has_its_fields_in_their_places() -> None:
    data = kvp.encode_record("KEY", "väl")
    assert len(data) == 2560 == kvp.RECORD_BYTES
    assert data[:4] == b"KEY\0" and data[512:517] == "väl".encode() + b"\0"
    assert records(data) == [("KEY", "väl")]


@pytest.mark.parametrize(
    "value, kept",
    [
        ("x" * 1022, 1022),
        ("x" * 1023, 1022),
        ("é" * 511, 1022),
        ("é" * 512, 1022),
        ("x" + "é" * 511, 1021),
        ("€" * 341, 1020),
        ("xx" + "€" * 341, 1022),
        ("\U0001f600" * 256, 1020),
        ("x" * 5000, 1022),
        ("", 0),
    ],
)
def test_a_report_is_one_record_cut_at_a_character(value: str, kept: int) -> None:
    ((key, seen),) = records(kvp.encode_report(value))
    assert key == "PROVISIONING_REPORT" and value.startswith(seen) and len(seen.encode()) == kept


def test_a_description_of_512_characters_may_be_too_long() -> None:
    """What health.py makes is bounded in characters."""
    ((_, seen),) = records(kvp.encode_report("漢" * 512))
    assert seen == "漢" * 340


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_cut_is_a_beginning_and_as_long_as_can_be(seed: int) -> None:
    source = random.Random(seed)
    for limit in list(range(0, 12)) + [254, 1022]:
        text = random_text(source, source.randrange(1200))
        clean = text.replace("\0", " ")
        seen = kvp.cut(text, limit).decode("utf-8")  # strict: no half of a character
        assert clean.startswith(seen) and len(seen.encode()) <= limit
        assert seen == clean or len((seen + clean[len(seen)]).encode()) > limit


@pytest.mark.parametrize("seed", range(40))
def test_a_long_value_comes_back_whole_from_several_records(seed: int) -> None:
    source = random.Random(seed)
    key, value = (
        random_text(source, source.randrange(1, 300)),
        random_text(source, source.randrange(6000)),
    )
    seen = records(kvp.encode_records(key, value))
    assert "".join(part for _, part in seen) == value.replace("\0", " ")
    assert len({each for each, _ in seen}) == len(seen)
    for number, (each, part) in enumerate(seen):
        assert len(each.encode()) <= 254 and len(part.encode()) <= 1022
        if len(seen) > 1:
            head, _, index = each.rpartition("|")
            assert index == str(number) and key.replace("\0", " ").startswith(head)


def test_a_short_value_keeps_its_key() -> None:
    assert records(kvp.encode_records("k", "é" * 511)) == [("k", "é" * 511)]
    assert [key for key, _ in records(kvp.encode_records("k", "é" * 512))] == ["k|0", "k|1"]


def test_no_nul_and_no_half_of_a_pair_reaches_the_kernel() -> None:
    assert records(kvp.encode_record("a\0b", "c\ud800d")) == [("a b", "c?d")]
