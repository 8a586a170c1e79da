"""The command line, run as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any, List, Tuple

import pytest

from tests.emulator.wire import INSTANCE, METADATA, REPORT, ask

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
FIFO = "fifo"
COMMAND = [sys.executable, "-m", "lightinit.emulator"]


def run(*arguments: str) -> Tuple[int, str, str]:
    """Run a command to its end."""
    done = subprocess.run(
        COMMAND + list(arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def start(*arguments: str) -> Tuple[subprocess.Popen, dict]:
    """Start ``run`` and read its first line."""
    process = subprocess.Popen(
        COMMAND + ["run"] + list(arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline().decode())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_until_a_signal(tmp_path: Any, number: int) -> None:
    ready, log, instance = [
        str(tmp_path / name) for name in ("ready.json", "log.jsonl", "instance.json")
    ]
    with open(instance, "w", encoding="utf-8") as file:
        json.dump({"compute": {"name": "from-file"}}, file)
    process, first = start(
        "--ready-file",
        ready,
        "--log",
        log,
        "--instance",
        instance,
        "--scenario",
        "good",
        "--latency-ms",
        "1",
    )
    try:
        with open(ready, encoding="utf-8") as file:
            assert json.load(file) == first
        assert first["pid"] == process.pid
        assert first["scenario"] == "good"
        reply = ask(first["imds"], "GET", INSTANCE, METADATA)
        assert json.loads(reply.body)["compute"]["name"] == "from-file"
    finally:
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, b"")
    with open(log, encoding="utf-8") as file:
        assert [json.loads(line)["status"] for line in file] == [200]
    assert sorted(os.listdir(str(tmp_path))) == ["instance.json", "log.jsonl", "ready.json"]


def test_once_ends_after_an_accepted_ready() -> None:
    process, first = start("--once")
    reply = ask(
        first["wireserver"], "GET", "/machine?comp=goalstate", {"x-ms-version": "2012-11-30"}
    )
    body = reply.body.decode()
    container = body.split("<ContainerId>")[1].split("<")[0]
    role = body.split("<InstanceId>")[1].split("<")[0]
    report = (
        "<Health><GoalStateIncarnation>%s</GoalStateIncarnation><Container><ContainerId>"
        + container
        + "</ContainerId><RoleInstanceList><Role><InstanceId>"
        + role
        + "</InstanceId><Health>"
        "<State>Ready</State></Health></Role></RoleInstanceList></Container></Health>"
    )
    target = "/machine?comp=health"
    assert ask(first["wireserver"], "POST", target, REPORT, (report % "9").encode()).status == 410
    time.sleep(0.1)
    assert process.poll() is None
    assert ask(first["wireserver"], "POST", target, REPORT, (report % "1").encode()).status == 200
    process.communicate(timeout=120)
    assert process.returncode == 0


def test_scenarios_are_listed() -> None:
    code, text, _ = run("scenarios")
    assert code == 0
    assert "two-500-then-good\n    The WireServer fails" in text
    code, text, _ = run("scenarios", "--format", "json")
    listed = {item["name"]: item for item in json.loads(text)}
    assert listed["good"]["expect"] == {"ready": 1, "outcome": "done", "reports": ["Ready"]}
    assert all(set(item) == {"name", "description", "expect", "needs"} for item in listed.values())


def test_check(tmp_path: Any) -> None:
    file = tmp_path / "mine.json"
    file.write_text('{"name": "mine", "description": "Mine.", "imds": [{"status": 500}]}')
    assert run("check", str(file)) == (0, "%s: scenario 'mine' is valid\n" % file, "")
    file.write_text(
        '{"name": "mine", "description": "Mine.", "imds": [{"statu": 500}], "goal": []}'
    )
    code, text, errors = run("check", str(file))
    assert (code, text) == (1, "")
    lines = errors.splitlines()
    assert len(lines) == 2 and all(str(file) in line for line in lines)
    assert "imds[0] has an unknown key 'statu': did you mean 'status'?" in errors


@pytest.mark.parametrize(
    "arguments, code, sentence",
    [
        (["run", "--scenario", "godo"], 1, "did you mean 'good'?"),
        (["run", "--instance", "/nowhere.json"], 1, "/nowhere.json: cannot be read"),
        (["run", "--wireserver", "192.0.2.1:80"], 1, "Check that the address is on an interface"),
        (["run", "--ready-file", "/nowhere/file"], 1, "cannot write the ready file"),
        (
            ["run", "--certificates", "/nowhere.pem"],
            1,
            "cannot read the certificates in /nowhere.pem: No such file",
        ),
        (["run", "--imds", "nowhere"], 2, "is not HOST:PORT"),
        (["run", "--latency-ms", "-5"], 2, "is not a number of milliseconds"),
        (["seed", "--output", FIFO], 1, "is no file, and would be replaced"),
        (["media", "--output", FIFO], 1, "is no file, and would be replaced"),
        (["run", "--ready-file", FIFO], 1, "is no file, and would be replaced"),
        (["kvp", "/dev/zero"], 1, "is longer than"),
    ],
)
def test_mistakes_are_explained(
    arguments: List[str], code: int, sentence: str, tmp_path: Any
) -> None:
    os.mkfifo(str(tmp_path / FIFO))
    found, _, errors = run(*[str(tmp_path / each) if each == FIFO else each for each in arguments])
    assert found == code
    assert os.listdir(str(tmp_path)) == [FIFO]
    assert sentence in errors
    assert "Traceback" not in errors


def test_an_address_that_is_taken() -> None:
    # Two sockets may bind one address, but only one of them may listen.
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        code, _, errors = run("run", "--imds", address)
    assert code == 1 and "Address already in use" in errors and "Traceback" not in errors
    one = ["--imds", address, "--wireserver", address]
    code, _, errors = run("run", *one)
    assert code == 1 and "Address already in use" in errors and "Traceback" not in errors


def test_an_output_that_nobody_reads_one_that_is_full_and_none() -> None:
    for words in (["scenarios"], ["--help"], ["run", "--help"]):
        reading, writing = os.pipe()
        os.close(reading)
        command = COMMAND + words
        ended = subprocess.run(
            command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False
        )
        os.close(writing)
        assert (ended.returncode, ended.stderr) == (0, b""), words
        closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
        assert subprocess.run(closed, cwd=ROOT, stderr=subprocess.PIPE, check=False).returncode == 0
        # The argparse of newer Pythons hides that help cannot be written.
        if os.path.exists("/dev/full") and words == ["scenarios"]:
            with open("/dev/full", "wb") as file:
                ended = subprocess.run(
                    command, cwd=ROOT, stdout=file, stderr=subprocess.PIPE, check=False
                )
            assert ended.returncode == 1 and b"No space left" in ended.stderr, words
            assert b"Traceback" not in ended.stderr


def test_help_explains() -> None:
    for words, sentence in [([], "COMMAND"), (["run"], "168.63.129.16"), (["check"], "what to do")]:
        code, text, _ = run(*(words + ["--help"]))
        assert (code, sentence in text) == (0, True)


def test_other_platforms(tmp_path: Any) -> None:
    faults, instance = tmp_path / "faults.json", tmp_path / "vm.json"
    faults.write_text('{"user-data": [{"status": 503}]}')
    instance.write_text('{"meta-data": {"instance-id": "i-1"}, "user-data": "hi"}')
    for words, path in (
        (["ec2", "--tokens", "optional"], "/latest/user-data"),
        (["openstack"], "/openstack/latest/user_data"),
    ):
        if words[0] == "openstack":
            faults.write_text('{"user_data": [{"status": 503}]}')
            instance.write_text('{"user_data": "hi"}')
        process, first = start(
            "--platform", *words, "--scenario", str(faults), "--instance", str(instance)
        )
        try:
            assert first == {"platform": words[0], "imds": first["imds"], "pid": process.pid}
            assert ask(first["imds"], "GET", path).status == 503
            assert ask(first["imds"], "GET", path).body == b"hi"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=120)
        assert process.returncode == 0
    faults.write_text('{"imds": [], "token": [{"set": {}}, {"status": 5}], "user-data": 1}')
    for wrong, said in (
        (["--platform", "ec2", "--once"], "--platform ec2 has no --once"),
        (["--tokens", "none"], "--platform azure has no --tokens"),
        (["--platform", "ec2", "--scenario", str(faults)], "unknown endpoint 'imds'"),
        (["--platform", "ec2", "--scenario", str(faults)], "no key 'set'"),
        (["--platform", "ec2", "--scenario", str(faults)], "'status' must be"),
        (["--platform", "ec2", "--scenario", str(faults)], "'user-data' must be a list"),
        (["--platform", "ec2", "--scenario", "good.json"], "cannot be read"),
    ):
        code, _, errors = run("run", *wrong)
        assert code == 1 and said in errors, errors
