"""The watchdog ends a process that hangs, wherever it hangs, and leaves all others alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import List, Tuple

import pytest

from lightinit.host.init.watchdog import GO_ON, PAUSE, RENEW, TimeLimit, killed_for_memory
from tests.lib.scratch import HERE

# The alarm writes what the process did, so that the test sees it.
PROGRAM = """
import os, re, signal, sys, threading, time
sys.path.insert(0, %r)
from lightinit.host.init.watchdog import Watchdog

def alarm(doing):
    os.write(1, b"alarm: %%s\\n" %% doing.encode())
    return True

watchdog = Watchdog()
watchdog.begin(%s, alarm)
watchdog.tell("module one")
%s
os.write(1, b"end\\n")
"""
SOON_S, LATE_S = 1.0, 600.0
HANGS = {
    "in Python": "while True: pass",
    "in a system call": "time.sleep(600)",
    "in a system call, deaf": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
    "time.sleep(600)",
    "without ever giving up the lock of the interpreter": "import ctypes\n"
    "signal.signal(signal.SIGTERM, lambda *_: None)\n"
    "while True: ctypes.PyDLL(None).sleep(600)",
    "in C": "signal.signal(signal.SIGTERM, lambda *_: None)\nre.match('(a+)+$', 'a' * 64 + 'b')",
    "in a thread that is waited for": "thread = threading.Thread(target=time.sleep, args=(600,))\n"
    "thread.start()\nthread.join()",
    "where it catches everything": "while True:\n"
    "    try: time.sleep(600)\n"
    "    except BaseException: pass",
}


def run(code: str, limit_s: float = LATE_S) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", PROGRAM % (HERE, limit_s, code)],
        stdout=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
        check=False,
    )


def processes_of(group: int) -> List[str]:
    """What still runs in a process group."""
    found = []
    for name in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % name, encoding="ascii", errors="replace") as handle:
                fields = handle.read().rpartition(")")[2].split()
        except OSError:
            continue
        if len(fields) > 2 and fields[2] == str(group) and fields[0] != "Z":
            found.append(name)
    return found


@pytest.mark.parametrize("where", sorted(HANGS))
def test_a_process_that_hangs_is_ended(where: str) -> None:
    ended = run(HANGS[where], SOON_S)
    assert ended.returncode in (-signal.SIGTERM, -signal.SIGKILL)
    assert ended.stdout.startswith("alarm: ") and "end" not in ended.stdout


def test_a_process_that_ends_is_left_alone() -> None:
    assert run("watchdog.end()").stdout == "end\n"


def test_a_pause_is_without_end() -> None:
    """The watchdog reads all that it is told before it looks at the time."""
    ended = run("watchdog.end()\nwatchdog.begin(7.0, alarm)\nwatchdog.pause()\ntime.sleep(8.0)\n")
    assert (ended.returncode, ended.stdout) == (0, "end\n")


# The limit in seconds, what the process says and when, and when the end is said to be close.
CLOSE: List[Tuple[float, List[Tuple[int, str]], List[int]]] = [
    (1080.0, [], [780]),
    (1080.0, [(100, "module packages"), (800, "module users")], [780]),
    (600.0, [], [400]),
    (float("inf"), [], []),
    (1080.0, [(10, PAUSE)], []),
    (1080.0, [(10, PAUSE), (900, GO_ON)], [900]),
    (1080.0, [(10, PAUSE), (5000, RENEW)], [5780]),
    (1080.0, [(900, RENEW)], [780, 1680]),
]


@pytest.mark.parametrize(("limit_s", "says", "close_s"), CLOSE)
def test_the_end_is_said_to_be_close_once(
    limit_s: float, says: List[Tuple[int, str]], close_s: List[int]
) -> None:
    limit, told, words = TimeLimit(limit_s, 0.0), [], dict(says)
    for now_s in range(0, 8000, 10):
        if now_s in words:
            limit.hear(words[now_s], now_s)
        if limit.is_over(now_s):
            assert limit.next_s == limit.due_s
            break
        if limit.next_s is not None and limit.next_s <= now_s:
            assert limit.becomes_close(now_s)
            told.append(now_s)
    assert told == close_s


def test_before_an_alarm_the_end_is_said_to_be_close() -> None:
    code = (
        "watchdog.end()\n"
        "def close(doing, left_s): os.write(1, b'close: %%s\\n' %% doing.encode())\n"
        "watchdog.begin(%s, alarm, on_close=close)\n"
        "watchdog.tell('module two')\ntime.sleep(600)"
    )
    # If the process was told too late what it does, it gets more time.
    assert any(
        run(code % limit_s).stdout == "close: module two\nalarm: module two\n"
        for limit_s in (2.0, 20.0)
    )


def test_the_time_begins_again() -> None:
    ended = run(
        "watchdog.end()\nwatchdog.begin(7.0, alarm)\nwatchdog.pause()\ntime.sleep(8.0)\n"
        "watchdog.tell('module two')\nwatchdog.renew()\ntime.sleep(600)"
    )
    assert ended.stdout == "alarm: module two\n"


def test_an_alarm_that_nobody_hears_changes_nothing() -> None:
    ended = run(
        "watchdog.end()\n"
        "watched, told = os.getpid(), {signal.SIGUSR1}\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, told)\n"
        "def deaf(doing):\n"
        "    os.write(1, b'not heard\\n')\n"
        "    os.kill(watched, signal.SIGUSR1)\n"
        "    raise OSError(5, 'no network')\n"
        "watchdog.begin(0.5, deaf)\nsignal.sigwait(told)\ntime.sleep(0.5)"
    )
    assert (ended.returncode, ended.stdout) == (0, "not heard\nend\n")


def test_it_ends_with_the_process_that_it_watches() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM % (HERE, LATE_S, "os.write(1, b'up\\n')\ntime.sleep(600)")],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.read(3) == b"up\n"
    process.kill()
    # The pipe ends only when both processes are gone.
    process.stdout.read()
    process.wait()
    deadline_s = time.monotonic() + 60.0
    while processes_of(process.pid):
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


DIES = """
watchdog.end()
def died(doing, why):
    os.write(1, b"died: %%s: %%s\\n" %% (doing.encode(), why.encode()))
watchdog.begin(600.0, alarm, died)
watchdog.tell("module three")
%s
"""


@pytest.mark.parametrize("before", ["", "os.kill(watchdog._pid, signal.SIGTERM)"])
def test_a_crash_is_heard(before: str) -> None:
    """Also if the init system ends at once what the process has left."""
    ended = run(DIES % (before + "\nimport ctypes\nctypes.string_at(0)"))
    assert ended.returncode == -signal.SIGSEGV
    assert ended.stdout.startswith("died: module three: Segmentation fault")


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), signal.SIGKILL)", "watchdog.end()\nos.abort()"]
)
def test_an_end_that_somebody_wants_is_no_crash(end: str) -> None:
    assert run(DIES % end).stdout == ""


def test_it_needs_no_proc() -> None:
    assert killed_for_memory("/nonexistent-proc/vmstat") == 0
    assert killed_for_memory() >= 0


def test_it_keeps_no_file_open() -> None:
    ended = run(
        "watchdog.end()\n"
        "first, other = os.pipe()\n"
        "watchdog.begin(60.0, alarm)\n"
        "os.close(other)\n"
        "os.write(1, b'closed\\n' if os.read(first, 1) == b'' else b'open\\n')"
    )
    assert ended.stdout == "closed\nend\n"
