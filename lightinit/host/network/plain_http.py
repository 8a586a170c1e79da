"""HTTP to the platform with Python's standard library only: for the report, if requests cannot be
loaded.

It uses the code of :mod:`lightinit.host.network.http`, so it makes the same promises: no proxies,
no redirects, limits of size and time. Only the adapter, which sends a request, is another one.
"""

from __future__ import annotations

import http.client
import socket
from typing import Any, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from lightinit.errors import ProvisioningError
from lightinit.host.network.http import PLAIN_URL, HttpTransport, check_scheme
from lightinit.host.network.http_adapter import Wire
from lightinit.model import NamedTuple


class PlainRequest(NamedTuple):
    """A request for :class:`PlainAdapter`."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Optional[bytes]


class PlainTransport(HttpTransport):
    """Sends requests, each over its own connection. The arguments are those of the base class."""

    LIBRARY = "http.client"

    def prepare(
        self, method: str, url: str, headers: Mapping[str, str], body: Optional[bytes]
    ) -> PlainRequest:
        """The request in the form that the adapter needs.

        Raises:
            ProvisioningError: the URL is not usable.
        """
        check_scheme(url, url)
        if not PLAIN_URL.match(url):
            raise ProvisioningError("url is not usable", url=url)
        return PlainRequest(method, url, dict(headers, Connection="close"), body)

    def new_adapter(self, wire: Wire) -> Any:
        """Make the object that sends prepared requests and records them in ``wire``."""
        return PlainAdapter(wire)


class PlainAdapter:
    """Sends one request at a time, as the adapter of requests does.

    Args:
        wire: records the connection's socket, and whether the request was sent.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def send(
        self,
        request: PlainRequest,
        stream: bool,
        timeout: Tuple[float, float],
        proxies: Mapping[str, str],
    ) -> "PlainAnswer":
        """Send ``request``.

        Args:
            request: what to send.
            stream: whether the caller reads the body. It always does.
            timeout: seconds for connecting, and for each read.
            proxies: none; there are no proxies here.
        """
        place = urlsplit(request.url)
        target = request.url.partition("//")[2].partition("/")[2]
        connection = http.client.HTTPConnection(
            str(place.hostname), place.port or 80, timeout=timeout[0]
        )
        self._wire.check()
        _connect(connection)
        connection.sock.settimeout(timeout[1])
        self._wire.has_opened(connection.sock)
        connection.request(request.method, "/" + target, request.body, dict(request.headers))
        self._wire.is_sent = True
        return PlainAnswer(connection, connection.getresponse())


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except LookupError:
        # To look up any host, Python needs the codec idna, and that needs the module unicodedata,
        # which a small build lacks. An address can be connected to without a look-up.
        plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        plain.settimeout(connection.timeout)
        connection.sock = plain
        plain.connect((connection.host, connection.port))


class PlainAnswer:
    """An answer whose head has been read.

    Attributes:
        raw: the object itself, because the answers of requests have such an attribute.
        status: the HTTP status.
        headers: as http.client gives them.
    """

    def __init__(self, connection: Any, answer: Any) -> None:
        self._connection = connection
        self._answer = answer
        self.raw = self
        self.status: int = answer.status
        self.headers = answer.headers

    def read(self, size_bytes: int, decode_content: bool) -> bytes:
        """The next piece of the body; b"" at its end. It is never decoded."""
        part: bytes = self._answer.read(size_bytes)
        if not part:
            self.close()
        return part

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()
        self._connection.close()
