"""The WireServer's client: the goal state, what it names, and the health report that ends
provisioning.

It knows which request follows which, and when to retry. Its callers decide when to report, and
what.
"""

from __future__ import annotations

import logging
import math
from typing import Callable, Mapping, Optional, Tuple, TypeVar

from lightinit import __version__, retry
from lightinit.datasources.azure import answers
from lightinit.datasources.azure.wireserver.channel import Channel
from lightinit.datasources.azure.wireserver.goal_state_source import GoalStateSource, check
from lightinit.datasources.azure.wireserver.goal_states import KeptGoalState
from lightinit.datasources.azure.wireserver.reporting import Reporting, is_accepted, refusal
from lightinit.datasources.azure.wireserver.throttling import Throttling
from lightinit.errors import LightinitError, TransientError
from lightinit.formats.azure import goal_state as goalstate
from lightinit.formats.azure import health
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, Response
from lightinit.model import GoalState

LOG = logging.getLogger("lightinit.clients")
MAX_FULL_REPORTS = 2
MAX_QUIET_S = 30.0
PROGRESS_TIMEOUT_S = 3.0  # the final report waits for it
Result = TypeVar("Result")


class WireServerClient:
    """Asks the WireServer, and reports to it.

    Args:
        transport: sends the requests.
        endpoint: address, with ``:port`` unless it is 80.
        clock: for pauses and deadlines.
        fetch_policy: how to retry a fetch; its deadline is for one call of a method.
        report_policy: how to retry a report. Garbled answers are retried until the deadline too.
        request_timeout_s: seconds for one request.
        agent: name and version for ``x-ms-agent-name``.
        random: numbers from 0 up to 1 for the jitter.
        other_endpoint: where to ask if ``endpoint`` gives no goal state; "" for nowhere else. The
            first endpoint that gives one is used from then on, so nothing else is sent to the
            other.
    """

    def __init__(
        self,
        transport: HttpTransport,
        endpoint: str,
        clock: Clock,
        fetch_policy: Optional[retry.RetryPolicy] = None,
        report_policy: Optional[retry.RetryPolicy] = None,
        request_timeout_s: float = 60.0,
        agent: str = "lightinit/" + __version__,
        random: Callable[[], float] = retry.system_random,
        other_endpoint: str = "",
    ) -> None:
        self._clock = clock
        self._random = random
        self._fetch_policy = fetch_policy or retry.RetryPolicy()
        policy = report_policy or retry.RetryPolicy()
        self._report_policy = policy._replace(malformed_s=float("inf"))
        self._throttling = Throttling(clock, self._fetch_policy.first_s)
        self._channel = Channel(
            transport, endpoint, clock, request_timeout_s, agent, self._throttling
        )
        self._source = GoalStateSource(self._channel, clock, other_endpoint)

    @property
    def endpoint(self) -> str:
        """The endpoint in use."""
        return self._channel.endpoint

    @property
    def replaced(self) -> str:
        """The endpoint that was named and gave no goal state while the other one did, else ""."""
        return self._source.replaced

    # Fetching.

    def fetch_goal_state(
        self, before: Callable[[], None] = lambda: None, failed: Callable[[], None] = lambda: None
    ) -> GoalState:
        """The current goal state.

        Args:
            before: called before each attempt. What it raises ends the attempts.
            failed: called after each attempt that has failed, before the pause.

        Raises:
            ProvisioningError: there was none before the deadline, or the server refuses
                permanently.
        """

        def attempt(remaining_s: float) -> GoalState:
            before()
            try:
                return self._source.fetch(remaining_s)
            except LightinitError:
                failed()
                raise

        return self._retry(attempt, self._fetch_policy)

    def fetch_versions(self) -> Tuple[str, ...]:
        """The server's protocol versions, its preferred one first. lightinit uses 2012-11-30.

        Raises:
            ProvisioningError: as :meth:`fetch_goal_state`.
        """
        target = "/?comp=versions"

        def ask(remaining_s: float) -> Tuple[str, ...]:
            answer = self._channel.get(target, remaining_s)
            check(answer, self._channel.url(target))
            return goalstate.parse_versions(answer.body)

        return self._retry(ask, self._fetch_policy)

    def fetch_named(
        self, goal_state: GoalState, ask: Callable[[GoalState, float], Result]
    ) -> Result:
        """Ask for what a goal state names. Each attempt but the first fetches a new goal state: the
        incarnation in the URL may be gone. After a throttled attempt the goal state is kept.

        Args:
            goal_state: the goal state for the first attempt.
            ask: makes one attempt with :meth:`get_named`. Its arguments are a goal state and the
                end of the attempt in monotonic seconds.

        Returns:
            What ``ask`` returns.

        Raises:
            ProvisioningError: no success within the deadline, or ``ask`` gives up.
        """
        kept = KeptGoalState(goal_state)

        def attempt(remaining_s: float) -> Result:
            ends_s = self._clock.monotonic() + remaining_s
            current = kept.take() or self._source.fetch(remaining_s)
            try:
                return ask(current, ends_s)
            except TransientError as error:
                if answers.is_throttled(error):
                    kept.keep(current)
                raise

        return self._retry(attempt, self._fetch_policy)

    def get_named(
        self, url: str, headers: Mapping[str, str], ends_s: float, limit_bytes: int
    ) -> Response:
        """Send one request for a URL of a goal state. :meth:`is_ours` must be true for it.

        Args:
            url: the URL.
            headers: headers in addition to those of each request.
            ends_s: when to stop waiting, in monotonic seconds.
            limit_bytes: the greatest length of the answer's body.

        Raises:
            TransientError, MalformedError: as from the transport.
        """
        left_s = ends_s - self._clock.monotonic()
        return self._channel.get_url(url, headers, left_s, limit_bytes)

    def is_ours(self, url: str) -> bool:
        """Whether ``url`` points at this WireServer. Follow no other URL of a goal state."""
        return self._channel.is_ours(url)

    # Reporting.

    def report_ready(
        self,
        before: Callable[[], None] = lambda: None,
        is_enough: Callable[[bool], bool] = lambda lost: False,
        first_limit_s: float = math.inf,
    ) -> bool:
        """Tell the platform that this VM is ready.

        Args:
            before: called right before each report is sent, once the goal state is known. If it
                raises, the report is not sent.
            is_enough: called after the answer to a report was lost, and before each attempt but the
                first. Its argument is whether an answer has been lost so far: then the platform may
                have the report. If it returns True, the attempts end.
            first_limit_s: seconds for the first report's answer. Each later one gets twice as long.

        Returns:
            True if the platform accepted the report, False if ``is_enough`` ended the attempts.

        Raises:
            ProvisioningError: no success before the deadline.
        """

        def body(goal_state: GoalState, failures: int) -> bytes:
            return health.ready(goal_state)

        at_hand = self._source.at_hand.take()
        reporting = Reporting(self, self._clock, body, at_hand, before, is_enough, first_limit_s)
        return self._report(reporting, self._clock)

    def report_not_ready(
        self,
        substatus: str,
        description: str,
        short_description: str = "",
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Tell the platform that this VM is not ready.

        Args:
            substatus: ``ProvisioningFailed``, or ``Provisioning`` while at work.
            description: why.
            short_description: replaces ``description`` after two answers of 500. The server answers
                500 to a description that is too long for it, each time.
            check: called before each attempt, each second of a pause, and right before the report
                is sent. What it raises ends the attempts.

        Raises:
            ProvisioningError: no success before the deadline.
        """

        def body(goal_state: GoalState, failures: int) -> bytes:
            too_much = failures >= MAX_FULL_REPORTS
            return health.not_ready(
                goal_state, substatus, short_description if too_much else description
            )

        reporting = Reporting(self, self._clock, body, self._source.at_hand.take(), before=check)
        self._report(reporting, retry.CheckedPauses(self._clock, check))

    def report_progress(self, goal_state: GoalState, description: str) -> None:
        """Tell the platform that this VM is at work (NotReady, Provisioning). Try only once.

        Args:
            goal_state: fetched just before.
            description: what the VM is doing.

        Raises:
            LightinitError: the server did not accept it.
        """
        body = health.not_ready(goal_state, "Provisioning", description)
        answer = self.send_report(body, PROGRESS_TIMEOUT_S)
        if not is_accepted(answer):
            self._source.at_hand.drop()  # perhaps because it is out of date
            raise refusal(answer, goal_state)

    def heed(self, other: WireServerClient) -> None:
        """Learn how busy the server is from ``other``, a client of the same server that is given up
        in the midst of a pause. The next report waits for the end of that.
        """
        self._throttling.heed(other._throttling)

    def connect_ahead(self) -> None:
        """Open a connection for the next request, if the last one was not kept: while the caller
        does something else, so that the next request need not wait for it. Failures are left to
        that request.
        """
        self._channel.connect_ahead(PROGRESS_TIMEOUT_S)

    # One request each, for Reporting.

    def fetch_current(self, remaining_s: float) -> GoalState:
        """A new goal state, for a report: no refusal is final.

        Args:
            remaining_s: seconds for the request.

        Raises:
            TransientError, MalformedError: there was none.
        """
        return self._source.fetch(remaining_s, patient=True)

    def send_report(self, body: bytes, remaining_s: float) -> Response:
        """Send one report.

        Args:
            body: the report.
            remaining_s: seconds for the request.

        Raises:
            TransientError, MalformedError: as from the transport.
        """
        return self._channel.ask_machine("POST", "health", remaining_s, body)

    def _report(self, reporting: Reporting, pacer: retry.Pacer) -> bool:
        quiet_s = self._throttling.quiet_until_s - self._clock.monotonic()
        quiet_s = min(quiet_s, MAX_QUIET_S, self._report_policy.deadline_s / 2)
        if quiet_s > 0.0:
            LOG.info("the WireServer is busy; reporting in %.1f s", quiet_s)
            pacer.sleep(quiet_s)
        return self._retry(reporting.attempt, self._report_policy, pacer)

    def _retry(
        self,
        operation: Callable[[float], Result],
        policy: retry.RetryPolicy,
        pacer: Optional[retry.Pacer] = None,
    ) -> Result:
        log = answers.log_retry("wireserver")

        def attempt(remaining_s: float) -> Result:
            try:
                return operation(remaining_s)
            except TransientError as error:
                if answers.is_throttled(error):
                    between_s = self._throttling.note_refused(int(error.details["status"]))
                    if error.retry_after_s is None:
                        error.wait_between_s = between_s
                raise

        def note(error: LightinitError, wait_s: float, attempts: int) -> None:
            log(error, wait_s, attempts)
            self._throttling.note_pause(wait_s if answers.is_throttled(error) else 0.0)

        with answers.asking("wireserver"):
            return retry.retry(attempt, policy, pacer or self._clock, self._random, note)
