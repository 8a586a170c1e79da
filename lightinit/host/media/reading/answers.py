"""What the reader answers: one line with tabs between its fields, and after it the data."""

from __future__ import annotations

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence


class Nothing(Exception):
    """There is no document.

    Args:
        why: why not.
        again: whether a later search may find the document.
        harmless: whether the device certainly has no such document.
    """

    def __init__(self, why: str, again: bool = False, harmless: bool = False) -> None:
        super().__init__(why)
        self.again = again
        self.harmless = harmless


def answer(fields: Sequence[str], data: bytes = b"") -> None:
    """Write the whole answer."""
    line = "\t".join(each.replace("\t", " ").replace("\n", " ") for each in fields) + "\n"
    with open(1, "wb", closefd=False) as output:
        output.write(line.encode("utf-8", "replace") + data)


def answer_nothing(optical: bool, nothing: Nothing) -> None:
    """Answer that there is no document."""
    again, harmless = flag(nothing.again), flag(nothing.harmless)
    answer(("nothing", again, flag(optical), harmless, str(nothing)))


def flag(value: bool) -> str:
    """A truth value as a field."""
    return str(int(value))
