"""One look at one device, in a process of its own: started, waited for up to a limit, and given up.

A process that waits for a device that never answers may be beyond the reach of SIGKILL. It is then
left alone, and nobody waits for it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import IO, Dict, List, NamedTuple, Sequence, cast

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reader.py")
HEAD_BYTES = 4096
# For a process that was killed to be gone. One that is not is stuck in the kernel.
GONE_WITHIN_S = 0.2


class Answer(NamedTuple):
    """What a look gave: the document, with ``how`` it was read, or ``why`` there is none.

    Attributes:
        found: whether the document is there.
        data: it.
        text: how it was read, or why not.
        optical: whether the device is an optical drive.
        again: whether a later look may see more.
        hung: the device did not answer in time.
    """

    found: bool
    data: bytes
    text: str
    optical: bool = False
    again: bool = False
    hung: bool = False


def reader_command() -> List[str]:
    """How the reader is started: -I and -S, since it needs neither the environment nor
    site-packages.
    """
    return [sys.executable or "/usr/bin/python3", "-I", "-S", PROGRAM]


class Look:
    """A reader at work.

    Args:
        operation: ``look`` or ``eject``.
        path: a real path.
        limit_bytes: how long the document may be.
        limit_s: seconds after which the device counts as one that hangs, by real time.
        may_mount: whether a block device may be mounted.
        command: starts the reader; its arguments are put behind.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        operation: str,
        path: str,
        limit_bytes: int,
        limit_s: float,
        may_mount: bool,
        command: Sequence[str] = (),
    ) -> None:
        argv = list(command or reader_command())
        self._limit_bytes = limit_bytes
        self._limit_s = limit_s
        self._began_s = time.monotonic()
        self._ends_s = self._began_s + limit_s
        self._taken = b""
        # A session of its own: with it go the tools that the reader has started.
        self._process = subprocess.Popen(
            argv + [operation, path, str(limit_bytes), str(limit_s), "1" if may_mount else "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            close_fds=True,
            start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"},
        )
        self._pipe = cast(IO[bytes], self._process.stdout)
        self.descriptor = self._pipe.fileno()
        os.set_blocking(self.descriptor, False)

    def take(self) -> bool:
        """Take what it has written. Whether it has ended, or has had its time: then :meth:`end` is
        due.
        """
        while len(self._taken) <= self._limit_bytes + HEAD_BYTES:
            try:
                data = os.read(self.descriptor, 65536)
            except BlockingIOError:
                return time.monotonic() >= self._ends_s
            if not data:
                break
            self._taken += data
        return True

    def end(self) -> Answer:
        """End it, whatever it does, and give its answer. Never waits for long."""
        late = time.monotonic() >= self._ends_s and not self._is_complete()
        gone = self._kill(late)
        if self._is_complete():
            return self._parsed()
        if late:
            return Answer(
                False,
                b"",
                "it did not answer within %g s%s"
                % (self._limit_s, "" if gone else ", and the process that asked it does not end"),
                hung=True,
            )
        return Answer(
            False, b"", "the reader ended without an answer (status %s)" % self._process.returncode
        )

    @property
    def age_s(self) -> float:
        """For how long it has been at work."""
        return time.monotonic() - self._began_s

    def abandon(self) -> None:
        """End it without an answer."""
        self._kill(late=True)

    def _kill(self, late: bool) -> bool:
        """Have the reader gone, and what it started; whether it is."""
        gone = not late and self._gone()  # it has answered, and is just ending
        if not gone:
            try:
                # Not after it was waited for, as its number may be another's by then.
                os.killpg(self._process.pid, signal.SIGKILL)
            except OSError:
                pass
            gone = self._gone()
        self._pipe.close()
        return gone

    def _gone(self) -> bool:
        ends_s = time.monotonic() + GONE_WITHIN_S
        while self._process.poll() is None:
            if time.monotonic() >= ends_s:
                return False
            time.sleep(0.005)
        return True

    def _fields(self) -> List[str]:
        return self._taken.partition(b"\n")[0].decode("utf-8", "replace").split("\t")

    def _is_complete(self) -> bool:
        head, newline, data = self._taken.partition(b"\n")
        fields = self._fields()
        if not newline:
            return False
        if fields[0] == "found":
            return len(fields) == 4 and fields[1].isdigit() and int(fields[1]) == len(data)
        return (fields[0], len(fields)) in (("nothing", 4), ("ejected", 1))

    def _parsed(self) -> Answer:
        fields = self._fields()
        if fields[0] == "found":
            return Answer(True, self._taken.partition(b"\n")[2], fields[3], fields[2] == "1")
        if fields[0] == "ejected":
            return Answer(True, b"", "ejected", True)
        return Answer(False, b"", fields[3], fields[2] == "1", fields[1] == "1")


def wait_for(looks: Dict[str, Look], timeout_s: float) -> List[str]:
    """Wait until one of several looks has written something, at most ``timeout_s``. Those that are
    at their end.
    """
    poll = select.poll()
    for look in looks.values():
        poll.register(look.descriptor, select.POLLIN)
    poll.poll(int(timeout_s * 1000) + 1)
    return [path for path, look in looks.items() if look.take()]
