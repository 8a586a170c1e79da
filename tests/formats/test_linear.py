"""Each reader's time grows no faster than its input: the same bytes again and again, eight times as
many, take at most 2.5 * 2.5 * 2.5 times as long.

Processor time is compared with itself, in one process; a quadratic reader is at 64.
"""

from __future__ import annotations

import gc
import re
import time
from typing import Callable, List, NamedTuple, Tuple

import pytest

from tests.lib.readers.reader import Reader, repeat
from tests.lib.readers.table import READERS

pytestmark = pytest.mark.long

FILLERS: Tuple[bytes, ...] = (
    b"a",
    b"1",
    b" ",
    b'"',
    b"'",
    b"\\",
    b'\\"',
    b"\n",
    b"#",
    b"a,",
    b"a b ",
    b"=",
    b"a=",
    b"<",
    b"{",
    b"1.",
    b"1:",
    b"$",
    b"a/",
    b"*",
    b"\xc2\xb2",
    b"\0",
    b"\x30\x80",
    b'a="',
    b"-",
    b": ",
    b";",
)
STEP = 8
MOST = 2.5**3
SIZES = (64, 512, 2048, 16384)
LARGE = (131072,)  # what is copied again and again shows only here
# Less is lost among all else that costs time.
COUNTS_S = 0.008
TRIES, SURE_AFTER = 25, 3  # on a busy machine most are disturbed; a quadratic reader is clear
# Whether the number of quotes is even, say, may decide how much is read.
VARIANTS = 16


def cost_s(call: Callable[[bytes], None], data: bytes) -> float:
    # A collection looks at all objects of this process, those of the other tests too.
    gc.disable()
    try:
        began = time.process_time()
        call(data)
        return time.process_time() - began
    finally:
        gc.enable()


def growth(
    call: Callable[[bytes], None], make: Callable[[int], bytes], size: int, unit: int
) -> float:
    """By how much more time ``STEP`` times as much takes, at its best; 0 if that is not much."""
    small, large = make(size // STEP), make(size)
    best_large = cost_s(call, large)
    best = 0.0
    for attempt in range(TRIES):
        if best_large < COUNTS_S:
            return 0.0
        best_small = min(cost_s(call, small) for _ in range(3))
        if best_large > best_small * MOST:
            small = max(
                (make(size // STEP + at * unit) for at in range(VARIANTS)),
                key=lambda data: cost_s(call, data),
            )
            best_small = min(cost_s(call, small) for _ in range(3))
        best = best_large / max(best_small, 1e-6)
        if best <= MOST or (best > 2 * MOST and attempt >= SURE_AFTER):
            return best
        best_large = min(best_large, cost_s(call, large))
    return best


def first_excess(
    reader: Reader, make: Callable[[int], bytes], sizes: Tuple[int, ...], unit: int = 1
) -> float:
    """The first growth that is too much, 0 for none. Smaller sizes come first: a reader that takes
    exponential time must not be asked for a long input.
    """
    for size in sizes:
        if size <= reader.limit_bytes:
            found = growth(reader.call, make, size, unit)
            if found > MOST:
                return found
    return 0.0


class Shape(NamedTuple):
    """What comes again and again, and how many bytes of it are tried."""

    item: Tuple[bytes, bytes, bytes]
    sizes: Tuple[int, ...]

    def make(self, size: int) -> bytes:
        return repeat(self.item, size)


def shapes(reader: Reader) -> List[Shape]:
    found = [
        Shape((before, filler, after), SIZES)
        for before, after in reader.frames
        for filler in FILLERS
    ]
    return found + [Shape(item, SIZES + LARGE) for item in reader.items]


@pytest.mark.parametrize("name", sorted(READERS))
def test_time_is_linear(name: str) -> None:
    """S3 (azure.ovf_redaction), S4 (ssh.authorized_keys), and their kind."""
    reader = READERS[name]
    slow = {}
    for shape in shapes(reader):
        found = first_excess(reader, shape.make, shape.sizes, len(shape.item[1]))
        if found:
            slow[shape.item] = round(found, 1)
    assert slow == {}


def test_what_is_wrong_is_seen() -> None:
    slow = Reader("slow", lambda data: re.findall("[^=]+=", data.decode()))
    assert first_excess(slow, lambda size: b"a" * size, SIZES) > MOST


def copies_the_rest(data: bytes) -> None:
    while data:
        int(data[:8], 16)
        data = data[8:]


def test_what_is_copied_again_and_again_is_seen() -> None:
    copying = Reader("copying", copies_the_rest)
    assert first_excess(copying, lambda size: b"a" * size, SIZES + LARGE) > MOST
