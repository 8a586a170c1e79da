"""The Python side: records, waiting, several VMs, latency, and an end that is quick."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Any, List

import pytest

from lightinit.emulator import EmulatorError, Platform, ScenarioError
from lightinit.emulator.wire.server import TURNED_AWAY
from tests.emulator.wire import (
    GOAL_STATE,
    HEALTH,
    INSTANCE,
    METADATA,
    REPORT,
    WIRE,
    get_goal_state,
    get_instance,
    post_report,
    write_report,
)

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "lightinit", "emulator")


def test_records_say_what_happened() -> None:
    with Platform() as platform:
        get_instance(platform, INSTANCE + "&format=json")
        post_report(platform)
        first, second = platform.requests
    assert (first["server"], first["method"], first["path"]) == (
        "imds",
        "GET",
        "/metadata/instance",
    )
    assert first["query"] == {"api-version": "2023-11-15", "format": "json"}
    assert first["headers"]["metadata"] == "true"
    assert first["client"].startswith("127.0.0.1:")
    assert first["time"].endswith("Z") and first["duration_s"] < 60
    assert (second["verdict"], second["reason"], second["fault"]) == ("answered", "", None)
    assert second["body"].startswith("<Health>")


def test_the_log_file_has_a_line_per_request(tmp_path: Any) -> None:
    path = str(tmp_path / "requests.jsonl")
    scenario = {"name": "x", "description": "x", "goalstate": [{"close": True}]}
    with Platform(scenario, log=path) as platform:
        with pytest.raises(http.client.RemoteDisconnected):
            get_goal_state(platform)
        get_goal_state(platform)
        records = platform.requests
    with open(path, encoding="utf-8") as file:
        assert [json.loads(line) for line in file] == records
    assert [record["status"] for record in records] == [None, 200]


def test_records_are_copies() -> None:
    with Platform() as platform:
        get_goal_state(platform)
        platform.requests[0]["headers"].clear()
        platform.requests.clear()
        assert platform.requests[0]["headers"]["x-ms-version"] == "2012-11-30"


def test_long_bodies_are_cut_in_the_record() -> None:
    with Platform() as platform:
        post_report(platform, b"<Health>" + b"x" * 500000 + b"</Health>")
        assert len(platform.requests[0]["body"]) == 8192


def test_a_connection_is_kept_and_counted() -> None:
    with Platform() as platform:
        host, port = platform.wireserver.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        for _ in range(2):
            connection.request("GET", GOAL_STATE, headers=WIRE)
            assert connection.getresponse().read()
        connection.request("POST", HEALTH, body=write_report(platform), headers=REPORT)
        assert connection.getresponse().status == 200
        connection.close()
        get_goal_state(platform)
        assert [record["connection"] for record in platform.requests] == [1, 1, 1, 2]


def test_an_answer_is_one_write() -> None:
    with Platform() as platform:
        host, port = platform.wireserver.split(":")
        with socket.create_connection((host, int(port)), 60) as sock:
            sock.sendall(
                (
                    "GET %s HTTP/1.1\r\nHost: %s\r\nx-ms-version: 2012-11-30\r\n\r\n"
                    % (GOAL_STATE, platform.wireserver)
                ).encode()
            )
            assert sock.recv(65536).endswith(b"</GoalState>")


def test_http_1_0_and_connection_close_end_the_connection() -> None:
    with Platform() as platform:
        host, port = platform.imds.split(":")
        for first, last in (("GET / HTTP/1.0", ""), ("GET / HTTP/1.1", "Connection: close\r\n")):
            with socket.create_connection((host, int(port)), 60) as sock:
                sock.sendall(("%s\r\nHost: %s\r\n%s\r\n" % (first, platform.imds, last)).encode())
                blocks = iter(lambda: sock.recv(4096), b"")
                assert b"Connection: close" in b"".join(blocks)


def test_wait_for() -> None:
    with Platform() as platform:
        assert platform.wait_for(lambda it: it.ready_count, 0.05) is False
        thread = threading.Timer(0.05, post_report, [platform])
        thread.start()
        assert platform.wait_for(lambda it: it.ready_count, 60) is True
        thread.join()


def test_another_vm_has_other_ids() -> None:
    with Platform() as platform:
        platform.set_incarnation(5)
        old = write_report(platform)
        assert post_report(platform, old).status == 200
        platform.become(
            {"compute": {"vmId": "11111111-2222-3333-4444-555555555555", "name": "second"}}
        )
        assert platform.incarnation == 1
        assert post_report(platform, old).status == 400
        assert post_report(platform).status == 200
        assert json.loads(get_instance(platform).body)["compute"]["name"] == "second"
        assert platform.ready_count == 2
        vms = [report["vm_id"] for report in platform.health_reports if report["accepted"]]
        assert vms[0] != vms[1] == "11111111-2222-3333-4444-555555555555"


def test_the_same_vm_has_the_same_ids() -> None:
    with Platform() as first, Platform() as second:
        assert first.machine.container_id == second.machine.container_id
        assert first.machine.role_id == second.machine.role_id


def test_latency_is_twice_first_and_once_later() -> None:
    with Platform(latency_s=0.2) as platform:
        host, port = platform.imds.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        took_s: List[float] = []
        while len(took_s) < 2 or (took_s[-1] >= 0.4 and len(took_s) < 50):
            started_s = time.monotonic()
            connection.request("GET", INSTANCE, headers=METADATA)
            connection.getresponse().read()
            took_s.append(time.monotonic() - started_s)
        connection.close()
    assert took_s[0] >= 0.4
    # On a busy machine most of them may take longer.
    assert 0.2 <= min(took_s[1:]) < 0.4


def test_closing_is_quick_whatever_hangs() -> None:
    forever = {"hang_s": 3600, "repeat": "forever"}
    scenario = {
        "name": "x",
        "description": "x",
        "goalstate": [forever],
        "health": [{"endless_mb": 1024}],
        "imds": [{"drip_s": 60}, {"delay_s": 60}],
        "listen_after_s": {"imds": 0},
    }
    # No other test listens at this address, so nobody gets the port once it is closed.
    platform = Platform(scenario, wireserver=("127.0.0.2", 0))
    platform.start()
    sockets = []
    try:
        for address, target in [
            (platform.wireserver, GOAL_STATE),
            (platform.imds, INSTANCE),
            (platform.imds, INSTANCE),
            (platform.wireserver, HEALTH),
        ]:
            host, port = address.split(":")
            sockets.append(socket.create_connection((host, int(port)), 60))
            sockets[-1].sendall(
                ("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (target, address)).encode()
            )
        assert platform.wait_for(lambda it: it.in_flight == 4, 60)
    finally:
        started_s = time.monotonic()
        platform.close()
        took_s = time.monotonic() - started_s
        for sock in sockets:
            sock.close()
    assert took_s < 30, "it does not wait for what hangs"
    with pytest.raises(ConnectionRefusedError):
        get_goal_state(platform)


def test_connections_are_bounded() -> None:
    with Platform(most_connections=1) as platform:
        host, port = platform.imds.split(":")
        most = 1 + TURNED_AWAY
        sockets = [socket.create_connection((host, int(port)), 60) for _ in range(most + 1)]
        try:
            assert sockets[-1].recv(1) == b""
        finally:
            for sock in sockets:
                sock.close()


def test_many_at_once() -> None:
    with Platform() as platform:
        threads = [threading.Thread(target=get_instance, args=[platform]) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [record["status"] for record in platform.requests] == [200] * 20


def test_a_taken_address_is_explained() -> None:
    with Platform() as platform:
        host, port = platform.imds.split(":")
        with pytest.raises(EmulatorError, match="cannot bind 127.0.0.1:%s for the imds" % port):
            with Platform(imds=(host, int(port))):
                pass


def test_a_log_that_cannot_be_written_is_explained(tmp_path: Any) -> None:
    with pytest.raises(EmulatorError, match="cannot write the log"):
        Platform(log=str(tmp_path / "none" / "log")).start()


def test_a_wrong_scenario_is_an_error() -> None:
    with pytest.raises(ScenarioError):
        Platform({"name": "x"})


def test_shares_no_code_with_the_agent() -> None:
    code = (
        "import sys, lightinit.emulator.cli;"
        "print([m for m in sys.modules if m.split('.')[0] in ('lightinit', 'modules', 'requests')])"
    )
    root = os.path.join(FOLDER, "..", "..")
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, check=True
    ).stdout
    names = set(shown.decode().replace("'", "").strip("[]\n").split(", "))
    assert "lightinit.emulator.platform" in names
    assert all(name == "lightinit" or name.startswith("lightinit.emulator") for name in names), (
        names
    )
