"""The WireServer refuses what the platform refuses, and says why."""

from __future__ import annotations

from typing import Iterator
from xml.etree import ElementTree

import pytest

from lightinit.emulator import Platform
from tests.emulator.wire import (
    GOAL_STATE,
    HEALTH,
    REPORT,
    WIRE,
    ask,
    exchange_raw,
    get_goal_state,
    post_report,
    write_details,
    write_report,
)


@pytest.fixture(name="platform")
def make_platform() -> Iterator[Platform]:
    """Run a platform without faults."""
    with Platform() as platform:
        yield platform


@pytest.mark.parametrize("target", ["/machine?comp=goalstate", "/machine/?comp=goalstate"])
def test_goal_state_has_what_a_report_needs(platform: Platform, target: str) -> None:
    platform.set_incarnation(7)
    reply = ask(platform.wireserver, "GET", target, WIRE)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    root = ElementTree.fromstring(reply.body)
    role = root.find("Container/RoleInstanceList/RoleInstance")
    assert role is not None
    assert root.findtext("Incarnation") == "7"
    assert root.findtext("Container/ContainerId") == platform.machine.container_id
    assert role.findtext("InstanceId") == platform.machine.role_id
    url = role.findtext("Configuration/Certificates") or ""
    assert url.startswith("http://%s/machine/" % platform.wireserver)
    assert "%2D" in url and "%5F" in url and url.endswith("incarnation=7")


@pytest.mark.parametrize(
    "method, target, headers, status, reason",
    [
        ("GET", GOAL_STATE, {}, 400, "x-ms-version is missing"),
        ("GET", GOAL_STATE, {"x-ms-version": "2099-01-01"}, 400, "2099-01-01 is not supported"),
        ("POST", GOAL_STATE, WIRE, 405, "only GET"),
        ("GET", HEALTH, WIRE, 405, "only POST"),
        ("GET", "/machine?comp=other", WIRE, 400, "comp must be"),
        ("GET", "/elsewhere", WIRE, 404, "nothing at /elsewhere"),
        ("GET", GOAL_STATE, dict(WIRE, **{"X-Forwarded-For": "10.0.0.4"}), 400, "X-Forwarded-For"),
        ("GET", GOAL_STATE, dict(WIRE, Host="proxy.example"), 400, "Host is 'proxy.example'"),
        ("GET", "http://168.63.129.16/machine?comp=goalstate", WIRE, 400, "as for a proxy"),
    ],
)
def test_refuses_requests(
    platform: Platform, method: str, target: str, headers: dict, status: int, reason: str
) -> None:
    reply = ask(platform.wireserver, method, target, headers)
    assert reply.status == status
    assert reason in reply.body.decode()
    record = platform.requests[-1]
    assert (record["status"], record["verdict"]) == (status, "refused")
    assert reason in record["reason"]


@pytest.mark.parametrize("host", ["168.63.129.16", "168.63.129.16:80"])
def test_takes_the_well_known_host(platform: Platform, host: str) -> None:
    assert ask(platform.wireserver, "GET", GOAL_STATE, dict(WIRE, Host=host)).status == 200


def test_versions_needs_no_header(platform: Platform) -> None:
    reply = ask(platform.wireserver, "GET", "/?comp=versions")
    root = ElementTree.fromstring(reply.body)
    assert root.findtext("Preferred/Version")
    assert "2012-11-30" in [node.text for node in root.findall("Supported/Version")]


@pytest.mark.parametrize("target", ["/machine?comp=health", "/machine/?comp=health"])
def test_accepts_ready(platform: Platform, target: str) -> None:
    assert ask(platform.wireserver, "POST", target, REPORT, write_report(platform)).status == 200
    report = platform.health_reports[0]
    assert (report["accepted"], report["state"]) == (True, "Ready")
    assert (report["status"], report["reason"]) == (200, "")
    assert report["agent"] == "tester/1.0"
    assert platform.ready_count == 1


def test_accepts_not_ready_without_counting_it(platform: Platform) -> None:
    body = write_report(
        platform, "NotReady", write_details(description="result=error|reason=a &lt; b")
    )
    assert post_report(platform, body).status == 200
    report = platform.health_reports[0]
    assert (report["accepted"], report["substatus"]) == (True, "ProvisioningFailed")
    assert report["description"] == "result=error|reason=a < b"
    assert platform.ready_count == 0


@pytest.mark.parametrize(
    "name, value, status",
    [
        ("x-ms-version", None, 400),
        ("x-ms-version", "2011-01-01", 400),
        ("x-ms-agent-name", None, 400),
        ("Content-Type", None, 415),
        ("Content-Type", "text/xml", 415),
        ("Content-Type", "text/plain;charset=utf-8", 415),
        ("Content-Type", "text/xml; charset=latin-1", 415),
        ("Content-Type", 'text/xml; charset="UTF-8"', 200),
    ],
)
def test_health_headers(platform: Platform, name: str, value: str, status: int) -> None:
    headers = dict(REPORT)
    del headers[name]
    if value is not None:
        headers[name] = value
    assert post_report(platform, headers=headers).status == status
    assert platform.ready_count == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    "changes, status, reason",
    [
        ({"incarnation": "2"}, 410, "incarnation 2 is out of date; the current one is 1"),
        ({"incarnation": "01"}, 410, "out of date"),
        ({"incarnation": ""}, 400, "GoalStateIncarnation is missing or empty"),
        ({"container": "other"}, 400, "ContainerId is 'other'; this VM's"),
        ({"container": ""}, 400, "ContainerId is missing"),
        ({"role": "other"}, 400, "InstanceId is 'other'; this VM's"),
        ({"state": "Fine"}, 400, "State 'Fine' is neither"),
        ({"state": "NotReady"}, 400, "NotReady needs Details/SubStatus"),
        ({"state": "NotReady", "details": write_details("Broken")}, 400, "it is 'Broken'"),
        (
            {
                "state": "NotReady",
                "details": "<Details><SubStatus>Provisioning</SubStatus></Details>",
            },
            400,
            "needs Details/Description",
        ),
    ],
)
def test_refuses_reports(platform: Platform, changes: dict, status: int, reason: str) -> None:
    reply = post_report(platform, write_report(platform, **changes))
    assert reply.status == status
    assert reason in reply.body.decode()
    assert platform.health_reports[0]["accepted"] is False
    assert reason in platform.health_reports[0]["reason"]
    assert platform.ready_count == 0


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"", "not well-formed"),
        (b"<Health>", "not well-formed"),
        (b"<Health>\xff</Health>", "not well-formed"),
        (b"<Other/>", "root element is <Other>"),
        (b'<!DOCTYPE Health [<!ENTITY a "b">]><Health>&a;</Health>', "DTD"),
        (b'<?xml version="1.0" encoding="latin-1"?><Health/>', "another encoding"),
        (
            b"<Health><GoalStateIncarnation>1</GoalStateIncarnation>"
            b"<GoalStateIncarnation>1</GoalStateIncarnation>"
            b"</Health>",
            "GoalStateIncarnation occurs 2 times",
        ),
    ],
)
def test_refuses_what_is_no_report(platform: Platform, body: bytes, reason: str) -> None:
    reply = post_report(platform, body)
    assert reply.status == 400
    assert reason in reply.body.decode()


@pytest.mark.parametrize(
    "text, status",
    [
        ("x" * 4096, 200),
        ("x" * 4097, 500),
        ("&lt;" * 1024, 200),
        ("&lt;" * 1025, 500),
        ("\u00e9" * 2048, 200),
        ("\u00e9" * 2049, 500),
    ],
)
def test_description_is_measured_escaped_in_bytes(
    platform: Platform, text: str, status: int
) -> None:
    body = write_report(platform, "NotReady", write_details(description=text))
    for _ in range(2):  # a 500 for ever, not once
        assert post_report(platform, body).status == status
    assert platform.health_reports[0]["accepted"] is (status == 200)


def test_a_body_needs_its_length(platform: Platform) -> None:
    head = "POST %s HTTP/1.1\r\nHost: %s\r\n" % (HEALTH, platform.wireserver)
    assert b" 411 " in exchange_raw(platform.wireserver, head.encode() + b"\r\n")
    assert b" 413 " in exchange_raw(
        platform.wireserver, head.encode() + b"Content-Length: 9999999\r\n\r\n"
    )
    assert b" 400 " in exchange_raw(
        platform.wireserver, head.encode() + b"Content-Length: 1x\r\n\r\n"
    )


@pytest.mark.parametrize(
    "data, status",
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 20000, 431),
        (b"CONNECT 1.2.3.4:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
    ],
)
def test_refuses_what_is_no_http(platform: Platform, data: bytes, status: int) -> None:
    assert exchange_raw(platform.wireserver, data).split(b" ")[1] == b"%d" % status
    assert platform.wait_for(lambda it: it.requests and it.requests[-1]["status"] == status)
    assert get_goal_state(platform).status == 200
