"""The IMDS client, over a transport that answers from a list and a clock that moves only in
sleep().
"""

from __future__ import annotations

import json
from typing import Any, List

import pytest

from lightinit.datasources.azure.imds_client import ImdsClient
from lightinit.errors import MalformedError, ProvisioningError, TransientError
from lightinit.host.network.http import Response
from lightinit.retry import RetryPolicy
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import FakeTransport, Sent, middle, ok, status

COMPLETE = {
    "compute": {
        "name": "vm",
        "osProfile": {"adminUsername": "me", "disablePasswordAuthentication": "true"},
        "publicKeys": [{"keyData": "ssh-rsa A", "path": "/home/me/.ssh/authorized_keys"}],
    }
}
INCOMPLETE = {"compute": {"name": "vm"}}
WHOLE = ok(json.dumps(COMPLETE).encode())
PART = ok(json.dumps(INCOMPLETE).encode())


def client(transport: FakeTransport, clock: Any, **options: Any) -> ImdsClient:
    policy = RetryPolicy(first_s=1.0, factor=2.0, cap_s=8.0, jitter=0.25, deadline_s=100.0)
    return ImdsClient(
        transport,  # type: ignore[arg-type]
        clock,
        policy=policy,
        random=middle,
        **options,
    )


def versions_of(transport: FakeTransport) -> List[str]:
    return [sent.url.split("api-version=")[1].split("&")[0] for sent in transport.sent]


def refusing(known: List[str], listed: List[str]) -> Any:
    """A server that knows some api-versions and lists some."""

    def answer(sent: Sent) -> Response:
        if any("api-version=" + version in sent.url for version in known):
            return WHOLE
        return status(
            400, body=json.dumps({"error": "Bad request", "newest-versions": listed}).encode()
        )

    return answer


def test_the_request() -> None:
    transport, clock = FakeTransport(WHOLE), ScriptedClock()
    fetched = client(transport, clock).fetch_document()
    assert (fetched.document, fetched.api_version, fetched.missing) == (COMPLETE, "2023-11-15", ())
    assert transport.sent == [
        Sent(
            "GET",
            "http://169.254.169.254/metadata/instance?api-version=2023-11-15&format=json",
            {"Metadata": "true"},
            None,
            10.0,
            True,
        )
    ]
    assert clock.sleeps == []


def test_another_endpoint() -> None:
    transport = FakeTransport(WHOLE)
    client(transport, ScriptedClock(), endpoint="127.0.0.1:8080").fetch_document()
    assert transport.sent[0].url.startswith("http://127.0.0.1:8080/metadata/instance?")


@pytest.mark.parametrize(
    "passing",
    [
        status(404),
        status(408),
        status(410),
        status(429),
        status(500),
        status(503),
        status(599),
        TransientError("connection refused"),
        MalformedError("answer is a redirect"),
        ok(b"<html>"),
        ok(b'{"compute": 1}'),
        status(204),
        status(202),
        status(206),
        status(102),
        status(103),
    ],
    ids=str,
)
def test_what_passes_is_tried_again(passing: Any) -> None:
    transport, clock = FakeTransport(passing, passing, WHOLE), ScriptedClock()
    assert client(transport, clock).fetch_document().document == COMPLETE
    assert clock.sleeps == [1.0, 2.0]


@pytest.mark.parametrize("code", [401, 403, 405, 418])
def test_what_is_final(code: int) -> None:
    transport, clock = FakeTransport(status(code), WHOLE), ScriptedClock()
    with pytest.raises(ProvisioningError) as caught:
        client(transport, clock).fetch_document()
    assert caught.value.reason == "imds refused the request"
    assert caught.value.details["status"] == str(code)
    assert len(transport.sent) == 1


def test_it_ends_at_the_deadline() -> None:
    transport, clock = FakeTransport(status(503)), ScriptedClock()
    with pytest.raises(ProvisioningError) as caught:
        client(transport, clock).fetch_document()
    assert caught.value.reason == "imds is not ready"
    assert 92.0 <= sum(clock.sleeps) < 100.0
    assert caught.value.details["attempts"] == str(len(transport.sent))


def test_html_for_ever_ends_long_before() -> None:
    transport, clock = FakeTransport(ok(b"<html>")), ScriptedClock()
    with pytest.raises(ProvisioningError, match="imds document is not json"):
        client(transport, clock).fetch_document()
    assert len(transport.sent) >= 5 and 45.0 <= sum(clock.sleeps) < 60.0


@pytest.mark.parametrize(
    "starting", [ok(b"<html>"), ok(b""), MalformedError("answer is a redirect")], ids=str
)
def test_what_stands_in_for_half_a_minute_is_waited_out(starting: Any) -> None:
    clock = ScriptedClock()
    transport = FakeTransport(lambda sent: WHOLE if clock.now_s >= 1030.0 else given(starting))
    assert client(transport, clock).fetch_document().document == COMPLETE
    assert len(transport.sent) > 5


def given(step: Any) -> Response:
    if isinstance(step, BaseException):
        raise step
    assert isinstance(step, Response)
    return step


def test_one_503_with_a_long_retry_after_leaves_a_last_attempt() -> None:
    transport, clock = FakeTransport(status(503, retry_after_s=3600.0), WHOLE), ScriptedClock()
    assert client(transport, clock).fetch_document().document == COMPLETE
    assert clock.sleeps == [95.0]


def test_odd_values_are_told() -> None:
    body = json.dumps(COMPLETE).encode().replace(b'"name": "vm"', b'"name": "vm", "load": NaN')
    fetched = client(FakeTransport(ok(body)), ScriptedClock()).fetch_document()
    assert fetched.warnings == (
        "imds field compute.load has an impossible number, which is ignored",
    )


def test_retry_after_is_honoured() -> None:
    transport, clock = FakeTransport(status(429, retry_after_s=17.0), WHOLE), ScriptedClock()
    client(transport, clock).fetch_document()
    assert clock.sleeps == [17.0]


@pytest.mark.parametrize(
    "known, listed, asked",
    [
        (["2021-08-01"], ["2021-08-01", "2021-05-01"], ["2023-11-15", "2021-08-01"]),
        (["2019-06-01"], ["2019-08-15", "2019-06-01"], ["2023-11-15", "2019-06-01"]),
        (["2019-06-01"], ["2020-01-01"], ["2023-11-15", "2021-08-01", "2019-06-01"]),
        (
            ["2020-10-01"],
            ["2020-06-01", "2020-10-01"],
            ["2023-11-15", "2021-08-01", "2019-06-01", "2020-10-01"],
        ),
        (["2030-01-01"], ["2030-01-01"], ["2023-11-15", "2021-08-01", "2019-06-01", "2030-01-01"]),
        (["2021-08-01"], [], ["2023-11-15", "2021-08-01"]),
    ],
)
def test_api_versions_fall_back(known: List[str], listed: List[str], asked: List[str]) -> None:
    transport, clock = FakeTransport(refusing(known, listed)), ScriptedClock()
    fetched = client(transport, clock).fetch_document()
    assert fetched.document == COMPLETE
    assert versions_of(transport) == asked and fetched.api_version == asked[-1]
    assert clock.sleeps == []


def test_a_version_without_osProfile_is_not_waited_for() -> None:
    old = {"compute": {"name": "vm", "publicKeys": COMPLETE["compute"]["publicKeys"]}}

    def answer(sent: Sent) -> Response:
        return ok(json.dumps(old).encode()) if "2019-06-01" in sent.url else status(400)

    transport, clock = FakeTransport(answer), ScriptedClock()
    assert client(transport, clock).fetch_document().missing == ()
    assert clock.sleeps == []


def test_the_version_that_worked_is_kept() -> None:
    transport = FakeTransport(refusing(["2021-08-01"], []))
    imds = client(transport, ScriptedClock())
    imds.fetch_document()
    imds.fetch_document()
    assert versions_of(transport) == ["2023-11-15", "2021-08-01", "2021-08-01"]


def test_400_with_a_version_that_is_listed_is_final() -> None:
    transport = FakeTransport(refusing([], ["2023-11-15"]))
    with pytest.raises(ProvisioningError, match="imds refused the request .*status=400"):
        client(transport, ScriptedClock()).fetch_document()
    assert len(transport.sent) == 1


def test_400_for_every_version_is_final() -> None:
    transport = FakeTransport(refusing([], ["2025-0%d-01" % month for month in range(1, 10)]))
    with pytest.raises(ProvisioningError, match="imds refused the request .*status=400"):
        client(transport, ScriptedClock()).fetch_document()
    assert versions_of(transport) == ["2023-11-15", "2021-08-01", "2019-06-01", "2025-09-01"]


def test_a_list_that_changes_with_each_answer_comes_to_an_end() -> None:
    def teasing(sent: Sent) -> Response:
        return status(400, body=b'{"newest-versions": ["2025-01-%02d"]}' % len(transport.sent))

    transport = FakeTransport(teasing)
    with pytest.raises(ProvisioningError, match="imds refused the request"):
        client(transport, ScriptedClock()).fetch_document()
    assert len(transport.sent) == 5


def test_an_incomplete_document_is_asked_for_anew() -> None:
    transport, clock = FakeTransport(PART, PART, WHOLE), ScriptedClock()
    fetched = client(transport, clock).fetch_document()
    assert (fetched.document, fetched.missing) == (COMPLETE, ())
    assert len(transport.sent) == 3
    assert clock.sleeps == [1.0, 2.0]


def test_a_document_that_stays_incomplete_is_taken_as_it_is() -> None:
    transport, clock = FakeTransport(PART), ScriptedClock()
    fetched = client(transport, clock, complete_timeout_s=30.0).fetch_document()
    assert fetched.document == INCOMPLETE
    assert fetched.missing == ("osProfile",)
    assert 20.0 < sum(clock.sleeps) < 30.0


@pytest.mark.parametrize(
    "later", [status(503), status(403), ok(b"<html>"), TransientError("connection reset")], ids=str
)
def test_a_document_in_hand_is_better_than_the_error_that_follows(later: Any) -> None:
    transport, clock = FakeTransport(PART, later), ScriptedClock()
    assert client(transport, clock).fetch_document().document == INCOMPLETE
    assert sum(clock.sleeps) < 30.0


def test_zero_seconds_for_completeness_means_none() -> None:
    transport, clock = FakeTransport(PART), ScriptedClock()
    assert client(transport, clock, complete_timeout_s=0.0).fetch_document().missing == (
        "osProfile",
    )
    assert len(transport.sent) == 1 and clock.sleeps == []


def test_one_request_never_outlives_the_deadline() -> None:
    clock = ScriptedClock()

    def slow(sent: Sent) -> Response:
        clock.now_s += 40.0
        return status(503)

    transport = FakeTransport(slow)
    with pytest.raises(ProvisioningError):
        client(transport, clock, request_timeout_s=50.0).fetch_document()
    assert [sent.timeout_s for sent in transport.sent] == [50.0, 50.0, 17.0]


def test_a_single_value() -> None:
    transport = FakeTransport(status(404), status(400), ok(b"13f56399-bd52\n"))
    assert client(transport, ScriptedClock()).fetch_text("compute/vmId") == "13f56399-bd52"
    assert transport.sent[-1].url == (
        "http://169.254.169.254/metadata/instance/compute/vmId?api-version=2021-08-01&format=text"
    )


POOL_URL = (
    "http://169.254.169.254/metadata/instance?api-version=2021-08-01&extended=true&format=json"
)


def pool(kind: Any) -> Response:
    """The document with its extended part."""
    return ok(json.dumps(dict(COMPLETE, extended={"compute": {"ppsType": kind}})).encode())


def test_the_pool_is_asked_for_once_where_the_extended_part_is_there_or_is_not_known() -> None:
    for answer, kind in (
        (pool("Savable"), "Savable"),
        (pool("None"), ""),
        (WHOLE, ""),
        (status(400), ""),
    ):
        transport, clock = FakeTransport(answer), ScriptedClock()
        assert client(transport, clock).fetch_pool_type() == kind
        assert transport.sent == [Sent("GET", POOL_URL, {"Metadata": "true"}, None, 3.0, True)]
        assert clock.sleeps == []


@pytest.mark.parametrize(
    "passing",
    [
        status(404),
        status(410),
        status(429, retry_after_s=1.5),
        status(500),
        ok(b"<html>"),
        TransientError("request timed out"),
        MalformedError("answer is a redirect"),
    ],
    ids=str,
)
def test_an_extended_part_that_is_not_complete_yet_is_no_no(passing: Any, caplog: Any) -> None:
    transport, clock = FakeTransport(passing, passing, pool("Running")), ScriptedClock()
    assert client(transport, clock).fetch_pool_type() == "Running"
    assert len(transport.sent) == 3 and 3.0 <= sum(clock.sleeps) < 5.0
    caplog.set_level("INFO")
    transport, clock = FakeTransport(passing), ScriptedClock()
    assert client(transport, clock).fetch_pool_type() == ""
    assert len(transport.sent) > 3 and 4.0 < sum(clock.sleeps) < 5.0, (
        "Ready does not wait for it for ever"
    )
    assert "does not say whether this VM is preprovisioned" in caplog.text


def test_an_extended_part_that_hangs_costs_no_more_than_one_that_fails() -> None:
    clock = ScriptedClock()

    def hang(sent: Sent) -> Response:
        clock.now_s += sent.timeout_s
        raise TransientError("request timed out")

    assert client(FakeTransport(hang), clock).fetch_pool_type() == ""
    assert clock.now_s <= 1005.5


def test_the_pool_is_not_insisted_on_where_it_is_refused_or_imds_is_down() -> None:
    for answer, insist in (
        (status(403), True),
        (status(500), False),
        (TransientError("connection refused"), False),
    ):
        transport, clock = FakeTransport(answer, pool("Running")), ScriptedClock()
        assert client(transport, clock).fetch_pool_type(insist) == ""
        assert len(transport.sent) == 1 and clock.sleeps == []
