"""Turns exceptions of requests and urllib3 into our own errors: a fixed reason instead of three
nested reprs.

The cause (usually an errno) is nested in another way in each of their releases. So all nested
exceptions are searched.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Any, Iterator, List, Tuple

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
}


class RedirectError(MalformedError):
    """The server redirects to another path. lightinit does not follow redirects, but may request
    another path.
    """


def foreign_errors(*names: str) -> Tuple[Any, ...]:
    """The classes of urllib3.exceptions with these names; empty if urllib3 is not loaded, since
    nothing can raise them then.
    """
    exceptions = sys.modules.get("urllib3.exceptions")
    found = [getattr(exceptions, name, None) for name in names]
    return tuple(each for each in found if isinstance(each, type))


def raise_plain(error: BaseException, url: str, timeout_s: float) -> None:
    """Raise our own error for an exception of requests, urllib3 or a socket. Return if it is some
    other exception.

    Args:
        error: the exception, from the adapter or from reading the body.
        url: the URL of the request.
        timeout_s: the time limit, in seconds.

    Raises:
        TransientError: refused, reset, unreachable, timed out, cut off, or failed in another way.
        MalformedError: the server does not speak HTTP.
    """
    # It brings ssl and email, which take longer than all that a boot needs before it has a network.
    import http.client

    known = (OSError, http.client.HTTPException, ValueError)
    if not isinstance(error, known + foreign_errors("HTTPError")):
        return
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            raise TransientError("host name cannot be resolved", url=url) from None
        if isinstance(cause, OSError) and cause.errno:
            raise _from_errno(cause.errno, url, timeout_s) from None
    for kinds, reason in (
        (http.client.RemoteDisconnected, "connection closed without an answer"),
        (http.client.IncompleteRead, "answer was cut off"),
        (ConnectionError, "connection reset"),
    ):
        if any(isinstance(cause, kinds) for cause in causes):
            raise TransientError(reason, url=url) from None
    late = (socket.timeout,) + foreign_errors("TimeoutError")
    if any(isinstance(cause, late) for cause in causes):
        raise _timed_out(url, timeout_s) from None
    garbled = (http.client.HTTPException,) + foreign_errors("InvalidHeader")
    if any(isinstance(cause, garbled) for cause in causes):
        raise MalformedError("answer is not http", url=url) from None
    raise TransientError("request failed", url=url, error=type(error).__name__) from None


def _from_errno(number: int, url: str, timeout_s: float) -> TransientError:
    if number == errno.ETIMEDOUT:
        return _timed_out(url, timeout_s)
    reason = _ERRNO_REASONS.get(number)
    if reason is None:
        return TransientError("connection failed", url=url, error=os.strerror(number).lower())
    return TransientError(reason, url=url)


def _timed_out(url: str, timeout_s: float) -> TransientError:
    return TransientError("request timed out", url=url, after_s="%g" % timeout_s)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all nested ones, each once, the innermost last."""
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
