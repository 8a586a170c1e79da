"""Runs a script as root, with a time limit. Its output is read line by line while it runs.

The script gets its own session and environment, and no input. Its background processes continue
after its end; their output is then dropped. At the time limit, the script and everything that it
started are killed. This file knows neither the content of a script nor the reason for it.
"""

from __future__ import annotations

import logging
import os
import re
import select
import signal
from functools import partial
from typing import Any, Callable, Dict, Optional, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.command import cannot_start, when_there_is_room
from lightinit.host.init import systemd
from lightinit.host.log import printable
from lightinit.host.pipes import SHELL, leave_reader
from lightinit.host.programs import PROFILES
from lightinit.host.scripts.hold import Hold
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.scripts")

OUTPUT_LIMIT_BYTES = 1024 * 1024
LINE_LIMIT_BYTES = 2048
TICK_S = 0.1
GRACE_S = 1.0  # how long to keep reading after the end if a background process has the output open
KILL_S = 5.0
KILLED = 128 + signal.SIGKILL
# As systemd has them for services: what the administrator has installed goes before what the
# distribution has. /snap/bin is Ubuntu's.
FOLDERS = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/snap/bin",
)
# With C, PostgreSQL's package, say, would make databases that are not in UTF-8.
LANG, LANG_FILES = "C.UTF-8", ("/etc/locale.conf", "/etc/default/locale")
_LANG = re.compile(r"^LANG=[\"']?([A-Za-z0-9_.@-]{1,64})[\"']?[ \t]*$", re.MULTILINE)
ENVIRONMENT = {
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": SHELL,
}
# A shell sets the umask: Popen's argument umask needs Python 3.9. It stays the script's parent, so
# that a script which kills its parent does not end lightinit.
BEGIN = 'umask 022; "$@"; exit $?'


def make_environment(system: System) -> Dict[str, str]:
    """The variables that every script gets: the host's locale, and the folders of programs.

    Args:
        system: the machine.
    """
    texts = [system.read_text(path) for path in LANG_FILES]
    given = [LANG, *_LANG.findall("\n".join(reversed(texts)))]
    profiles = [path for path in PROFILES if system.is_dir(path)]
    return {**ENVIRONMENT, "LANG": given[-1], "PATH": ":".join([*FOLDERS, *profiles])}


class Ended(NamedTuple):
    """How a script ended.

    Attributes:
        status: its exit status; 128 plus the number of the signal if a signal ended it.
        timed_out: whether it was killed at the time limit.
    """

    status: int
    timed_out: bool


class Lines:
    """Turns pieces of output into printable lines. Long lines and long output are cut.

    Args:
        tell: a function that is called with each complete line.
        copy: called with each piece of output as it is; what is cut is there, too.
    """

    def __init__(
        self, tell: Callable[[str], None], copy: Callable[[bytes], None] = lambda _: None
    ) -> None:
        self._tell, self._copy = tell, copy
        self._line = b""
        self._left_bytes = OUTPUT_LIMIT_BYTES

    def feed(self, data: bytes) -> None:
        """Take a piece of output. Pieces after the limit are dropped at once, so that a script with
        much output is not slowed down.
        """
        self._copy(data)
        if self._left_bytes < 0:
            return
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._line += part[: LINE_LIMIT_BYTES + 1]
            self._end_line()
        self._line = (self._line + rest)[: LINE_LIMIT_BYTES + 1]

    def end(self) -> None:
        """End the output. This also passes on a last line that has no newline."""
        if self._line:
            self._end_line()

    def _end_line(self) -> None:
        line, self._line = self._line.rstrip(b"\r"), b""
        if self._left_bytes < 0:
            return
        text = printable(line[:LINE_LIMIT_BYTES].decode("utf-8", "replace"))
        if len(line) > LINE_LIMIT_BYTES:
            text += "..."
        self._left_bytes -= len(line) + 1
        if self._left_bytes < 0:
            text = "(more than %d bytes: the rest is left out)" % OUTPUT_LIMIT_BYTES
        self._tell(text)


class Child:
    """A script that runs as a child process, the leader of its session.

    Args:
        argv: the command that runs the script.
        environment: its whole environment.

    Raises:
        ProvisioningError: it cannot be started.
    """

    def __init__(self, argv: Sequence[str], environment: Dict[str, str]) -> None:
        import subprocess

        try:
            start: Callable[[], Any] = partial(
                subprocess.Popen,
                [SHELL, "-c", BEGIN, SHELL] + list(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
                start_new_session=True,
            )
            process = when_there_is_room(start)
        except OSError as error:
            raise cannot_start(SHELL, error.strerror or str(error), error.errno) from error
        self._process = process
        self._killed = False
        self.output: int = process.stdout.fileno()

    def poll(self) -> Optional[int]:
        """Return its exit status, or None while it runs."""
        status: Optional[int] = self._process.poll()
        if status is not None and status < 0:
            return 128 - status  # a signal ended it
        return status

    def kill(self) -> None:
        """Kill the script with its process group."""
        self._killed = True
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Stop reading. If background processes may still print, leave a reader, so that they do
        not die of SIGPIPE.
        """
        if not self._killed:
            leave_reader(self._process.stdout)
        self._process.stdout.close()


def run_script(
    system: System,
    argv: Sequence[str],
    environment: Dict[str, str],
    timeout_s: float,
    name: str,
    tell: Callable[[str], None],
    on_wait: Callable[[float], None] = lambda _: None,
    copy: Callable[[bytes], None] = lambda _: None,
    undo: Callable[[], object] = lambda: None,
) -> Ended:
    """Run a script, and wait for its end.

    If systemd runs, the script gets its own unit, without the sandbox of lightinit's service.

    Args:
        system: the machine; it must be live.
        argv: the command that runs the script; no secret.
        environment: variables besides those that every script gets; no secret.
        timeout_s: seconds after which it is killed; infinite for none.
        name: the beginning of its unit's name: letters, digits and hyphens.
        tell: a function that is called with each line of its standard output and standard error.
        on_wait: called all the time while it runs, with the seconds since its start.
        copy: called with each piece of its output.
        undo: called if it has not started, before a signal that has come may end lightinit.

    Returns:
        How it ended.

    Raises:
        ProvisioningError: it could not be started.
    """
    deadline_s = system.clock.monotonic() + timeout_s
    lines = Lines(tell, copy)
    running: Any = None
    status: Optional[int] = None
    hold = Hold()
    try:
        whole = {**make_environment(system), **environment}
        running = _start_or(undo, system, argv, whole, name, hold)
        hold.release()  # from here on, the script is killed if a signal raises
        status = _follow(system, running, lines, deadline_s, on_wait)
        timed_out = status is None
        if status is None:
            running.kill()
            status = _follow(system, running, lines, system.clock.monotonic() + KILL_S)
    finally:
        if running is not None:
            if status is None:
                running.kill()  # an exception, such as the one for SIGTERM, is ending lightinit
            running.close()
        hold.release()
    lines.end()
    return Ended(KILLED if status is None else status, timed_out)


def _start_or(undo: Callable[[], object], *arguments: Any) -> Any:
    """Start the script as :func:`_start` does, or undo."""
    try:
        return _start(*arguments)
    except BaseException:
        undo()
        raise


def _start(
    system: System, argv: Sequence[str], environment: Dict[str, str], name: str, hold: Hold
) -> Any:
    """Start the script as a Unit, or as a Child if systemd cannot start it. Returns either.

    Raises:
        ProvisioningError: it could not be started, or a signal came before it was.
    """
    if systemd.is_running(system):
        from lightinit.host.scripts import unit

        running = unit.start(system, argv, environment, name, lambda: hold.has_come)
        if running is not None:
            return running
    if hold.has_come:
        raise ProvisioningError("command cannot be started", command=SHELL, error="stopped")
    return Child(argv, environment)


def _follow(
    system: System,
    running: Any,
    lines: Lines,
    deadline_s: float,
    on_wait: Callable[[float], None] = lambda _: None,
) -> Optional[int]:
    """Read the output until the script has ended. Return its status, or None at the deadline."""
    clock = system.clock
    began_s = clock.monotonic()
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
            if ended_s is None:
                ended_s = now_s
            if not open_still or now_s - ended_s >= GRACE_S:
                return status
        elif now_s >= deadline_s:
            return None
        on_wait(now_s - began_s)
