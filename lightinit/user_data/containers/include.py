"""``#include`` and ``#include-once``: what is at their URLs, which may be any kind of user data.

What was fetched is kept for the instance: a later boot needs no network, and executes nothing twice
because a server has changed it. ``lightinit module custom_data --force`` removes what is kept.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, List

from lightinit.errors import LightinitError, MalformedError, TransientError
from lightinit.libraries import sha256
from lightinit.user_data.kind import Kind, begins_with
from lightinit.user_data.pieces import LIMIT_BYTES, MAX_INCLUDES, Around, Piece, name_child

if TYPE_CHECKING:
    from lightinit.formats.user_parts.include import Included

LOG = logging.getLogger("lightinit.custom_data")
INCLUDE, ONCE = "#include", "#include-once"
# Forgetting the mark of the module also removes these.
KEPT = "/var/lib/lightinit/instance/sem/module.custom_data+include."
ONE_LIMIT_S = 10.0
URL_LIMIT_S = 25.0  # for all tries: a server that hangs leaves time for the others
# A later boot tries once what could not be fetched: sshd may wait for that boot.
LATER_LIMIT_S = 5.0
MISSING = ".missing"
PAUSE_S = 2.0
TRIES = 5


class Include(Kind):
    """A list of URLs."""

    is_container = True
    types = {"text/x-include-once-url": ONCE, "text/x-include-url": INCLUDE}

    def recognise(self, data: bytes) -> str:
        """Recognise its first line."""
        return begins_with(data, ONCE, INCLUDE)

    def expand(self, piece: Piece, around: Around) -> List[Piece]:
        """Return what is at the URLs. One that cannot be fetched is a warning."""
        from lightinit.formats.user_parts.include import describe, read

        found = []
        data = piece.data
        if not self.recognise(data):  # a MIME part with this type needs no such line
            data = self._first_line(piece) + data
        urls = read(data.lstrip())
        if not urls:
            around.warn("%s names no URL: write one on each line" % piece.name)
        room = max(0, MAX_INCLUDES - around.budget.includes)
        if len(urls) > room:
            told = (piece.name, len(urls) - room, MAX_INCLUDES)
            around.warn("%s: the last %d URLs are left out: the limit is %d" % told)
        for index, each in enumerate(urls[:room], 1):
            child = name_child(piece, index, describe(each.url))._replace(filename="")
            try:
                found.append(child._replace(data=_get(each, around)))
            except LightinitError as error:
                around.warn("%s is left out: %s" % (child.name, error))
        return found

    def _first_line(self, piece: Piece) -> bytes:
        return self.types.get(piece.content_type, INCLUDE).encode("ascii") + b"\n"


def _get(included: Included, around: Around) -> bytes:
    """Return what was kept, or fetch it and keep it."""
    from lightinit.formats.user_parts.include import describe

    around.budget.includes += 1
    name = sha256(included.url.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    try:
        kept = around.system.read(KEPT + name, LIMIT_BYTES)
        if included.once or not around.refetch:
            return kept
    except (OSError, MalformedError):
        kept = b""
    missing = KEPT + name + MISSING
    try:
        data = _fetch(included.url, around, around.system.exists(missing))
    except LightinitError as error:
        if kept:
            LOG.warning("%s: using what an earlier boot got: %s", describe(included.url), error)
            return kept
        around.system.write(missing, b"", 0o600, follow_last=False)
        raise
    around.system.write(KEPT + name, data, 0o600, follow_last=False)
    around.system.remove(missing)
    return data


def _fetch(url: str, around: Around, is_later: bool) -> bytes:
    """Fetch what is at a URL. What may pass is tried again.

    Args:
        url: the URL.
        around: what may be used.
        is_later: whether an earlier attempt to expand the document has failed to get it.

    Raises:
        LightinitError: why it cannot be fetched.
    """
    from lightinit.formats.user_parts.include import describe

    clock = around.system.clock
    began_s = clock.monotonic()
    around.system.need_network("#include of user data")
    around.budget.grant(clock.monotonic() - began_s)
    if is_later:
        return around.fetch(url, LATER_LIMIT_S, around.budget.left_bytes)
    others_s = max(0.0, around.budget.left_s - URL_LIMIT_S)
    for tries in range(1, TRIES + 1):
        left_s = around.budget.left_s - others_s
        if left_s <= 0:
            raise MalformedError("user data take too long to fetch")
        try:
            return around.fetch(url, min(left_s, ONE_LIMIT_S), around.budget.left_bytes)
        except TransientError as error:
            if tries == TRIES or around.budget.left_s - others_s <= PAUSE_S:
                raise
            LOG.info("%s: trying again: %s", describe(url), error.reason)
            around.system.clock.sleep(PAUSE_S)
    raise AssertionError("the last try returns or raises")
