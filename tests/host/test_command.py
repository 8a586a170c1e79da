"""Commands on the live machine: their environment, and what fails. Nothing is changed."""

from __future__ import annotations

import errno
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.command import when_there_is_room
from lightinit.host.system import System
from tests.lib.netns import wait_until
from tests.lib.scripts import is_alive


def test_a_command_is_run_in_its_own_environment() -> None:
    system = System("/")
    assert system.live and system.tool("sh") is not None and system.tool("no-such-tool") is None
    heard = []
    system.on_command = lambda argv, seconds, status: heard.append((argv[0], status))
    ended = system.run(
        ["/bin/sh", "-c", 'echo "$LC_ALL $PATH"; cat; echo two >&2; exit 3'], stdin=b"in"
    )
    assert ended.stdout == "C /usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin\nin"
    assert (ended.returncode, ended.ok, ended.last_words) == (3, False, "two")
    assert heard == [("/bin/sh", 3)]
    ended = system.run(["/bin/sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x >&2; exit 1"])
    assert ended.last_words == "x" * 1000, "S6: one line of 200 kB"
    with pytest.raises(ProvisioningError, match="command failed"):
        system.run_checked(["/bin/sh", "-c", "exit 4"])


def test_a_process_waits_for_room_and_not_for_ever() -> None:
    refusals = [errno.EAGAIN, errno.ENOMEM]

    def start() -> str:
        if refusals:
            raise OSError(refusals.pop(), "no room")
        return "started"

    assert when_there_is_room(start) == "started"
    with pytest.raises(OSError, match="no room"):
        when_there_is_room(partial(_refuse, errno.EACCES))
    with pytest.raises(OSError, match="no room"):
        when_there_is_room(partial(_refuse, errno.EAGAIN), patience_s=0.2)


def _refuse(number: int) -> None:
    raise OSError(number, "no room")


def test_a_command_that_hangs_or_is_missing_is_an_error() -> None:
    with pytest.raises(ProvisioningError, match="command took too long"):
        System("/").run(["/bin/sh", "-c", "sleep 60"], timeout_s=0.2)
    with pytest.raises(ProvisioningError, match="command cannot be started"):
        System("/").run(["/no/such/tool"])


def test_a_command_has_ended_when_its_process_has(tmp_path: Path) -> None:
    """N9: a daemon that useradd's hook leaves behind keeps the pipe open."""
    pids = tmp_path / "pids"
    argv = ["/bin/sh", "-c", "sleep 600 & echo $! > %s; echo out; echo err >&2; cat" % pids]
    ended = System("/").run(argv, stdin=b"in", timeout_s=30)
    daemon_pid = int(pids.read_text())
    try:
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "out\nin", "err\n")
        assert os.path.exists("/proc/%d" % daemon_pid)
    finally:
        os.kill(daemon_pid, signal.SIGKILL)


def test_what_a_daemon_prints_later_does_not_kill_it(tmp_path: Path) -> None:
    """N9: also once the command that left it has ended."""
    go, out, pids = tmp_path / "go", tmp_path / "out", tmp_path / "pids"
    wait = "while ! test -e %s; do sleep 0.1; done" % go
    daemon = "(%s; echo late; sleep 0.3; echo late; echo lives > %s) & echo $! > %s"
    System("/").run(["/bin/sh", "-c", daemon % (wait, out, pids)], timeout_s=30)
    time.sleep(0.3)  # a reader that does not wait would be gone by now
    go.write_text("")
    # Where nobody waits for orphans, it stays as a zombie.
    wait_until(lambda: not is_alive(int(pids.read_text())), 60, "the daemon does not end")
    assert out.read_text() == "lives\n"


def test_a_daemon_that_prints_for_ever_is_not_waited_for(tmp_path: Path) -> None:
    """N9: the pipe is never empty."""
    pids = tmp_path / "pids"
    ended = System("/").run(["/bin/sh", "-c", "yes & echo $! > %s; exit 3" % pids], timeout_s=30)
    os.kill(int(pids.read_text()), signal.SIGKILL)
    assert ended.returncode == 3


def test_much_input_and_output() -> None:
    """Neither side waits for the other; a command need not read its input."""
    data = b"0123456789abcde\n" * 65536
    ended = System("/").run(["/bin/cat"], stdin=data, timeout_s=60)
    assert ended.stdout.encode() == data
    assert System("/").run(["/bin/true"], stdin=data, timeout_s=60).ok
    ended = System("/").run(["/bin/sh", "-c", "exec >&- 2>&-; sleep 0.3; exit 4"], timeout_s=60)
    assert ended.returncode == 4
