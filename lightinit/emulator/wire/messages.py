"""Reads and writes HTTP/1.1 messages, as far as the servers need it.

Bytes in, values out, and the reverse. Knows no socket, no WireServer and no IMDS.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Tuple
from urllib.parse import parse_qsl, unquote, urlsplit

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    410: "Gone",
    411: "Length Required",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}
BODILESS = (204, 304)


class BadMessage(Exception):
    """The bytes are not a valid HTTP request.

    Args:
        status: the HTTP status of the answer.
        reason: one sentence for the body and the log.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(reason)


class Request(NamedTuple):
    """One request. ``headers`` have lower-case names; ``query`` has pairs in their order."""

    method: str
    target: str
    path: str
    query: Tuple[Tuple[str, str], ...]
    headers: Dict[str, str]
    body: bytes
    keep_alive: bool
    client: str  # the client's "host:port"
    local_host: str  # the address that the client connected to
    local_port: int
    connection: int  # counts connections of this server, from 1
    opened: int = 0  # when the connection opened, in the order of all that happened

    def parameter(self, name: str) -> str:
        """Return the value of a query parameter, "" when it is absent."""
        return dict(self.query).get(name, "")


class Body(NamedTuple):
    """A body as pairs of a block and how many times it is sent: 50 MB need little memory."""

    blocks: Tuple[Tuple[bytes, int], ...]

    @property
    def length(self) -> int:
        """The whole length in bytes."""
        return sum(len(block) * times for block, times in self.blocks)

    def joined(self) -> bytes:
        """The whole body in one piece."""
        return b"".join(block * times for block, times in self.blocks)


class Reply(NamedTuple):
    """An answer. ``refusal`` says why the request was refused, "" if it was not."""

    status: int
    headers: Dict[str, str]
    body: Body
    refusal: str = ""


def make_answer(
    status: int, data: bytes, content_type: str, refusal: str = "", **headers: str
) -> Reply:
    """Make an answer with a body of one block.

    Args:
        status: the HTTP status.
        data: the body.
        content_type: the value of Content-Type; "" leaves the header out.
        refusal: why the request is refused, "" if it is not.
        headers: further headers, with ``_`` for ``-`` in their names.
    """
    fields: Dict[str, str] = {}
    if content_type:
        fields["Content-Type"] = content_type
    fields.update((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, fields, Body(((data, 1),)), refusal)


def refuse(status: int, reason: str, **headers: str) -> Reply:
    """Make an answer that says in plain text why a request is refused.

    Args:
        status: the HTTP status.
        reason: one sentence for the body and the log.
        headers: further headers, with ``_`` for ``-`` in their names.
    """
    data = (reason + "\n").encode("utf-8")
    return make_answer(status, data, "text/plain; charset=utf-8", reason, **headers)


def has_xml_type(request: Request) -> bool:
    """Return whether Content-Type means ``text/xml;charset=utf-8``, in any spelling."""
    kind = (
        request.headers.get("content-type", "").lower().replace(" ", "").replace('"', "").split(";")
    )
    return kind[0] == "text/xml" and "charset=utf-8" in kind[1:]


def json_answer(status: int, value: Any, refusal: str = "", **headers: str) -> Reply:
    """Make an answer whose body is JSON; the arguments are those of :func:`make_answer`."""
    data = json.dumps(value, ensure_ascii=False).encode("utf-8")
    return make_answer(status, data, "application/json; charset=utf-8", refusal, **headers)


def format_head(answer: Reply, keep_alive: bool, with_length: bool = True) -> bytes:
    """Return the status line and the headers of an answer, ready to send.

    Args:
        answer: the answer; its own Content-Length, if any, replaces the real one.
        keep_alive: whether the connection stays open after it.
        with_length: False leaves Content-Length out, for a body that ends with the connection.
    """
    lines = ["HTTP/1.1 %d %s" % (answer.status, REASONS.get(answer.status, "Unknown"))]
    names = {name.lower() for name in answer.headers}
    lines += ["%s: %s" % item for item in answer.headers.items()]
    if with_length and "content-length" not in names and answer.status not in BODILESS:
        lines.append("Content-Length: %d" % answer.body.length)
    if "connection" not in names:
        lines.append("Connection: " + {True: "keep-alive", False: "close"}[keep_alive])
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def parse_head(head: bytes) -> Tuple[str, str, bool, Dict[str, str]]:
    """Read a request's line and headers.

    Args:
        head: the bytes before the empty line.

    Returns:
        method, target, whether the connection stays open, and the headers with lower-case names;
        the values of a repeated header are joined by ", ".

    Raises:
        BadMessage: it is not an HTTP/1.0 or HTTP/1.1 request.
    """
    lines = head.decode("iso-8859-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[0].isalpha() or not words[1]:
        raise BadMessage(400, "the request line is not 'METHOD target HTTP/1.1'")
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadMessage(505, "the request line names neither HTTP/1.1 nor HTTP/1.0")
    headers: Dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadMessage(400, "a header line is not 'Name: value'")
        name = name.lower()
        value = value.strip()
        if name in headers:
            value = headers[name] + ", " + value
        headers[name] = value
    if version == "HTTP/1.1" and "host" not in headers:
        raise BadMessage(400, "HTTP/1.1 needs a Host header")
    words = [word.strip().lower() for word in headers.get("connection", "").split(",")]
    keep_alive = "keep-alive" in words
    if version == "HTTP/1.1":
        keep_alive = "close" not in words
    return method, target, keep_alive, headers


def body_length(method: str, headers: Dict[str, str], limit: int) -> int:
    """Return how many bytes of body follow the head.

    Args:
        method: the request's method.
        headers: its headers, names in lower case.
        limit: the maximum in bytes.

    Raises:
        BadMessage: Content-Length is missing or wrong (411, 400), or over the limit (413).
    """
    text = headers.get("content-length")
    if "transfer-encoding" in headers or (text is None and method in ("POST", "PUT", "PATCH")):
        raise BadMessage(411, "a body needs Content-Length")
    if text is None:
        return 0
    if not text.isdecimal() or len(text) > 12:
        raise BadMessage(400, "Content-Length is not a number")
    if int(text) > limit:
        raise BadMessage(413, "the body is longer than %d bytes" % limit)
    return int(text)


def split_target(target: str) -> Tuple[str, Tuple[Tuple[str, str], ...]]:
    """Split a request's target into its decoded path and its query's pairs.

    Raises:
        BadMessage: it is a whole URL and not valid.
    """
    path, _, query = target.partition("?")
    if "://" in path:
        try:
            parts = urlsplit(target)
        except ValueError as error:
            raise BadMessage(400, "the request line's URL is not valid: %s" % error) from error
        path, query = parts.path, parts.query
    pairs: List[Tuple[str, str]] = parse_qsl(query, keep_blank_values=True)
    return unquote(path), tuple(pairs)
