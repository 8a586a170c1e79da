"""The WireServer: the goal state, the certificates, and the health report that ends provisioning.

It knows the requests, when to retry, and what the server may refuse. Its callers decide when to
report, and what.
"""

from __future__ import annotations

import logging
import math
from typing import Callable, Dict, List, Mapping, Optional, Tuple, TypeVar

from lightinit import __version__, retry
from lightinit.datasources.azure import answers
from lightinit.errors import LightinitError, MalformedError, TransientError
from lightinit.formats.azure import goal_state as goalstate
from lightinit.formats.azure import health
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, Response
from lightinit.host.network.http_errors import RedirectError
from lightinit.model import GoalState

LOG = logging.getLogger("lightinit.clients")
PROTOCOL_VERSION = "2012-11-30"
# The server answers 403 and 409 while the fabric moves the container, and 410 just after the
# incarnation has changed.
PASSING = frozenset((403, 404, 408, 409, 410, 429))
# Statuses for a wrong path: some servers require a slash at its end, others forbid it. A redirect
# means the same.
MISPLACED = frozenset((400, 404, 405))
PATHS = ("/machine", "/machine/")
MAX_FULL_REPORTS = 2
MAX_KEPT = 4
# A report takes the goal state that is at hand if it is at most this old, as WALinuxAgent's does.
# Beside a boot that takes longer, one more request is nothing.
FRESH_S = 60.0
MAX_QUIET_S = 30.0
FIRST_TRIAL_S = 5.0
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
            The server throttles a client that does not pause.
        request_timeout_s: seconds for one request.
        agent: name and version for ``x-ms-agent-name``.
        random: numbers from 0 up to 1 for the jitter.
        other_endpoint: where to ask if ``endpoint`` gives no goal state; "" for nowhere else. The
            first endpoint that gives one is used from then on, so nothing else is sent to the
            other.

    Attributes:
        endpoint: the endpoint in use.
        quiet_until_s: the end of the pause after the last request, in monotonic seconds, if the
            server has throttled that; else 0.
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
        self._transport = transport
        self.endpoint = endpoint
        self._clock = clock
        self._fetch_policy = fetch_policy or retry.RetryPolicy()
        policy = report_policy or retry.RetryPolicy()
        self._report_policy = policy._replace(malformed_s=float("inf"))
        self._request_timeout_s = request_timeout_s
        self._headers = {"x-ms-version": PROTOCOL_VERSION, "x-ms-agent-name": agent}
        self._random = random
        self._named = endpoint
        self._untried = [endpoint, other_endpoint] if other_endpoint else []
        self._trial_s = FIRST_TRIAL_S
        self._path = PATHS[0]
        self._path_is_guess = False  # the other path was refused, this one has not worked yet
        self._at_hand: Optional[Tuple[GoalState, float]] = None  # and when it was asked for
        self.quiet_until_s = 0.0

    @property
    def replaced(self) -> str:
        """The endpoint that was named and gave no goal state while the other one did, else ""."""
        return self._named if self.endpoint != self._named and not self._untried else ""

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
                return self._goal_state(remaining_s)
            except LightinitError:
                failed()
                raise

        return self._retry(attempt, self._fetch_policy)

    def fetch_versions(self) -> Tuple[str, ...]:
        """The server's protocol versions, its preferred one first. lightinit uses 2012-11-30.

        Raises:
            ProvisioningError: as :meth:`fetch_goal_state`.
        """

        def ask(remaining_s: float) -> Tuple[str, ...]:
            return goalstate.parse_versions(
                self._get("/?comp=versions", self._limit_s(remaining_s)).body
            )

        return self._retry(ask, self._fetch_policy)

    def fetch_named(
        self, goal_state: GoalState, ask: Callable[[GoalState, float], Result]
    ) -> Result:
        """Ask for what a goal state names. Each attempt but the first fetches a new goal state: the
        incarnation in the URL may be gone. After a throttled attempt the goal state is kept: the
        request for a new one would use up what the server allows.

        Args:
            goal_state: the goal state for the first attempt.
            ask: makes one attempt with :meth:`get_named`. Its arguments are a goal state and the
                end of the attempt in monotonic seconds.

        Returns:
            What ``ask`` returns.

        Raises:
            ProvisioningError: no success within the deadline, or ``ask`` gives up.
        """
        known = _KeptGoalState(goal_state)

        def attempt(remaining_s: float) -> Result:
            ends_s = self._clock.monotonic() + remaining_s
            current = known.take() or self._goal_state(remaining_s)
            try:
                return ask(current, ends_s)
            except TransientError as error:
                if answers.is_throttled(error):
                    known.keep(current)
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
        timeout_s = self._limit_s(ends_s - self._clock.monotonic())
        return self._transport.request(
            "GET", url, {**self._headers, **headers}, timeout_s=timeout_s, limit_bytes=limit_bytes
        )

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
        return self._report(
            lambda goal_state, failures: health.ready(goal_state),
            before,
            is_enough,
            first_limit_s=first_limit_s,
        )

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

        self._report(body, before=check, pacer=retry.CheckedPauses(self._clock, check))

    def report_progress(self, goal_state: GoalState, description: str) -> None:
        """Tell the platform that this VM is at work (NotReady, Provisioning). Try only once.

        Args:
            goal_state: fetched just before.
            description: what the VM is doing.

        Raises:
            LightinitError: the server did not accept it.
        """
        body = health.not_ready(goal_state, "Provisioning", description)
        answer = self._machine_request(
            "POST", "health", min(PROGRESS_TIMEOUT_S, self._request_timeout_s), body
        )
        if not 200 <= answer.status < 300:
            self._at_hand = None  # perhaps because it is out of date
            raise _refused(answer, goal_state)

    def heed(self, other: WireServerClient) -> None:
        """Let the next report wait for the end of the pause of ``other``, a client of the same
        server that is given up in the midst of it.
        """
        self.quiet_until_s = other.quiet_until_s

    def send_report(self, body: bytes, limit_s: float, ends_s: float) -> Response:
        """Send one report.

        Args:
            body: the report.
            limit_s: seconds for the request.
            ends_s: when to stop waiting at the latest, in monotonic seconds.

        Raises:
            TransientError, MalformedError: as from the transport.
        """
        left_s = min(limit_s, ends_s - self._clock.monotonic())
        return self._machine_request("POST", "health", left_s, body)

    def connect_ahead(self) -> None:
        """Open a connection for the next request, if the last one was not kept: while the caller
        does something else, so that the next request need not wait for it. Failures are left to
        that request.
        """
        self._transport.connect_ahead(min(PROGRESS_TIMEOUT_S, self._request_timeout_s))

    def is_ours(self, url: str) -> bool:
        """Whether ``url`` points at this WireServer. Follow no other URL of a goal state."""
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme == "http" and _without_port_80(parts.netloc) == _without_port_80(
            self.endpoint
        )

    def _retry(
        self,
        operation: Callable[[float], Result],
        policy: retry.RetryPolicy,
        pacer: Optional[retry.CheckedPauses] = None,
    ) -> Result:
        log = answers.log_retry("wireserver")

        def note(error: LightinitError, wait_s: float, attempts: int) -> None:
            log(error, wait_s, attempts)
            self.quiet_until_s = 0.0
            if answers.is_throttled(error):
                self.quiet_until_s = self._clock.monotonic() + wait_s

        with answers.asking("wireserver"):
            return retry.retry(operation, policy, pacer or self._clock, self._random, note)

    def _limit_s(self, remaining_s: float) -> float:
        return answers.limit_s(self._request_timeout_s, remaining_s)

    def _goal_state(self, remaining_s: float, patient: bool = False) -> GoalState:
        if self._untried:
            return self._goal_state_of_any(remaining_s)
        return self._goal_state_of_endpoint(remaining_s, patient)

    def _goal_state_of_any(self, remaining_s: float) -> GoalState:
        """The goal state of the first endpoint that gives one. Ask both in each attempt, at first
        with short time limits: where nobody answers, a request takes all of its time.
        """
        ends_s = self._clock.monotonic() + remaining_s
        errors: Dict[str, LightinitError] = {}
        for endpoint in self._untried:
            self.endpoint, self._path, self._path_is_guess = endpoint, PATHS[0], False
            left_s = min(self._trial_s, ends_s - self._clock.monotonic())
            try:
                found = self._goal_state_of_endpoint(left_s, patient=True)
            except (TransientError, MalformedError) as error:
                errors[endpoint] = error
                continue
            if errors:
                LOG.warning("%s gives no goal state: %s", self._named, errors[self._named])
            self._untried = []
            return found
        self._trial_s *= 2
        # An answer says more than none.
        telling = max(errors.values(), key=lambda one: "status" in one.details)
        telling.details["also_tried"] = ", ".join(
            "%s: %s" % (name, one.reason) for name, one in errors.items() if one is not telling
        )
        raise telling

    def _goal_state_of_endpoint(self, remaining_s: float, patient: bool) -> GoalState:
        self._at_hand = None
        asked_s = self._clock.monotonic()
        answer = self._machine_request("GET", "goalstate", remaining_s)
        self._check(answer, self._path + "?comp=goalstate", patient)
        found = goalstate.parse_goal_state(answer.body)
        self._at_hand = (found, asked_s)
        return found

    def _take_at_hand(self) -> Optional[GoalState]:
        """The goal state that was fetched last, once, unless it is old."""
        at_hand, self._at_hand = self._at_hand, None
        if at_hand is None or self._clock.monotonic() - at_hand[1] > FRESH_S:
            return None
        return at_hand[0]

    def _report(
        self,
        make_body: Callable[[GoalState, int], bytes],
        before: Callable[[], None] = lambda: None,
        is_enough: Callable[[bool], bool] = lambda lost: False,
        pacer: Optional[retry.CheckedPauses] = None,
        first_limit_s: float = math.inf,
    ) -> bool:
        """Report. The first attempt uses the goal state that is at hand, if there is one. If the
        server refuses it, a new one is fetched and reported with at once: the incarnation has
        usually just changed. Each further attempt fetches it again. After a throttled report it is
        kept, so that the next attempt is the report alone: a server that takes one request a second
        would take the goal state's and refuse the report, for ever.

        No refusal is final, neither of the report nor of the goal state: without a report the
        platform restarts the VM, so it costs nothing to retry until the deadline.
        """
        failures = attempts = 0
        known = _KeptGoalState()
        at_hand = self._take_at_hand()
        send = _Sending(self, before, is_enough, first_limit_s)

        def attempt(remaining_s: float) -> bool:
            nonlocal failures, attempts, at_hand
            ends_s = self._clock.monotonic() + remaining_s
            attempts += 1
            if attempts > 1 and is_enough(send.lost):
                return False
            old, at_hand = at_hand, None
            goal_state = old or known.take() or self._goal_state(remaining_s, patient=True)
            answer = send(make_body(goal_state, failures), attempts, ends_s)
            if old and answer is not None and _is_out_of_date(answer):
                LOG.info("the report is refused (status %d): new goal state", answer.status)
                if is_enough(send.lost):
                    return False
                goal_state = self._goal_state(ends_s - self._clock.monotonic(), patient=True)
                answer = send(make_body(goal_state, failures), attempts, ends_s)
            if answer is None:
                return False
            if 200 <= answer.status < 300:
                return True
            failures += answer.status == 500
            if answer.status in answers.THROTTLED:
                known.keep(goal_state)
            raise _refused(answer, goal_state)

        quiet_s = min(MAX_QUIET_S, self.quiet_until_s - self._clock.monotonic())
        quiet_s = min(quiet_s, self._report_policy.deadline_s / 2)
        if quiet_s > 0.0:
            LOG.info("the WireServer is busy; reporting in %.1f s", quiet_s)
            (pacer or self._clock).sleep(quiet_s)
        return self._retry(attempt, self._report_policy, pacer)

    def _machine_request(
        self, method: str, component: str, remaining_s: float, body: Optional[bytes] = None
    ) -> Response:
        """Ask ``/machine?comp=``; if the server refuses that, ask ``/machine/?comp=``. Later
        requests use the path that worked.

        If the server refuses both, return the answer that says more: a redirect or a 404 says less
        than any other. If it refuses one path and throttles the other, the next request begins with
        the other: a second request may never pass.
        """
        ends_s = self._clock.monotonic() + remaining_s
        refused: List[Response] = []
        for last, path in enumerate((self._path, PATHS[self._path == PATHS[0]])):
            timeout_s = self._limit_s(ends_s - self._clock.monotonic())
            try:
                answer = self._send(method, "%s?comp=%s" % (path, component), timeout_s, body)
            except RedirectError:
                if last and not refused:
                    raise
                continue
            if 200 <= answer.status < 300:
                self._path, self._path_is_guess = path, False
            throttled = answer.status in answers.THROTTLED
            if throttled and last and not self._path_is_guess:
                self._path, self._path_is_guess = path, True
            is_doubtful = throttled and not last and self._path_is_guess
            if answer.status not in MISPLACED and not is_doubtful:
                return answer
            refused.append(answer)
        return next((answer for answer in refused if answer.status != 404), refused[0])

    def _get(self, target: str, timeout_s: float) -> Response:
        answer = self._send("GET", target, timeout_s)
        self._check(answer, target)
        return answer

    def _send(
        self, method: str, target: str, timeout_s: float, body: Optional[bytes] = None
    ) -> Response:
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "text/xml;charset=utf-8"
        return self._transport.request(
            method,
            "http://%s%s" % (self.endpoint, target),
            headers,
            body,
            timeout_s=timeout_s,
            want_body=method == "GET",
        )

    def _check(self, answer: Response, target: str, patient: bool = False) -> None:
        if answer.status != 200:
            answers.refuse(
                answer,
                "wireserver",
                "http://%s%s" % (self.endpoint, target),
                PASSING,
                "the server refuses this request; check that this is really Azure's WireServer",
                patient,
            )


class _Sending:
    """Sends a report; knows whether the answer to one has been lost.

    Args:
        client: sends the request.
        before, is_enough, first_limit_s: as for :meth:`WireServerClient.report_ready`.
    """

    def __init__(
        self,
        client: WireServerClient,
        before: Callable[[], None],
        is_enough: Callable[[bool], bool],
        first_limit_s: float,
    ) -> None:
        self._client = client
        self._before = before
        self._is_enough = is_enough
        self._first_limit_s = first_limit_s
        self.lost = False

    def __call__(self, body: bytes, attempts: int, ends_s: float) -> Optional[Response]:
        """The answer; None if it was lost, and that is enough."""
        self._before()
        limit_s = self._first_limit_s * 2.0**attempts / 2
        try:
            return self._client.send_report(body, limit_s, ends_s)
        except TransientError as error:
            self.lost = self.lost or error.was_sent
            if error.was_sent and self._is_enough(self.lost):
                return None
            raise


class _KeptGoalState:
    """The goal state for the next attempt, if the last one was throttled.

    It is dropped after ``MAX_KEPT`` attempts: a server that answers 503 for another reason may want
    a fresh one.
    """

    def __init__(self, goal_state: Optional[GoalState] = None) -> None:
        self._goal_state = goal_state
        self._times = 0

    def take(self) -> Optional[GoalState]:
        """The goal state, or None. It is no longer kept."""
        taken, self._goal_state = self._goal_state, None
        if taken is None:
            self._times = 0
        return taken

    def keep(self, goal_state: GoalState) -> None:
        """Keep it for the next attempt."""
        self._times += 1
        if self._times <= MAX_KEPT:
            self._goal_state = goal_state


def _is_out_of_date(answer: Response) -> bool:
    """Whether a report may be refused because its goal state is old: no failure of the server's
    own, which needs a pause.
    """
    return 400 <= answer.status < 500 and answer.status not in (408, 429)


def _refused(answer: Response, goal_state: GoalState) -> TransientError:
    return TransientError(
        "wireserver refused the health report",
        retry_after_s=answer.retry_after_s,
        status=answer.status,
        incarnation=goal_state.incarnation,
    )


def _without_port_80(netloc: str) -> str:
    return netloc[:-3] if netloc.endswith(":80") else netloc
