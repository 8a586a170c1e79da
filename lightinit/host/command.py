"""Runs commands on this machine: without a shell, in the C locale, with our own PATH and a time
limit.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from functools import partial
from typing import Any, Callable, Optional, Sequence, TypeVar

from lightinit.errors import ProvisioningError
from lightinit.host.pipes import KILL_S, Pipes
from lightinit.host.programs import find_outside
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.command")

TOOL_FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin")
LAST_WORDS_CHARACTERS = 1000
HINTS = {  # fork(2)
    errno.EAGAIN: "no further process may run: raise TasksMax=, pids.max or ulimit -u",
    errno.ENOMEM: "add memory or swap",
}
PATIENCE_S, PAUSE_S = 5.0, 0.05
_waited_s = [0.0]
Started = TypeVar("Started")
ENVIRONMENT = {"PATH": ":".join(TOOL_FOLDERS), "LANG": "C", "LC_ALL": "C", "HOME": "/root"}


def when_there_is_room(start: Callable[[], Started], patience_s: float = PATIENCE_S) -> Started:
    """Start a process. While the machine has no room for a further one, try again: at boot much
    begins and soon ends.

    Args:
        start: starts it.
        patience_s: seconds that all waits of this process may have taken together.

    Raises:
        OSError: it could not be started.
    """
    while True:
        try:
            return start()
        except OSError as error:
            if error.errno not in HINTS or _waited_s[0] >= patience_s:
                raise
        _waited_s[0] += PAUSE_S
        time.sleep(PAUSE_S)


def cannot_start(command: str, why: str, number: Optional[int]) -> ProvisioningError:
    """The error for a command that the kernel does not start.

    Args:
        command: its path.
        why: the kernel's message.
        number: the number of the error, if it has one.
    """
    error = ProvisioningError("command cannot be started", command=command, error=why)
    if number in HINTS:
        error.details["hint"] = HINTS[number]
    return error


class Completed(NamedTuple):
    """A command that has ended.

    Attributes:
        returncode: its exit status; if a signal ended it, the negative number of the signal.
        stdout, stderr: its output.
    """

    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with 0."""
        return self.returncode == 0

    @property
    def last_words(self) -> str:
        """The last line of standard error, else of standard output, for an error message. A long
        line is cut.
        """
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        if not lines:
            return "exit status %d" % self.returncode
        return lines[-1].strip()[:LAST_WORDS_CHARACTERS]


def find_tool(name: str) -> Optional[str]:
    """The path of the command ``name``, or None if this machine lacks it.

    It may be outside these folders; see :func:`lightinit.host.programs.find_outside`.
    """
    for folder in TOOL_FOLDERS:
        path = "%s/%s" % (folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return find_outside(name)


class Running:
    """A command that was started. Until :meth:`end` its output is not read, so it must be short.

    Args:
        argv: the command's path and its arguments. They must have no secret, since every user can
            read them.
        stdin: its standard input, which may be a secret.
        before: called in the new process, before the command starts.
        is_patient: whether to wait for a moment, if there is no room for a further process.

    Attributes:
        argv: the same.
        pid: its process.

    Raises:
        ProvisioningError: it could not be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        before: Optional[Callable[[], None]] = None,
        is_patient: bool = False,
    ) -> None:
        import subprocess

        self.argv = list(argv)
        try:
            start: Callable[[], Any] = partial(
                subprocess.Popen,
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                preexec_fn=before,  # it only changes the ids
            )
            self._process = when_there_is_room(start) if is_patient else start()
        except (OSError, subprocess.SubprocessError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise cannot_start(argv[0], why, getattr(error, "errno", None)) from error
        self.pid = self._process.pid
        self._pipes = Pipes(self._process, stdin)

    def end(self, timeout_s: float) -> Completed:
        """Wait until its process has ended.

        The command may start a daemon that keeps the command's output open. lightinit does not wait
        for the daemon. Its later output is read and dropped, so that it does not die of SIGPIPE.

        Args:
            timeout_s: seconds after which it is killed.

        Raises:
            ProvisioningError: it was killed at the time limit.
        """
        status = None
        try:
            status = self._pipes.follow(timeout_s)
        finally:
            if status is None:
                _kill(self._process)
            self._pipes.close(still_read=status is not None)
        if status is None:
            raise ProvisioningError(
                "command took too long", command=self.argv[0], limit_s=timeout_s
            )
        return Completed(
            status,
            self._pipes.stdout.decode("utf-8", "replace"),
            self._pipes.stderr.decode("utf-8", "replace"),
        )

    def kill(self) -> None:
        """Kill it. Its output is not wanted any more."""
        _kill(self._process)
        self._pipes.close(still_read=False)

    def set_priority(self, nice: int) -> None:
        """Give it another priority, if we may: 0 is the usual one, 19 the lowest."""
        try:
            os.setpriority(os.PRIO_PROCESS, self.pid, nice)
        except OSError as error:
            LOG.debug("process %d keeps its priority: %s", self.pid, error.strerror)


def run_command(
    argv: Sequence[str],
    stdin: bytes,
    timeout_s: float,
    before: Optional[Callable[[], None]] = None,
) -> Completed:
    """Run a command until its process has ended; see :class:`Running`.

    Raises:
        ProvisioningError: it could not be started, or was killed at the time limit.
    """
    return Running(argv, stdin, before, is_patient=True).end(timeout_s)


def start_command(argv: Sequence[str]) -> None:
    """Start a command in its own session, without input and output. Do not wait for its end.

    Args:
        argv: the command's path and its arguments.

    Raises:
        OSError: it could not be started.
    """
    import subprocess

    subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def _kill(process: Any) -> None:
    import subprocess

    process.kill()
    try:
        process.wait(KILL_S)
    except subprocess.TimeoutExpired:  # it is stuck in the kernel: leave it behind
        LOG.debug("process %d does not end", process.pid)
