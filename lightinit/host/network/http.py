"""HTTP to the platform over requests: one request, one answer, bounded in size and in time.

The network may be hostile and the environment wrong, so what a browser would do is left undone: no
proxies from the environment, no netrc, no cookies, no redirects, no compression. It knows no
protocol above HTTP, tries nothing twice, and logs no body.
"""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Mapping, Optional

from lightinit import __version__
from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError
from lightinit.host.clock import Clock
from lightinit.host.network.http_errors import raise_plain

LIMIT_BYTES = 1024 * 1024
ERROR_LIMIT_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
MAX_RETRY_AFTER_S = 24 * 3600.0
PLAIN_URL = re.compile(r"http://[^/?#]+/[!-~]*\Z")
OnRequest = Callable[[str, str, str, float, float, int], None]


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status, never 3xx. Of an interim answer (1xx but 100) it is all there is.
        headers: by lower-case name; a header that came several times is joined by commas.
        body: all of it; of an error's body perhaps only the first part.
        retry_after_s: seconds that the other side asked us to wait, None when it did not.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    retry_after_s: Optional[float] = None


def preload() -> Any:
    """Import requests and return it. It is most of what a first boot costs, so do it while
    waiting.
    """
    import requests
    import requests.adapters

    return requests


class Transport:
    """Sends requests and keeps the connection for the next one.

    requests' adapter is used without its Session: redirects, cookies and the environment live in
    the Session, and a redirect's body is read there without any limit even when redirects are off.

    Args:
        clock: for the times given to ``on_request``; the time limits themselves are in real
            seconds.
        on_request: called after each request, in the thread that made it, with method, URL, status
            or reason, start (monotonic seconds), duration in seconds, and bytes of the answer's
            body.
        agent: the User-Agent header.
    """

    def __init__(
        self,
        clock: Clock,
        on_request: Optional[OnRequest] = None,
        agent: str = "lightinit/" + __version__,
    ) -> None:
        self._clock = clock
        self._on_request = on_request
        self._agent = agent
        self._adapter: Any = None
        self._wire = _Wire()

    def request(
        self,
        method: str,
        url: str,
        headers: Optional[Mapping[str, str]] = None,
        body: Optional[bytes] = None,
        timeout_s: float = 10.0,
        limit_bytes: int = LIMIT_BYTES,
        want_body: bool = True,
    ) -> Answer:
        """Send one request and read its answer.

        ``timeout_s`` bounds connecting, each read, and all of it together. The last cannot be had
        from the sockets (a header that drips in byte by byte restarts the limit with each), so the
        exchange runs in a thread of its own; when time is up its connection is shut down, which
        ends the thread too, and the next request starts on a new one.

        Args:
            method: ``GET`` or ``POST``.
            url: an absolute http URL.
            headers: what to send besides User-Agent, Accept-Encoding and those that HTTP itself
                needs.
            body: what to send.
            timeout_s: seconds for the whole exchange.
            limit_bytes: how long the answer's body may be.
            want_body: False when the status says all; then, as with any status from 400 up, a body
                that is too long, cut off or late is no error, and what came of it is given.

        Raises:
            TransientError: no answer, or not all of it: refused, reset, unreachable, timed out, cut
                off. Its ``was_sent`` says whether the request had gone out by then.
            MalformedError: an answer that is not HTTP, too large, compressed, or a redirect.
            ProvisioningError: the URL itself is unusable.
        """
        started_s = self._clock.monotonic()
        told, size = "interrupted", 0
        try:
            exchange = self._exchange(method, url, headers or {}, body)
            answer = exchange.within(timeout_s, limit_bytes, want_body)
            told, size = str(answer.status), len(answer.body)
            return answer
        except LightinitError as error:
            told = error.reason
            if isinstance(error, TransientError):
                error.was_sent = exchange.was_sent
            raise
        finally:
            if self._on_request is not None:
                self._on_request(
                    method, url, told, started_s, self._clock.monotonic() - started_s, size
                )

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Optional[bytes]
    ) -> _Exchange:
        requests = preload()
        all_headers = {"User-Agent": self._agent, "Accept-Encoding": "identity"}
        all_headers.update(headers)
        try:
            prepared = requests.Request(method, url, headers=all_headers, data=body).prepare()
        except (requests.RequestException, ValueError):
            raise ProvisioningError("url is not usable", url=url) from None
        if not prepared.url.startswith("http://"):
            raise ProvisioningError(
                "url is not usable", url=url, hint="the platform speaks plain http only"
            )
        if PLAIN_URL.match(url):
            prepared.url = url  # as it was given: requests would turn %2D into a hyphen
        if self._adapter is None:
            self._wire = _Wire()
            self._adapter = _new_adapter(requests, self._wire)
        self._wire.is_sent = False
        return _Exchange(self, self._adapter, self._wire, prepared, self._clock)

    def abandon(self, adapter: Any) -> None:
        """Use ``adapter`` no more: one of its connections hangs, and so does the thread that reads
        from it.
        """
        if self._adapter is adapter:
            self._adapter = None
            for connected in self._wire.sockets:
                try:
                    connected.shutdown(socket.SHUT_RDWR)
                except OSError:  # closed already, by either side
                    pass


class _Wire:
    """What an adapter's connections note for those who cannot see them.

    Attributes:
        sockets: of the connections that are open. Only whoever has the socket can end a thread that
            a server keeps busy for ever, with interim answers, say.
        is_sent: whether all of the latest request has been handed to the kernel: from then on it
            may arrive.
    """

    def __init__(self) -> None:
        self.sockets: List[Any] = []
        self.is_sent = False


def _new_adapter(requests: Any, wire: _Wire) -> Any:
    """An adapter whose connections tell ``wire``."""
    from urllib3.connection import HTTPConnection
    from urllib3.connectionpool import HTTPConnectionPool

    class Connection(HTTPConnection):
        """Notes its socket, and what it has sent."""

        def connect(self) -> None:
            super().connect()
            wire.sockets[:] = [known for known in wire.sockets if known.fileno() >= 0] + [self.sock]

        def send(self, data: Any) -> None:
            wire.is_sent = False  # head and body are sent one by one: the last of them counts
            super().send(data)
            wire.is_sent = True

    class Pool(HTTPConnectionPool):
        """Makes such connections."""

        ConnectionCls = Connection

    adapter = requests.adapters.HTTPAdapter(pool_connections=2, pool_maxsize=2, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": Pool}
    return adapter


class _Exchange:
    """One request and its answer, in a thread."""

    def __init__(
        self, transport: Transport, adapter: Any, wire: _Wire, prepared: Any, clock: Clock
    ) -> None:
        self._transport = transport
        self._adapter = adapter
        self._wire = wire
        self._prepared = prepared
        self._clock = clock
        self._answer: Optional[Answer] = None
        self._partial: Optional[Answer] = None
        self._error: Optional[BaseException] = None

    @property
    def was_sent(self) -> bool:
        """Whether the request has gone out whole, so that the other side may have it."""
        return self._wire.is_sent

    def within(self, timeout_s: float, limit_bytes: int, want_body: bool) -> Answer:
        """Run it, for at most ``timeout_s`` seconds."""
        thread = threading.Thread(
            target=self._run,
            args=(timeout_s, limit_bytes, want_body),
            daemon=True,
            name="lightinit-request",
        )
        thread.start()
        thread.join(timeout_s)
        url = str(self._prepared.url)
        if self._answer is not None:
            return self._answer
        error = self._error
        if error is None or thread.is_alive():
            self._transport.abandon(self._adapter)
            if self._partial is not None:
                return self._partial
            raise TransientError("request timed out", url=url, after_s="%g" % timeout_s)
        if isinstance(error, LightinitError):
            raise error
        raise_plain(error, url, timeout_s)

    def _run(self, timeout_s: float, limit_bytes: int, want_body: bool) -> None:
        try:
            self._answer = self._perform(timeout_s, limit_bytes, want_body)
        except BaseException as error:  # handed to the thread that waits for it, and raised there
            self._error = error

    def _perform(self, timeout_s: float, limit_bytes: int, want_body: bool) -> Answer:
        raw = self._adapter.send(
            self._prepared, stream=True, timeout=(timeout_s, timeout_s), proxies={}
        ).raw
        whole = False
        try:
            status = int(raw.status)
            headers: Dict[str, str] = {}
            for name, value in raw.headers.items():  # one that came several times is several items
                key = str(name).lower()
                headers[key] = headers[key] + ", " + str(value) if key in headers else str(value)
            if 300 <= status < 400:
                raise MalformedError(
                    "answer is a redirect",
                    url=self._prepared.url,
                    status=status,
                    target=_one_line(headers.get("location", "")),
                )
            if status < 200:
                # The real answer is still to come. This connection is closed, or the next request
                # would get it.
                return Answer(status, headers)
            retry_after_s = parse_retry_after(headers, self._clock.time())
            if want_body and status < 400:
                body = self._body(raw, headers, limit_bytes)
            else:
                self._partial = Answer(status, headers, b"", retry_after_s)
                body = self._some_body(raw, min(limit_bytes, ERROR_LIMIT_BYTES))
            whole = True
            return Answer(status, headers, body, retry_after_s)
        finally:
            if not whole:
                raw.close()

    def _body(self, raw: Any, headers: Mapping[str, str], limit_bytes: int) -> bytes:
        url = self._prepared.url
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            raise MalformedError("answer is compressed", url=url, encoding=_one_line(encoding))
        length = None if "transfer-encoding" in headers else _content_length(headers, url)
        if length is not None and length > limit_bytes:
            raise MalformedError(
                "answer is too large", url=url, bytes=length, limit_bytes=limit_bytes
            )
        parts, size = [], 0
        while True:
            part = raw.read(CHUNK_BYTES, decode_content=False)
            if not part:
                break
            parts.append(part)
            size += len(part)
            if size > limit_bytes:
                raise MalformedError("answer is too large", url=url, limit_bytes=limit_bytes)
        # urllib3 checks this by itself only since version 2.
        if length is not None and size < length and raw.status != 204:
            raise TransientError("answer was cut off", url=url, bytes=size, expected_bytes=length)
        return b"".join(parts)

    def _some_body(self, raw: Any, limit_bytes: int) -> bytes:
        import http.client

        from urllib3.exceptions import HTTPError

        body = b""
        try:
            while True:
                part: bytes = raw.read(CHUNK_BYTES, decode_content=False)
                body += part
                if not part:
                    return body
                if len(body) > limit_bytes:
                    break
        except (HTTPError, http.client.HTTPException, OSError):
            pass
        raw.close()
        return body[:limit_bytes]


def parse_retry_after(headers: Mapping[str, str], now_s: float) -> Optional[float]:
    """The seconds that ``Retry-After`` asks for, None when it is absent or makes no sense (RFC
    9110, 10.2.3).

    A date is compared with the answer's own ``Date``, as the VM's clock may be years off at boot;
    without one, with ``now_s``.

    Args:
        headers: by lower-case name.
        now_s: Unix time in seconds.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdigit() and value.isascii():
        return min(float(value[:9]), MAX_RETRY_AFTER_S)
    until_s = _http_date(value)
    if until_s is None:
        return None
    since_s = _http_date(headers.get("date", ""))
    wait_s = until_s - (now_s if since_s is None else since_s)
    return max(0.0, wait_s) if wait_s <= MAX_RETRY_AFTER_S else None


def _http_date(value: str) -> Optional[float]:
    from email.utils import mktime_tz, parsedate_tz

    try:
        parts = parsedate_tz(value[:64])
        return float(mktime_tz(parts)) if parts is not None else None
    except (ValueError, OverflowError, IndexError, TypeError):  # parsedate_tz, at nonsense
        return None


def _content_length(headers: Mapping[str, str], url: str) -> Optional[int]:
    values = {value.strip() for value in headers.get("content-length", "").split(",")}
    if values == {""}:
        return None
    value = values.pop()
    if values or not (value.isdigit() and value.isascii() and len(value) < 16):
        raise MalformedError("answer has a bad content-length", url=url)
    return int(value)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:200])
