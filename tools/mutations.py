"""Damages inputs at random, but always in the same way: from a seed follow the same inputs, in each
Python, on each machine, whatever the code that reads them looks like (``tools/fuzz.py --seed``).

Only ``random.Random.random`` is used: Python guarantees what it returns for a seed, and nothing
about the other functions.
"""

from __future__ import annotations

import random
import re
from typing import Callable, Iterator, List, Sequence, Tuple, TypeVar

Each = TypeVar("Each")
MOST_BYTES = 4096
MOST_WORDS = 400
# How often an input begins with the one before it instead of with one of the given inputs: so that
# damage adds up.
GOES_ON = 0.3
ONE_MORE = 0.6

# What is a blank or the end of a line to one program and not to another one.
BLANKS: Tuple[bytes, ...] = (
    *(b" ", b"\t", b"\n", b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x1f", b"\x85"),
    *(b"\xa0", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\x83", b"\xe2\x80\xa8", b"\r\n", b"\n\n", b"  "),
    *(b"\n ", b" \n", b""),
)
# What is a digit to one program and not to another one; what is too much.
NUMBERS: Tuple[bytes, ...] = (
    *b"0 1 -1 +1 1_0 00 08 0x1 1e999 nan 1. 1.5 255 256 65536 4294967296".split(),
    b"18446744073709551616",
    b"9" * 400,
    *(digit.encode() for digit in "\u00b2\u0661\uff11"),
)
# What is no text, or none that is expected.
BYTES: Tuple[bytes, ...] = (
    *(bytes((number,)) for number in (*range(0x20), 0x7F, 0x80, 0xFF)),
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",  # half of a pair of UTF-16
    *(character.encode() for character in "\U0001f600\u00e9"),
)
# What the formats are made of.
MARKS: Tuple[bytes, ...] = (
    *(each.encode() for each in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    *rb"""\n \u0000 \ud800 '' "" \" [] {} ${ $( !! %s null true""".split(),
    *b"[[ ]] <! &# .. /../ // :: == AAAA".split(),
)
ODD = (BLANKS, NUMBERS, BYTES, MARKS)
_WORD = re.compile(rb"[A-Za-z0-9_.-]{2,64}")
_TOKEN = re.compile(rb"[^ \t\n,;:=]+")
_NUMBER = re.compile(rb"[0-9]+")


class Damage:
    """Makes inputs from inputs.

    Args:
        name: whose inputs they are. With the seed it decides what comes.
        seed: any number.
        examples: inputs to begin with.
    """

    def __init__(self, name: str, seed: int, examples: Sequence[bytes]) -> None:
        self._random = random.Random("%s %d" % (name, seed)).random
        self._examples = list(examples) or [b""]
        found = dict.fromkeys(word for each in self._examples for word in _WORD.findall(each))
        self._words: List[bytes] = list(found)[:MOST_WORDS] or [b"a"]

    def inputs(self, count: int) -> Iterator[bytes]:
        """The examples as they are, then ``count`` damaged ones."""
        yield from self._examples
        data = b""
        for _ in range(count):
            if not data or self._random() > GOES_ON:
                data = self._any(self._examples)
            data = self._any(DAMAGES)(self, data)
            while self._random() < ONE_MORE:
                data = self._any(DAMAGES)(self, data)
            data = data[:MOST_BYTES]
            yield data

    def _below(self, limit: int) -> int:
        return int(self._random() * limit)

    def _any(self, several: Sequence[Each]) -> Each:
        return several[self._below(len(several))]

    def _odd(self) -> bytes:
        return self._any(self._any(ODD))

    def _range(self, data: bytes) -> Tuple[int, int]:
        """A part, more often a short one than a long one."""
        start = self._below(len(data) + 1)
        return start, start + int((len(data) - start) * self._random() ** 4 + 0.9)

    def _edge(self, data: bytes) -> int:
        """A place where something is likely to begin or end."""
        if self._random() < 0.5:
            return self._below(len(data) + 1)
        found = self._any(self._words)
        at = data.find(found)
        if at < 0:
            return self._any((0, len(data)))
        return at + self._any((0, len(found)))

    def insert_odd(self, data: bytes) -> bytes:
        """Put something odd anywhere, or at the edge of a word."""
        at = self._edge(data)
        return data[:at] + self._odd() + data[at:]

    def replace_with_odd(self, data: bytes) -> bytes:
        """Put something odd in place of a part."""
        start, end = self._range(data)
        return data[:start] + self._odd() + data[end:]

    def insert_word(self, data: bytes) -> bytes:
        """Put a word of this format anywhere."""
        at = self._edge(data)
        return data[:at] + self._any(self._words) + data[at:]

    def replace_word(self, data: bytes) -> bytes:
        """Put a word in place of another one, or nothing."""
        other = self._any((b"", b"", self._any(self._words), self._odd()))
        return data.replace(self._any(self._words), other, 1)

    def replace_token(self, data: bytes) -> bytes:
        """Put something odd in place of all between two separators."""
        return self._replace(data, _TOKEN)

    def replace_number(self, data: bytes) -> bytes:
        """Put something odd in place of a number."""
        return self._replace(data, _NUMBER)

    def _replace(self, data: bytes, kind: "re.Pattern[bytes]") -> bytes:
        found = [each.span() for each in kind.finditer(data)]
        if not found:
            return data
        start, end = self._any(found)
        return data[:start] + self._odd() + data[end:]

    def remove(self, data: bytes) -> bytes:
        """Leave a part out."""
        start, end = self._range(data)
        return data[:start] + data[end:]

    def repeat(self, data: bytes) -> bytes:
        """Have a part twice or three times."""
        start, end = self._range(data)
        return data[:end] + data[start:end] * (1 + self._below(2)) + data[end:]

    def move(self, data: bytes) -> bytes:
        """Put a part elsewhere."""
        start, end = self._range(data)
        rest = data[:start] + data[end:]
        at = self._edge(rest)
        return rest[:at] + data[start:end] + rest[at:]

    def cut(self, data: bytes) -> bytes:
        """End early, or begin late."""
        at = self._below(len(data) + 1)
        return self._any((data[:at], data[:at], data[at:]))

    def change_byte(self, data: bytes) -> bytes:
        """Flip a bit, or set a byte to any value."""
        if not data:
            return data
        at = self._below(len(data))
        value = self._any((data[at] ^ 1 << self._below(8), self._below(256)))
        return data[:at] + bytes((value,)) + data[at + 1 :]

    def join(self, data: bytes) -> bytes:
        """The beginning of one input and the end of another one."""
        other = self._any(self._examples)
        return data[: self._edge(data)] + other[self._edge(other) :]


DAMAGES: Tuple[Callable[[Damage, bytes], bytes], ...] = (
    Damage.insert_odd,
    Damage.insert_odd,
    Damage.replace_with_odd,
    Damage.insert_word,
    Damage.replace_word,
    Damage.replace_number,
    Damage.replace_token,
    Damage.replace_token,
    Damage.remove,
    Damage.repeat,
    Damage.move,
    Damage.cut,
    Damage.change_byte,
    Damage.join,
)
