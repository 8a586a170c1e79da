"""``POST /provisioning/health``, as azure-init reports."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, Optional

import pytest

from lightinit.emulator import Platform
from tests.emulator.wire import Reply, ask

PATH = "/provisioning/health"
HEADERS = {"Content-Type": "application/json", "x-ms-guest-agent-name": "azure-init v0.1.1"}
PROGRESS = {"state": "NotReady", "details": {"subStatus": "Provisioning", "description": "works"}}
FAILED = {
    "state": "NotReady",
    "details": {"subStatus": "ProvisioningFailed", "description": "result=error"},
}


@pytest.fixture(name="platform")
def make_platform() -> Iterator[Platform]:
    """Run a platform without faults."""
    with Platform() as platform:
        yield platform


def post(platform: Platform, report: Any, headers: Optional[Dict[str, str]] = None) -> Reply:
    """Send a report; bytes as they are."""
    body = report if isinstance(report, bytes) else json.dumps(report).encode()
    return ask(platform.wireserver, "POST", PATH, HEADERS if headers is None else headers, body)


def test_reports_are_taken_without_a_goal_state(platform: Platform) -> None:
    for report in (PROGRESS, FAILED, {"state": "Ready"}):
        assert post(platform, report).status == 201
    assert [
        (one["state"], one["substatus"], one["description"]) for one in platform.health_reports
    ] == [
        ("NotReady", "Provisioning", "works"),
        ("NotReady", "ProvisioningFailed", "result=error"),
        ("Ready", None, None),
    ]
    assert [one["state"] for one in platform.final_reports] == ["NotReady", "Ready"]
    assert platform.ready_count == 1 and platform.is_provisioned
    assert {one["agent"] for one in platform.health_reports} == {"azure-init v0.1.1"}
    platform.set_incarnation(7)
    assert post(platform, {"state": "Ready"}).status == 201, "it names no incarnation"


@pytest.mark.parametrize(
    "report, status, reason",
    [
        (b"<Health/>", 400, "not JSON"),
        (b"[" * 100000, 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        ([], 400, "no JSON object"),
        ({}, 400, "state None is neither"),
        ({"state": "Up"}, 400, "state 'Up' is neither"),
        ({"state": 1}, 400, "state is no text"),
        ({"state": "NotReady"}, 400, "NotReady needs details.subStatus"),
        ({"state": "NotReady", "details": []}, 400, "details is no JSON object"),
        (dict(FAILED, details={"subStatus": "Late"}), 400, "it is 'Late'"),
        (dict(FAILED, details={"subStatus": "Provisioning"}), 400, "needs details.description"),
        (
            dict(FAILED, details={"subStatus": "ProvisioningFailed", "description": "ü" * 2049}),
            500,
            "has 4098 bytes",
        ),
    ],
    ids=str,
)
def test_what_is_refused(platform: Platform, report: Any, status: int, reason: str) -> None:
    reply = post(platform, report)
    assert reply.status == status and reason in reply.body.decode()
    assert (platform.requests[-1]["verdict"], platform.ready_count) == ("refused", 0)
    assert [one["accepted"] for one in platform.health_reports] == [False]


def test_headers_and_method(platform: Platform) -> None:
    ready = {"state": "Ready"}
    for name, status in (("Content-Type", 415), ("x-ms-guest-agent-name", 400)):
        assert post(platform, ready, {**HEADERS, name: ""}).status == status
    utf8 = {**HEADERS, "Content-Type": "application/json; charset=utf-8"}
    assert post(platform, ready, utf8).status == 201
    assert ask(platform.wireserver, "GET", PATH, HEADERS).status == 405
    assert [one["accepted"] for one in platform.health_reports] == [True]


def test_the_faults_of_reports_are_for_them_too() -> None:
    scenario = {
        "name": "test",
        "description": "A test.",
        "health": [{"status": 503}],
        "progress": [{"status": 500}],
    }
    with Platform(scenario) as platform:
        assert [post(platform, PROGRESS).status for _ in range(2)] == [500, 201]
        assert [post(platform, {"state": "Ready"}).status for _ in range(2)] == [503, 201]
