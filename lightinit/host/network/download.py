"""Downloads what a user-data document names, and posts to it: https with the host's certificates,
and http.

Unlike the platform's HTTP (http.py) it follows redirects, and it needs no library. No proxies, no
cookies, no compression. All of an exchange, with its redirects and the look-up of names, takes
place in a thread, within one limit of time.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from lightinit import __version__
from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError
from lightinit.gunzip import CutOffError, TooLargeError, gunzip
from lightinit.host.clock import begin, run_within
from lightinit.host.network.http_errors import raise_plain
from lightinit.host.network.http_headers import parse_retry_after
from lightinit.libraries import is_signal

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
# After these, a form is posted again; after SEE_OTHER it was taken. RFC 9110, 15.4.
KEEP_FORM, SEE_OTHER, NOT_FOUND = (307, 308), 303, 404
BUSY = (408, 425, 429, 500, 502, 503, 504)
CHUNK_BYTES = 64 * 1024


class Downloader:
    """Downloads documents, each over its own connection.

    Args:
        tls: an ssl.SSLContext. None: the host's certificates.
    """

    def __init__(self, tls: Any = None) -> None:
        self._tls = tls

    def get(self, url: str, timeout_s: float, limit_bytes: int) -> bytes:
        """Download what is at a URL.

        Args:
            url: an http or https URL. It may have secrets, so no error has all of it.
            timeout_s: seconds for all.
            limit_bytes: the greatest size.

        Raises:
            TransientError: try again: no answer, or one that says that the server is busy.
            MalformedError: the answer is not HTTP, or too large.
            ProvisioningError: the server refuses, or must not be trusted; or the URL is unusable.
        """
        return self._perform(_Download(self._tls, url, timeout_s, limit_bytes), timeout_s)

    def post(self, url: str, form: bytes, timeout_s: float) -> None:
        """Post a form, and drop the answer.

        Args:
            url: an http or https URL. No error has more of it than the host.
            form: as ``application/x-www-form-urlencoded``.
            timeout_s: seconds for all.

        Raises:
            TransientError: try again: no answer, or one that says that the server is busy, or has
                not all of its pages yet (404).
            MalformedError: the answer is not HTTP.
            ProvisioningError: as :meth:`get`; or the server sends us to another place without the
                form.
        """
        self._perform(_Post(self._tls, url, timeout_s, form), timeout_s)

    def _perform(self, work: _Download, timeout_s: float) -> bytes:
        thread = threading.Thread(target=work.run, daemon=True, name="lightinit-download")
        if begin(thread):
            thread.join(timeout_s)
            if thread.is_alive():
                work.give_up()
        else:
            run_within(timeout_s, work.run, work.give_up)
        if work.error is not None and is_signal(work.error):
            raise work.error  # this is the main thread
        if work.is_given_up:
            raise TransientError(
                "request timed out", url=work.show(work.url), after_s="%g" % timeout_s
            )
        if work.error is None:
            return work.body
        if isinstance(work.error, LightinitError):
            raise work.error
        if type(work.error).__name__ == "SSLCertVerificationError":
            raise ProvisioningError(
                "server's certificate is not trusted",
                url=work.show(work.url),
                why=getattr(work.error, "verify_message", ""),
                hint="is its authority among the host's certificates, and is the clock right?",
            )
        raise_plain(work.error, work.show(work.url), timeout_s)
        raise work.failed(error=type(work.error).__name__) from work.error


class _Download:
    """One download with its redirects, in a thread."""

    def __init__(self, tls: Any, url: str, timeout_s: float, limit_bytes: int) -> None:
        self._tls = tls
        self.url = url
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes
        self._sockets: List[Any] = []
        self.is_given_up = False
        self.body = b""
        self.error: Optional[BaseException] = None

    def run(self) -> None:
        """Download; keep the body or the error."""
        try:
            for _ in range(MAX_REDIRECTS + 1):
                target, self.body = self._ask()
                if not target:
                    return
                self.url = self._follow(target)
            raise ProvisioningError(
                "download was redirected too often", url=self.show(self.url), limit=MAX_REDIRECTS
            )
        except BaseException as error:  # the other thread raises it
            self.error = error

    def give_up(self) -> None:
        """Shut the connection down, which ends the thread."""
        self.is_given_up = True
        for each in self._sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def show(self, url: str) -> str:
        """A URL for messages: its user, password and query are often secrets."""
        return show_url(url)

    def _ask(self) -> Tuple[str, bytes]:
        """Send one request. Returns the target of a redirect, or the body."""
        import http.client

        place = check_url(self.url, self.show)
        host, secure = str(place.hostname), place.scheme == "https"
        # http.client has a class for https only if it was imported with ssl (http_adapter.py).
        context = self._context() if secure else None
        usual = 443 if secure else 80
        connection = http.client.HTTPConnection(host, place.port or usual, timeout=self._timeout_s)
        connection.default_port = usual
        try:
            connection.connect()
            if context is not None:
                connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
            self._sockets[:] = [connection.sock]
            if self.is_given_up:
                self.give_up()
            path = urlunsplit(("", "", place.path or "/", place.query, ""))
            self._send(connection, path, {"User-Agent": "lightinit/" + __version__})
            return self._receive(connection.getresponse())
        finally:
            connection.close()

    def _send(self, connection: Any, path: str, headers: Dict[str, str]) -> None:
        headers.update(_login_in(self.url))
        connection.request("GET", path, headers=headers)

    def _receive(self, answer: Any) -> Tuple[str, bytes]:
        if answer.status in REDIRECTS and answer.headers.get("Location"):
            return str(answer.headers["Location"]), b""
        if answer.status != 200:
            raise self._refused(answer.status)
        return "", self._read(answer)

    def _context(self) -> Any:
        if self._tls is None:
            try:
                import ssl
            except ImportError:
                raise ProvisioningError(
                    "https is not available", why="this Python has no ssl"
                ) from None
            self._tls = ssl.create_default_context()
        return self._tls

    def _read(self, answer: Any) -> bytes:
        pieces: List[bytes] = []
        size = 0
        while True:
            piece: bytes = answer.read(CHUNK_BYTES)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
            if size > self._limit_bytes:
                raise MalformedError(
                    "answer is too large", url=self.show(self.url), limit_bytes=self._limit_bytes
                )
        # With a size, read() does not tell that the connection was cut off.
        if answer.length:
            raise TransientError("answer was cut off", url=self.show(self.url), bytes=size)
        data, encoding = b"".join(pieces), str(answer.headers.get("Content-Encoding") or "")
        if encoding.strip().lower() in ("", "identity"):
            return data
        shown = self.show(self.url)
        return _unpacked(data, encoding.strip().lower(), shown, self._limit_bytes)

    def failed(self, **details: Any) -> ProvisioningError:
        """The error for a failure that is final."""
        return ProvisioningError("download failed", url=self.show(self.url), **details)

    def _refused(self, status: int) -> LightinitError:
        if status in BUSY:
            return TransientError("download failed", url=self.show(self.url), status=status)
        return self.failed(status=status, hint="check the URL")

    def _follow(self, target: str) -> str:
        try:
            url = urljoin(self.url, target)
        except ValueError:
            raise ProvisioningError("url is not usable", url="the target of a redirect") from None
        if self.url.lower().startswith("https:") and not url.lower().startswith("https:"):
            raise ProvisioningError(
                "download was redirected away from https",
                url=self.show(self.url),
                to=self.show(url),
            )
        return url


class _Post(_Download):
    """One form that is posted."""

    def __init__(self, tls: Any, url: str, timeout_s: float, form: bytes) -> None:
        super().__init__(tls, url, timeout_s, 0)
        self._form = form

    def show(self, url: str) -> str:
        """A URL for messages: its path is often a secret, too."""
        try:
            place = urlsplit(url)
            return "%s://%s/..." % (place.scheme, _show_host(place))
        except ValueError:
            return "a damaged URL"

    def failed(self, **details: Any) -> ProvisioningError:
        """The error for a failure that is final."""
        return ProvisioningError("post failed", url=self.show(self.url), **details)

    def _send(self, connection: Any, path: str, headers: Dict[str, str]) -> None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers.update(_login_in(self.url))
        connection.request("POST", path, self._form, headers)

    def _receive(self, answer: Any) -> Tuple[str, bytes]:
        target = answer.headers.get("Location")
        if answer.status in KEEP_FORM and target:
            return str(target), b""
        if answer.status in REDIRECTS and answer.status != SEE_OTHER:
            raise ProvisioningError(
                "post was redirected without its form",
                url=self.show(self.url),
                status=answer.status,
                to=self.show(str(target or "")),
                hint="write the new address",
            )
        if answer.status in BUSY or answer.status == NOT_FOUND:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            raise TransientError(
                "post failed",
                retry_after_s=parse_retry_after(headers, time.time()),
                url=self.show(self.url),
                status=answer.status,
            )
        if not 200 <= answer.status < 300 and answer.status != SEE_OTHER:
            raise self.failed(status=answer.status, hint="check the URL")
        return "", b""


def _login_in(url: str) -> Dict[str, str]:
    """The header for the user and password in a URL; none if it has none."""
    place = urlsplit(url)
    if place.username is None:
        return {}
    import base64

    login = "%s:%s" % (unquote(place.username), unquote(place.password or ""))
    return {"Authorization": "Basic " + base64.b64encode(login.encode("utf-8")).decode("ascii")}


def _unpacked(data: bytes, encoding: str, shown: str, limit_bytes: int) -> bytes:
    """The content of a compressed answer: some servers have nothing else, such as a store of
    objects that were put there with ``Content-Encoding: gzip``.

    Raises:
        TransientError: it was cut off.
        MalformedError: it is damaged, too large, or compressed in another way.
    """
    strange = MalformedError("answer is compressed", url=shown, encoding=ascii(encoding[:40]))
    if encoding not in ("gzip", "x-gzip"):
        raise strange
    try:
        return gunzip(data, limit_bytes)[0]
    except TooLargeError:
        raise MalformedError("answer is too large", url=shown, limit_bytes=limit_bytes) from None
    except CutOffError:
        raise TransientError("answer was cut off", url=shown, bytes=len(data)) from None
    except MalformedError:
        raise strange from None


def show_url(url: str) -> str:
    """A URL for messages: its user, password and query are often secrets."""
    try:
        place = urlsplit(url)
        if not place.scheme and not place.netloc:
            return place.path[:100]
        return "%s://%s%s" % (place.scheme, _show_host(place), place.path[:100])
    except ValueError:
        return "a damaged URL"


def _show_host(place: Any) -> str:
    """The host of a URL's parts, and its port, if it has one."""
    host = place.hostname or ""
    return ("[%s]" if ":" in host else "%s") % host + (":%d" % place.port if place.port else "")


def check_url(url: str, show: Callable[[str], str] = show_url) -> Any:
    """The parts of a URL.

    Args:
        url: it.
        show: makes of it what an error may have.

    Raises:
        ProvisioningError: it is no http or https URL, or has characters that a URL has not.
    """
    try:
        place = urlsplit(url)
        usable = place.scheme in ("http", "https") and bool(place.hostname)
        usable = usable and (place.port is None or place.port > 0)
    except ValueError:
        usable = False
    if not usable or not all("!" <= character <= "~" for character in url):
        raise ProvisioningError(
            "url is not usable",
            url=show(url),
            hint="it must begin with http:// or https://",
        )
    return place
