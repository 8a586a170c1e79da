"""What a careless shell or service hands down to lightinit does no harm."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from typing import Any

from lightinit.emulator import Platform
from lightinit.host.init.inherited import LEAST
from tests.lib.scratch import HERE, Machine

SCRIPT = """
import json, os, resource, signal
from lightinit.host.command import run_command
from lightinit.emulator import Platform
from lightinit.host.init.inherited import LEAST, leave_behind

false = "/bin/false" if os.path.exists("/bin/false") else "/usr/bin/false"
lost = run_command([false], b"", 60.0).returncode
print(json.dumps({
    "lifted": leave_behind(),
    "enough": [resource.getrlimit(getattr(resource, name))[0] for name, _, _ in LEAST],
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "false": [lost, run_command([false], b"", 60.0).returncode],
    "again": leave_behind(),
}))
"""
# Low enough to be lifted, and enough for Python to begin.
LOW = {"RLIMIT_NOFILE": 64, "RLIMIT_FSIZE": 0, "RLIMIT_CPU": 600}


def hand_down() -> None:
    """In the child: what is wrong at its start."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGALRM))
    for name, soft in LOW.items():
        kind = getattr(resource, name)
        resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


def test_signals_and_limits_are_reset() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=HERE,
        stdout=subprocess.PIPE,
        preexec_fn=hand_down,  # noqa: PLW1509 - it only calls the kernel
        check=True,
    )
    told = json.loads(ended.stdout)
    assert told["false"] == [0, 1], "no exit status was kept, now it is"
    assert told["blocked"] == 0 and told["again"] == []
    endless = resource.RLIM_INFINITY
    for (name, least, shown), soft in zip(LEAST, told["enough"]):
        hard = resource.getrlimit(getattr(resource, name))[1]
        if hard == endless or hard >= least:
            assert soft == endless or soft >= least, name
            assert name not in LOW or shown in told["lifted"]


def test_a_boot_that_may_write_nothing_writes_all_the_same(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        ended = subprocess.run(
            machine.argv("boot"),
            cwd=HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            preexec_fn=hand_down,  # noqa: PLW1509 - it only calls the kernel
        )
        assert platform.ready_count == 1, ended.stderr
    assert "which are lifted: open files, file size, CPU time" in ended.stderr
    assert ended.returncode == 0 and "azureuser" in machine.read("/etc/passwd")
