"""The IMDS client, over a transport that answers from a list and a clock that moves only in
sleep().
"""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

from lightinit.datasources.azure.imds_client import ImdsClient
from lightinit.errors import MalformedError, ProvisioningError, TransientError
from lightinit.host.network.http import Response
from lightinit.retry import RetryPolicy
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import FakeTransport, Sent, middle, ok, status

COMPLETE: Dict[str, Any] = {
    "compute": {
        "name": "vm",
        "osProfile": {"adminUsername": "me", "disablePasswordAuthentication": "true"},
        "publicKeys": [{"keyData": "ssh-rsa A", "path": "/home/me/.ssh/authorized_keys"}],
    }
}
INCOMPLETE = {"compute": {"name": "vm"}}
EXTENDED: Dict[str, Any] = dict(
    COMPLETE, extended={"compute": {"hasCustomData": False, "ppsType": "None"}}
)
WHOLE = ok(json.dumps(COMPLETE).encode())
PART = ok(json.dumps(INCOMPLETE).encode())
EXTENDED_WHOLE = ok(json.dumps(EXTENDED).encode())
TOLD = "imds gave no extended document, only the plain one"


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
            if "extended" in sent.url:
                return EXTENDED_WHOLE
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
            "http://169.254.169.254/metadata/instance"
            "?api-version=2023-11-15&extended=true&format=json",
            {"Metadata": "true"},
            None,
            30.0,
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
        status(403, 0.5),  # it says when to come back
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
    transport, clock = FakeTransport(status(code)), ScriptedClock()
    with pytest.raises(ProvisioningError) as caught:
        client(transport, clock).fetch_document()
    assert caught.value.reason == "imds refused the request"
    assert caught.value.details["status"] == str(code)
    assert ["extended" in sent.url for sent in transport.sent] == [True, False]
    assert clock.sleeps == []


def test_it_ends_at_the_deadline() -> None:
    transport, clock = FakeTransport(status(503)), ScriptedClock()
    with pytest.raises(ProvisioningError) as caught:
        client(transport, clock).fetch_document()
    assert caught.value.reason == "imds is not ready"
    extended = [sent for sent in transport.sent if "extended" in sent.url]
    assert 92.0 <= sum(clock.sleeps[: len(extended) - 1]) < 100.0
    assert caught.value.details["attempts"] == str(len(extended))
    assert 1 < len(transport.sent) - len(extended) < 10, "and the plain one, for a fifth of it"


def test_html_for_ever_ends_long_before() -> None:
    transport, clock = FakeTransport(ok(b"<html>")), ScriptedClock()
    with pytest.raises(ProvisioningError, match="imds document is not json"):
        client(transport, clock).fetch_document()
    assert len(transport.sent) >= 5 and 45.0 <= sum(clock.sleeps) < 80.0


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
    assert clock.sleeps == [17.0 + 8.0 / 2]  # at random up to the longest pause more


@pytest.mark.parametrize(
    "known, listed, asked",
    [
        (["2021-08-01"], ["2021-08-01", "2021-05-01"], ["2023-11-15+", "2021-08-01+"]),
        (["2021-08-01"], [], ["2023-11-15+", "2021-08-01+"]),
        (["2030-01-01"], ["2030-01-01"], ["2023-11-15+", "2021-08-01+", "2030-01-01+"]),
        (["2019-06-01"], ["2019-08-15", "2019-06-01"], ["2023-11-15+", "2019-06-01"]),
        (
            ["2019-06-01"],
            ["2020-01-01"],
            ["2023-11-15+", "2023-11-15", "2021-08-01", "2019-06-01"],
        ),
        (
            ["2020-10-01"],
            ["2020-06-01", "2020-10-01"],
            ["2023-11-15+", "2023-11-15", "2021-08-01", "2019-06-01", "2020-10-01"],
        ),
    ],
)
def test_api_versions_fall_back(known: List[str], listed: List[str], asked: List[str]) -> None:
    transport, clock = FakeTransport(refusing(known, listed)), ScriptedClock()
    fetched = client(transport, clock).fetch_document()
    assert fetched.document["compute"] == COMPLETE["compute"] and fetched.warnings == ()
    shown = [
        version + "+" * ("extended=true" in sent.url)
        for version, sent in zip(versions_of(transport), transport.sent)
    ]
    assert shown == asked and fetched.api_version == asked[-1].rstrip("+")
    assert clock.sleeps == []


def test_an_imds_that_knows_the_version_and_not_the_parameter() -> None:
    def answer(sent: Sent) -> Response:
        return status(400) if "extended" in sent.url else WHOLE

    transport, clock = FakeTransport(answer), ScriptedClock()
    imds = client(transport, clock)
    assert imds.fetch_document().document == COMPLETE and clock.sleeps == []
    assert versions_of(transport) == ["2023-11-15", "2021-08-01", "2023-11-15"]
    imds.fetch_document()
    assert versions_of(transport)[3:] == ["2023-11-15"], "it is not asked again"


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
    assert len(transport.sent) == 2


def test_400_for_every_version_is_final() -> None:
    transport = FakeTransport(refusing([], ["2025-0%d-01" % month for month in range(1, 10)]))
    with pytest.raises(ProvisioningError, match="imds refused the request .*status=400"):
        client(transport, ScriptedClock()).fetch_document()
    assert len(transport.sent) <= 10


def test_a_list_that_changes_with_each_answer_comes_to_an_end() -> None:
    def teasing(sent: Sent) -> Response:
        return status(400, body=b'{"newest-versions": ["2025-01-%02d"]}' % len(transport.sent))

    transport = FakeTransport(teasing)
    with pytest.raises(ProvisioningError, match="imds refused the request"):
        client(transport, ScriptedClock()).fetch_document()
    assert len(transport.sent) <= 10


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


@pytest.mark.parametrize("lacking", [{}, {"compute": {}}, INCOMPLETE, {"extended": None}], ids=str)
@pytest.mark.parametrize("plain_is_pools", [False, True])
def test_the_plain_document_may_have_more(lacking: Any, plain_is_pools: bool) -> None:
    """P1: an answer of 200 to extended=true that lacks almost everything. After a pool the plain
    document is not believed if it describes the pool.
    """
    body = ok(json.dumps(lacking).encode())
    transport = FakeTransport(lambda sent: body if "extended" in sent.url else WHOLE)
    fetched = client(transport, ScriptedClock()).fetch_document(
        is_stale=lambda document: plain_is_pools and document == COMPLETE
    )
    if plain_is_pools:
        assert fetched.document == lacking and fetched.missing
    else:
        assert (fetched.document, fetched.missing) == (COMPLETE, ())
        assert "lacks what the plain one has" in fetched.warnings[-1]
    assert ["extended" in sent.url for sent in transport.sent].count(False) == 1


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


@pytest.mark.parametrize(
    "not_yet",
    [
        status(500),
        status(404),
        status(410),
        status(429, retry_after_s=5.0),
        status(503),
        TransientError("request timed out"),
        MalformedError("answer is a redirect"),
    ],
    ids=str,
)
def test_the_extended_document_is_insisted_on(not_yet: Any) -> None:
    """P1: Azure/azure-init#134. The plain document would come at once, without keys and data."""
    clock = ScriptedClock()

    def answer(sent: Sent) -> Response:
        if "extended" not in sent.url:
            return PART
        return EXTENDED_WHOLE if clock.now_s >= 1045.0 else given(not_yet)

    transport = FakeTransport(answer)
    fetched = client(transport, clock).fetch_document()
    assert fetched.document == EXTENDED and fetched.warnings == fetched.missing == ()
    assert all("extended" in sent.url for sent in transport.sent)


@pytest.mark.parametrize(
    "never",
    [status(500), status(403), TransientError("request timed out"), ok(b"<html>")],
    ids=str,
)
def test_the_plain_document_is_the_last_resort_and_is_told(never: Any) -> None:
    """P1: with the plain document nobody is worse off than before, but for the waiting."""
    clock = ScriptedClock()
    transport = FakeTransport(lambda sent: given(never) if "extended" in sent.url else PART)
    fetched = client(transport, clock).fetch_document()
    assert fetched.document == INCOMPLETE and fetched.missing == ("osProfile",)
    assert [warning for warning in fetched.warnings if warning.startswith(TOLD)]
    assert ["extended" in sent.url for sent in transport.sent].count(False) == 1


def test_with_enough_media_the_plain_document_comes_sooner() -> None:
    transport, clock = (
        FakeTransport(lambda sent: status(500) if "extended" in sent.url else WHOLE),
        ScriptedClock(),
    )
    fetched = client(transport, clock).fetch_document(lambda: True, 30.0)
    assert fetched.document == COMPLETE and 29.0 < sum(clock.sleeps) < 45.0


@pytest.mark.parametrize("profile", [None, {}])
def test_a_vm_from_a_specialized_disk_is_known_at_once(profile: Any) -> None:
    """P10: Azure/WALinuxAgent#754, #506. It never gets an osProfile."""
    document = {
        "compute": {"name": "vm", "osProfile": profile, "publicKeys": []},
        "extended": {"compute": {"ppsType": "None"}},
    }
    transport, clock = FakeTransport(ok(json.dumps(document).encode())), ScriptedClock()
    fetched = client(transport, clock).fetch_document()
    assert (fetched.document, fetched.missing) == (document, ("osProfile",))
    assert (len(transport.sent), clock.sleeps, fetched.warnings) == (1, [], ())


def test_no_firewall_is_suspected_where_imds_has_answered(caplog: Any) -> None:
    """P10: an incomplete document is no sign of a firewall."""
    caplog.set_level("INFO")
    client(FakeTransport(PART), ScriptedClock()).fetch_document()
    assert "using the imds document as it is" in caplog.text and "firewall" not in caplog.text


@pytest.mark.parametrize(
    "document, part",
    [
        (dict(EXTENDED, compute=dict(EXTENDED["compute"], publicKeys=[])), "ssh keys while"),
        (
            dict(EXTENDED, compute=dict(EXTENDED["compute"], osProfile=None)),
            "osProfile",
        ),
        (
            dict(EXTENDED, compute=dict(EXTENDED["compute"], osProfile={"computerName": "c"})),
            "adminUsername",
        ),
    ],
)
def test_an_extended_document_that_contradicts_itself_is_waited_for(
    document: Any, part: str
) -> None:
    contradicting = ok(json.dumps(document).encode())
    transport, clock = FakeTransport(contradicting, contradicting, EXTENDED_WHOLE), ScriptedClock()
    assert client(transport, clock).fetch_document().document == EXTENDED
    assert clock.sleeps == [1.0, 2.0]
    fetched = client(FakeTransport(contradicting), ScriptedClock()).fetch_document()
    assert fetched.document == document and part in fetched.missing[0]


def is_pools(document: Any) -> bool:
    return bool(document["extended"]["compute"]["ppsType"] != "None")


@pytest.mark.parametrize("enough, longest_s", [(True, 30.0), (False, 100.0)])
def test_a_document_that_still_describes_the_pool_is_asked_for_anew(
    enough: bool, longest_s: float
) -> None:
    """P2: canonical/cloud-init#4596."""
    transport, clock = (
        FakeTransport(pool("Running"), pool("Running"), pool("None")),
        ScriptedClock(),
    )
    fetched = client(transport, clock).fetch_document(lambda: enough, 30.0, is_pools)
    assert not fetched.is_stale and clock.sleeps == [1.0, 2.0]
    clock = ScriptedClock()
    fetched = client(FakeTransport(pool("Running")), clock).fetch_document(
        lambda: enough, 30.0, is_pools
    )
    assert fetched.is_stale and longest_s * 0.8 < sum(clock.sleeps) < longest_s


def test_an_imds_whose_answers_take_12_seconds() -> None:
    """P4: canonical/cloud-init#1571, #4372. One attempt waits long enough, and there is time for
    several.
    """
    clock = ScriptedClock()

    def slow(sent: Sent) -> Response:
        clock.now_s += min(12.0, sent.timeout_s)
        if sent.timeout_s < 12.0:
            raise TransientError("request timed out")
        return status(500) if len(transport.sent) < 4 else EXTENDED_WHOLE

    transport = FakeTransport(slow)
    assert client(transport, clock).fetch_document().document == EXTENDED
    assert len(transport.sent) == 4


def test_a_hanging_request_leaves_a_second_attempt_where_the_media_are_enough() -> None:
    clock = ScriptedClock()

    def hangs_once(sent: Sent) -> Response:
        if len(transport.sent) > 1:
            return EXTENDED_WHOLE
        clock.now_s += sent.timeout_s
        raise TransientError("request timed out")

    transport = FakeTransport(hangs_once)
    fetched = client(transport, clock).fetch_document(lambda: True, 30.0)
    assert fetched.document == EXTENDED and len(transport.sent) == 2


def test_one_request_never_outlives_the_deadline() -> None:
    clock = ScriptedClock()

    def slow(sent: Sent) -> Response:
        clock.now_s += 40.0
        return status(503)

    transport = FakeTransport(slow)
    with pytest.raises(ProvisioningError):
        client(transport, clock, request_timeout_s=50.0).fetch_document()
    assert [sent.timeout_s for sent in transport.sent if "extended" in sent.url] == [
        50.0,
        50.0,
        17.0,
    ]


def test_a_single_value() -> None:
    transport = FakeTransport(status(404), status(400), ok(b"13f56399-bd52\n"))
    assert client(transport, ScriptedClock()).fetch_text("compute/vmId") == "13f56399-bd52"
    assert transport.sent[-1].url == (
        "http://169.254.169.254/metadata/instance/compute/vmId?api-version=2021-08-01&format=text"
    )


def pool(kind: Any) -> Response:
    """The document with its extended part."""
    return ok(json.dumps(dict(COMPLETE, extended={"compute": {"ppsType": kind}})).encode())


WITH_ID: Dict[str, Any] = dict(EXTENDED, compute=dict(COMPLETE["compute"], vmId="the-id"))


def test_the_document_that_has_the_id_is_not_asked_for_again() -> None:
    transport = FakeTransport(ok(json.dumps(WITH_ID).encode()), PART)
    imds = client(transport, ScriptedClock())
    assert imds.fetch_vm_id() == "the-id"
    assert imds.fetch_document().document == WITH_ID and len(transport.sent) == 1
    imds.fetch_document(lambda: True)
    assert len(transport.sent) == 2, "the next one is a new one"


@pytest.mark.parametrize(
    "early",
    [status(500), ok(b"<html>"), TransientError("request timed out"), EXTENDED_WHOLE, status(403)],
    ids=str,
)
def test_where_the_document_does_not_have_the_id_the_value_is_asked_for(early: Any) -> None:
    """The value may come earlier than the extended document."""
    transport = FakeTransport(early, ok(b"the-id"), EXTENDED_WHOLE)
    imds = client(transport, ScriptedClock())
    assert imds.fetch_vm_id() == "the-id"
    assert "/compute/vmId?" in transport.sent[1].url and transport.sent[0].timeout_s <= 5.0
    assert imds.fetch_document().document == EXTENDED
