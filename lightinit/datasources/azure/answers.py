"""What an HTTP status means to the caller: go on, try again, or give up.

The clients of IMDS and the WireServer share it. It knows neither service: each client says which
statuses are temporary.
"""

from __future__ import annotations

import logging
from typing import Callable, Container, NoReturn, Optional

from lightinit.errors import LightinitError, OvertakenError, ProvisioningError, TransientError
from lightinit.host.network.http import Response

LOG = logging.getLogger("lightinit.clients")
MIN_REQUEST_S = 0.5
# The server is busy, and may take the same request later.
THROTTLED = frozenset((429, 503))


def refuse(
    answer: Response,
    service: str,
    url: str,
    passing: Container[int],
    hint: str = "",
    patient: bool = False,
) -> NoReturn:
    """Raise the error that fits an answer without success.

    Args:
        answer: the answer.
        service: who gave it, for the reason: ``imds`` or ``wireserver``.
        url: the URL of the request.
        passing: the temporary statuses from 400 to 499. Those below 300 and from 500 up are always
            temporary.
        hint: what to do after a permanent refusal.
        patient: whether to retry after a permanent refusal too.

    Raises:
        TransientError: the status is temporary, the server says ``Retry-After``, or the caller is
            patient. It carries the seconds of ``Retry-After``.
        ProvisioningError: the status is permanent.
    """
    if answer.status < 300 or answer.status >= 500 or answer.status in passing:
        raise TransientError(
            service + " is not ready",
            retry_after_s=answer.retry_after_s,
            status=answer.status,
            url=url,
        )
    reason, advice = service + " refused the request", {"hint": hint} if hint else {}
    if patient or answer.retry_after_s is not None:  # who says when to come back, will answer then
        raise TransientError(
            reason, retry_after_s=answer.retry_after_s, status=answer.status, url=url, **advice
        )
    raise ProvisioningError(reason, status=answer.status, url=url, **advice)


def is_throttled(error: LightinitError) -> bool:
    """Whether the server gave ``error`` because it was busy: see :data:`THROTTLED`."""
    return error.details.get("status") in {str(status) for status in THROTTLED}


def log_retry(service: str) -> Callable[[LightinitError, float, int], None]:
    """A callback for :func:`lightinit.retry.retry` that logs each retry of ``service``."""

    def log(error: LightinitError, wait_s: float, attempts: int) -> None:
        facts = ", ".join(
            "%s=%s" % item for item in error.details.items() if item[0] not in ("url", "hint")
        )
        LOG.info(
            "%s: attempt %d: %s%s; again in %.1f s",
            service,
            attempts,
            error.reason,
            " (%s)" % facts if facts else "",
            wait_s,
        )

    return log


# In lower case, since it reads as a word: `with asking("imds")`.
class asking:
    """Adds a hint to an error that leaves the block, unless it has one: what to check when
    ``service`` cannot be reached.
    """

    def __init__(self, service: str) -> None:
        self._service = service

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if isinstance(error, LightinitError) and not isinstance(error, OvertakenError):
            error.details.setdefault(
                "hint",
                "check whether a firewall, a VPN or a proxy on this VM blocks requests to "
                "the platform's " + self._service,
            )


def limit_s(timeout_s: float, remaining_s: float) -> float:
    """The seconds that one request may take: its own limit or the remaining time, whichever is
    shorter.

    The result is at least ``MIN_REQUEST_S``: no attempt begins after the deadline, and one that
    begins should have a chance.
    """
    return max(MIN_REQUEST_S, min(timeout_s, remaining_s))
