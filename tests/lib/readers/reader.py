"""A reader of hostile input: how it is called, and what its input looks like.

The tests of linear time and the fuzzer use the same tables.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Tuple

from lightinit.errors import LightinitError


class Reader(NamedTuple):
    """A function that reads bytes which somebody else has written.

    Attributes:
        name: the module below ``lightinit.formats``, and the function if several are read apart.
        read: calls it. Only the errors that it documents may come out.
        frames: (before, after) of a place in its input. The tests put the same few bytes there,
            again and again.
        items: (before, one, after): what may come many times. ``%d`` becomes the number.
        seeds: whole inputs, for the fuzzer to begin with.
        limit_bytes: the size up to which it is measured. More is never read.
    """

    name: str
    read: Callable[[bytes], object]
    frames: Tuple[Tuple[bytes, bytes], ...] = ((b"", b""),)
    items: Tuple[Tuple[bytes, bytes, bytes], ...] = ()
    seeds: Tuple[bytes, ...] = ()
    limit_bytes: int = 1024 * 1024

    def call(self, data: bytes) -> None:
        """Read ``data``. Whatever it is, only one of lightinit's own errors may be raised."""
        try:
            self.read(data)
        except LightinitError as error:
            str(error)

    def examples(self) -> Tuple[bytes, ...]:
        """Inputs to begin with."""
        made = [before + b"a1" + after for before, after in self.frames]
        made += [repeat(item, 3 * len(item[1])) for item in self.items]
        return self.seeds + tuple(made)


def repeat(item: Tuple[bytes, bytes, bytes], size: int) -> bytes:
    """An input of about ``size`` bytes in which one thing comes many times."""
    before, one, after = item
    count = max(1, (size - len(before) - len(after)) // max(1, len(one)))
    if b"%d" not in one:
        return before + one * count + after
    return before + b"".join(one.replace(b"%d", b"%d" % at) for at in range(count)) + after


def text(data: bytes) -> str:
    """Bytes as the program has them after reading a file."""
    return data.decode("utf-8", "surrogateescape")
