"""Try again, with growing pauses, until a deadline. Pure: clock, sleep and dice are all handed in.

This file knows neither HTTP nor Azure: what may be tried again is told by the class of the error
(see :mod:`lightinit.errors`), how long to wait at least by its ``retry_after_s``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional, TypeVar

from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError

if TYPE_CHECKING:
    from typing import Protocol

    class Pacer(Protocol):
        """What is needed of a clock; :class:`lightinit.host.clock.Clock` is one."""

        def monotonic(self) -> float:
            """Seconds since some fixed point."""

        def sleep(self, duration_s: float) -> None:
            """Wait."""


Result = TypeVar("Result")
OnRetry = Callable[[LightinitError, float, int], None]
LAST_ATTEMPT_S = 5.0


@dataclass(frozen=True)
class RetryPolicy:
    """How to try again.

    Attributes:
        first_s: seconds between the first attempt and the second.
        factor: by how much each pause is longer than the one before.
        cap_s: seconds that a pause never exceeds, unless the other side asked for more.
        jitter: fraction by which a pause is made longer or shorter at random, so that a thousand
            VMs that were started together don't come back together.
        deadline_s: seconds for everything, the first attempt included.
        malformed_s: for how many seconds garbled answers in a row are borne, from the first of
            them: what answers in the place of a server that is still starting goes away, what has
            taken its place for good does not.
        min_malformed: how many garbled answers in a row it takes at least, whatever time has
            passed.
    """

    first_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 15.0
    jitter: float = 0.25
    deadline_s: float = 300.0
    malformed_s: float = 60.0
    min_malformed: int = 5

    def pause_s(self, pauses_before: int, dice: float) -> float:
        """Seconds to wait after ``pauses_before`` earlier pauses; ``dice`` is between 0 and 1."""
        pause_s = self.first_s
        for _ in range(pauses_before):
            if pause_s >= self.cap_s:
                break
            pause_s *= self.factor
        return min(pause_s, self.cap_s) * (1.0 + self.jitter * (2.0 * dice - 1.0))

    @property
    def last_start_s(self) -> float:
        """When, from the start, the last attempt begins at the latest: it needs some time of its
        own.
        """
        return self.deadline_s - min(LAST_ATTEMPT_S, self.deadline_s / 10.0)


def system_random() -> float:
    """A number from 0 up to 1, from the kernel: nothing else differs between copies of an image."""
    return int.from_bytes(os.urandom(4), "big") / 4294967296.0


def retry(
    operation: Callable[[float], Result],
    policy: RetryPolicy,
    clock: Pacer,
    random: Callable[[], float] = system_random,
    on_retry: Optional[OnRetry] = None,
) -> Result:
    """Call ``operation`` until it returns.

    After a TransientError it is called again until the deadline, after MalformedErrors in a row for
    ``policy.malformed_s`` seconds; any other error passes through at once. A pause that ends near
    the deadline or after it is cut, so that one last attempt is made shortly before.

    Args:
        operation: called with the seconds that remain, which it should take as its own limit.
        policy: the schedule.
        clock: gives the time and sleeps.
        random: gives numbers from 0 up to 1, for the jitter.
        on_retry: called before each pause with the error, its seconds and the attempts so far.

    Returns:
        What ``operation`` returned.

    Raises:
        ProvisioningError: given up, with reason and details of the last error; ``attempts`` and
            ``elapsed_s`` are added, and ``retry_after_s`` if that ends after the deadline.
    """
    started_s = clock.monotonic()
    malformed = _MalformedRun(policy)
    attempts, is_last = 0, False
    while True:
        attempts += 1
        asked_s = 0.0
        try:
            return operation(max(0.0, policy.deadline_s - (clock.monotonic() - started_s)))
        except TransientError as error:
            asked_s = error.retry_after_s or 0.0
            malformed.end()
            last: LightinitError = error
        except MalformedError as error:
            malformed.add(clock.monotonic() - started_s)
            last = error
        wait_s = max(policy.pause_s(attempts - 1, random()), asked_s)
        elapsed_s = clock.monotonic() - started_s
        if malformed.is_hopeless(elapsed_s + wait_s) or is_last or elapsed_s >= policy.last_start_s:
            extra = {"attempts": str(attempts), "elapsed_s": "%.1f" % elapsed_s}
            if asked_s and elapsed_s + asked_s >= policy.deadline_s:
                extra["retry_after_s"] = "%g" % asked_s
            raise ProvisioningError(last.reason, **{**last.details, **extra}) from last
        if elapsed_s + wait_s >= policy.last_start_s:
            wait_s, is_last = policy.last_start_s - elapsed_s, True
        if on_retry is not None:
            on_retry(last, wait_s, attempts)
        clock.sleep(wait_s)


class _MalformedRun:
    """Malformed answers in a row: how many, and since when."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._count = 0
        self._since_s = 0.0

    def add(self, now_s: float) -> None:
        if not self._count:
            self._since_s = now_s
        self._count += 1

    def end(self) -> None:
        self._count = 0

    def is_hopeless(self, next_s: float) -> bool:
        """Whether an attempt at ``next_s`` would come too late."""
        return (
            self._count >= self._policy.min_malformed
            and next_s >= self._since_s + self._policy.malformed_s
        )
