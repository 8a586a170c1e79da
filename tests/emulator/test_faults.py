"""Every kind of fault, seen from the client's end of the wire."""

from __future__ import annotations

import email.utils
import http.client
import json
import socket
import threading
import time
from typing import Any
from xml.etree import ElementTree

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.wire.faults import KEYS
from lightinit.emulator.wire.rate_limit import RateLimit
from lightinit.emulator.wire.sequence import Sequence
from tests.emulator.wire import (
    GOAL_STATE,
    INSTANCE,
    METADATA,
    ask,
    exchange_raw,
    get_goal_state,
    get_instance,
    post_report,
    write_details,
    write_report,
)
from tests.lib.netns import wait_until


def play(**parts: Any) -> Platform:
    """Return a platform that plays these sequences."""
    return Platform(dict({"name": "test", "description": "A test."}, **parts))


def write_request(platform: Platform) -> bytes:
    """Write a proper request for the goal state."""
    lines = [
        "GET %s HTTP/1.1" % GOAL_STATE,
        "Host: " + platform.wireserver,
        "x-ms-version: 2012-11-30",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_status_body_and_headers_then_good() -> None:
    step = {
        "status": 503,
        "body": "busy",
        "headers": {"X-Note": "a"},
        "retry_after_s": 3,
        "repeat": 2,
    }
    with play(goalstate=[step]) as platform:
        for _ in range(2):
            reply = get_goal_state(platform)
            assert (reply.status, reply.body) == (503, b"busy")
            assert (reply.headers["x-note"], reply.headers["retry-after"]) == ("a", "3")
        assert get_goal_state(platform).status == 200
        records = platform.requests
        assert [record["status"] for record in records] == [503, 503, 200]
        assert [record["verdict"] for record in records] == ["faulted", "faulted", "answered"]
        assert [record["fault"] for record in records] == [step, step, None]


def test_sequences_of_endpoints_are_apart() -> None:
    steps = [{"status": status} for status in (500, 502, 504)]
    with play(goalstate=steps[:1], imds=[{}, steps[1]], versions=steps[2:]) as platform:
        assert get_instance(platform).status == 200
        assert get_goal_state(platform).status == 500
        assert get_instance(platform).status == 502
        assert post_report(platform).status == 200
        assert ask(platform.wireserver, "GET", "/?comp=versions").status == 504


def test_reports_of_progress_have_a_sequence_of_their_own() -> None:
    with play(
        progress=[{"status": 500}, {"advance_incarnation": 1}], health=[{"status": 503}]
    ) as platform:
        progress = write_report(platform, "NotReady", write_details("Provisioning"))
        assert [post_report(platform, progress).status for _ in range(3)] == [500, 410, 410]
        failed = write_report(platform, "NotReady", write_details("ProvisioningFailed"))
        assert [post_report(platform, failed).status for _ in range(2)] == [503, 200]
        assert (
            post_report(
                platform, write_report(platform, "NotReady", write_details("Provisioning"))
            ).status
            == 200
        )
        assert [report["accepted"] for report in platform.health_reports] == [
            False,
            False,
            True,
            True,
        ]
        assert [report["substatus"] for report in platform.final_reports] == ["ProvisioningFailed"]
        # Only NotReady tells of progress: a Ready that says so is a Ready.
        assert (
            post_report(
                platform, write_report(platform, "Ready", write_details("Provisioning"))
            ).status
            == 200
        )
        assert [report["state"] for report in platform.final_reports] == ["NotReady", "Ready"]


def test_forever() -> None:
    with play(imds=[{"status": 500, "repeat": "forever"}]) as platform:
        assert {get_instance(platform).status for _ in range(5)} == {500}


def test_an_answer_is_held_until_something_else_is_asked() -> None:
    with play(imds=[{"waits_for": "goalstate"}], goalstate=[{"waits_for": "imds"}]) as platform:
        threads = [
            threading.Thread(target=each, args=(platform,))
            for each in (get_instance, get_goal_state)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one["status"] for one in platform.requests] == [200, 200]
        first, second = sorted(platform.requests, key=lambda one: int(one["came"]))
        assert first["opened"] < first["came"] < second["came"]
        assert second["came"] < min(first["answered"], second["answered"])
        assert platform.round_trips == [2, 2]
        post_report(platform)
        assert platform.round_trips == [2, 2, 4], "a connection, and the answer"
        host, port = platform.wireserver.split(":")
        socket.create_connection((host, int(port))).close()
        assert platform.wait_for(lambda it: len(it.connections) == 4)
    assert [one["server"] for one in platform.connections].count("imds") == 1


def test_retry_after_as_a_date() -> None:
    with play(goalstate=[{"status": 429, "retry_after_date_s": 60}]) as platform:
        value = get_goal_state(platform).headers["retry-after"]
        assert value.endswith(" GMT")
        assert 0 < email.utils.parsedate_to_datetime(value).timestamp() - time.time() <= 60


def test_bodies_may_be_anything() -> None:
    html = {"body": "<html>{imds}</html>", "headers": {"Content-Type": "text/html"}}
    steps = [html, {"body_base64": "AP8B"}]
    with play(imds=steps) as platform:
        reply = get_instance(platform)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html")
        assert reply.body.decode() == "<html>%s</html>" % platform.imds
        assert get_instance(platform).body == b"\x00\xff\x01"


def test_redirect_names_the_other_server_and_keeps_no_request_from_the_log() -> None:
    with play(imds=[{"redirect": "http://{wireserver}/elsewhere"}]) as platform:
        reply = get_instance(platform)
        assert (reply.status, reply.headers["location"]) == (
            302,
            "http://%s/elsewhere" % platform.wireserver,
        )
        assert ask(platform.wireserver, "GET", "/elsewhere").status == 404
        assert platform.requests[-1]["path"] == "/elsewhere"


def test_delay() -> None:
    with play(goalstate=[{"delay_s": 0.15}]) as platform:
        started_s = time.monotonic()
        assert get_goal_state(platform).status == 200
        assert time.monotonic() - started_s >= 0.15
        assert platform.requests[0]["duration_s"] >= 0.15


def test_hang_ends_when_the_client_leaves() -> None:
    with play(goalstate=[{"hang_s": 3600}]) as platform:
        with pytest.raises(socket.timeout):
            get_goal_state(platform, timeout_s=0.1)
        assert platform.wait_for(lambda it: it.requests and it.in_flight == 0, 60)
        assert platform.requests[0]["status"] is None
        assert platform.requests[0]["duration_s"] < 600
        assert get_goal_state(platform).status == 200


def test_hang_ends_with_a_close() -> None:
    with play(goalstate=[{"hang_s": 0.1}]) as platform:
        assert exchange_raw(platform.wireserver, write_request(platform)) == b""


def test_reset_is_an_rst() -> None:
    with play(goalstate=[{"reset": True}]) as platform:
        with pytest.raises(ConnectionResetError):
            exchange_raw(platform.wireserver, write_request(platform))
        assert get_goal_state(platform).status == 200


def test_close_is_a_fin() -> None:
    with play(goalstate=[{"close": True}]) as platform:
        assert exchange_raw(platform.wireserver, write_request(platform)) == b""
        assert get_goal_state(platform).status == 200


def test_truncate_announces_more_than_it_sends() -> None:
    with play(imds=[{"truncate": 100}]) as platform:
        with pytest.raises(http.client.IncompleteRead) as caught:
            get_instance(platform)
        assert (len(caught.value.partial), (caught.value.expected or 0) > 1000) == (100, True)


def test_drip_covers_the_head() -> None:
    with play(goalstate=[{"drip_s": 0.02}]) as platform:
        host, port = platform.wireserver.split(":")
        with socket.create_connection((host, int(port)), 60) as sock:
            started_s = time.monotonic()
            sock.sendall(write_request(platform))
            assert b"".join(sock.recv(1) for _ in range(5)) == b"HTTP/"
            assert time.monotonic() - started_s >= 0.08


def test_endless_has_no_length_and_stops_at_its_cap() -> None:
    with play(imds=[{"endless_mb": 1}, {"endless_mb": 500}]) as platform:
        reply = get_instance(platform)
        assert "content-length" not in reply.headers
        assert 1 << 20 <= len(reply.body) < 1200000
        host, port = platform.imds.split(":")
        with socket.create_connection((host, int(port)), 60) as sock:
            sock.sendall(
                (
                    "GET %s HTTP/1.1\r\nHost: %s\r\nMetadata: true\r\n\r\n"
                    % (INSTANCE, platform.imds)
                ).encode()
            )
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")
        assert platform.wait_for(lambda it: it.in_flight == 0, 60)


def test_throttle_is_about_the_time_between_requests() -> None:
    now_s = [0.0]
    sequence = Sequence([{"throttle_s": 1, "repeat": "forever"}], clock=lambda: now_s[0])
    statuses = []
    for now_s[0] in (0.0, 0.5, 1.2, 2.2, 2.3):
        statuses.append((sequence.take() or {}).get("status", 200))
    # It recovers while refused requests go on.
    assert statuses == [200, 429, 200, 200, 429]


def test_throttle_on_the_wire() -> None:
    with play(goalstate=[{"throttle_s": 600, "retry_after_s": 5, "repeat": "forever"}]) as platform:
        assert get_goal_state(platform).status == 200
        reply = get_goal_state(platform)
        assert (reply.status, reply.headers["retry-after"]) == (429, "5")


def test_a_rate_limit_recovers_while_refused_requests_go_on() -> None:
    now_s = [0.0]
    limit = RateLimit({"per_s": 2, "burst": 3, "retry_after_s": 7}, clock=lambda: now_s[0])
    taken = []
    for now_s[0] in [0.0] * 5 + [0.1 * tenth for tenth in range(1, 21)]:
        taken.append(not limit.refuse())
    assert taken[:5] == [True] * 3 + [False] * 2
    assert sum(taken[5:]) == 4, "two a second"
    assert limit.refuse() == {"status": 429, "retry_after_s": 7}
    now_s[0] = 100.0
    assert [bool(limit.refuse()) for _ in range(4)] == [False] * 3 + [True]


def test_a_rate_limit_on_the_wire() -> None:
    limit = {"wireserver": {"per_s": 0.001, "burst": 2, "retry_after_s": 9}}
    with play(rate_limit=limit, goalstate=[{"status": 500}]) as platform:
        assert [get_goal_state(platform).status, post_report(platform).status] == [500, 200]
        reply = get_goal_state(platform)
        assert (reply.status, reply.headers["retry-after"]) == (429, "9")
        assert platform.requests[-1]["fault"] == {"status": 429, "retry_after_s": 9}
        assert get_instance(platform).status == 200, "each server has its own"


def test_a_connection_too_many_is_told_so() -> None:
    with Platform(most_connections=2) as platform:
        host, port = platform.wireserver.split(":")
        kept = [socket.create_connection((host, int(port))) for _ in range(2)]
        assert platform.wait_for(lambda it: len(it.connections) == 2)
        reply = get_goal_state(platform)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.body == b"2 connections are open; that is the limit\n"
        assert platform.requests[-1]["status"] == 503
        assert get_instance(platform).status == 200
        for each in kept:
            each.close()
        wait_until(lambda: get_goal_state(platform).status == 200, 60, "it stays full")


def test_imds_omit_and_set_then_whole() -> None:
    changes = {"compute.publicKeys": [], "compute.tags": 5, "network": None}
    step = {"omit": ["compute.osProfile"], "set": changes}
    with play(imds=[step]) as platform:
        document = json.loads(get_instance(platform).body)
        assert "osProfile" not in document["compute"]
        assert (document["compute"]["publicKeys"], document["compute"]["tags"]) == ([], 5)
        assert document["network"] is None
        assert "osProfile" in json.loads(get_instance(platform).body)["compute"]


def test_a_document_fault_waits_for_who_gets_the_document() -> None:
    with play(imds=[{"omit": ["compute.name"], "repeat": 2}]) as platform:
        assert get_instance(platform, "/metadata/instance?api-version=2030-01-01").status == 400
        assert "name" not in json.loads(get_instance(platform).body)["compute"]
        leaf = "/metadata/instance/compute/name?api-version=2019-06-01&format=text"
        assert get_instance(platform, leaf).status == 404
        assert get_instance(platform, leaf).status == 200


def test_goal_state_omit_and_set() -> None:
    steps = [
        {"omit": ["Container.RoleInstanceList.RoleInstance"], "set": {"Incarnation": "x"}},
        {"set": {"Container.ContainerId": None}},
    ]
    with play(goalstate=steps) as platform:
        root = ElementTree.fromstring(get_goal_state(platform).body)
        assert root.find("Container/RoleInstanceList/RoleInstance") is None
        assert root.findtext("Incarnation") == "x"
        root = ElementTree.fromstring(get_goal_state(platform).body)
        assert root.findtext("Container/ContainerId") == ""


def test_goal_state_forms() -> None:
    names = ["bom", "crlf", "dtd", "entity-bomb", "external-entity"]
    with play(
        goalstate=[{"variant": ["bom", "crlf"]}] + [{"variant": name} for name in names]
    ) as platform:
        both, bom, crlf, dtd, bomb, outside = [get_goal_state(platform).body for _ in range(6)]
    assert both.startswith(b"\xef\xbb\xbf<?xml") and b"?>\r\n<GoalState" in both
    assert bom.startswith(b"\xef\xbb\xbf") and b"\r" not in bom
    assert b"\r\n" in crlf and crlf.count(b"\n") == crlf.count(b"\r\n")
    assert (
        b"<!DOCTYPE GoalState [\n<!ELEMENT" in dtd
        and ElementTree.fromstring(dtd).tag == "GoalState"
    )
    assert bomb.count(b"<!ENTITY") == 10 and b"<ExpectedState>&e9;</ExpectedState>" in bomb
    assert b'SYSTEM "file:///etc/hostname"' in outside and b">&outside;<" in outside


def test_huge_documents_are_well_formed_and_huge() -> None:
    with play(goalstate=[{"variant": "huge"}], imds=[{"variant": "huge"}]) as platform:
        body = get_goal_state(platform).body
        assert len(body) > 50000000
        assert body.endswith(b" --></GoalState>") and b"x -->" in body[65536:140000]
        body = get_instance(platform).body
        assert len(body) > 50000000
        assert body.lstrip(b"{ ").startswith(b'"compute"')


def test_imds_deep_and_bom() -> None:
    with play(imds=[{"variant": "deep"}, {"variant": "bom"}]) as platform:
        assert get_instance(platform).body.count(b"[") == 100000
        body = get_instance(platform).body
        assert body.startswith(b"\xef\xbb\xbf") and json.loads(body.decode("utf-8-sig"))["compute"]


def test_incarnation_moves_after_a_goal_state() -> None:
    with play(goalstate=[{"advance_incarnation": 2}]) as platform:
        body = write_report(platform)
        assert b"<Incarnation>1<" in get_goal_state(platform).body
        assert post_report(platform, body).status == 410
        assert b"<Incarnation>3<" in get_goal_state(platform).body
        assert post_report(platform).status == 200


def test_incarnation_moves_before_a_report_is_checked() -> None:
    with play(health=[{"advance_incarnation": 1}]) as platform:
        assert post_report(platform).status == 410
        assert post_report(platform).status == 200
        assert [report["accepted"] for report in platform.health_reports] == [False, True]


@pytest.mark.parametrize(
    "step", [{"reset": True}, {"close": True}, {"hang_s": 0.05}, {"status": 503}]
)
def test_processed_reports_count_although_their_answer_is_lost(step: dict) -> None:
    with play(health=[dict(step, processed=True), step]) as platform:
        for _ in range(2):
            try:
                assert post_report(platform).status == 503
            except (ConnectionError, http.client.HTTPException):
                pass
        assert platform.ready_count == 1


def test_listening_late_refuses_until_then() -> None:
    started_s = time.monotonic()
    with play(listen_after_s={"imds": 0.3, "wireserver": "forever"}) as platform:
        with pytest.raises(ConnectionRefusedError):
            get_goal_state(platform)
        while time.monotonic() < started_s + 60:
            try:
                assert get_instance(platform).status == 200
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        assert time.monotonic() - started_s >= 0.3
        with pytest.raises(ConnectionRefusedError):
            get_goal_state(platform)


def test_other_protocol_versions_only() -> None:
    with play(wireserver_versions=["2018-01-01"]) as platform:
        assert b"<Version>2018-01-01<" in ask(platform.wireserver, "GET", "/?comp=versions").body
        assert get_goal_state(platform).status == 400


def test_detours_use_up_no_step() -> None:
    with play(imds=[{"status": 500}]) as platform:
        assert ask(platform.imds, "GET", INSTANCE, dict(METADATA, Host="elsewhere")).status == 400
        assert get_instance(platform).status == 500


def test_every_key_is_played_here() -> None:
    """A new kind of fault must get a test: its name has to stand in this file."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    missing = [
        key
        for key in KEYS
        if '"%s"' % key not in text and "%s=" % key not in text and key != "note"
    ]
    assert missing == []
