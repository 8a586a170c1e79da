"""What an HTTP status means to the caller: go on, try again, or give up.

Shared by the clients of the platform's two services. It knows neither of them: each says for itself which
statuses pass by waiting.
"""
from __future__ import annotations

import logging
from typing import Container, NoReturn

from lightinit.errors import LightinitError, ProvisioningError, TransientError
from lightinit.host.transport import Answer

LOG = logging.getLogger("lightinit.clients")
MIN_REQUEST_S = 0.5


def refuse(answer: Answer, service: str, url: str, passing: Container[int], hint: str = "") -> NoReturn:
    """Raise what an answer that is no success means.

    Args:
        answer: the answer.
        service: who gave it, for the reason: ``imds`` or ``wireserver``.
        url: what was asked.
        passing: the statuses below 500 that pass by waiting. Those from 500 up all do.
        hint: what to do when it is final.

    Raises:
        TransientError: the status passes by waiting; with what ``Retry-After`` asks.
        ProvisioningError: it does not.
    """
    if answer.status >= 500 or answer.status in passing:
        raise TransientError(service + " is not ready", retry_after_s=answer.retry_after_s,
                             status=answer.status, url=url)
    raise ProvisioningError(service + " refused the request", status=answer.status, url=url,
                            **({"hint": hint} if hint else {}))


def log_retry(error: LightinitError, wait_s: float, attempts: int) -> None:
    """Say in the log that it is tried again; the way to hand to :func:`lightinit.retry.retry`."""
    LOG.info("attempt %d: %s; again in %.1f s", attempts, error, wait_s)


def limit_s(timeout_s: float, remaining_s: float) -> float:
    """The seconds that one request may take: its own limit, or what remains, but never next to nothing.

    An attempt is begun before the deadline or not at all; one that is begun should have a chance.
    """
    return max(MIN_REQUEST_S, min(timeout_s, remaining_s))
