"""Try again, with growing pauses, until a deadline. Pure: clock, sleep and random numbers are
passed in.

This file knows neither HTTP nor Azure. The class of an error says whether to try again (see
:mod:`lightinit.errors`); its ``retry_after_s`` gives the shortest wait.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable, Optional, Tuple, TypeVar

from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError
from lightinit.model import NamedTuple

if TYPE_CHECKING:
    from typing import Protocol

    class Pacer(Protocol):
        """The part of a clock that is needed; :class:`lightinit.host.clock.Clock` has it."""

        def monotonic(self) -> float:
            """Seconds since some fixed point."""

        def sleep(self, duration_s: float) -> None:
            """Wait."""


Result = TypeVar("Result")
OnRetry = Callable[[LightinitError, float, int], None]
LAST_ATTEMPT_S = 5.0
CHECK_EVERY_S = 1.0


class RetryPolicy(NamedTuple):
    """How to try again.

    Attributes:
        first_s: seconds between the first attempt and the second.
        factor: by how much each pause is longer than the one before.
        cap_s: seconds that a pause never exceeds, unless the other side asked for more.
        jitter: fraction by which a pause is made longer or shorter at random, so that a thousand
            VMs that were started together don't come back together.
        spread: part of the time that the other side asked for by which a wait is longer at most,
            at random, so that they don't come back together then; it is never more than ``cap_s``.
        deadline_s: seconds for everything, the first attempt included.
        malformed_s: give up after garbled answers in a row for so many seconds. While a server
            starts, something else may answer in its place for a while. If that goes on for longer,
            it does not end.
        min_malformed: do not give up before so many garbled answers in a row, however long they
            take.
    """

    first_s: float = 1.0
    factor: float = 2.0
    cap_s: float = 15.0
    jitter: float = 0.25
    spread: float = 1.0
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

    def wait_s(
        self,
        pauses_before: int,
        dice: float,
        asked_s: float,
        between_s: Optional[Tuple[float, float]] = None,
    ) -> float:
        """As :meth:`pause_s`, if the other side has asked for ``asked_s`` seconds (0: it has not).
        It is never shorter than that. If the caller knows better, ``between_s`` counts alone.
        """
        if between_s is not None:
            low_s, high_s = between_s
            return low_s + (high_s - low_s) * dice
        longer_s = min(self.spread * asked_s, self.cap_s) * dice
        return max(self.pause_s(pauses_before, dice), asked_s + longer_s)

    @property
    def last_start_s(self) -> float:
        """The latest start of the last attempt, in seconds from the beginning. The attempt needs
        some time before the deadline.
        """
        return self.deadline_s - min(LAST_ATTEMPT_S, self.deadline_s / 10.0)


def system_random() -> float:
    """A number from 0 up to 1, from the kernel: all else is the same in copies of an image."""
    return int.from_bytes(os.urandom(4), "big") / 4294967296.0


class CheckedPauses:
    """A clock for :func:`retry` whose pauses may be ended.

    Args:
        clock: gives the time and sleeps.
        check: called at the beginning of a pause and after each second of it. What it raises ends
            the attempts.
    """

    def __init__(self, clock: Pacer, check: Callable[[], None]) -> None:
        self._clock = clock
        self._check = check

    def monotonic(self) -> float:
        """As the clock."""
        return self._clock.monotonic()

    def sleep(self, duration_s: float) -> None:
        """Wait, unless the check raises."""
        ends_s = self._clock.monotonic() + duration_s
        while True:
            self._check()
            left_s = ends_s - self._clock.monotonic()
            if left_s <= 0.0:
                return
            self._clock.sleep(min(left_s, CHECK_EVERY_S))


def retry(
    operation: Callable[[float], Result],
    policy: RetryPolicy,
    clock: Pacer,
    random: Callable[[], float] = system_random,
    on_retry: Optional[OnRetry] = None,
) -> Result:
    """Call ``operation`` until it returns.

    It is called again after a TransientError until the deadline, and after MalformedErrors in a row
    for ``policy.malformed_s`` seconds. Any other error passes through at once. The last pause is
    shortened, so that the last attempt begins shortly before the deadline.

    Args:
        operation: called with the seconds that remain, which it should use as its time limit.
        policy: the schedule.
        clock: gives the time and sleeps.
        random: gives numbers from 0 up to 1, for the jitter.
        on_retry: called before each pause with the error, the pause's seconds, the attempts so far.

    Returns:
        What ``operation`` returned.

    Raises:
        ProvisioningError: all attempts failed. It has the reason and details of the last error (of
            the one before, if the deadline has cut the last attempt short), ``attempts`` and
            ``elapsed_s``, and ``retry_after_s`` if that ends after the deadline.
    """
    started_s = clock.monotonic()
    malformed = _MalformedRun(policy)
    attempts, is_last = 0, False
    last: Optional[LightinitError] = None
    while True:
        attempts, before = attempts + 1, last
        asked_s, between_s = 0.0, None
        try:
            return operation(max(0.0, policy.deadline_s - (clock.monotonic() - started_s)))
        except TransientError as error:
            asked_s, between_s = error.retry_after_s or 0.0, error.wait_between_s
            malformed.end()
            last = error
        except MalformedError as error:
            malformed.add(clock.monotonic() - started_s)
            last = error
        wait_s = policy.wait_s(attempts - 1, random(), asked_s, between_s)
        elapsed_s = clock.monotonic() - started_s
        if malformed.is_hopeless(elapsed_s + wait_s) or is_last or elapsed_s >= policy.last_start_s:
            raise _given_up(last, before, policy, attempts, elapsed_s)
        if elapsed_s + wait_s >= policy.last_start_s:
            wait_s, is_last = policy.last_start_s - elapsed_s, True
        if on_retry is not None:
            on_retry(last, wait_s, attempts)
        clock.sleep(wait_s)


def _given_up(
    last: LightinitError,
    before: Optional[LightinitError],
    policy: RetryPolicy,
    attempts: int,
    elapsed_s: float,
) -> ProvisioningError:
    # If the deadline has cut the last attempt short, it tells of the deadline alone.
    told = before if before is not None and elapsed_s >= policy.deadline_s else last
    extra = {"attempts": str(attempts), "elapsed_s": "%.1f" % elapsed_s}
    asked_s = getattr(told, "retry_after_s", None) or 0.0
    if asked_s and elapsed_s + asked_s >= policy.deadline_s:
        extra["retry_after_s"] = "%g" % asked_s
    error = ProvisioningError(told.reason, **{**told.details, **extra})
    error.__cause__ = told
    return error


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
