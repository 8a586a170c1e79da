"""One WireServer as a place to send requests to: its address, and which form of the path it takes.

It knows no goal state and no retries.
"""

from __future__ import annotations

from typing import List, Mapping, Optional

from lightinit.datasources.azure import answers
from lightinit.datasources.azure.wireserver.throttling import Throttling
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, Response
from lightinit.host.network.http_errors import RedirectError

PROTOCOL_VERSION = "2012-11-30"
# Statuses for a wrong path: some servers require a slash at its end, others forbid it. A redirect
# means the same.
MISPLACED = frozenset((400, 404, 405))
PATHS = ("/machine", "/machine/")


class Channel:
    """Sends requests to one WireServer.

    Args:
        transport: sends the requests.
        endpoint: address, with ``:port`` unless it is 80.
        clock: for time limits.
        request_timeout_s: seconds for one request.
        agent: name and version for ``x-ms-agent-name``.
        throttling: is told of each request that the server has taken.

    Attributes:
        endpoint: the endpoint in use.
    """

    def __init__(
        self,
        transport: HttpTransport,
        endpoint: str,
        clock: Clock,
        request_timeout_s: float,
        agent: str,
        throttling: Throttling,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._request_timeout_s = request_timeout_s
        self._headers = {"x-ms-version": PROTOCOL_VERSION, "x-ms-agent-name": agent}
        self._throttling = throttling
        self.turn_to(endpoint)

    def turn_to(self, endpoint: str) -> None:
        """Send to another endpoint from now on, of whose path nothing is known."""
        self.endpoint = endpoint
        self._path = PATHS[0]
        self._path_is_guess = False  # the other path was refused, this one has not worked yet

    def machine_url(self, component: str) -> str:
        """The URL of a component, in the form that worked last."""
        return self.url(_machine(self._path, component))

    def url(self, target: str) -> str:
        """The URL of a path with its query."""
        return "http://%s%s" % (self.endpoint, target)

    def ask_machine(
        self, method: str, component: str, remaining_s: float, body: Optional[bytes] = None
    ) -> Response:
        """Ask ``/machine?comp=``; if the server refuses that, ask ``/machine/?comp=``. Later
        requests use the path that worked.

        If the server refuses both, return the answer that says more: a redirect or a 404 says less
        than any other. If it refuses one path and throttles the other, the next request begins with
        the other: a second request may never pass.

        Args:
            method: ``GET`` or ``POST``.
            component: ``goalstate`` or ``health``.
            remaining_s: seconds for both requests.
            body: what to post.

        Raises:
            TransientError, MalformedError: as from the transport.
        """
        ends_s = self._clock.monotonic() + remaining_s
        refused: List[Response] = []
        for last, path in enumerate((self._path, PATHS[self._path == PATHS[0]])):
            left_s = ends_s - self._clock.monotonic()
            try:
                answer = self._send(method, _machine(path, component), left_s, body)
            except RedirectError:
                if last and not refused:
                    raise
                continue
            if 200 <= answer.status < 300:
                self._path, self._path_is_guess = path, False
            throttled = answer.status in answers.THROTTLED
            if throttled and last and not self._path_is_guess:
                self._path, self._path_is_guess = path, True
            is_doubtful = throttled and not last and self._path_is_guess
            if answer.status not in MISPLACED and not is_doubtful:
                return answer
            refused.append(answer)
        return next((answer for answer in refused if answer.status != 404), refused[0])

    def get(self, target: str, remaining_s: float) -> Response:
        """Ask for a path with its query.

        Raises:
            TransientError, MalformedError: as from the transport.
        """
        return self._send("GET", target, remaining_s)

    def get_url(
        self, url: str, headers: Mapping[str, str], remaining_s: float, limit_bytes: int
    ) -> Response:
        """Ask for a URL of a goal state.

        Args:
            url: the URL.
            headers: headers in addition to those of each request.
            remaining_s: when to stop waiting.
            limit_bytes: the greatest length of the answer's body.

        Raises:
            TransientError, MalformedError: as from the transport.
        """
        return self._noted(
            self._transport.request(
                "GET",
                url,
                {**self._headers, **headers},
                timeout_s=self._limit_s(remaining_s),
                limit_bytes=limit_bytes,
            )
        )

    def connect_ahead(self, limit_s: float) -> None:
        """Open a connection for the next request, if the last one was not kept. Failures are left
        to that request.
        """
        self._transport.connect_ahead(min(limit_s, self._request_timeout_s))

    def is_ours(self, url: str) -> bool:
        """Whether ``url`` points at this WireServer."""
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme == "http" and _without_port_80(parts.netloc) == _without_port_80(
            self.endpoint
        )

    def _send(
        self, method: str, target: str, remaining_s: float, body: Optional[bytes] = None
    ) -> Response:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "text/xml;charset=utf-8"
        return self._noted(
            self._transport.request(
                method,
                self.url(target),
                headers,
                body,
                timeout_s=self._limit_s(remaining_s),
                want_body=method == "GET",
            )
        )

    def _noted(self, answer: Response) -> Response:
        if answer.status not in answers.THROTTLED:
            self._throttling.note_taken()
        return answer

    def _limit_s(self, remaining_s: float) -> float:
        return answers.limit_s(self._request_timeout_s, remaining_s)


def _machine(path: str, component: str) -> str:
    return "%s?comp=%s" % (path, component)


def _without_port_80(netloc: str) -> str:
    return netloc[:-3] if netloc.endswith(":80") else netloc
