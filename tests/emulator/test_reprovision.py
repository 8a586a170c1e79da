"""Preprovisioned VMs: ready in the pool, an owner, ready again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from lightinit.emulator import EmulatorError, Platform, make_ovf
from tests.emulator.wire import (
    METADATA,
    REPORT,
    Reply,
    ask,
    get_instance,
    post_report,
    write_details,
    write_report,
)

DATA = "/metadata/reprovisiondata?api-version=2019-06-01"
EXTENDED = "/metadata/instance?api-version=2021-08-01&extended=true"
OWNER: Dict[str, Any] = {
    "ovf": {"user_name": "owner", "host_name": "owned"},
    "instance": {"compute": {"name": "owned"}},
}
POOL = {"name": "x", "description": "x", "preprovisioned": "Running"}


def get_data(platform: Platform) -> Reply:
    """Ask for reprovision data."""
    return ask(platform.imds, "GET", DATA, METADATA)


def pps_type(platform: Platform) -> Any:
    """What IMDS says of the VM's kind."""
    return json.loads(get_instance(platform, EXTENDED).body)["extended"]["compute"]["ppsType"]


def wait_for_owner(platform: Platform) -> Reply:
    """Poll until there are reprovision data."""
    for _ in range(3000):
        reply = get_data(platform)
        if reply.status == 200:
            return reply
        assert reply.status == 404
        platform.wait_for(lambda it: False, 0.02)
    raise AssertionError("no owner")


def test_imds_may_describe_the_pool_for_a_while() -> None:
    late = dict(POOL, assign=dict(OWNER, imds_after_s=0.2))
    with Platform(late) as platform:
        started_s = time.monotonic()
        assert post_report(platform).status == 200
        assert wait_for_owner(platform).body == make_ovf("owner", "owned")
        for _ in range(3000):
            if pps_type(platform) == "None":
                break
            platform.wait_for(lambda it: False, 0.02)
        assert time.monotonic() - started_s >= 0.2
        assert json.loads(get_instance(platform).body)["compute"]["name"] == "owned"
    with Platform(POOL) as platform:
        platform.assign(OWNER["ovf"], OWNER.get("instance"), "forever")
        assert get_data(platform).status == 200 and pps_type(platform) == "Running"


@pytest.mark.parametrize("kind", ["Running", "Savable"])
def test_an_owner_comes_after_ready(kind: str) -> None:
    with Platform(dict(POOL, preprovisioned=kind, assign=OWNER, assign_after_s=0.05)) as platform:
        assert pps_type(platform) == kind
        assert get_data(platform).status == 404
        assert post_report(platform).status == 200
        reply = wait_for_owner(platform)
        assert (reply.body, reply.headers["content-type"]) == (
            make_ovf("owner", "owned"),
            "text/xml; charset=utf-8",
        )
        assert pps_type(platform) == "None"
        assert json.loads(get_instance(platform).body)["compute"]["name"] == "owned"
        assert (platform.incarnation, platform.ready_count, platform.is_provisioned) == (
            2,
            1,
            False,
        )
        assert post_report(platform).status == 200
        assert (platform.ready_count, platform.is_provisioned) == (2, True)
        assert [report["in_pool"] for report in platform.health_reports] == [True, False]


def test_the_hook_is_called_once_after_the_answer_and_before_the_owner() -> None:
    seen: List[Any] = []
    called, may_end = threading.Event(), threading.Event()

    def hook() -> None:
        seen.append((platform.in_flight, platform.machine.reprovision_data))
        called.set()
        may_end.wait(60)

    with Platform(dict(POOL, assign=OWNER), on_pool_ready=hook) as platform:
        body = write_report(platform, "NotReady", write_details("Provisioning"))
        assert post_report(platform, body).status == 200
        assert post_report(platform, write_report(platform, incarnation="9")).status == 410
        assert get_data(platform).status == 404 and not seen
        assert post_report(platform).status == 200
        assert called.wait(60)  # what is asked meanwhile would be in flight, too
        assert post_report(platform).status == 200
        may_end.set()
        wait_for_owner(platform)
        assert post_report(platform).status == 200
    assert seen == [(0, None)]


def test_a_ready_whose_answer_is_lost_counts() -> None:
    called = threading.Event()
    with Platform(
        dict(POOL, health=[{"reset": True, "processed": True}]), on_pool_ready=called.set
    ) as platform:
        with pytest.raises(ConnectionError):
            post_report(platform)
        assert called.wait(60)


def test_a_hook_that_fails_says_so_and_the_owner_comes(capfd: Any) -> None:
    def hook() -> None:
        raise ValueError("no such link")

    with Platform(dict(POOL, assign=OWNER), on_pool_ready=hook) as platform:
        assert post_report(platform).status == 200
        wait_for_owner(platform)
    assert "no such link" in capfd.readouterr().err


def test_an_owner_from_python() -> None:
    with Platform(POOL) as platform:
        post_report(platform)
        with pytest.raises(EmulatorError):
            platform.assign({"host_name": "\0"})
        assert get_data(platform).status == 404
        platform.assign(b"<whatever/>", {"compute": {"vmSize": "big"}})
        assert get_data(platform).body == b"<whatever/>"
        assert json.loads(get_instance(platform).body)["compute"]["vmSize"] == "big"
        platform.become()
        assert (pps_type(platform), get_data(platform).status) == ("Running", 404)


def test_a_vm_that_is_not_preprovisioned_has_no_pool() -> None:
    called = threading.Event()
    with Platform(on_pool_ready=called.set) as platform:
        assert get_data(platform).status == 404
        post_report(platform)
        assert not called.wait(0.2)
        assert platform.is_provisioned
        assert platform.health_reports[0]["in_pool"] is False


@pytest.mark.parametrize(
    "target, headers, status",
    [
        (DATA, {}, 400),
        ("/metadata/reprovisiondata", METADATA, 400),
        ("/metadata/reprovisiondata?api-version=2001-01-01", METADATA, 400),
        (DATA + "&api-version=2019-06-01", METADATA, 400),
        ("/metadata/reprovisiondata/x", METADATA, 404),
    ],
)
def test_refuses_requests(target: str, headers: Any, status: int) -> None:
    with Platform(POOL) as platform:
        platform.assign(b"<x/>")
        assert ask(platform.imds, "GET", target, headers).status == status
        assert ask(platform.imds, "POST", DATA, METADATA, b"").status == 405


def test_faults_of_reprovision_data() -> None:
    steps = [{"status": 500}, {"variant": ["bom", "crlf"]}, {"variant": "huge"}]
    with Platform(dict(POOL, reprovisiondata=steps, imds=[{"status": 502}])) as platform:
        assert [get_data(platform).status for _ in range(3)] == [500, 404, 404]
        platform.assign(OWNER["ovf"])
        body = get_data(platform).body
        assert body.startswith(b"\xef\xbb\xbf<?xml") and b"\r\n" in body, (
            "the step waited for who gets the document"
        )
        assert len(get_data(platform).body) > 50000000
        assert get_data(platform).body == make_ovf("owner", "owned")
        assert get_instance(platform).status == 502, "a sequence of its own"


def test_the_command_runs_a_command_and_ends_with_the_owners_ready(tmp_path: Path) -> None:
    scenario, sign = tmp_path / "pool.json", tmp_path / "flapped"
    scenario.write_text(json.dumps(dict(POOL, assign=OWNER)))
    command = "echo loud; echo flap >> %s; exit 3" % sign
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "lightinit.emulator",
            "run",
            "--scenario",
            str(scenario),
            "--once",
            "--on-pool-ready",
            command,
        ],
        cwd=os.path.join(os.path.dirname(__file__), "..", ".."),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline().decode())
    try:
        for incarnation in ("1", "2"):
            goal = ask(
                first["wireserver"],
                "GET",
                "/machine?comp=goalstate",
                {"x-ms-version": "2012-11-30"},
            ).body.decode()
            body = (
                "<Health><GoalStateIncarnation>%s</GoalStateIncarnation>"
                "<Container><ContainerId>%s</ContainerId>"
                "<RoleInstanceList><Role><InstanceId>%s</InstanceId>"
                "<Health><State>Ready</State></Health></Role>"
                "</RoleInstanceList></Container></Health>"
            ) % (
                incarnation,
                goal.split("<ContainerId>")[1].split("<")[0],
                goal.split("<InstanceId>")[1].split("<")[0],
            )
            reply = ask(first["wireserver"], "POST", "/machine?comp=health", REPORT, body.encode())
            assert reply.status == 200
            while incarnation == "1" and ask(first["imds"], "GET", DATA, METADATA).status == 404:
                assert process.poll() is None
        rest, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, rest) == (0, b""), errors
    assert sign.read_text() == "flap\n"
    assert errors.decode().splitlines() == [
        "loud",
        "lightinit-emulator: the command of --on-pool-ready failed with status 3",
    ]
