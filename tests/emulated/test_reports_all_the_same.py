"""Whatever is wrong on our side of the wire, the platform hears something, and never the wrong
thing.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from lightinit.emulator import Platform
from tests.lib.scratch import HERE, UUID, Machine

pytestmark = pytest.mark.long

MODULE = """
from lightinit.model import Frequency, Outcome
from lightinit.settings import Setting
%s
NAME, FREQUENCY, REQUIRED, SETTINGS = "site", Frequency.INSTANCE, True, ()

class Odd(Exception):
    def __str__(self):
        raise ValueError("no text")

def apply(instance, system, settings):
    %s
"""
AT_IMPORT = [
    "undefined_name",
    "raise OSError(5, 'broken')",
    "import sys; sys.exit(0)",
    "import sys; sys.exit('text')",
    "1 / 0",
]
IN_APPLY = [
    "import sys; sys.exit(0)",
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "raise Odd()",
    "return 7",
]
MENDED = ["return Outcome(None, None)", "return Outcome(7, [OSError('x')])"]


def states(platform: Platform) -> Any:
    """What the platform accepted."""
    return [report["state"] for report in platform.final_reports if report["accepted"]]


def boot_with(machine: Machine, platform: Platform, at_import: str, in_apply: str) -> Any:
    """Boot with a module of the site's own."""
    machine.put("/site/site_one.py", MODULE % (at_import, in_apply))
    machine.put("/site/site_one_package/__init__.py", "")
    os.rename(machine.root + "/site/site_one.py", machine.root + "/site/site_one_package/one.py")
    machine.lead_to(
        platform, "[lightinit]\nmodules = hostname users ssh_authorized_keys site_one_package.one\n"
    )
    return machine.run("boot", env={"PYTHONPATH": machine.root + "/site"})


@pytest.mark.parametrize(
    "at_import, in_apply",
    [(text, "return Outcome()") for text in AT_IMPORT] + [("", text) for text in IN_APPLY],
)
def test_a_module_of_anybodys_code(tmp_path: Any, at_import: str, in_apply: str) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        ended = boot_with(machine, platform, at_import, in_apply)
        assert ended.returncode == 1, ended.stderr
        assert "Traceback" not in ended.stderr
        assert states(platform) == ["NotReady"]
        assert "site_one_package.one" in platform.final_reports[0]["description"]
    assert machine.run("status").returncode == 1


@pytest.mark.parametrize("in_apply", MENDED)
def test_an_odd_outcome_is_an_outcome(tmp_path: Any, in_apply: str) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        assert boot_with(machine, platform, "", in_apply).returncode == 0
        assert states(platform) == ["Ready"]


@pytest.mark.parametrize(
    "line",
    [
        "[azure]\nwireserver = a_b:80",
        "[azure]\nwireserver = [::1]:80",
        "[azure]\nimds = x y",
        "[lightinit]\ndatasource = azrue",
        "[lightinit]\ndatasource = no.such:Class",
        "[lightinit]\nlog_file = /a\x00b",
        "[lightinit]\nlog_file = /loop/x",
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Any, line: str) -> None:
    machine = Machine(tmp_path)
    os.symlink("loop", machine.root + "/loop")
    with Platform() as platform:
        machine.lead_to(platform)
        machine.put("/etc/lightinit/conf.d/05-wrong.conf", line + "\n")
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        assert states(platform) == ["Ready"]
        assert "warning: " in ended.stderr


def test_a_folder_of_settings_that_is_a_loop(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    os.makedirs(machine.root + "/etc/lightinit")
    os.symlink("conf.d", machine.root + "/etc/lightinit/conf.d")
    ended = machine.run("config")
    assert ended.returncode == 1
    assert "cannot be read" in ended.stderr and "lease_timeout_s = 300" in ended.stdout


RESULTS = [
    "{",
    "[]",
    '{"steps": 7}',
    '{"steps": [7, null, {"kind": []}]}',
    '{"steps": [{"kind": "stage", "name": "fetch", "result": "ok", "warnings": 5, "error": "x"}]}',
    "[" * 100000,
    '{"steps": [{"kind": "stage", "name": "fetch", "result": "failed", "error": "x"}]}',
]


@pytest.mark.parametrize("content", RESULTS, ids=range(len(RESULTS)))
def test_a_damaged_result_never_becomes_a_report(tmp_path: Any, content: str) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        for name in ("local", "fetch"):
            assert machine.run("stage", name).returncode == 0
        machine.put("/var/lib/lightinit/instance/result.json", content)
        ended = machine.run("boot")
        assert ended.returncode == 0 and "Traceback" not in ended.stderr
        assert states(platform) == ["Ready"]
        assert machine.run("boot").returncode == 0
        assert states(platform) == ["Ready"]
    assert machine.run("status").returncode == 0


@pytest.mark.parametrize("content", ["[" * 100000, '{"name": 1}', ""])
def test_a_damaged_mark_lets_its_step_run_again(tmp_path: Any, content: str) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        for name in ("local", "fetch", "config"):
            assert machine.run("stage", name).returncode == 0
        machine.put("/var/lib/lightinit/instance/sem/module.hostname", content)
        assert machine.run("boot").returncode == 0
        assert states(platform) == ["Ready"]


def test_without_dmi_a_later_boot_that_cannot_ask_takes_nothing_back(tmp_path: Any) -> None:
    machine = Machine(tmp_path, without=["/sys/class/dmi/id/product_uuid"])
    with Platform(instance={"compute": {"vmId": UUID}}) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        assert states(platform) == ["Ready"]
    down = {
        "name": "down",
        "description": "IMDS is down.",
        "imds": [{"status": 503, "repeat": "forever"}],
        "expect": {"ready": 0, "outcome": "error", "reports": ["NotReady"]},
    }
    machine.put("/proc/sys/kernel/random/boot_id", "22222222-2222-4222-8222-222222222222\n")
    with Platform(scenario=down) as platform:
        machine.lead_to(platform)
        machine.put("/etc/lightinit/conf.d/20-time.conf", "[azure]\nfetch_timeout_s = 1\n")
        assert machine.run("boot").returncode == 1
        assert not platform.final_reports


def test_a_console_that_nobody_reads(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 65536)
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    with Platform() as platform:
        machine.lead_to(platform)
        ended = subprocess.run(
            machine.argv("boot"),
            cwd=HERE,
            stderr=writing,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0
        assert states(platform) == ["Ready"]
    os.close(reading)
    os.close(writing)
    assert "provisioning done" in machine.read("/var/log/lightinit.log")


@pytest.mark.parametrize("what", ["directory", "run is a file"])
@pytest.mark.skipif(os.geteuid() != 0, reason="another user is refused")
def test_trouble_with_the_lock_is_no_reason_not_to_report(tmp_path: Any, what: str) -> None:
    machine = Machine(tmp_path)
    if what == "directory":
        os.makedirs(machine.root + "/run/lightinit/lock")
    else:
        machine.put("/run/lightinit", "")
    with Platform() as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert "continuing without a lock" in ended.stderr
        assert states(platform) == ["Ready"]
        assert json.loads(machine.run("status", "--format", "json").stdout)["reported"] == "Ready"


@pytest.mark.parametrize(
    "name, content",
    [
        ("/run/lightinit/status.json", "[" * 100000),
        ("/var/lib/lightinit/instance/timeline.json", '{"entries": [7, {"kind": 1}]}'),
        ("/var/lib/lightinit/instance/result.json", '{"status": [], "errors": 7}'),
    ],
)
def test_commands_that_look_never_trip(tmp_path: Any, name: str, content: str) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
    machine.put(name, content)
    for arguments in (
        ["status", "--long"],
        ["status", "--format", "json"],
        ["analyze", "show"],
        ["analyze", "blame"],
        ["query"],
    ):
        ended = machine.run(*arguments)
        assert "Traceback" not in ended.stderr
        assert ended.returncode in (0, 1, 3)


def test_a_module_that_is_not_listed_runs_with_its_defaults(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, "[lightinit]\nmodules = users ssh_authorized_keys\n")
        assert machine.run("boot").returncode == 0
        assert machine.read("/etc/hostname") == "image\n"
        ended = machine.run("module", "hostname")
        assert ended.returncode == 0, ended.stderr
        assert machine.read("/etc/hostname") == "lightinit-vm\n"
