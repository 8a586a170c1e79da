"""Runs scripts for the tests, and watches what they leave behind."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from lightinit.host.clock import Clock
from lightinit.host.scripts import run as scripts
from lightinit.host.system import System
from tests.lib.netns import wait_until


class Seen(NamedTuple):
    """How a script ended, and all that it was heard to print."""

    status: int
    timed_out: bool
    lines: Tuple[str, ...]


def run(
    tmp_path: Path,
    text: str,
    timeout_s: float = 60.0,
    environment: Optional[Dict[str, str]] = None,
    system: Optional[System] = None,
) -> Seen:
    path = tmp_path / "script"
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o700)
    lines: List[str] = []
    ended = scripts.run_script(
        system or System(str(tmp_path)),
        [str(path)],
        environment or {},
        timeout_s,
        "test",
        lines.append,
    )
    return Seen(ended.status, ended.timed_out, tuple(lines))


class ReachedClock(Clock):
    """The true clock, but further ahead for each file that is there: a time limit is reached when a
    script has come so far, and not before.

    Args:
        files: what a script makes when it has come so far.
        step_s: by how many seconds the clock goes ahead for each.
    """

    def __init__(self, *files: Path, step_s: float = 3600.0) -> None:
        self._files, self._step_s = files, step_s
        self._ahead_s = 0.0

    def monotonic(self) -> float:
        # Not at once: whoever has just seen that a script has not begun may look again.
        ahead_s, self._ahead_s = self._ahead_s, self._step_s * sum(map(Path.exists, self._files))
        return super().monotonic() + ahead_s


def is_alive(pid: int) -> bool:
    """A process that has ended and that nobody has waited for yet is not."""
    try:
        with open("/proc/%d/stat" % pid) as handle:
            return handle.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# What goes on in the background prints, more than a pipe takes, when lightinit has long stopped
# reading.
PRINTS_LATER = """cd @
stat -L -c '%d %i' /proc/$$/fd/1 >output
(until [ -e go ]; do sleep 0.05; done
head -c 1000000 /dev/zero && sleep 0.1 && head -c 1000000 /dev/zero && echo >fine
echo >over) &
echo last
"""


def holders(device: int, inode: int) -> List[str]:
    """The processes that have this pipe open."""
    found = []
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            status = os.stat(path)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (device, inode):
            found.append(path)
    return found


def check_prints_later(tmp_path: Path, seen: Seen) -> None:
    device, inode = map(int, (tmp_path / "output").read_text().split())
    assert seen == Seen(0, False, ("last",)) and not (tmp_path / "over").exists()
    assert not [
        path for path in holders(device, inode) if path.startswith("/proc/%d/" % os.getpid())
    ], "not read by us"
    (tmp_path / "go").write_text("")
    wait_until((tmp_path / "over").exists, 60.0, "what is in the background does not go on")
    assert (tmp_path / "fine").exists(), "it was killed for what it printed"
    wait_until(
        lambda: not holders(device, inode),
        60.0,
        "somebody reads on though nobody is left who prints",
    )


# What writes into a pipe that nobody reads ends of that, without a word.
PIPELINE = "{ yes; echo it ended with $? >&2; } | head -n 1\n"
