"""Takes user data apart: containers are expanded until only parts are left, in their order.

One broken piece is a warning and does not lose the others. All is bounded: the number of parts, the
depth, the size, and the time for fetching. It executes nothing, and knows no settings.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats.user_data import unpack
from lightinit.gunzip import GZIP
from lightinit.host.system import System
from lightinit.libraries import sha256
from lightinit.model import Instance, NamedTuple
from lightinit.user_data import find_kind
from lightinit.user_data.kind import Kind
from lightinit.user_data.pieces import MAX_DEPTH, MAX_PARTS, UTF16, Allowance, Around, Fetch, Piece

# gzip in base64 in gzip, say.
MAX_WRAPPINGS = 4
BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]{8,}\Z")


class Part(NamedTuple):
    """A part of user data.

    Attributes:
        name: for messages, such as ``custom data, part 3 (setup.sh)``.
        kind: the name of its format, such as ``script`` or ``#cloud-config``.
        data: its content, as text with UNIX line ends if it is a text.
        merge: how a cloud-config is merged with those before it; or "".
        frequency: ``per-once``, ``per-instance``, ``per-boot``, or "" if nothing says so.
        handler: the kind that checks and executes it.
        identity: the hash of what the owner wrote, for its mark.
        is_whole: whether it is the whole document, and no part of a container.
        filename: the name that its owner gave it, or "".
        is_rendered: whether a template became it.
    """

    name: str
    kind: str
    data: bytes
    merge: str
    frequency: str
    handler: Kind
    identity: str
    is_whole: bool
    filename: str = ""
    is_rendered: bool = False


class Collected(NamedTuple):
    """What a document has.

    Attributes:
        parts: in their order.
        warnings: what was left out, and why.
    """

    parts: Tuple[Part, ...]
    warnings: Tuple[str, ...]


def collect(
    system: System,
    name: str,
    data: bytes,
    fetch: Fetch,
    variables: Callable[[], Mapping[str, Any]],
    refetch: bool = False,
    unopened: Sequence[str] = (),
) -> Collected:
    """Take user data apart.

    Args:
        system: the machine.
        name: ``custom data``, ``user data`` or ``vendor data``.
        data: decoded and unpacked.
        fetch: gets what ``#include`` names: takes a URL, seconds and the greatest length.
        variables: makes the variables of templates.
        refetch: whether ``#include`` is fetched again, although it was in this instance.
        unopened: the formats of containers that stay parts.
    """
    parts: List[Part] = []
    warnings: List[str] = []
    around = Around(system, fetch, variables, Allowance(system), warnings.append, refetch)
    stack = [Piece(name, data)]
    while stack:
        piece = stack.pop()
        if around.budget.is_used_up:
            warnings.append(
                "%s is left out, and all that follows: user data has more than %d parts"
                % (piece.name, MAX_PARTS)
            )
            break
        try:
            piece = piece._replace(data=unwrap(piece.data, around.budget.left_bytes))
            around.budget.take(len(piece.data))
            kind, form = find_kind(piece.data, piece.content_type)
            if kind.recognises_all and piece.default_type and not piece.content_type:
                kind, form = find_kind(piece.data, piece.default_type)
            if kind.is_container and form not in unopened:
                _check_depth(piece)
                stack += reversed(kind.expand(piece, around))
            else:
                parts.append(_make_part(piece, kind, form))
        except LightinitError as error:
            warnings.append("%s is left out: %s" % (piece.name, error))
    return Collected(tuple(parts), tuple(warnings))


def take_apart(
    system: System,
    instance: Instance,
    name: str,
    data: bytes,
    refetch: bool = False,
    fetch: Optional[Fetch] = None,
) -> Collected:
    """Take user data apart, with this machine's network and the instance's variables. In one run
    each document is taken apart once: fetching and rendering may take long.

    Args:
        system: the machine.
        instance: for the variables of templates.
        name, data, refetch: as for :func:`collect`.
        fetch: gets what ``#include`` names; None: over this machine's network.
    """

    def download(url: str, timeout_s: float, limit_bytes: int) -> bytes:
        from lightinit.host.network.download import Downloader

        return Downloader().get(url, timeout_s, limit_bytes)

    def make_variables() -> Mapping[str, Any]:
        from lightinit.user_data import variables

        return variables.make(system, instance)

    key = ("user data", instance.id, name, data, refetch)
    if key not in system.remembered:
        system.remembered[key] = collect(
            system, name, data, fetch or download, make_variables, refetch
        )
    found: Collected = system.remembered[key]
    return found


def _check_depth(piece: Piece) -> None:
    if piece.depth >= MAX_DEPTH:
        raise MalformedError("user data is nested too deeply", limit=MAX_DEPTH)


def unwrap(data: bytes, limit_bytes: int) -> bytes:
    """Undo gzip, a second base64 and UTF-16. A text counts as base64 only if what is in it is
    gzip or of a known format.

    Args:
        data: the data.
        limit_bytes: the greatest size that gzip data may unpack to.

    Raises:
        MalformedError: gzip data are damaged, or unpack to more.
    """
    for _ in range(MAX_WRAPPINGS):
        if data.startswith(GZIP):
            data = unpack(data, max(0, limit_bytes))
            continue
        inner = _decode_base64(data) or _decode_utf16(data)
        if not inner:
            break
        data = inner
    return data


def _decode_base64(data: bytes) -> bytes:
    """What is in base64, also in base64 of base64, if it is of a known format; or nothing."""
    for _ in range(MAX_WRAPPINGS):
        if not BASE64.match(data):
            break
        try:
            data = base64.b64decode(b"".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            break
        if _known(data):
            return data
    return b""


def _decode_utf16(data: bytes) -> bytes:
    if not data.startswith(UTF16):
        return b""
    try:
        inner = data.decode("utf-16").encode("utf-8")
    except ValueError:
        return b""
    return _known(inner)


def _known(data: bytes) -> bytes:
    """The data, if they are gzip or of a known format; else nothing."""
    if data.startswith((GZIP, *UTF16)) or not find_kind(data)[0].recognises_all:
        return data
    return b""


def _make_part(piece: Piece, kind: Kind, form: str) -> Part:
    """Make a part.

    Raises:
        ProvisioningError: it is in a container, and its kind is refused.
    """
    if piece.depth and kind.is_refused:
        raise ProvisioningError(
            "custom data has a format that is not supported", format=form[:80], hint=kind.hint
        )
    data = piece.data
    if kind.is_text:
        data = tidy(data)
    return Part(
        piece.name,
        piece.told_as or form,
        data,
        piece.merge,
        piece.frequency,
        kind,
        piece.identity or sha256(piece.data).hexdigest(),
        not piece.depth,
        piece.filename,
        bool(piece.identity),
    )


def tidy(data: bytes) -> bytes:
    """Remove a byte-order mark and white space before the first line. If that line ends in CR LF,
    all lines get UNIX line ends.
    """
    data = data.lstrip(b"\xef\xbb\xbf").lstrip()
    if data.partition(b"\n")[0].endswith(b"\r"):
        data = data.replace(b"\r\n", b"\n")
    return data
