"""Searches one device in a separate process, with a time limit.

SIGKILL may not end a process that waits for a device that never answers. lightinit leaves such a
process behind, and does not wait for it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from functools import partial
from typing import IO, Any, Callable, List, Mapping, Sequence, cast

from lightinit.digits import read_digits
from lightinit.host.command import when_there_is_room
from lightinit.model import NamedTuple

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reader.py")
HEAD_BYTES = 4096
# A killed process gets this long to end. If it does not end, it is stuck in the kernel.
GONE_WITHIN_S = 0.2


class LookResult(NamedTuple):
    """The result of searching one device.

    Attributes:
        found: whether the document was found.
        data: the document.
        text: how it was read, or why it was not.
        optical: whether the device is an optical drive.
        again: whether a later search may find the document.
        harmless: whether the device certainly has no such document.
        hung: whether the device did not answer in time.
    """

    found: bool
    data: bytes
    text: str
    optical: bool = False
    again: bool = False
    harmless: bool = False
    hung: bool = False


def reader_command() -> List[str]:
    """The command of the reader. It needs no site-packages; -I and -S make its start faster."""
    return [sys.executable or "/usr/bin/python3", "-I", "-S", "-B", PROGRAM]


class ReaderProcess:
    """A running reader process.

    Args:
        operation: what it does; ``reader.py`` lists the operations.
        path: a real path.
        names: the further arguments of the operation.
        limit_bytes: the greatest size of a file.
        limit_s: seconds of real time after which the device counts as hung.
        may_mount: whether a block device may be mounted.
        command: the command of another reader than ours; the arguments are added to it.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        operation: str,
        path: str,
        names: Sequence[str],
        limit_bytes: int,
        limit_s: float,
        may_mount: bool,
        command: Sequence[str] = (),
    ) -> None:
        argv = list(command or reader_command())
        argv += [operation, path, str(limit_bytes), str(limit_s), str(int(may_mount))]
        argv += names
        self._most_bytes = self._most(limit_bytes, names)
        self._limit_s = limit_s
        self._taken = b""
        # The reader gets its own session, so that the tools that it starts are killed with it.
        start: Callable[[], Any] = partial(
            subprocess.Popen,
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            close_fds=True,
            start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"},
        )
        self._process = when_there_is_room(start)
        self._began_s = time.monotonic()
        self._ends_s = self._began_s + limit_s
        self._pipe = cast(IO[bytes], self._process.stdout)
        self.descriptor = self._pipe.fileno()
        os.set_blocking(self.descriptor, False)

    def take(self) -> bool:
        """Read the reader's output so far. Returns whether to call :meth:`end`: the reader has
        ended, or its time is over.
        """
        while len(self._taken) <= self._most_bytes:
            try:
                data = os.read(self.descriptor, 65536)
            except BlockingIOError:
                return time.monotonic() >= self._ends_s
            if not data:
                break
            self._taken += data
        return True

    def _most(self, limit_bytes: int, names: Sequence[str]) -> int:
        """How long an answer may be."""
        return limit_bytes + HEAD_BYTES

    @property
    def age_s(self) -> float:
        """How long the reader has been running, in seconds."""
        return time.monotonic() - self._began_s

    def abandon(self) -> None:
        """Kill the reader, and ignore its answer."""
        self._kill(late=True)

    def _kill(self, late: bool) -> bool:
        """Kill the reader and its child processes. Returns whether the reader has ended."""
        gone = not late and self._gone()  # after its answer it ends by itself
        if not gone:
            try:
                # This is safe only before wait(): later its pid may belong to another process.
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


class Look(ReaderProcess):
    """A search for one document, or the ejection of a medium. Its operation is ``look`` or
    ``eject``; its names are file names of the document, the best one first.
    """

    def end(self) -> LookResult:
        """End the reader, killing it if necessary, and return its answer. Does not wait long."""
        late = time.monotonic() >= self._ends_s and not self._is_complete()
        gone = self._kill(late)
        if self._is_complete():
            return self._parsed()
        if late:
            why = "it did not answer within %g s" % self._limit_s
            if not gone:
                why += ", and the process that asked it does not end"
            return LookResult(False, b"", why, hung=True)
        return LookResult(
            False, b"", "the reader ended without an answer (status %s)" % self._process.returncode
        )

    def _fields(self) -> List[str]:
        return self._taken.partition(b"\n")[0].decode("utf-8", "replace").split("\t")

    def _is_complete(self) -> bool:
        head, newline, data = self._taken.partition(b"\n")
        fields = self._fields()
        if not newline:
            return False
        if fields[0] == "found":
            return len(fields) == 4 and read_digits(fields[1]) == len(data)
        return (fields[0], len(fields)) in (("nothing", 5), ("ejected", 1))

    def _parsed(self) -> LookResult:
        fields = self._fields()
        if fields[0] == "found":
            return LookResult(True, self._taken.partition(b"\n")[2], fields[3], fields[2] == "1")
        if fields[0] == "ejected":
            return LookResult(True, b"", "ejected", True)
        _, again, optical, harmless, why = fields
        return LookResult(False, b"", why, optical == "1", again == "1", harmless == "1")


def wait_for(looks: Mapping[str, ReaderProcess], timeout_s: float) -> List[str]:
    """Wait until one of several readers has written something, at most ``timeout_s`` seconds.

    Returns:
        The paths for which to call :meth:`Look.end`.
    """
    poll = select.poll()
    for look in looks.values():
        poll.register(look.descriptor, select.POLLIN)
    poll.poll(int(timeout_s * 1000) + 1)
    return [path for path, look in looks.items() if look.take()]
