"""Which path a channel asks, what it takes for an answer, and how long it waits: over a transport
that answers from a list, and over real connections that break.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, List, Tuple

import pytest

from lightinit.datasources.azure.wireserver.channel import Channel
from lightinit.datasources.azure.wireserver.throttling import Throttling
from lightinit.errors import TransientError
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, Response
from lightinit.host.network.http_errors import RedirectError
from tests.lib.http_server import LIMIT_S, OK, PATIENT_S, Server, hangs, resets, says
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import FakeTransport, Sent, ok, status

SHORT, LONG = "/machine", "/machine/"  # the two forms of the path
OWN_S = (1.0, 2.0)  # the waits for a limit of this VM's own
MOVED = RedirectError("answer is a redirect", status=301)


def make(*steps: Any) -> Tuple[Channel, FakeTransport, ScriptedClock, Throttling]:
    transport, clock = FakeTransport(*steps), ScriptedClock()
    throttling = Throttling(clock, 1.0)
    sends: Any = transport
    return (
        Channel(sends, "10.1.2.3", clock, 8.0, "agent/1", throttling),
        transport,
        clock,
        throttling,
    )


def paths(transport: FakeTransport) -> List[str]:
    """The paths that were asked, and forgets them."""
    found = [sent.url.partition("10.1.2.3")[2].partition("?")[0] for sent in transport.sent]
    del transport.sent[:]
    return found


@pytest.mark.parametrize("refusal", [status(400), status(404), status(405), MOVED])
def test_the_path_that_worked_is_asked_from_then_on(refusal: Any) -> None:
    channel, transport, _, _ = make(refusal, ok(b"here"), ok())
    assert channel.ask_machine("GET", "goalstate", 60.0).body == b"here"
    assert paths(transport) == [SHORT, LONG]
    channel.ask_machine("POST", "health", 60.0, b"ready")
    assert paths(transport) == [LONG]
    assert channel.machine_url("health") == "http://10.1.2.3/machine/?comp=health"
    channel.turn_to("10.1.2.3:80")  # of which nothing is known
    assert channel.machine_url("health") == "http://10.1.2.3:80/machine?comp=health"


@pytest.mark.parametrize(
    "first, second, wins",
    [(404, 400, 400), (400, 404, 400), (404, 404, 404), (405, 400, 405), (404, 500, 500)],
)
def test_if_both_paths_are_refused_the_answer_that_says_more_counts(
    first: int, second: int, wins: int
) -> None:
    channel, transport, _, _ = make(status(first), status(second))
    assert channel.ask_machine("GET", "goalstate", 60.0).status == wins
    assert paths(transport) == [SHORT, LONG]


def test_a_redirect_says_less_than_any_answer() -> None:
    assert make(MOVED, status(404))[0].ask_machine("GET", "goalstate", 60.0).status == 404
    assert make(status(404), MOVED)[0].ask_machine("GET", "goalstate", 60.0).status == 404
    with pytest.raises(RedirectError):
        make(MOVED, MOVED)[0].ask_machine("GET", "goalstate", 60.0)


@pytest.mark.parametrize("busy", [429, 503])
def test_a_throttled_answer_is_no_reason_to_ask_the_other_path(busy: int) -> None:
    """That would be one more request for a server that has too many."""
    channel, transport, _, throttling = make(status(busy, 7.0), ok(), status(429))
    assert channel.ask_machine("GET", "goalstate", 60.0).retry_after_s == 7.0
    assert paths(transport) == [SHORT]
    assert channel.ask_machine("GET", "goalstate", 60.0).status == 200
    assert paths(transport) == [SHORT]
    # What was taken just now tells that the next refusal may be this VM's own limit.
    assert channel.get("/certificates", 60.0).status == 429
    assert throttling.note_refused(429) == OWN_S


def test_a_refused_request_was_not_taken() -> None:
    channel, _, _, throttling = make(status(429))
    channel.ask_machine("GET", "goalstate", 60.0)
    assert throttling.note_refused(429) != OWN_S


def test_a_path_that_is_throttled_while_the_other_is_refused_is_asked_first_next_time() -> None:
    """A second request at once may never pass."""
    channel, transport, _, _ = make(status(404), status(429), ok(), ok())
    assert channel.ask_machine("GET", "goalstate", 60.0).status == 429
    assert paths(transport) == [SHORT, LONG]
    assert channel.ask_machine("GET", "goalstate", 60.0).status == 200
    assert channel.ask_machine("GET", "goalstate", 60.0).status == 200
    assert paths(transport) == [LONG, LONG]


def test_a_path_that_was_only_a_guess_does_not_hide_the_one_that_works() -> None:
    channel, transport, _, _ = make(status(404), status(429), status(429), ok(b"here"), ok())
    channel.ask_machine("GET", "goalstate", 60.0)
    assert channel.ask_machine("GET", "goalstate", 60.0).body == b"here"
    assert paths(transport) == [SHORT, LONG, LONG, SHORT]
    channel.ask_machine("GET", "goalstate", 60.0)
    assert paths(transport) == [SHORT]


def test_both_requests_share_the_deadline() -> None:
    def slowly(sent: Sent) -> Response:
        clock.sleep(3.0)
        return status(404)

    channel, transport, clock, _ = make(slowly)
    channel.ask_machine("GET", "goalstate", 5.0)
    assert [sent.timeout_s for sent in transport.sent] == [5.0, 2.0]
    del transport.sent[:]
    channel.ask_machine("GET", "goalstate", 60.0)  # each alone has the limit of a request
    assert [sent.timeout_s for sent in transport.sent] == [8.0, 8.0]


def test_what_is_sent() -> None:
    channel, transport, _, _ = make(ok())
    channel.ask_machine("POST", "health", 60.0, b"ready")
    channel.get_url("http://10.1.2.3/c?x", {"x-ms-cipher-name": "AES"}, 60.0, 10)
    head = {"x-ms-version": "2012-11-30", "x-ms-agent-name": "agent/1"}
    report, certificates = transport.sent
    assert report.headers == {**head, "Content-Type": "text/xml;charset=utf-8"}
    assert (report.body, report.want_body) == (b"ready", False)
    assert certificates.headers == {**head, "x-ms-cipher-name": "AES"}


# -- over real connections
# -----------------------------------------------------------------------------------------------


def make_real(server: Server) -> Channel:
    endpoint = server.url.split("/")[2]
    throttling = Throttling(Clock(), 1.0)
    return Channel(HttpTransport(Clock()), endpoint, Clock(), PATIENT_S, "agent/1", throttling)


HALF = says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<GoalState>", then_close=True)


@pytest.mark.parametrize("breaks", [HALF, resets], ids=["halfway", "reset"])
def test_after_a_connection_that_breaks_the_next_request_has_a_new_one(breaks: Any) -> None:
    with closing(Server(breaks, says(OK))) as server:
        channel = make_real(server)
        with pytest.raises(TransientError) as failure:
            channel.ask_machine("GET", "goalstate", PATIENT_S)
        assert failure.value.was_sent, "the server may have taken it"
        assert channel.ask_machine("GET", "goalstate", PATIENT_S).body == b"hello"
        assert server.connections == 2


def test_a_server_that_answers_no_more_does_not_hold_the_boot_up() -> None:
    with closing(Server(hangs)) as server:
        channel = make_real(server)
        with pytest.raises(TransientError, match="request timed out"):
            channel.ask_machine("GET", "goalstate", LIMIT_S)
        # Not in the order of connections: on a busy machine, the time is over before there is one.
        server.conversations[:] = [says(OK)]
        assert channel.ask_machine("GET", "goalstate", PATIENT_S).body == b"hello"
