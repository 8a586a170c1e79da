"""What runs after Ready holds up nothing: `boot --background`, as init systems run it, ends with
the report, and another process goes on.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from lightinit.emulator import Platform
from tests.lib.netns import wait_until
from tests.lib.scratch import HERE, Machine
from tests.lib.scripts import is_alive

HOME = "/var/lib/lightinit/instance"
LISTED = "[lightinit]\nfinal_modules = tests.lib.waits_for_go\n"


def boot(machine: Machine) -> "subprocess.CompletedProcess[bytes]":
    """Not into pipes: as long as the other process has them, a reader would wait for their end."""
    argv = machine.argv("boot", "--background")
    with open(machine.root + "/console", "ab") as out:
        return subprocess.run(
            argv, cwd=HERE, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=120
        )


def status(machine: Machine) -> Any:
    return machine.json("/run/lightinit/status.json")


def test_the_command_ends_with_the_report_and_the_rest_goes_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, LISTED)
        assert boot(machine).returncode == 0 and platform.ready_count == 1
        wait_until(lambda: machine.exists("/waits"), 60.0, "the module has not begun")
        assert machine.json(HOME + "/result.json")["status"] == "done", "it is saved"
        shown = machine.run("status", "--long")
        assert shown.returncode == 3 and "status: running\n" in shown.stdout
        assert "doing: module tests.lib.waits_for_go\n" in shown.stdout
        again = machine.run("boot")
        assert again.returncode == 75 and "another lightinit is running" in again.stderr
        pid = status(machine)["pid"]
        assert "pid %d: boot, after Ready" % pid in again.stderr and is_alive(pid)
        assert os.getsid(pid) == pid, "the end of the console's session does not end it"
        machine.put("/go", "")
        assert machine.run("status", "--wait").returncode == 0
        wait_until(lambda: not is_alive(pid), 60.0, "it has not ended")
        assert machine.exists(HOME + "/provisioned") and status(machine)["doing"] == ""
        steps = [step["name"] for step in machine.json(HOME + "/result.json")["steps"]]
        assert steps[-2:] == ["final", "tests.lib.waits_for_go"]
        assert machine.read("/console").count("provisioning done") == 1
        assert "still to run: tests.lib.waits_for_go" in machine.read("/console")


def test_one_that_is_interrupted_is_told_and_resumed(tmp_path: Path) -> None:
    """As by the shutdown of the machine, or by a script that kills its parent."""
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, LISTED)
        assert boot(machine).returncode == 0
        wait_until(lambda: machine.exists("/waits"), 60.0, "the module has not begun")
        pid = status(machine)["pid"]
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), 60.0, "it has not ended")
        shown = machine.run("status", "--long")
        assert shown.returncode == 2 and "lightinit was interrupted in module" in shown.stdout
        machine.put("/go", "")
        assert boot(machine).returncode == 0
        assert machine.run("status", "--wait").returncode == 0
        assert platform.ready_count == 1
