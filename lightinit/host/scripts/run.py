"""Runs somebody's script as root: its output line by line while it runs, a time limit, and nothing
that can hang us.

The script gets a session and an environment of its own, and no input. What it leaves running in the
background goes on living, and may go on printing, for nobody. At the time limit it is killed with
all that it has started. It knows neither what is in a script nor why it runs.
"""

from __future__ import annotations

import logging
import os
import select
import signal
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.command import TOOL_FOLDERS
from lightinit.host.init import systemd
from lightinit.host.log import printable
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.scripts")

OUTPUT_LIMIT_BYTES = 1024 * 1024
LINE_LIMIT_BYTES = 2048
TICK_S = 0.1
GRACE_S = 1.0  # how long the output is still read when a process in the background has it open
KILL_S = 5.0
KILLED = 128 + signal.SIGKILL
SHELL = "/bin/sh"
# What the script's parent does: a shell's umask is the only one that every Python can set for its
# child.
BEGIN = 'umask 022; exec "$@"'
# Reads what is in the background still prints, until nobody has the output open any more. By way of
# another descriptor, since a shell takes the input away from what it starts in the background.
READ_ON = "exec 3<&0; cat <&3 3<&- >/dev/null 2>&1 &"


@dataclass(frozen=True)
class Ended:
    """How a script ended.

    Attributes:
        status: its exit status, 128 and the signal's number if one ended it.
        timed_out: it was killed at the time limit.
    """

    status: int
    timed_out: bool


class Lines:
    """Output in pieces -> whole printable lines, each cut to a length and all together to an
    amount.

    Args:
        tell: gets each line, as soon as it is complete.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._line = b""
        self._left_bytes = OUTPUT_LIMIT_BYTES

    def feed(self, data: bytes) -> None:
        """Take what was read. Beyond the amount it is dropped unseen, so that whoever prints a lot
        is not slowed down.
        """
        if self._left_bytes < 0:
            return
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._line += part[: LINE_LIMIT_BYTES + 1]
            self._end_line()
        self._line = (self._line + rest)[: LINE_LIMIT_BYTES + 1]

    def end(self) -> None:
        """There is no more: tell the last line, which may have no end."""
        if self._line:
            self._end_line()

    def _end_line(self) -> None:
        line, self._line = self._line.rstrip(b"\r"), b""
        if self._left_bytes < 0:
            return
        text = printable(line[:LINE_LIMIT_BYTES].decode("utf-8", "replace"))
        text += "..." if len(line) > LINE_LIMIT_BYTES else ""
        self._left_bytes -= len(line) + 1
        self._tell(
            text
            if self._left_bytes >= 0
            else "(more than %d bytes: what follows is left out)" % OUTPUT_LIMIT_BYTES
        )


class Child:
    """A script as a child of ours, the leader of a session.

    Args:
        argv: the script.
        environment: all of its environment.

    Raises:
        ProvisioningError: it cannot be started.
    """

    def __init__(self, argv: Sequence[str], environment: Dict[str, str]) -> None:
        import subprocess

        try:
            process: Any = subprocess.Popen(
                [SHELL, "-c", BEGIN, SHELL] + list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise ProvisioningError(
                "command cannot be started", command=SHELL, error=error.strerror
            ) from error
        self._process = process
        self._killed = False
        self.output: int = process.stdout.fileno()

    def poll(self) -> Optional[int]:
        """Its exit status, None while it runs."""
        status: Optional[int] = self._process.poll()
        return status if status is None or status >= 0 else 128 - status

    def kill(self) -> None:
        """End it with all that is in its session's first process group."""
        self._killed = True
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Read no more. Another does where something in the background may print yet: without a
        reader that is killed.
        """
        import subprocess

        watch = select.poll()
        watch.register(self.output, 0)
        # The poll tells only that no writer is left.
        if not self._killed and not watch.poll(0):
            try:
                subprocess.Popen(
                    [SHELL, "-c", READ_ON],
                    stdin=self._process.stdout,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                ).wait()
            except OSError as error:
                LOG.debug("nobody reads what is still printed: %s", error)
        self._process.stdout.close()


def run_script(
    system: System,
    argv: Sequence[str],
    environment: Dict[str, str],
    timeout_s: float,
    name: str,
    tell: Callable[[str], None],
) -> Ended:
    """Run a script to its end.

    Where systemd runs it is a unit of its own, since it is not to have the limits of lightinit's
    own service.

    Args:
        system: the machine; it must be live.
        argv: the script's path, or its interpreter and that; never a secret among them.
        environment: variables besides those that every script gets; no secret either.
        timeout_s: seconds after which it is killed.
        name: for its unit: letters, digits and hyphens.
        tell: gets each line that it prints, standard output and standard error as they come.

    Raises:
        ProvisioningError: it could not be started.
    """
    fixed = {
        "PATH": ":".join(TOOL_FOLDERS),
        "LANG": "C",
        "HOME": "/root",
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": SHELL,
    }
    fixed.update(environment)
    deadline_s = system.clock.monotonic() + timeout_s
    lines = Lines(tell)
    running: Any = None
    if systemd.is_running(system):
        from lightinit.host.scripts import unit

        running = unit.start(system, argv, fixed, name)
    if running is None:
        running = Child(argv, fixed)
    status = None
    try:
        status = _follow(system, running, lines, deadline_s)
        timed_out = status is None
        if status is None:
            running.kill()
            status = _follow(system, running, lines, system.clock.monotonic() + KILL_S)
    finally:
        if status is None:
            running.kill()  # a signal told us to stop
        running.close()
    lines.end()
    return Ended(KILLED if status is None else status, timed_out)


def _follow(system: System, running: Any, lines: Lines, deadline_s: float) -> Optional[int]:
    """Pass its output on until it has ended; its status, or None at the deadline."""
    clock = system.clock
    open_still, ended_s = True, None
    while True:
        if open_still and select.select([running.output], [], [], TICK_S)[0]:
            try:
                data = os.read(running.output, 65536)
                open_still = bool(data)
                lines.feed(data)
            except BlockingIOError:
                pass
        elif not open_still:
            clock.sleep(TICK_S)
        now_s = clock.monotonic()
        status: Optional[int] = running.poll()
        if status is not None:
            ended_s = now_s if ended_s is None else ended_s
            if not open_still or now_s - ended_s >= GRACE_S:
                return status
        elif now_s >= deadline_s:
            return None
