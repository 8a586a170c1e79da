"""Whatever hangs in fetch or config, the platform hears NotReady, and the next boot goes on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lightinit.emulator import Platform
from lightinit.errors import EXIT_LOCKED
from tests.emulated.boots import documented, reported, told
from tests.lib.scratch import UUID, Machine

pytestmark = pytest.mark.long

MODULE = """
import ctypes, os, re, signal, time
from lightinit.model import Frequency, Outcome
NAME, FREQUENCY, REQUIRED, SETTINGS = "site", Frequency.INSTANCE, True, ()

def apply(instance, system, settings):
    if os.environ.get("HANG"):
        %s
    return Outcome("went on")
"""
DATASOURCE = """
import os, re
from lightinit.datasources.azure.datasource import AzureDatasource

class Slow(AzureDatasource):
    def fetch(self, instance_id, announce=False):
        if os.environ.get("HANG"):
            re.match("(a+)+$", "a" * 64 + "b")
        return super().fetch(instance_id, announce)
"""
HANGS = (
    "while True: time.sleep(0.01)",
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); time.sleep(600)",
    "while True: ctypes.PyDLL(None).sleep(600)",
)
SETTINGS = "[lightinit]\nwatchdog_s = 15\nmodules = hostname users site_package.one\n"


def site(machine: Machine, name: str, text: str) -> Any:
    machine.put("/site/site_package/__init__.py", "")
    machine.put("/site/site_package/%s.py" % name, text)
    return {"PYTHONPATH": machine.root + "/site"}


@pytest.mark.parametrize("hang", HANGS)
def test_a_module_that_hangs(tmp_path: Any, hang: str) -> None:
    machine = Machine(tmp_path)
    env = site(machine, "one", MODULE % hang)
    with Platform() as platform:
        machine.lead_to(platform, SETTINGS)
        ended = machine.run("boot", env=dict(env, HANG="1"))
        assert ended.returncode not in (0, 1)
        assert reported(platform) == ["NotReady"], ended.stderr
        description = platform.final_reports[-1]["description"]
        assert "reason=provisioning takes too long|" in description
        assert "step=site_package.one" in description
        found = told(machine)
        assert found["exit_code"] == 1
        assert [error for error in found["errors"] if "provisioning takes too long" in error]
        # What was done is not done again.
        marks = "/var/lib/lightinit/instances/%s/sem/" % UUID
        assert machine.exists(marks + "module.users")
        assert not machine.exists(marks + "module.site_package.one")
        done = machine.read(marks + "module.users")
        machine.put("/etc/lightinit/conf.d/90-late.conf", "[lightinit]\nwatchdog_s = 600\n")
        ended = machine.run("boot", env=env)
        assert ended.returncode == 0, ended.stderr
        assert reported(platform) == ["NotReady", "Ready"]
        assert machine.read(marks + "module.users") == done
        assert told(machine)["exit_code"] == 0


CRASHES = {
    "in C": ("ctypes.string_at(0)", "Segmentation fault"),
    "in a thread": (
        "import threading; threading.Thread(target=ctypes.string_at, args=(0,)).start(); "
        "time.sleep(600)",
        "Segmentation fault",
    ),
    "for another processor": ("os.kill(os.getpid(), signal.SIGILL)", "Illegal instruction"),
    "by abort": ("os.abort()", "Aborted"),
}


@pytest.mark.parametrize("crash", sorted(CRASHES))
def test_a_process_that_crashes(tmp_path: Any, crash: str) -> None:
    """N3: a C extension that was built for another processor or library."""
    machine = Machine(tmp_path)
    code, how = CRASHES[crash]
    env = site(machine, "one", MODULE % code)
    with Platform() as platform:
        # 0: no limit; crashes are heard all the same
        machine.lead_to(platform, SETTINGS.replace("15", "0"))
        ended = machine.run("boot", env=dict(env, HANG="1"))
        assert ended.returncode < 0
        assert platform.wait_for(lambda it: bool(reported(it)), 60), ended.stderr
        description = platform.final_reports[-1]["description"]
        for word in ("reason=boot crashed|", "step=site_package.one", how, "File "):
            assert word in description
        documented("boot crashed")
        ended = machine.run("boot", env=env)
        for _ in range(300):  # the watchdog still saves the result
            if ended.returncode != EXIT_LOCKED:
                break
            time.sleep(0.1)
            ended = machine.run("boot", env=env)
        assert ended.returncode == 0, ended.stderr
        assert reported(platform) == ["NotReady", "Ready"]
        assert told(machine)["exit_code"] == 0


def test_a_parser_that_is_slow(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    env = site(machine, "slow", DATASOURCE)
    settings = (
        "[lightinit]\ndatasource = site_package.slow:Slow\nwatchdog_s = 15\nmodules = users\n"
    )
    with Platform() as platform:
        machine.lead_to(platform, "")
        for name in ("05-limits", "10-test"):
            path = "/etc/lightinit/conf.d/%s.conf" % name
            machine.put(path, machine.read(path).replace("[azure]", "[slow]"))
        machine.put("/etc/lightinit/conf.d/50-slow.conf", settings)
        ended = machine.run("boot", env=dict(env, HANG="1"))
        assert reported(platform) == ["NotReady"], ended.stderr
        assert "step=fetch" in platform.final_reports[-1]["description"]
        machine.put("/etc/lightinit/conf.d/90-late.conf", "[lightinit]\nwatchdog_s = 0\n")
        assert machine.run("boot", env=env).returncode == 0
        assert reported(platform) == ["NotReady", "Ready"]
