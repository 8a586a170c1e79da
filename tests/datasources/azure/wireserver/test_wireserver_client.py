"""The WireServer client, over a transport that answers from a list and a clock that moves only in
sleep().
"""

from __future__ import annotations

from typing import Any, List, Tuple

import pytest

from lightinit.datasources.azure.settings import SETTINGS
from lightinit.datasources.azure.wireserver.client import WireServerClient
from lightinit.errors import MalformedError, ProvisioningError, TransientError
from lightinit.host.network.http import Response
from lightinit.host.network.http_errors import RedirectError
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import GOAL_STATE, FakeTransport, Sent, ok, status
from tests.lib.wireserver import HEADERS, make

GOAL = ok(GOAL_STATE % 1)
DONE = ok()


def what(transport: FakeTransport) -> List[str]:
    return [sent.method + " " + sent.url.replace("http://10.1.2.3", "") for sent in transport.sent]


def test_the_goal_state() -> None:
    wireserver, transport, clock = make(GOAL)
    state = wireserver.fetch_goal_state()
    assert (state.incarnation, state.container_id, state.role_instance_id) == (
        "1",
        "container-1",
        "role-1",
    )
    assert transport.sent == [
        Sent("GET", "http://10.1.2.3/machine?comp=goalstate", HEADERS, None, 60.0, True)
    ]
    assert clock.sleeps == []


@pytest.mark.parametrize(
    "passing",
    [
        status(403),
        status(408),
        status(410),
        status(500),
        TransientError("request timed out"),
        MalformedError("answer is a redirect"),
        ok(b"<GoalState>"),
        ok(b""),
        ok((GOAL_STATE % 1).replace(b"RoleInstance>", b"Other>")),
        status(202),
        status(204),
        status(103),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(passing: Any) -> None:
    wireserver, transport, clock = make(passing, passing, GOAL)
    assert wireserver.fetch_goal_state().incarnation == "1"
    assert clock.sleeps == [1.0, 2.0]


@pytest.mark.parametrize("code", [400, 401, 405])
def test_what_is_final_while_fetching(code: int) -> None:
    wireserver, transport, clock = make(status(code))
    with pytest.raises(
        ProvisioningError, match="wireserver refused the request .*status=%d" % code
    ):
        wireserver.fetch_goal_state()
    assert clock.sleeps == []


def test_a_missing_role_instance_is_waited_for_until_the_deadline_but_garbage_is_not() -> None:
    wireserver, transport, clock = make(ok((GOAL_STATE % 1).replace(b"RoleInstance>", b"Other>")))
    with pytest.raises(ProvisioningError, match="goal state has no role instance yet"):
        wireserver.fetch_goal_state()
    assert sum(clock.sleeps) > 90.0
    wireserver, transport, clock = make(ok(b"<!DOCTYPE x><GoalState/>"))
    with pytest.raises(ProvisioningError, match="xml document has a document type"):
        wireserver.fetch_goal_state()
    assert len(transport.sent) >= 5 and sum(clock.sleeps) < 60.0


def test_with_a_slash_where_it_is_not_found_without() -> None:
    wireserver, transport, clock = make(status(404), GOAL, DONE)
    wireserver.fetch_goal_state()
    wireserver.report_ready()
    assert what(transport) == [
        "GET /machine?comp=goalstate",
        "GET /machine/?comp=goalstate",
        "POST /machine/?comp=health",
    ]
    assert clock.sleeps == []


def test_neither_way_found_is_tried_again_both_ways() -> None:
    wireserver, transport, clock = make(status(404), status(404), status(404), GOAL)
    wireserver.fetch_goal_state()
    assert what(transport) == ["GET /machine?comp=goalstate", "GET /machine/?comp=goalstate"] * 2
    assert clock.sleeps == [1.0]


REDIRECT = RedirectError("answer is a redirect", status=301)


@pytest.mark.parametrize("refusal", [status(400), status(404), status(405), REDIRECT], ids=str)
@pytest.mark.parametrize("known", ["/machine?", "/machine/?"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_other_form_of_the_path(refusal: Any, known: str, method: str) -> None:
    def picky(sent: Sent) -> Response:
        if sent.method == method and known not in sent.url:
            if isinstance(refusal, BaseException):
                raise refusal
            return status(refusal.status)
        return GOAL if sent.method == "GET" else DONE

    wireserver, transport, clock = make(picky)
    wireserver.report_ready()
    wireserver.report_ready()
    assert clock.sleeps == []
    assert [sent.method for sent in transport.sent[-2:]][-1] == "POST"


@pytest.mark.parametrize(
    "first, second, told",
    [
        (status(400), status(404), "status=400"),
        (status(404), status(400), "status=400"),
        (status(405), REDIRECT, "status=405"),
        (REDIRECT, status(404), "status=404"),
        (REDIRECT, REDIRECT, "a redirect"),
    ],
    ids=str,
)
def test_of_two_refusals_the_one_that_says_more_is_told(first: Any, second: Any, told: str) -> None:
    steps = iter([first, second] * 99)

    def answer(sent: Sent) -> Response:
        step = next(steps)
        if isinstance(step, BaseException):
            raise step
        assert isinstance(step, Response)
        return step

    wireserver, transport, clock = make(answer)
    with pytest.raises(ProvisioningError, match=told):
        wireserver.fetch_goal_state()


def test_one_refusal_does_not_move_it_to_a_path_that_never_works() -> None:
    refused: List[Sent] = []

    def answer(sent: Sent) -> Response:
        if "/machine/?" in sent.url:
            return status(503)
        if not refused:
            refused.append(sent)
            return status(400)
        return GOAL if sent.method == "GET" else DONE

    wireserver, transport, clock = make(answer)
    wireserver.report_ready()
    assert clock.sleeps == [1.5]


@pytest.mark.parametrize(
    "odd",
    [
        status(400),
        status(401),
        status(418),
        status(202),
        status(204),
        status(102),
        ok(b"<html>"),
        ok(b""),
        ok((GOAL_STATE % 1).replace(b"Incarnation", b"Other")),
        REDIRECT,
    ],
    ids=str,
)
def test_while_reporting_no_answer_to_the_goal_state_is_final(odd: Any) -> None:
    def given() -> Response:
        if isinstance(odd, BaseException):
            raise odd
        assert isinstance(odd, Response)
        return odd

    clock: ScriptedClock

    def at_last(sent: Sent) -> Response:
        return DONE if sent.method == "POST" else GOAL if clock.now_s >= 1090.0 else given()

    wireserver, transport, clock = make(at_last)
    wireserver.report_ready()
    assert transport.sent[-1].method == "POST"
    wireserver, transport, clock = make(lambda sent: given())
    with pytest.raises(ProvisioningError):
        wireserver.report_ready()
    assert 94.0 < sum(clock.sleeps) < 100.0 and len(transport.sent) < 50


def test_an_unusable_endpoint_is_final_even_while_reporting() -> None:
    wireserver, transport, clock = make(ProvisioningError("url is not usable"))
    with pytest.raises(ProvisioningError, match="url is not usable"):
        wireserver.report_ready()
    assert clock.sleeps == []


def test_a_report_throttled_beyond_the_deadline_has_a_last_attempt() -> None:
    wireserver, transport, clock = make(GOAL, status(503, 600.0), DONE)
    wireserver.report_ready()
    assert clock.sleeps == [95.0]


@pytest.mark.parametrize("code", [200, 201, 202, 204])
def test_ready(code: int) -> None:
    wireserver, transport, clock = make(GOAL, status(code))
    wireserver.report_ready()
    assert what(transport) == ["GET /machine?comp=goalstate", "POST /machine?comp=health"]
    report = transport.sent[1]
    assert report.headers == {**HEADERS, "Content-Type": "text/xml;charset=utf-8"}
    assert report.want_body is False
    assert report.body is not None and b"<State>Ready</State>" in report.body
    assert b"<GoalStateIncarnation>1</GoalStateIncarnation>" in report.body


@pytest.mark.parametrize("code", [400, 403, 404, 405, 409, 410, 500])
def test_a_refused_report_is_made_again_against_a_fresh_goal_state(code: int) -> None:
    refusals = [status(code)] * (2 if code in (400, 404, 405) else 1)  # these are asked both ways
    wireserver, transport, clock = make(GOAL, *refusals, ok(GOAL_STATE % 2), DONE)
    wireserver.report_ready()
    bodies = [sent.body for sent in transport.sent if sent.method == "POST"]
    assert b"<GoalStateIncarnation>1<" in (bodies[0] or b"") and b"<GoalStateIncarnation>2<" in (
        bodies[-1] or b""
    )
    assert [sent.method for sent in transport.sent[-2:]] == ["GET", "POST"]
    assert clock.sleeps == [1.0]


def test_the_goal_state_at_hand_is_reported_with_once() -> None:
    wireserver, transport, clock = make(GOAL, DONE, GOAL, DONE)
    wireserver.fetch_goal_state()
    assert wireserver.report_ready() and wireserver.report_ready()
    ask, tell = "GET /machine?comp=goalstate", "POST /machine?comp=health"
    assert what(transport) == [ask, tell, ask, tell]


@pytest.mark.parametrize("old_s, asked_again", [(59.0, False), (61.0, True)])
def test_a_goal_state_of_long_ago_is_not_reported_with(old_s: float, asked_again: bool) -> None:
    wireserver, transport, clock = make(GOAL, GOAL if asked_again else DONE, DONE)
    wireserver.fetch_goal_state()
    clock.sleep(old_s)
    wireserver.report_ready()
    assert [sent.method for sent in transport.sent] == ["GET"] * (1 + asked_again) + ["POST"]


@pytest.mark.parametrize("code", [400, 403, 404, 409, 410])
def test_a_goal_state_at_hand_that_is_refused_is_fetched_again_at_once(code: int) -> None:
    misplaced = code in (400, 404)  # the other form of the path is tried, too
    wireserver, transport, clock = make(
        GOAL, *[status(code)] * (1 + misplaced), ok(GOAL_STATE % 2), DONE
    )
    wireserver.fetch_goal_state()
    wireserver.report_ready()
    assert clock.sleeps == []
    assert b">2<" in (transport.sent[-1].body or b"")
    assert len(transport.sent) == 4 + misplaced


@pytest.mark.parametrize("code, pause_s", [(408, 1.0), (429, 1.5), (500, 1.0), (503, 1.5)])
def test_a_server_that_is_busy_or_broken_gets_its_pause(code: int, pause_s: float) -> None:
    wireserver, transport, clock = make(GOAL, status(code), GOAL, DONE, DONE)
    wireserver.fetch_goal_state()
    wireserver.report_ready()
    assert clock.sleeps[:1] == [pause_s]


def test_a_refused_report_of_progress_makes_the_goal_state_worthless() -> None:
    wireserver, transport, clock = make(GOAL, status(410), ok(GOAL_STATE % 2), DONE)
    state = wireserver.fetch_goal_state()
    with pytest.raises(TransientError):
        wireserver.report_progress(state, "at work")
    wireserver.report_ready()
    assert [sent.method for sent in transport.sent] == ["GET", "POST", "GET", "POST"]


def test_a_refused_goal_state_at_hand_is_not_replaced_where_there_is_enough() -> None:
    wireserver, transport, clock = make(GOAL, status(410))
    wireserver.fetch_goal_state()
    assert not wireserver.report_ready(is_enough=lambda lost: True)
    assert len(transport.sent) == 2


@pytest.mark.parametrize("code, quiet", [(429, True), (503, True), (500, False), (404, False)])
def test_a_report_does_not_cut_short_the_pause_of_a_throttled_goal_state(
    code: int, quiet: bool
) -> None:
    """The thread that asks for the goal state is given up at the report, in the midst of it."""
    wireserver, transport, clock = make(status(code))
    begun: List[float] = []

    def give_up() -> None:
        begun.append(clock.now_s)
        if len(begun) == 3:
            raise LookupError

    with pytest.raises(LookupError):
        wireserver.fetch_goal_state(give_up)
    other, transport, clock = make(GOAL, DONE)
    clock.now_s = begun[1] + 0.5
    other.heed(wireserver)
    assert other.report_ready()
    assert clock.sleeps == [begun[2] - begun[1] - 0.5] * quiet


def test_a_pause_for_ever_is_not_heeded() -> None:
    wireserver, transport, clock = make(status(429, 90.0))
    begun: List[float] = []

    def give_up() -> None:
        begun.append(clock.now_s)
        if len(begun) == 2:
            raise LookupError

    with pytest.raises(LookupError):
        wireserver.fetch_goal_state(give_up)
    assert begun[1] - begun[0] > 90.0
    other, transport, clock = make(GOAL, DONE)
    clock.now_s = begun[0] + 1.0
    other.heed(wireserver)
    assert other.report_ready() and clock.sleeps == [30.0]


def test_what_comes_right_before_a_report_comes_when_there_is_a_goal_state_to_report_against() -> (
    None
):
    wireserver, transport, clock = make(status(503), GOAL, status(409), GOAL, DONE)
    seen: List[List[str]] = []
    wireserver.report_ready(lambda: seen.append([sent.method for sent in transport.sent]))
    assert seen == [["GET", "GET"], ["GET", "GET", "POST", "GET"]]


def test_what_cannot_come_before_a_report_keeps_it_from_being_sent() -> None:
    def fail() -> None:
        raise ProvisioningError("file cannot be written")

    wireserver, transport, clock = make(GOAL, DONE)
    with pytest.raises(ProvisioningError, match="file cannot be written"):
        wireserver.report_ready(fail)
    assert what(transport) == ["GET /machine?comp=goalstate"]


def unanswered() -> TransientError:
    error = TransientError("connection reset")
    error.was_sent = True
    return error


def test_the_caller_is_asked_whether_to_stop_after_a_lost_answer_and_between_attempts() -> None:
    asked: List[Tuple[int, bool]] = []

    def enough(lost: bool) -> bool:
        asked.append((len(transport.sent), lost))
        return len(asked) == 4

    refused = TransientError("connection refused")
    wireserver, transport, clock = make(unanswered(), GOAL, refused, GOAL, unanswered(), GOAL, DONE)
    assert wireserver.report_ready(is_enough=enough) is False
    # After the goal state that did not come, after the report that was not sent, after the lost
    # answer, and a pause later.
    assert asked == [(1, False), (3, False), (5, True), (5, True)]
    assert len(transport.sent) == 5 and clock.sleeps == [1.0, 2.0, 4.0]


def test_nobody_is_asked_whether_it_is_enough_when_it_goes_well() -> None:
    wireserver, transport, clock = make(GOAL, DONE)
    assert wireserver.report_ready(is_enough=lambda lost: True) is True
    assert len(transport.sent) == 2


def test_a_client_that_heeds_another_waits_as_long_after_its_next_refusal() -> None:
    wireserver, transport, clock = make(status(429), status(429), GOAL)
    wireserver.fetch_goal_state()
    assert clock.sleeps == [10.0, 10.0]
    other, transport, second_clock = make(GOAL, status(429), DONE)
    second_clock.now_s = clock.now_s
    other.heed(wireserver)
    other.report_ready()
    assert second_clock.sleeps == [20.0]


def test_throttling_is_honoured() -> None:
    wireserver, transport, clock = make(status(429, 9.0), GOAL, status(503, 5.0), DONE)
    wireserver.report_ready()
    assert clock.sleeps == [9.0 + 8.0 / 2, 5.0 + 5.0 / 2]


class OneASecond:
    """A WireServer that takes one request a second, whatever it asks, and answers ``busy`` to any
    other.

    Args:
        clock: measures the second.
        path: the form of the path that it knows.
        busy: the status.
    """

    def __init__(self, clock: ScriptedClock, path: str = "/machine?", busy: int = 429) -> None:
        self.clock = clock
        self.path = path
        self.busy = busy
        self.taken_s = float("-inf")
        self.incarnation = 1
        self.moves_at = 0
        self.posts = 0

    def __call__(self, sent: Sent) -> Response:
        if self.clock.now_s - self.taken_s < 1.0:
            return status(self.busy)
        self.taken_s = self.clock.now_s
        if self.path not in sent.url:
            return status(404)
        if sent.method == "GET":
            return ok(GOAL_STATE % self.incarnation)
        self.posts += 1
        if self.posts <= self.moves_at:
            self.incarnation += 1
        if b"<GoalStateIncarnation>%d<" % self.incarnation in (sent.body or b""):
            return DONE
        return status(410)


def throttled(path: str = "/machine?", busy: int = 429) -> Any:
    wireserver, transport, clock = make(GOAL)
    server = OneASecond(clock, path, busy)
    transport.steps = [server]
    return wireserver, transport, clock, server


@pytest.mark.parametrize("busy", [429, 503])
def test_a_server_that_takes_one_request_a_second_gets_the_report_alone(busy: int) -> None:
    """P11: a fresh goal state before each report would be the one request, for ever."""
    wireserver, transport, clock, _ = throttled(busy=busy)
    wireserver.report_not_ready("ProvisioningFailed", "a long story")
    assert [sent.method for sent in transport.sent] == ["GET", "POST", "POST"]
    assert sum(clock.sleeps) == 1.5


def test_such_a_server_that_knows_the_other_path_only() -> None:
    """P11: of two requests for the two paths the second one never passes."""
    wireserver, transport, clock, _ = throttled("/machine/?")
    wireserver.report_ready()
    assert what(transport) == [
        "GET /machine?comp=goalstate",  # 404
        "GET /machine/?comp=goalstate",  # 429
        "GET /machine/?comp=goalstate",
        "POST /machine/?comp=health",  # 429
        "POST /machine/?comp=health",
    ]
    wireserver.report_ready()
    assert "/machine?" not in what(transport)[-1]


def test_such_a_server_whose_incarnation_moves_is_asked_for_it_anew() -> None:
    """P11: 409 and 410 still mean another goal state."""
    wireserver, transport, clock, server = throttled()
    server.moves_at = 1
    wireserver.report_ready()
    # Of the reports the second gets 410, the first and the third 429.
    methods = [sent.method for sent in transport.sent]
    assert methods == ["GET", "POST", "POST", "GET", "POST", "POST"]
    assert server.incarnation == 2


def test_a_goal_state_is_not_kept_for_ever() -> None:
    """P11: a server that answers 503 to a stale one."""

    def stale(sent: Sent) -> Response:
        if sent.method == "GET":
            return ok(GOAL_STATE % sum(one.method == "GET" for one in transport.sent))
        return DONE if b"<GoalStateIncarnation>2<" in (sent.body or b"") else status(503)

    wireserver, transport, clock = make(stale)
    wireserver.report_ready()
    assert [sent.method for sent in transport.sent] == ["GET"] + ["POST"] * 5 + ["GET", "POST"]


def test_a_report_that_is_never_taken_ends_at_the_deadline() -> None:
    wireserver, transport, clock = make(lambda sent: GOAL if sent.method == "GET" else status(409))
    with pytest.raises(ProvisioningError) as caught:
        wireserver.report_ready()
    assert caught.value.reason == "wireserver refused the health report"
    assert caught.value.details["status"] == "409" and 90.0 < sum(clock.sleeps) < 100.0


# -- two addresses
# -----------------------------------------------------------------------------------------------

OTHER = "168.63.129.16"
HTML = ok(b"<html><body>Sign in</body></html>")


def two(named: Any, other: Any) -> Any:
    """A client whose endpoint answers with ``named``, and the other one with ``other``."""

    def answer(sent: Sent) -> Response:
        step = other if "//%s/" % OTHER in sent.url else named
        if isinstance(step, BaseException):
            raise step
        found: Response = step(sent) if callable(step) else step
        return found

    return make(answer, other_endpoint=OTHER)


def well(sent: Sent) -> Response:
    return GOAL if sent.method == "GET" else DONE


@pytest.mark.parametrize(
    "nobody",
    [
        TransientError("request timed out"),
        TransientError("no route to host"),
        TransientError("connection refused"),
        status(404),
        status(401),
        status(500),
        status(503),
        HTML,
        ok(b""),
        REDIRECT,
        MalformedError("answer is not http"),
    ],
    ids=str,
)
def test_where_the_named_server_is_none_the_well_known_one_gets_the_report(nobody: Any) -> None:
    """P12: in one attempt. The server that is none gets no report."""
    wireserver, transport, clock = two(nobody, well)
    wireserver.report_not_ready("ProvisioningFailed", "a long story")
    assert clock.sleeps == []
    assert (wireserver.endpoint, wireserver.replaced) == (OTHER, "10.1.2.3")
    assert all(sent.method == "GET" for sent in transport.sent if OTHER not in sent.url)
    sent_before = len(transport.sent)
    wireserver.report_ready()
    assert all(OTHER in sent.url for sent in transport.sent[sent_before:])


def test_a_named_server_that_answers_is_used_alone() -> None:
    """P12: nothing goes to the well-known address then, also if the report is refused."""
    wireserver, transport, clock = two(
        lambda sent: GOAL if sent.method == "GET" else status(500), well
    )
    wireserver.fetch_goal_state()
    with pytest.raises(ProvisioningError, match="wireserver refused the health report"):
        wireserver.report_ready()
    assert not [sent for sent in transport.sent if OTHER in sent.url]
    assert wireserver.replaced == ""


def test_where_neither_answers_both_are_tried_until_the_deadline() -> None:
    """P12: the report takes no longer than with one address; the error names both."""
    wireserver, transport, clock = two(TransientError("request timed out"), status(503))
    with pytest.raises(ProvisioningError, match="wireserver is not ready") as caught:
        wireserver.report_ready()
    assert caught.value.details["also_tried"] == "10.1.2.3: request timed out"
    assert 90.0 < sum(clock.sleeps) < 100.0
    # Where nobody answers, no attempt uses up the time of the other address.
    assert [sent.timeout_s for sent in transport.sent[:6]] == [5.0, 5.0, 10.0, 10.0, 20.0, 20.0]
    assert {sent.method for sent in transport.sent} == {"GET"}


def test_a_named_server_that_comes_late_is_found() -> None:
    """P12: until one of them has answered, both are asked again."""
    clock: ScriptedClock
    wireserver, transport, clock = two(
        lambda sent: well(sent) if clock.now_s >= 1020.0 else status(503),
        TransientError("no route to host"),
    )
    wireserver.report_ready()
    assert (wireserver.endpoint, wireserver.replaced) == ("10.1.2.3", "")


def test_not_ready_says_less_after_two_500s() -> None:
    def picky(sent: Sent) -> Response:
        if sent.method == "GET":
            return GOAL
        return status(500) if b"long" in (sent.body or b"") else DONE

    wireserver, transport, clock = make(picky)
    wireserver.report_not_ready("ProvisioningFailed", "a long story", "brief")
    bodies = [sent.body or b"" for sent in transport.sent if sent.method == "POST"]
    assert [b"a long story" in body for body in bodies] == [True, True, False]
    assert (
        b"<SubStatus>ProvisioningFailed</SubStatus><Description>brief</Description>" in bodies[-1]
    )


def test_other_errors_do_not_make_it_say_less() -> None:
    wireserver, transport, clock = make(GOAL, status(503), status(429), status(410), GOAL, DONE)
    wireserver.report_not_ready("ProvisioningFailed", "a long story", "brief")
    assert all(
        b"a long story" in (sent.body or b"") for sent in transport.sent if sent.method == "POST"
    )


def test_versions() -> None:
    wireserver, transport, clock = make(
        status(503),
        ok(
            b"<Versions><Preferred><Version>2015-04-05</Version></Preferred>"
            b"<Supported><Version>2012-11-30</Version>"
            b"</Supported></Versions>"
        ),
    )
    assert wireserver.fetch_versions() == ("2015-04-05", "2012-11-30")
    assert what(transport) == ["GET /?comp=versions"] * 2


@pytest.mark.parametrize(
    "endpoint, url, ours",
    [
        ("168.63.129.16", "http://168.63.129.16:80/machine/a%2Db?comp=certificates", True),
        ("168.63.129.16:80", "http://168.63.129.16/machine", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/x", True),
        ("127.0.0.1:8080", "http://127.0.0.1/x", False),
        ("168.63.129.16", "http://168.63.129.16:8080/x", False),
        ("168.63.129.16", "https://168.63.129.16/x", False),
        ("168.63.129.16", "http://168.63.129.16@evil.example/x", False),
        ("168.63.129.16", "http://168.63.129.16.evil.example/x", False),
        ("168.63.129.16", "http://evil.example/168.63.129.16", False),
        ("168.63.129.16", "//168.63.129.16/x", False),
        ("168.63.129.16", "http://[", False),
        ("168.63.129.16", "", False),
    ],
)
def test_which_urls_are_the_wireservers_own(endpoint: str, url: str, ours: bool) -> None:
    transport: Any = FakeTransport(GOAL)
    assert WireServerClient(transport, endpoint, ScriptedClock()).is_ours(url) is ours


def test_a_wireserver_whose_answers_take_13_seconds() -> None:
    """P4: canonical/cloud-init#1571, #4372. Each attempt waits long enough, and a second one has
    room within the deadlines.
    """
    wireserver, transport, clock = make()
    options = {setting.key: setting.default for setting in SETTINGS}
    assert options["request_timeout_s"] >= 60.0
    assert 2 * options["request_timeout_s"] < options["goal_state_timeout_s"]
    assert 2 * 2 * options["request_timeout_s"] < options["report_timeout_s"]

    def slow(sent: Sent) -> Response:
        clock.now_s += min(13.0, sent.timeout_s)
        if sent.timeout_s < 13.0:
            raise TransientError("request timed out")
        return GOAL if sent.method == "GET" else DONE

    transport.steps.append(slow)
    assert wireserver.fetch_goal_state().incarnation == "1"
    assert wireserver.report_ready()
    assert len(transport.sent) == 2 and clock.sleeps == []
