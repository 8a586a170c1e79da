"""A client of a metadata service that answers at a fixed address over plain HTTP, as EC2's and
OpenStack's do.

It knows no paths and no documents: each datasource asks for its own. It decides only what is worth
asking again: a server that is busy, starting or silent is; an answer that says no is not.
"""

from __future__ import annotations

import logging
from typing import Mapping, Optional

from lightinit import retry
from lightinit.errors import (
    LibraryError,
    LightinitError,
    ProvisioningError,
    TransientError,
)
from lightinit.host.network.http import LIMIT_BYTES, HttpTransport, OnRequest, Response
from lightinit.host.network.http_errors import RedirectError
from lightinit.host.network.socket_mark import mark_for
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.metadata")
MIN_REQUEST_S = 0.5
# A proxy or a captive portal that answers in place of the service does not go away soon.
POLICY = retry.RetryPolicy(deadline_s=120.0, malformed_s=10.0, min_malformed=3)
# Below 500, what says that the same request may succeed later: request timeout, too many requests.
PASSING = frozenset((408, 425, 429))
DENIED = frozenset((401, 403))
PARTIAL = 206  # of something that was asked for whole: a cache that is broken
UNKNOWN_METHOD = 501  # of those from 500 up, the one that does not pass
HINT = (
    "check whether a firewall, a VPN or a proxy on this VM blocks requests to the metadata service,"
    " and which route leads to it: ip route get ADDRESS"
)


def show_service(endpoint: str) -> str:
    """A service's URL as people and cloud-init write it: without the port that HTTP has anyway."""
    return "http://" + (endpoint[: -len(":80")] if endpoint.endswith(":80") else endpoint)


class AnsweredError(ProvisioningError):
    """What answers gives no value at this path; it may give one at another."""


class NotFoundError(AnsweredError):
    """The service has no value at this path (404). Often that is an answer: there is none."""


class DeniedError(AnsweredError):
    """The service does not let this VM have the value (401, 403)."""


class MetadataClient:
    """Asks one metadata service.

    Args:
        system: the machine; its clock is for pauses and deadlines.
        endpoint: address of the service, with ``:port`` unless it is 80.
        on_request: called after each request; see
            :class:`lightinit.host.network.http.HttpTransport`.
        timeout_s: seconds for one request.
        policy: how to try again; its deadline is for one call of a method that gives none.
        transport: what sends the requests; None for the usual one. For tests.

    Attributes:
        transport: what sends the requests; set its ``while_waiting`` to use the time.
    """

    def __init__(
        self,
        system: System,
        endpoint: str,
        on_request: Optional[OnRequest] = None,
        timeout_s: float = 10.0,
        policy: retry.RetryPolicy = POLICY,
        transport: Optional[HttpTransport] = None,
    ) -> None:
        self._clock = system.clock
        self.endpoint = endpoint
        self._timeout_s = timeout_s
        self._policy = policy
        self.transport = transport or HttpTransport(
            system.clock, on_request, mark=lambda: mark_for(system, endpoint)
        )

    def get(
        self,
        path: str,
        headers: Optional[Mapping[str, str]] = None,
        limit_bytes: int = LIMIT_BYTES,
        deadline_s: Optional[float] = None,
    ) -> bytes:
        """The value at ``path``.

        Args:
            path: from the root, with its ``/``, such as ``/latest/user-data``.
            headers: headers besides the usual ones.
            limit_bytes: the greatest length of the value.
            deadline_s: seconds for all attempts; None for the policy's.

        Raises:
            NotFoundError: there is none.
            DeniedError: this VM may not have it.
            ProvisioningError: the service did not answer, or something else answers in its place.
        """
        answer = self.ask("GET", path, headers, limit_bytes, deadline_s)
        return self._checked("GET", path, answer)

    def put(
        self,
        path: str,
        headers: Optional[Mapping[str, str]] = None,
        limit_bytes: int = 4096,
        deadline_s: Optional[float] = None,
        timeout_s: Optional[float] = None,
    ) -> bytes:
        """The answer to a PUT request without a body, such as for a session's token. The arguments
        and errors are those of :meth:`get`; ``timeout_s`` is for one request.
        """
        answer = self.ask("PUT", path, headers, limit_bytes, deadline_s, timeout_s)
        return self._checked("PUT", path, answer)

    def ask(
        self,
        method: str,
        path: str,
        headers: Optional[Mapping[str, str]] = None,
        limit_bytes: int = LIMIT_BYTES,
        deadline_s: Optional[float] = None,
        timeout_s: Optional[float] = None,
    ) -> Response:
        """The service's answer, whatever it says, once it is neither busy nor starting.

        Args:
            method: ``GET`` or ``PUT``.
            path, headers, limit_bytes, deadline_s: as for :meth:`get`.
            timeout_s: seconds for one request; None for the client's.

        Returns:
            An answer with a status from 200 to 499, or 501.

        Raises:
            ProvisioningError: there was none before the deadline, or what answers does not speak
                HTTP, redirects, or sends too much. ``hint`` says what to check.
        """
        url = "http://%s%s" % (self.endpoint, path)
        each_s = self._timeout_s if timeout_s is None else timeout_s
        policy = self._policy
        if deadline_s is not None:
            policy = policy._replace(deadline_s=max(MIN_REQUEST_S, deadline_s))

        def attempt(remaining_s: float) -> Response:
            within_s = max(MIN_REQUEST_S, min(each_s, remaining_s))
            return self._ask_once(method, url, headers, limit_bytes, within_s)

        try:
            return retry.retry(attempt, policy, self._clock, on_retry=_log_retry)
        except LibraryError:
            raise
        except LightinitError as error:
            error.details.setdefault("hint", HINT)
            if isinstance(error.__cause__, RedirectError):
                raise AnsweredError(error.reason, **error.details) from error
            raise

    def _ask_once(
        self,
        method: str,
        url: str,
        headers: Optional[Mapping[str, str]],
        limit_bytes: int,
        timeout_s: float,
    ) -> Response:
        # A PUT has a body by HTTP's rules; an empty one has its length said.
        body = b"" if method == "PUT" else None
        answer = self.transport.request(
            method, url, headers, body, timeout_s=timeout_s, limit_bytes=limit_bytes
        )
        busy = answer.status >= 500 and answer.status != UNKNOWN_METHOD
        if answer.status < 200 or busy or answer.status in PASSING:
            raise TransientError(
                "metadata service is not ready",
                retry_after_s=answer.retry_after_s,
                status=answer.status,
                url=url,
            )
        return answer

    def _checked(self, method: str, path: str, answer: Response) -> bytes:
        """The body of a good answer."""
        url = "http://%s%s" % (self.endpoint, path)
        if answer.status == 404:
            raise NotFoundError(
                "metadata service has no such value",
                url=url,
                hint="check that the metadata service at this address is this platform's",
            )
        if answer.status in DENIED:
            raise DeniedError(
                "metadata service denies access",
                method=method,
                status=answer.status,
                url=url,
                hint="check the VM's options for its metadata service, and what on this VM or in"
                " its network filters requests to it",
            )
        if answer.status >= 400 or answer.status == PARTIAL:
            raise AnsweredError(
                "metadata service refused the request",
                method=method,
                status=answer.status,
                url=url,
                hint="another server may answer at this address: ask it with curl -v URL",
            )
        if is_web_page(answer):
            raise AnsweredError(
                "metadata answer is a web page",
                url=url,
                hint="a proxy or a captive portal answers in place of the metadata service; see"
                " which with curl -v URL",
            )
        return answer.body


def is_web_page(answer: Response) -> bool:
    """Whether an answer is a page for people. Old services give plain values the type text/html, so
    the type alone does not tell.
    """
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    begin = answer.body[:200].lstrip().lower()
    return kind == "text/html" and begin.startswith((b"<!doctype html", b"<html"))


def _log_retry(error: LightinitError, wait_s: float, attempts: int) -> None:
    LOG.info("attempt %d: %s; again in %.1f s", attempts, error, wait_s)
