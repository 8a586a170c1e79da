"""busybox's reboot, poweroff and halt in a PID namespace: the signal reaches its process 1."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.lib.scratch import HERE
from tests.lib.unshared import why_not

WHY_NOT = why_not("busybox")
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
# It is process 1, as busybox's init.
INIT = """
import os, signal, subprocess, sys
names = {signal.SIGTERM: "reboot", signal.SIGUSR1: "halt", signal.SIGUSR2: "poweroff"}
for number in names:
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
mode, folder, here = sys.argv[1:]
code = '''
import sys
sys.path.insert(0, %r)
from lightinit.host.init import power
from lightinit.host.system import System
class Busybox(System):
    def tool(self, name):
        return %r + "/" + name if name in ("reboot", "halt", "poweroff") else None
print("said:", power.act(Busybox(), power.PowerWish(%r, "x")), flush=True)
''' % (here, folder, mode)
subprocess.Popen([sys.executable, "-c", code])
found = signal.sigtimedwait(list(names), 60)
print("got:", names[found.si_signo] if found else "nothing", flush=True)
"""


@pytest.mark.parametrize("mode", ["reboot", "poweroff", "halt"])
def test_init_gets_its_signal(tmp_path: Any, mode: str) -> None:
    for name in ("reboot", "poweroff", "halt"):
        (tmp_path / name).symlink_to(str(shutil.which("busybox")))
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", sys.executable, "-c", INIT]
    ran = subprocess.run(
        [*command, mode, str(tmp_path), HERE],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        timeout=120,
    )
    assert "got: " + mode in ran.stdout, ran.stdout
