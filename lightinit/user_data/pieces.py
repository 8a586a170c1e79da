"""What containers of user data are made of: pieces, which are containers again or parts.

It knows no kind.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

from lightinit.errors import MalformedError
from lightinit.host.system import System
from lightinit.model import NamedTuple

PER_ONCE, PER_INSTANCE, PER_BOOT = "per-once", "per-instance", "per-boot"
FREQUENCIES = {"text/x-shellscript-" + each: each for each in (PER_BOOT, PER_INSTANCE, PER_ONCE)}
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # its byte-order marks
# How a cloud-config is merged with those before it. Source: cloud-init's documentation, "Merging
# user data sections".
MERGE_HEADERS = ("merge-type", "x-merge-type")
# Takes a URL, seconds and the greatest length; returns what is there. Raises LightinitError.
Fetch = Callable[[str, float, int], bytes]

MAX_PARTS = 256
MAX_DEPTH = 8
MAX_INCLUDES = 64
LIMIT_BYTES = 16 * 1024 * 1024
LIMIT_S = 60.0


class Piece(NamedTuple):
    """A piece of user data.

    Attributes:
        name: for messages, such as ``custom data, part 3 (setup.sh)``.
        data: its content.
        content_type: its MIME type, in lower case; "" if nothing says one.
        default_type: the type that it has if nothing says one, and its content does not either.
        merge: how a cloud-config is merged with those before it, or "".
        frequency: how often a script is executed; "" if nothing says so.
        told_as: the format that made a script of it, if another one did; or "".
        identity: names the content that the owner wrote, where ``data`` are made of it; or "".
        filename: the name that its owner gave it, or "".
        number: its place among its container's pieces, such as ``3`` or ``3.1``; "" at the top.
        depth: how many containers are around it.
    """

    name: str
    data: bytes
    content_type: str = ""
    default_type: str = ""
    merge: str = ""
    frequency: str = ""
    told_as: str = ""
    identity: str = ""
    filename: str = ""
    number: str = ""
    depth: int = 0


class Allowance:
    """What one document may cost in all, with all that it includes.

    Args:
        system: gives the time.
    """

    def __init__(self, system: System) -> None:
        self._clock = system.clock
        self._deadline_s = system.clock.monotonic() + LIMIT_S
        self.parts = 0
        self.includes = 0
        self.left_bytes = LIMIT_BYTES

    @property
    def left_s(self) -> float:
        """The seconds that are left for fetching."""
        return max(0.0, self._deadline_s - self._clock.monotonic())

    def grant(self, duration_s: float) -> None:
        """Give more time, for what is not the document's fault."""
        self._deadline_s += duration_s

    @property
    def is_used_up(self) -> bool:
        """Whether no more pieces are allowed."""
        return self.parts >= MAX_PARTS

    def take(self, size_bytes: int) -> None:
        """Count one piece.

        Raises:
            MalformedError: all together are too large.
        """
        self.parts += 1
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            raise MalformedError("user data is too large", limit_bytes=LIMIT_BYTES)


class Around(NamedTuple):
    """What a container may use when it is expanded.

    Attributes:
        system: the machine.
        fetch: gets what is at a URL.
        variables: makes the variables of templates.
        budget: what is left.
        warn: takes a warning.
        refetch: whether ``#include`` is fetched again, although it was in this instance.
    """

    system: System
    fetch: Fetch
    variables: Callable[[], Mapping[str, Any]]
    budget: Allowance
    warn: Callable[[str], None]
    refetch: bool = False


def read_headers(piece: Piece, content_type: str, headers: Mapping[str, str]) -> Piece:
    """Add to a piece what its type and its other headers, by lower-case name, say."""
    merge = next((headers[name] for name in MERGE_HEADERS if name in headers), "")
    frequency = FREQUENCIES.get(content_type, "")
    return piece._replace(content_type=content_type, merge=merge, frequency=frequency)


def name_child(piece: Piece, index: int, label: str) -> Piece:
    """An empty piece in a container.

    Args:
        piece: the container.
        index: 1 for its first piece.
        label: the piece's own name, from the document, or "".
    """
    number = str(index)
    if piece.number:
        number = "%s.%d" % (piece.number, index)
    name = "%s, part %s" % (piece.name.partition(", part ")[0], number)
    if label:
        name += " (%s)" % "".join(c if c.isprintable() else "?" for c in label[:60])
    return Piece(name, b"", filename=label, number=number, depth=piece.depth + 1)
