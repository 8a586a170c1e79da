"""A second process waits for no thread of the first one: after a fork that thread is not there."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.lib.scratch import HERE

# In it a thread holds each lock of the agent, and has promised an answer, at the time of the fork.
# The second process does the same as that thread, and ends with 0; the alarm ends it otherwise.
SCRIPT = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[2])
from lightinit.host.files.candidate import candidate
from lightinit.host.init import background
from lightinit.host.system import System
from lightinit.login.answers import ask_once

system = System(sys.argv[1])
system.durability.defer([])
held, over, at_once = threading.Event(), threading.Event(), threading.Event()
at_once.set()


def hold(wait):
    system.write("/noted", b"", 0o600, waits=True)
    with candidate(system, "/etc/sshd_config", "", 0o600):
        with system.durability._lock, system.durability._one_barrier:
            held.set()
            wait.wait()


def work(wait):
    ask_once(system, ("question",), lambda: hold(wait))


threading.Thread(target=work, args=(over,), daemon=True).start()
held.wait()
first = os.getpid()
goes_on = background.split()
if os.getpid() != first:
    signal.alarm(60)
    system.durability.go_on()
    work(at_once)
    system.make_durable()
    os._exit(0)
over.set()
print(os.wait()[1])
"""


def test_it_takes_every_lock_and_asks_itself(tmp_path: Any) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path), HERE],
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    assert ended.stdout == b"0\n"
