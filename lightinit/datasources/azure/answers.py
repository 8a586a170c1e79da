"""What an HTTP status means to the caller: go on, try again, or give up.

Shared by the clients of the platform's two services. It knows neither of them: each says for itself
which statuses pass by waiting.
"""

from __future__ import annotations

import logging
from typing import Callable, Container, NoReturn, Optional

from lightinit.errors import LightinitError, ProvisioningError, TransientError
from lightinit.host.network.http import Response

LOG = logging.getLogger("lightinit.clients")
MIN_REQUEST_S = 0.5


def refuse(
    answer: Response,
    service: str,
    url: str,
    passing: Container[int],
    hint: str = "",
    patient: bool = False,
) -> NoReturn:
    """Raise what an answer that is no success means.

    Args:
        answer: the answer.
        service: who gave it, for the reason: ``imds`` or ``wireserver``.
        url: what was asked.
        passing: the statuses from 400 to 499 that pass by waiting. All others do: from 500 up, and
            those that say neither yes nor no (1xx, 202, 204).
        hint: what to do when it does not pass.
        patient: whether to wait even for those that do not pass.

    Raises:
        TransientError: the status passes by waiting, or the caller is patient; with what
            ``Retry-After`` asks.
        ProvisioningError: it does not.
    """
    if answer.status < 300 or answer.status >= 500 or answer.status in passing:
        raise TransientError(
            service + " is not ready",
            retry_after_s=answer.retry_after_s,
            status=answer.status,
            url=url,
        )
    reason, advice = service + " refused the request", {"hint": hint} if hint else {}
    if patient:
        raise TransientError(
            reason, retry_after_s=answer.retry_after_s, status=answer.status, url=url, **advice
        )
    raise ProvisioningError(reason, status=answer.status, url=url, **advice)


def log_retry(service: str) -> Callable[[LightinitError, float, int], None]:
    """What says in the log that ``service`` is asked again; to hand to
    :func:`lightinit.retry.retry`.
    """

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
    """Gives an error that leaves the block a hint, unless it has one: what to look at when
    ``service`` cannot be asked.
    """

    def __init__(self, service: str) -> None:
        self._service = service

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if isinstance(error, LightinitError):
            error.details.setdefault(
                "hint",
                "look whether a firewall, a VPN or a proxy on this VM stands between it and "
                "the platform's " + self._service,
            )


def limit_s(timeout_s: float, remaining_s: float) -> float:
    """The seconds that one request may take: its own limit, or what remains, but never next to
    nothing.

    An attempt is begun before the deadline or not at all; one that is begun should have a chance.
    """
    return max(MIN_REQUEST_S, min(timeout_s, remaining_s))
