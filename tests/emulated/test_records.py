"""What is kept of a run and what the commands make of it: result, time line, stamp, status; also
after single steps.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

from lightinit.emulator import Platform
from lightinit.result import describe_steps
from tests.emulated.boots import hand_out_lease, start_waiting
from tests.lib.scratch import HERE, Machine

HOME = "/var/lib/lightinit/instance"
FAILING = """
from lightinit.model import Frequency, Outcome
NAME, FREQUENCY, REQUIRED = "site", Frequency.INSTANCE, True

def apply(instance, system, settings):
    if system.exists("/fail"):
        raise RuntimeError("no")
    return Outcome("ran")
"""
DATASOURCE = """
from lightinit.datasources.azure.datasource import AzureDatasource

class Broken(AzureDatasource):
    def fetch(self, instance_id, announce=False):
        raise RuntimeError("a bug, not an error")
"""


def site(machine: Machine) -> Any:
    """Ship code of the site's own; the environment in which it is found."""
    machine.put("/site/site_code/__init__.py", "")
    machine.put("/site/site_code/failing.py", FAILING)
    machine.put("/site/site_code/source.py", DATASOURCE)
    return {"PYTHONPATH": machine.root + "/site"}


MODULES = "[lightinit]\nmodules = hostname users ssh_authorized_keys site_code.failing\n"


def test_a_bug_of_our_own_is_logged_with_its_trace_and_reported(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    env = site(machine)
    with Platform() as platform:
        machine.lead_to(platform, "[lightinit]\ndatasource = site_code.source:Broken\n")
        machine.put(
            "/etc/lightinit/conf.d/20.conf",
            "[source]\nwireserver = %s\nimds = %s\n" % (platform.wireserver, platform.imds),
        )
        ended = machine.run("boot", env=env)
        assert ended.returncode == 1
        (report,) = platform.final_reports
        assert report["accepted"] and report["state"] == "NotReady"
        assert (
            "unexpected error" in report["description"]
            and "a bug, not an error" in report["description"]
        )
    assert "Traceback" in machine.read("/var/log/lightinit.log")
    assert machine.run("status").returncode == 1
    assert machine.json(HOME + "/result.json")["status"] == "error"


def test_a_bug_after_ready_takes_nothing_back(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    env = site(machine)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        machine.lead_to(platform, "[lightinit]\ndatasource = site_code.source:Broken\n")
        machine.put(
            "/etc/lightinit/conf.d/20.conf",
            "[source]\nwireserver = %s\nimds = %s\n" % (platform.wireserver, platform.imds),
        )
        ended = machine.run("stage", "fetch", "--force", env=env)
        assert ended.returncode == 1 and "a bug, not an error" in ended.stderr
        assert [report["state"] for report in platform.final_reports] == ["Ready"]


def test_force_that_fails_takes_the_mark_and_the_stamp_away(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    env = site(machine)
    with Platform() as platform:
        machine.lead_to(platform, MODULES)
        assert machine.run("boot", env=env).returncode == 0
        assert machine.exists(HOME + "/provisioned")
        machine.put("/fail", "")
        assert machine.run("module", "site_code.failing", "--force", env=env).returncode == 1
        assert not machine.exists(HOME + "/sem/module.site_code.failing")
        assert not machine.exists(HOME + "/provisioned")
        assert machine.run("status").returncode == 1
        os.unlink(machine.root + "/fail")
        sent = len(platform.requests)
        assert machine.run("boot", env=env).returncode == 0
        assert machine.exists(HOME + "/provisioned")
        assert len(platform.requests) == sent
        assert machine.run("status").returncode == 0


def test_a_single_stage_tells_its_progress(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        process = start_waiting(machine, "stage", "local")
        try:
            found = json.loads(machine.run("status", "--format", "json").stdout)
        finally:
            hand_out_lease(machine)
            process.communicate(timeout=120)
        assert (found["status"], found["stage"], found["exit_code"]) == ("running", "local", 3)
        assert process.returncode == 0
        assert machine.run("status").stdout == "status: not run\n"


def test_after_an_error_the_platform_is_asked_anew(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    env = site(machine)
    machine.put("/fail", "")
    with Platform() as platform:
        machine.lead_to(platform, MODULES)
        assert machine.run("boot", env=env).returncode == 1
        assert not machine.exists(HOME + "/sem/stage.fetch") and not machine.exists(
            HOME + "/provisioned"
        )
        os.unlink(machine.root + "/fail")
        sent = len(platform.requests)
        assert machine.run("boot", env=env).returncode == 0
        assert [one for one in platform.requests[sent:] if one["server"] == "imds"]
        result = machine.json(HOME + "/result.json")
        assert (result["status"], result["errors"], result["reported"]) == ("done", [], "Ready")


def test_the_time_line_stays_that_of_the_provisioning(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    env = site(machine)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        before, took_s = (
            machine.read(HOME + "/timeline.json"),
            machine.json(HOME + "/result.json")["duration_s"],
        )
        assert machine.run("stage", "final", "--force").returncode == 0
        finished = machine.json(HOME + "/result.json")["finished"]
        assert machine.run("module", "hostname", "--force").returncode == 0
        assert "finished: %s\n" % finished in machine.run("status", "--long").stdout
        machine.lead_to(platform, MODULES)
        ended = machine.run("boot", env=env)
        assert ended.returncode == 0
        assert "nothing was sent, an earlier run reported Ready" in ended.stderr
        assert machine.read(HOME + "/timeline.json") == before
        result = machine.json(HOME + "/result.json")
        assert result["duration_s"] == took_s
        order = [step["name"] for step in result["steps"]]
        expected = (
            "local fetch hostname users ssh_authorized_keys site_code.failing config sshd pam"
            " dropbear root final"
        )
        assert order == expected.split()


def test_analyze_names_stages_modules_requests_and_is_in_order(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
    shown = machine.run("analyze", "show").stdout
    # The last POST: the first tells that the VM is at work.
    words = [
        shown.rindex(word)
        for word in (
            "stage local",
            "wait lease",
            "stage fetch",
            "stage config",
            "module hostname",
            "module users",
            "stage final",
            "POST ",
            "in all stages",
        )
    ]
    assert words == sorted(words)
    assert "metadata/instance" in shown and "comp=goalstate" in shown
    blamed = machine.run("analyze", "blame").stdout.splitlines()
    times = [float(line.split("s")[0]) for line in blamed]
    assert times == sorted(times, reverse=True) and len(times) >= 8
    assert not [line for line in blamed if " stage " in line]


def test_a_failure_says_what_to_do_next_and_repeats_nothing(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    env = site(machine)
    machine.put("/fail", "")
    with Platform() as platform:
        machine.lead_to(platform, MODULES)
        ended = machine.run("boot", env=env)
        assert "step=site_code.failing" in platform.final_reports[0]["description"]
    errors = [line for line in ended.stderr.splitlines() if "error: " in line]
    assert len(errors) == 2, ended.stderr
    assert "module site_code.failing" in errors[0]
    assert "provisioning failed" in errors[1] and "lightinit status --long" in errors[1]
    found = json.loads(machine.run("status", "--format", "json").stdout)
    assert len(found["errors"]) == 1


def test_switched_off_by_the_settings(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, "[lightinit]\nenabled = no\n")
        assert machine.run("boot").returncode == 0
        assert not platform.requests
        assert machine.run("stage", "local").returncode == 3
    assert machine.read("/etc/hostname") == "image\n"
    assert machine.run("status").returncode == 3


def test_echoes_are_no_errors_and_what_is_not_required_is_a_warning() -> None:
    errors, warnings = describe_steps(
        [
            {"name": "users", "error": "e1", "reason": "r", "required": True},
            {"name": "motd", "error": "e2", "reason": "r", "required": False, "warnings": ["w"]},
            {"name": "config", "error": "e3", "reason": "required module failed"},
            {"name": "final", "error": "e4", "reason": "reported as not ready"},
            {"name": "final", "error": "e5", "reason": "nobody to report to"},
        ]
    )
    assert (errors, warnings) == (["users: e1"], ["motd: e2", "motd: w"])


def read_until(terminal: int, words: bytes) -> bytes:
    """What is shown on a terminal up to ``words``: the kernel passes it on later, in pieces."""
    said = b""
    while not said.endswith(words):
        assert select.select([terminal], [], [], 60.0)[0], said
        said += os.read(terminal, 1)
    return said


def test_ctrl_c_ends_waiting_quietly(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    # As at a terminal, even if these tests run in the background of a shell, which has its children
    # ignore SIGINT. On a terminal it tells its progress: then it is known to wait.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reader, terminal = os.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "lightinit", "--root", machine.root, "status", "--wait"],
            cwd=HERE,
            stderr=terminal,
            stdout=subprocess.DEVNULL,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    read_until(reader, b"status: not run")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130
    os.write(terminal, b"the end")
    assert b"Traceback" not in read_until(reader, b"the end")
    os.close(reader)
    os.close(terminal)
