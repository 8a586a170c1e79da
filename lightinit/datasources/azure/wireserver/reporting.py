"""One health report: which goal state each attempt uses, and when it is enough.

It knows neither the wire nor pauses, and not what the report says.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Callable, Optional

from lightinit.datasources.azure import answers
from lightinit.datasources.azure.wireserver.goal_states import KeptGoalState
from lightinit.errors import TransientError
from lightinit.host.network.http import Response
from lightinit.model import GoalState

if TYPE_CHECKING:
    from typing import Protocol

    from lightinit.retry import Pacer

    class ReportServer(Protocol):
        """Whom to report to; the WireServer's client."""

        def fetch_current(self, remaining_s: float) -> GoalState:
            """A new goal state. No refusal is final."""

        def send_report(self, body: bytes, remaining_s: float) -> Response:
            """Send one report."""


LOG = logging.getLogger("lightinit.clients")


class Reporting:
    """Reports until the platform has accepted one report.

    The first attempt uses the goal state that is at hand, if there is one. If the server refuses
    it, a new one is fetched and reported with at once: the incarnation has usually just changed.
    Each further attempt fetches it again. After a throttled report it is kept, so that the next
    attempt is the report alone: a server that takes one request a second would take the goal
    state's and refuse the report, for ever.

    Args:
        server: sends the reports, and gives goal states.
        clock: for time limits.
        make_body: the report for a goal state; its second argument is how many reports the server
            has answered with 500.
        at_hand: the goal state that is at hand.
        before, is_enough, first_limit_s: as for ``WireServerClient.report_ready``.
    """

    def __init__(
        self,
        server: ReportServer,
        clock: Pacer,
        make_body: Callable[[GoalState, int], bytes],
        at_hand: Optional[GoalState] = None,
        before: Callable[[], None] = lambda: None,
        is_enough: Callable[[bool], bool] = lambda lost: False,
        first_limit_s: float = math.inf,
    ) -> None:
        self._server = server
        self._clock = clock
        self._make_body = make_body
        self._at_hand = at_hand
        self._before = before
        self._is_enough = is_enough
        self._limit_s = first_limit_s
        self._kept = KeptGoalState()
        self._attempts = 0
        self._failures = 0
        self._lost = False  # whether the answer to a report was

    def attempt(self, remaining_s: float) -> bool:
        """Report, with a second goal state if the first was out of date.

        Args:
            remaining_s: seconds for all requests.

        Returns:
            True if the platform accepted the report, False if ``is_enough`` ended the attempts.

        Raises:
            TransientError, MalformedError: try again.
        """
        ends_s = self._clock.monotonic() + remaining_s
        self._attempts += 1
        if self._attempts > 1:
            if self._is_enough(self._lost):
                return False
            self._limit_s *= 2.0
        old, self._at_hand = self._at_hand, None
        goal_state = old or self._kept.take() or self._server.fetch_current(remaining_s)
        answer = self._send(goal_state, ends_s)
        if old and answer is not None and _is_out_of_date(answer):
            LOG.info("the report is refused (status %d): new goal state", answer.status)
            if self._is_enough(self._lost):
                return False
            goal_state = self._server.fetch_current(ends_s - self._clock.monotonic())
            answer = self._send(goal_state, ends_s)
        if answer is None:
            return False
        if is_accepted(answer):
            return True
        self._failures += answer.status == 500
        if answer.status in answers.THROTTLED:
            self._kept.keep(goal_state)
        raise refusal(answer, goal_state)

    def _send(self, goal_state: GoalState, ends_s: float) -> Optional[Response]:
        """The answer; None if it was lost, and that is enough."""
        body = self._make_body(goal_state, self._failures)
        self._before()
        limit_s = min(self._limit_s, ends_s - self._clock.monotonic())
        try:
            return self._server.send_report(body, limit_s)
        except TransientError as error:
            self._lost = self._lost or error.was_sent
            if error.was_sent and self._is_enough(self._lost):
                return None
            raise


def is_accepted(answer: Response) -> bool:
    """Whether the platform has taken a report."""
    return 200 <= answer.status < 300


def refusal(answer: Response, goal_state: GoalState) -> TransientError:
    """The error for a report that was not accepted. No refusal is final: without a report the
    platform restarts the VM, so it costs nothing to retry until the deadline.
    """
    return TransientError(
        "wireserver refused the health report",
        retry_after_s=answer.retry_after_s,
        status=answer.status,
        incarnation=goal_state.incarnation,
    )


def _is_out_of_date(answer: Response) -> bool:
    """Whether a report may be refused because its goal state is old: no failure of the server's
    own, which needs a pause.
    """
    return 400 <= answer.status < 500 and answer.status not in (408, 429)
