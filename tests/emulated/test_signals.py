"""A signal in each stage ends the boot without a report, and the next boot goes on: nothing is done
twice, nothing is lost. The init system sends SIGTERM, a terminal SIGINT or SIGHUP.
"""

from __future__ import annotations

import signal
from typing import Any, Callable, Dict, List

import pytest

from lightinit.emulator import Platform
from tests.emulated.boots import hand_out_lease, reported, start_waiting
from tests.lib.scratch import UUID, Machine

pytestmark = pytest.mark.long

# It catches everything, also what the signal raises, and says that all is well.
MODULE = """
import os, time
from lightinit.model import Frequency, Outcome
NAME, FREQUENCY, REQUIRED, SETTINGS = "site", Frequency.INSTANCE, True, ()

def apply(instance, system, settings):
    if os.environ.get("HANG"):
        system.write("/entered", b"")
        try:
            while True:
                time.sleep(0.1)
        except BaseException:
            return Outcome("well")
    return Outcome("done")
"""
SETTINGS = (
    "[lightinit]\nmodules = users ssh_authorized_keys site_package.one\n"
    "[azure]\nrequest_timeout_s = 600\n"
)
BOOT_ID = "/proc/sys/kernel/random/boot_id"
MARKS = "/var/lib/lightinit/instances/%s/sem/" % UUID
HANGS: Dict[str, Dict[str, Any]] = {
    "fetch": {"imds": [{"hang_s": 600}]},
    "final": {"health": [{"hang_s": 600}]},
}


def scenario(stage: str) -> Dict[str, Any]:
    return {
        "name": "hangs",
        "description": "The platform does not answer once.",
        "expect": {"ready": 1, "outcome": "done", "reports": ["Ready"]},
        **HANGS.get(stage, {}),
    }


def asked(server: str, method: str) -> Callable[[Platform], bool]:
    def is_asked(platform: Platform) -> bool:
        found = [(each["server"], each["method"]) for each in platform.requests]
        return (server, method) in found

    return is_asked


def reach(stage: str, machine: Machine, platform: Platform, env: Dict[str, str]) -> Any:
    """Start a boot, and return its process once it waits in ``stage``."""
    if stage == "local":
        return start_waiting(machine, "boot")
    process = machine.start("boot", env=dict(env, HANG="1" if stage == "config" else ""))
    conditions: Dict[str, Callable[[Platform], bool]] = {
        "fetch": asked("imds", "GET"),
        "config": lambda _: machine.exists("/entered"),
        "final": lambda the: (
            machine.exists(MARKS + "stage.config") and asked("wireserver", "POST")(the)
        ),
    }
    assert platform.wait_for(conditions[stage], 60)
    return process


CASES = [
    ("local", signal.SIGHUP),
    ("fetch", signal.SIGINT),
    ("config", signal.SIGTERM),
    ("config", signal.SIGHUP),
    ("final", signal.SIGTERM),
]


@pytest.mark.parametrize("stage, number", CASES)
def test_a_signal_in_a_stage(tmp_path: Any, stage: str, number: int) -> None:
    machine = Machine(tmp_path)
    machine.put("/site/site_package/__init__.py", "")
    machine.put("/site/site_package/one.py", MODULE)
    env = {"PYTHONPATH": machine.root + "/site"}
    with Platform(scenario=scenario(stage)) as platform:
        machine.lead_to(platform, SETTINGS)
        process = reach(stage, machine, platform, env)
        process.send_signal(number)
        _, error = process.communicate(timeout=120)
        assert process.returncode == 128 + number, error
        assert "the next boot resumes" in error
        assert reported(platform) == []
        assert not machine.exists(MARKS + "module.site_package.one") or stage == "final"
        done = {name: machine.read(name) for name in marks_of(machine)}
        assert bool(done) == (stage in ("config", "final"))
        if stage == "local":
            hand_out_lease(machine)
        ended = machine.run("boot", env=env)
        assert ended.returncode == 0, ended.stderr
        assert reported(platform) == ["Ready"]
    for name, text in done.items():
        assert machine.read(name) == text or "stage.local" in name
    keys = machine.read("/home/azureuser/.ssh/authorized_keys").split("\n")
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("is_same_boot", [True, False])
def test_marks_of_a_killed_boot(tmp_path: Any, is_same_boot: bool) -> None:
    """SIGKILL: what was done counts, unless a power cut may have undone it."""
    machine = Machine(tmp_path)
    machine.put("/site/site_package/__init__.py", "")
    machine.put("/site/site_package/one.py", MODULE)
    env = {"PYTHONPATH": machine.root + "/site"}
    with Platform(scenario=scenario("config")) as platform:
        machine.lead_to(platform, SETTINGS)
        process = reach("config", machine, platform, env)
        process.kill()
        process.communicate(timeout=120)
        assert not machine.exists(MARKS + "module.users")
        left = machine.read(MARKS + ".module.users.lightinit-new")
        if not is_same_boot:
            machine.put(BOOT_ID, "22222222-2222-4222-8222-222222222222\n")
        ended = machine.run("boot", env=env)
        assert ended.returncode == 0, ended.stderr
        assert reported(platform) == ["Ready"]
    assert (machine.read(MARKS + "module.users") == left) == is_same_boot
    assert not [name for name in marks_of(machine) if name.endswith("-new")]


def marks_of(machine: Machine) -> List[str]:
    return [name for name in machine.tree() if name.startswith(MARKS)]
