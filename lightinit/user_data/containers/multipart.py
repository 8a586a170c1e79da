"""MIME documents: a multipart, or a single part with a head.

Source: cloud-init's documentation, "User data formats", and RFC 2046.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, List

from lightinit.errors import MalformedError
from lightinit.user_data.kind import Kind
from lightinit.user_data.pieces import MAX_PARTS, Around, Piece, name_child, read_headers

if TYPE_CHECKING:
    from lightinit.formats.user_parts.mime import Entity

MULTIPART = "multipart/"
MIXED = MULTIPART + "mixed"
MESSAGE = "message/rfc822"  # a whole MIME document; cloud-init takes its parts, too
# Of these, the content says what it is, after it was unpacked.
PACKED = ("gzip", "x-gzip", "gzip-compressed", "gzipped", "x-gzip-compressed", "x-gunzip")
BINARY = ("octet-stream", *PACKED)


class Multipart(Kind):
    """A MIME document."""

    is_container = True
    types = {MIXED: "MIME"}

    def recognise(self, data: bytes) -> str:
        """Recognise its head."""
        head = data[:4096].lower()
        if b"mime-version:" not in head and b"content-type:" not in head:
            return ""  # without importing anything
        from lightinit.formats.user_parts import mime

        if mime.is_mime(data[:4096].lstrip(b"\xef\xbb\xbf")):
            return "MIME"
        return ""

    def expand(self, piece: Piece, around: Around) -> List[Piece]:
        """Return the parts of a multipart, or the body of another document."""
        from lightinit.formats.user_parts import mime

        data = piece.data.lstrip(b"\xef\xbb\xbf")
        if b"\n" not in data:  # line ends of an old Macintosh
            data = data.replace(b"\r", b"\n")
        entity = mime.read(data, piece.content_type == MIXED)
        if not entity.content_type.startswith(MULTIPART):
            return [_make_part(piece._replace(depth=piece.depth + 1), entity, around)]
        split = mime.split(entity, MAX_PARTS)
        if not split.is_whole:
            around.warn(
                "%s has no last boundary: it may be cut off; the platform takes 64 KiB, and gzip"
                " makes it smaller" % piece.name
            )
        if not split.parts:
            around.warn("%s has no parts: nothing stands between its boundaries" % piece.name)
        found = []
        for index, document in enumerate(split.parts, 1):
            child = name_child(piece, index, "")
            try:
                inner = mime.read(document, is_part=True)
                child = name_child(piece, index, inner.filename)
                if inner.content_type.startswith(MULTIPART):
                    found.append(child._replace(data=document, content_type=MIXED))
                else:
                    found.append(_make_part(child, inner, around))
            except MalformedError as error:
                around.warn("%s is left out: %s" % (child.name, error))
        return found


def _make_part(child: Piece, entity: Entity, around: Around) -> Piece:
    """Make a piece of a MIME document. One that is a whole document itself stays a container.

    Raises:
        MalformedError: it cannot be decoded.
    """
    from lightinit.formats.user_parts import mime

    data = mime.decode(entity)
    if mime.has_unknown_encoding(entity):
        around.warn(
            "%s: its Content-Transfer-Encoding is unknown; taken as it is: write 7bit or base64"
            % child.name
        )
    if entity.content_type == MESSAGE:
        return child._replace(data=data, content_type=MIXED)
    main, _, sub = entity.content_type.partition("/")
    if main == "text":
        data = _to_utf8(child, data, entity.parameters.get("charset", ""), around)
    content_type = entity.content_type
    if main == "application" and sub in BINARY:
        content_type = ""
    return read_headers(child, content_type, entity.headers)._replace(data=data)


def _to_utf8(child: Piece, data: bytes, charset: str, around: Around) -> bytes:
    """Turn text into UTF-8. If its charset is wrong and it is UTF-8, that is a warning."""
    from lightinit.formats.user_parts import mime

    try:
        return mime.to_utf8(data, charset)
    except MalformedError as error:
        try:
            data.decode("utf-8")
        except ValueError:
            raise error from None
        around.warn("%s is read as UTF-8: %s" % (child.name, error))
        return data
