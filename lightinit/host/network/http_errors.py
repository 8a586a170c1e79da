"""What requests and urllib3 raise, as an error of our own: a fixed reason instead of three nested
reprs.

The root of the matter (an errno, mostly) is buried differently in each release of theirs, so all
that an error holds is searched for it.
"""

from __future__ import annotations

import errno
import http.client
import os
import socket
from typing import Any, Dict, Iterator, List, NoReturn

from lightinit.errors import MalformedError, TransientError

MAX_CAUSES = 50
_ERRNO_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    errno.EPIPE: "connection reset",
    errno.ECONNABORTED: "connection reset",
    errno.ENETUNREACH: "no route to host",
    errno.EHOSTUNREACH: "no route to host",
    errno.EHOSTDOWN: "no route to host",
    errno.ENETDOWN: "network is down",
    errno.EADDRNOTAVAIL: "network is down",
    errno.ETIMEDOUT: "request timed out",
}


def raise_plain(error: BaseException, url: str, timeout_s: float) -> NoReturn:
    """Raise the one of our errors that says what lies at the root of what requests and urllib3
    wrapped up.

    Anything that is none of theirs is a mistake of ours, and raised as it is.

    Args:
        error: what came out of the adapter or out of reading the body.
        url: what was asked.
        timeout_s: the time limit, in seconds.

    Raises:
        TransientError: refused, reset, unreachable, timed out, cut off, or broken in some other
            way.
        MalformedError: what answered does not speak HTTP.
    """
    from urllib3 import exceptions as inner  # late, with requests: see transport.preload

    known = (OSError, inner.HTTPError, http.client.HTTPException, ValueError)
    if not isinstance(error, known):
        raise error
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            raise TransientError("host name cannot be resolved", url=url) from None
        if isinstance(cause, OSError) and cause.errno:
            reason = _ERRNO_REASONS.get(cause.errno)
            extra: Dict[str, Any] = {} if reason else {"error": os.strerror(cause.errno).lower()}
            if reason == "request timed out":
                extra["after_s"] = "%g" % timeout_s
            raise TransientError(reason or "connection failed", url=url, **extra) from None
    for kinds, reason in (
        (http.client.RemoteDisconnected, "connection closed without an answer"),
        (http.client.IncompleteRead, "answer was cut off"),
        (ConnectionError, "connection reset"),
    ):
        if any(isinstance(cause, kinds) for cause in causes):
            raise TransientError(reason, url=url) from None
    if any(isinstance(cause, (socket.timeout, inner.TimeoutError)) for cause in causes):
        raise TransientError("request timed out", url=url, after_s="%g" % timeout_s) from None
    if any(isinstance(cause, (http.client.HTTPException, inner.InvalidHeader)) for cause in causes):
        raise MalformedError("answer is not http", url=url) from None
    raise TransientError("request failed", url=url, error=type(error).__name__) from None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all errors inside it, innermost ones later, each once."""
    todo = [error]
    seen: List[BaseException] = []
    while todo and len(seen) < MAX_CAUSES:
        here = todo.pop(0)
        if any(here is other for other in seen):
            continue
        seen.append(here)
        yield here
        inside = [getattr(here, "reason", None), here.__cause__, here.__context__] + list(here.args)
        todo += [cause for cause in inside if isinstance(cause, BaseException)]
