"""HTTP to the platform with requests: one request, one answer, with limits of size and time.

The network may be hostile and the environment wrong. So there are no proxies from the environment,
no netrc, no cookies, no redirects and no compression. This file knows no protocol above HTTP, never
repeats a request, and logs no body.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from functools import partial
from typing import Any, Callable, Mapping, Optional

from lightinit import __version__
from lightinit.errors import (
    LightinitError,
    MalformedError,
    ProvisioningError,
    TransientError,
)
from lightinit.host.clock import Clock, begin, run_within
from lightinit.host.network.http_adapter import Wire, connect_again, load_requests, new_adapter
from lightinit.host.network.http_errors import RedirectError, foreign_errors, raise_plain
from lightinit.host.network.http_headers import (
    content_length,
    joined_headers,
    one_line,
    parse_retry_after,
)
from lightinit.libraries import is_signal, unusable
from lightinit.model import NamedTuple, repr_without

LOG = logging.getLogger("lightinit.http")
LIMIT_BYTES = 1024 * 1024
ERROR_LIMIT_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
# An answer may take a minute, but a running server accepts the connection at once. The kernel sends
# a lost SYN again after 1, 3 and 7 s.
CONNECT_TIMEOUT_S = 10.0
PLAIN_URL = re.compile(r"http://[^/?#]+/[!-~]*\Z")
OnRequest = Callable[[str, str, str, float, float, int], None]


class Response(NamedTuple):
    """The server's answer.

    Attributes:
        status: the HTTP status, never 3xx. An interim answer (1xx except 100) has only a status.
        headers: by lower-case name. If a header came several times, its values are joined by
            commas.
        body: the whole body. The body of an error may be cut off.
        retry_after_s: the seconds that the server asked us to wait; None if it did not ask.
    """

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""
    retry_after_s: Optional[float] = None

    def __repr__(self) -> str:
        return repr_without(self, "body")


def preload() -> Any:
    """Import requests and return it.

    This import takes longer than all others, so call it while the boot waits for something.

    Raises:
        LibraryError: it cannot be loaded.
    """
    return load_requests()


def check_scheme(full_url: str, url: str) -> None:
    """Check that the request goes over http.

    Raises:
        ProvisioningError: it does not.
    """
    if not full_url.startswith("http://"):
        raise ProvisioningError(
            "url is not usable", url=url, hint="the platform speaks plain http only"
        )


class HttpTransport:
    """Sends requests, and keeps the connection for the next one.

    It uses the adapter of requests without a Session. The Session handles redirects, cookies and
    the environment, and reads the body of a redirect without a limit even if redirects are off.

    Args:
        clock: gives the times that ``on_request`` gets. The time limits are in real seconds.
        on_request: called after each request, in the thread that made it, with method, URL, status
            or reason, start (monotonic seconds), duration in seconds, and the length of the body in
            bytes.
        agent: the User-Agent header.
        connect_timeout_s: seconds for the connecting alone.
        mark: returns the mark that sockets need now (see ``socket_mark.py``); None: no mark. It may
            raise ProvisioningError.

    Attributes:
        LIBRARY: the name of the library, for the error if it raises an unexpected exception.
        while_waiting: called while each request is under way, in the thread that has asked for it;
            None: nothing is.
    """

    LIBRARY = "requests"

    def __init__(
        self,
        clock: Clock,
        on_request: Optional[OnRequest] = None,
        agent: str = "lightinit/" + __version__,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        mark: Optional[Callable[[], Optional[int]]] = None,
    ) -> None:
        self._clock = clock
        self._mark = mark
        self._on_request = on_request
        self._agent = agent
        self.connect_timeout_s = connect_timeout_s
        self._adapter: Any = None
        self._wire = Wire()
        self.while_waiting: Optional[Callable[[], None]] = None

    def request(
        self,
        method: str,
        url: str,
        headers: Optional[Mapping[str, str]] = None,
        body: Optional[bytes] = None,
        timeout_s: float = 10.0,
        limit_bytes: int = LIMIT_BYTES,
        want_body: bool = True,
    ) -> Response:
        """Send one request and read its answer.

        ``timeout_s`` limits each read and the whole exchange, ``connect_timeout_s`` the connecting.
        A socket's timeout cannot limit the whole exchange, since each received byte restarts it. So
        the exchange runs in a thread. When the time is up, its connection is shut down, which ends
        the thread, and the next request opens a new connection. If no further thread can be had,
        an alarm does the same.

        Args:
            method: ``GET`` or ``POST``.
            url: an absolute http URL.
            headers: headers besides User-Agent, Accept-Encoding and those that HTTP needs.
            body: the request's body.
            timeout_s: seconds for the whole exchange.
            limit_bytes: the greatest length of the answer's body.
            want_body: False if the caller needs only the status. Then a body that is too long, cut
                off or late is not an error; the received part is returned. The same holds for each
                status from 400 up.

        Raises:
            TransientError: there was no answer, or only a part of it: refused, reset, unreachable,
                timed out, cut off. Its ``was_sent`` says whether the request had been sent.
            MalformedError: the answer is not HTTP, is too large, or compressed.
            RedirectError: it is a redirect.
            LibraryError: requests cannot be loaded, or does not work.
            ProvisioningError: the URL is not usable, or a mark is needed but not permitted.
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

    def connect_ahead(self, timeout_s: float) -> None:
        """Open a connection to the server of the last request, for the next one, unless one is
        open. If that fails, the next request tries it again, and tells why.

        Args:
            timeout_s: seconds for connecting.
        """
        if self._adapter is None:
            return
        try:
            connect_again(self._wire, min(timeout_s, self.connect_timeout_s))
        except Exception as error:  # noqa: BLE001 - of urllib3 and the kernel
            LOG.debug("no connection ahead of the next request: %s", error)

    def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: Optional[bytes]
    ) -> _Exchange:
        all_headers = {"User-Agent": self._agent, "Accept-Encoding": "identity"}
        all_headers.update(headers)
        try:
            prepared = self.prepare(method, url, all_headers, body)
            if self._adapter is None:
                self._wire = Wire()
                self._adapter = self.new_adapter(self._wire)
        except LightinitError:
            raise
        except Exception as error:  # another package may have the name requests
            raise unusable("python library does not work", self.LIBRARY, error) from error
        self._wire.is_begun.clear()
        self._wire.is_sent = False
        if self._mark is not None:
            self._wire.mark = self._mark()
        return _Exchange(self, self._adapter, self._wire, prepared, self._clock)

    def prepare(
        self, method: str, url: str, headers: Mapping[str, str], body: Optional[bytes]
    ) -> Any:
        """The request in the form that the adapter needs.

        Raises:
            ProvisioningError: the URL is not usable.
        """
        requests = preload()
        unusable_url: Any = (requests.RequestException, ValueError)
        try:
            prepared = requests.Request(method, url, headers=headers, data=body).prepare()
        except unusable_url:
            raise ProvisioningError("url is not usable", url=url) from None
        check_scheme(str(prepared.url), url)
        if PLAIN_URL.match(url):
            prepared.url = url  # requests would turn %2D into a hyphen
        return prepared

    def new_adapter(self, wire: Wire) -> Any:
        """Make the object that sends prepared requests and records them in ``wire``."""
        return new_adapter(preload(), wire)

    def abandon(self, adapter: Any) -> None:
        """Stop using ``adapter``: one of its connections hangs, and so does the thread that reads
        from it.
        """
        if self._adapter is adapter:
            self._adapter = None
            self._wire.shut_down()


class _Exchange:
    """One request and its answer, in a thread."""

    def __init__(
        self, transport: HttpTransport, adapter: Any, wire: Wire, prepared: Any, clock: Clock
    ) -> None:
        self._transport = transport
        self._adapter = adapter
        self._wire = wire
        self._prepared = prepared
        self._clock = clock
        self._answer: Optional[Response] = None
        self._partial: Optional[Response] = None
        self._error: Optional[BaseException] = None

    @property
    def was_sent(self) -> bool:
        """Whether the whole request has been sent, so that the server may have received it."""
        return self._wire.is_sent

    def within(self, timeout_s: float, limit_bytes: int, want_body: bool) -> Response:
        """Run the exchange, for at most ``timeout_s`` seconds."""
        thread = threading.Thread(
            target=self._run,
            args=(timeout_s, limit_bytes, want_body),
            daemon=True,
            name="lightinit-request",
        )
        if begin(thread):
            self._await(thread, timeout_s)
        else:
            work = partial(self._run, timeout_s, limit_bytes, want_body)
            run_within(timeout_s, work, self._wire.shut_down)
            if self._wire.is_given_up:
                self._answer = None  # the alarm may have cut it off
        url = str(self._prepared.url)
        if self._answer is not None:
            return self._answer
        error = self._error
        if error is not None and is_signal(error):
            raise error  # this is the main thread
        if error is None or thread.is_alive() or self._wire.is_given_up:
            self._transport.abandon(self._adapter)
            if self._partial is not None:
                return self._partial
            raise TransientError("request timed out", url=url, after_s="%g" % timeout_s)
        if isinstance(error, LightinitError):
            raise error
        if not self.was_sent:
            timeout_s = min(timeout_s, self._transport.connect_timeout_s)
        raise_plain(error, url, timeout_s)
        raise unusable("python library does not work", self._transport.LIBRARY, error) from error

    def _await(self, thread: threading.Thread, timeout_s: float) -> None:
        """Wait until the thread has ended, or the time is over."""
        ends_s = time.monotonic() + timeout_s
        if self._transport.while_waiting is not None:
            self._wire.is_begun.wait(timeout_s)
            self._transport.while_waiting()
        thread.join(max(0.0, ends_s - time.monotonic()))

    def _run(self, timeout_s: float, limit_bytes: int, want_body: bool) -> None:
        try:
            self._answer = self._perform(timeout_s, limit_bytes, want_body)
        except BaseException as error:  # within() raises it in its own thread
            self._error = error
        finally:
            self._wire.is_begun.set()

    def _perform(self, timeout_s: float, limit_bytes: int, want_body: bool) -> Response:
        raw = self._adapter.send(
            self._prepared,
            stream=True,
            timeout=(min(timeout_s, self._transport.connect_timeout_s), timeout_s),
            proxies={},
        ).raw
        whole = False
        try:
            status = int(raw.status)
            headers = joined_headers(raw.headers.items())
            if 300 <= status < 400:
                raise RedirectError(
                    "answer is a redirect",
                    url=self._prepared.url,
                    status=status,
                    target=one_line(headers.get("location", "")),
                )
            if status < 200:
                # The real answer follows. Close the connection: otherwise the next request would
                # get it.
                return Response(status, headers)
            retry_after_s = parse_retry_after(headers, self._clock.time())
            if want_body and status < 400:
                body = self._body(raw, headers, limit_bytes)
            else:
                self._partial = Response(status, headers, b"", retry_after_s)
                body = self._some_body(raw, min(limit_bytes, ERROR_LIMIT_BYTES))
            whole = True
            return Response(status, headers, body, retry_after_s)
        finally:
            if not whole:
                raw.close()

    def _body(self, raw: Any, headers: Mapping[str, str], limit_bytes: int) -> bytes:
        url = self._prepared.url
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            raise MalformedError("answer is compressed", url=url, encoding=one_line(encoding))
        length = None if "transfer-encoding" in headers else content_length(headers, url)
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
        # urllib3 checks this only since version 2.
        if length is not None and size < length and raw.status != 204:
            raise TransientError("answer was cut off", url=url, bytes=size, expected_bytes=length)
        return b"".join(parts)

    def _some_body(self, raw: Any, limit_bytes: int) -> bytes:
        import http.client

        cut_off: Any = (http.client.HTTPException, OSError) + foreign_errors("HTTPError")
        body = b""
        try:
            while True:
                part: bytes = raw.read(CHUNK_BYTES, decode_content=False)
                body += part
                if not part:
                    return body
                if len(body) > limit_bytes:
                    break
        except cut_off:
            pass
        raw.close()
        return body[:limit_bytes]
