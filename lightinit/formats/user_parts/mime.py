"""MIME documents (RFC 2045, 2046, 2183): their heads, and the parts of a multipart.

It knows no kind of user data. It is not Python's own package email: that one takes time for each
line at each depth, and guesses what a damaged document means.
"""

from __future__ import annotations

import binascii
import re
from typing import Dict, List, Tuple

from lightinit.errors import MalformedError
from lightinit.model import NamedTuple

HEAD_LIMIT_BYTES = 64 * 1024
ENCODINGS = ("", "7bit", "8bit", "binary", "quoted-printable", "base64")
UUENCODED = ("x-uuencode", "uuencode", "x-uue", "uue")
BOUNDARY_LIMIT = 200  # RFC 2046 allows 70 characters
FIRST_NAMES = (b"content-type:", b"mime-version:")
NAME = re.compile(rb"[!-9;-~]+:")
ENVELOPE = b"From "  # the first line of a message in a mailbox
# Other names of codecs are refused: some decoders take time that is quadratic, and some are none of
# text.
CHARSETS = re.compile(r"(utf[-_]?(8|16|32)([-_]?[lb]e)?|(us[-_]?)?ascii|latin[-_]?1"
                      r"|iso[-_]?8859[-_]\d{1,2}|windows[-_]125\d|cp125\d|koi8[-_][ru]"
                      r"|shift_jis|euc[-_](jp|kr)|big5|gb(k|2312|18030))\Z")  # fmt: skip
AS_IT_IS = ("", "utf-8", "utf8", "us-ascii", "ascii")


class Entity(NamedTuple):
    """A MIME document: its head and its body.

    Attributes:
        content_type: in lower case, without parameters; ``text/plain`` if the head has none.
        parameters: of the content type, by lower-case name.
        filename: of Content-Disposition, or the parameter ``name``; or "".
        headers: by lower-case name; the first one, if a name comes several times.
        body: as it is in the document, with its transfer encoding.
    """

    content_type: str
    parameters: Dict[str, str]
    filename: str
    headers: Dict[str, str]
    body: bytes


class Split(NamedTuple):
    """The parts of a multipart.

    Attributes:
        parts: the documents, each with its own head.
        is_whole: whether the last boundary is there. If not, the document may be cut off.
    """

    parts: Tuple[bytes, ...]
    is_whole: bool


def is_mime(data: bytes) -> bool:
    """Whether a document begins with a head that says ``MIME-Version`` or begins with
    ``Content-Type``. Blank lines before it do not count.
    """
    head = data[:4096].lstrip()
    if head[:13].lower() in FIRST_NAMES:
        return True
    if not (NAME.match(head) or head.startswith(ENVELOPE)):
        return False
    return b"\nmime-version:" in re.split(rb"\n\r?\n", head, maxsplit=1)[0].lower()


def read(data: bytes, is_part: bool = False) -> Entity:
    """Read the head of a document.

    Args:
        data: the document.
        is_part: whether it is a part of a multipart. If that begins with a blank line, it has no
            head.

    Raises:
        MalformedError: the head is longer than 64 KiB.
    """
    lines, at = _read_lines(data, is_part)
    headers: Dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    content_type, parameters = _read_value(headers.get("content-type", ""))
    filename = _read_value(headers.get("content-disposition", ""))[1].get("filename", "")
    return Entity(
        content_type.lower() or "text/plain",
        parameters,
        filename or parameters.get("name", ""),
        headers,
        data[at:],
    )


def split(entity: Entity, limit: int) -> Split:
    """Split the body of a multipart.

    Args:
        entity: with a content type that begins with ``multipart/``.
        limit: the greatest number of parts.

    Raises:
        MalformedError: the document names no boundary, or the boundary is not in it, or there are
            too many parts.
    """
    boundary = entity.parameters.get("boundary", "").encode("utf-8", "surrogateescape")
    if not boundary or len(boundary) > BOUNDARY_LIMIT:
        raise MalformedError(
            "multipart has no boundary", hint='its head needs Content-Type: …; boundary="…"'
        )
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:(?=\r?\n)|\Z)")
    parts: List[bytes] = []
    begin = -1
    for found in line.finditer(entity.body):
        if begin >= 0:
            parts.append(_after_line_end(entity.body[begin : found.start()]))
            if len(parts) > limit:
                raise MalformedError("user data has too many parts", limit=limit)
        if found.group(1):
            return Split(tuple(parts), True)
        begin = found.end()
    if begin < 0:
        raise MalformedError(
            "multipart has no boundary", hint="no line of it is the boundary that its head names"
        )
    last = _after_line_end(entity.body[begin:])
    if last.strip():  # some write the last boundary without its last hyphens
        parts.append(last)
    return Split(tuple(parts), False)


def decode(entity: Entity) -> bytes:
    """Undo the transfer encoding of a document that is no multipart. A body whose encoding is
    unknown is taken as it is: so does cloud-init, and most such words are misspelt.

    Raises:
        MalformedError: the encoding is not supported, or the body is not in it.
    """
    encoding = _encoding(entity)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(entity.body)
    if encoding == "base64":
        try:
            return binascii.a2b_base64(b"".join(entity.body.split()))
        except binascii.Error:
            raise MalformedError("part is not in its encoding", encoding=encoding) from None
    if encoding in UUENCODED:
        raise MalformedError("encoding of a part is not supported", encoding=encoding)
    return entity.body


def has_unknown_encoding(entity: Entity) -> bool:
    """Whether a document's transfer encoding is no known one."""
    return _encoding(entity) not in ENCODINGS + UUENCODED


def _encoding(entity: Entity) -> str:
    return entity.headers.get("content-transfer-encoding", "").strip().lower()


def to_utf8(data: bytes, charset: str) -> bytes:
    """Turn text into UTF-8.

    Args:
        data: text in ``charset``.
        charset: the parameter of the content type, or "".

    Raises:
        MalformedError: the charset is unknown, or the text is not in it.
    """
    charset = charset.strip().lower()
    if charset in AS_IT_IS:
        return data
    if not CHARSETS.match(charset):
        raise MalformedError("charset is unknown", charset=charset[:40])
    try:
        return data.decode(charset).encode("utf-8")
    except (LookupError, ValueError):
        raise MalformedError("text is not in its charset", charset=charset) from None


def _read_lines(data: bytes, is_part: bool) -> Tuple[List[str], int]:
    """The header lines, continuations joined, and the place where the body begins."""
    at = 0
    if not is_part:
        blank = len(data) - len(data.lstrip())
        if NAME.match(data, blank) or data.startswith(ENVELOPE, blank):
            at = blank
    lines: List[List[str]] = []
    begin = at
    while at < len(data):
        end = data.find(b"\n", at, begin + HEAD_LIMIT_BYTES)
        if end < 0:
            end = len(data)
        if end - begin >= HEAD_LIMIT_BYTES:
            raise MalformedError("head of a part is too long", limit_bytes=HEAD_LIMIT_BYTES)
        line = data[at:end].rstrip(b"\r")
        is_more = line[:1] in (b" ", b"\t") and line.strip()
        is_envelope = at == begin and line.startswith(ENVELOPE)
        if not line.strip():
            at = end + 1
            break
        if not is_more and not is_envelope and not NAME.match(line):
            break  # the head has no blank line after it
        text = line.decode("utf-8", "surrogateescape")
        if is_more and lines:
            lines[-1].append(text)
        elif not is_envelope:
            lines.append([text])
        at = end + 1
    return ["".join(line) for line in lines], at


def _after_line_end(part: bytes) -> bytes:
    """What follows the line of a boundary."""
    if part.startswith(b"\r\n"):
        return part[2:]
    return part[1:]


def _read_value(text: str) -> Tuple[str, Dict[str, str]]:
    """Read ``VALUE; NAME=VALUE; NAME="VALUE"``: the value, and the parameters."""
    first, *rest = _split_unquoted(text)
    parameters: Dict[str, str] = {}
    for each in rest:
        name, _, value = each.partition("=")
        parameters.setdefault(name.strip().lower(), _unquote(value.strip()))
    return first.strip(), parameters


def _split_unquoted(text: str) -> List[str]:
    """Split at semicolons outside of quotes."""
    pieces: List[str] = []
    begin, is_quoted, is_escaped = 0, False, False
    for at, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif character == "\\":
            is_escaped = is_quoted
        elif character == '"':
            is_quoted = not is_quoted
        elif character == ";" and not is_quoted:
            pieces.append(text[begin:at])
            begin = at + 1
    return [*pieces, text[begin:]]


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return re.sub(r"\\(.)", r"\1", value[1:-1])
