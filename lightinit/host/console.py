"""Writes to a console that may have no reader: a serial line with flow control, a stopped terminal,
a pipe or the journal's socket whose reader hangs.

The boot never waits long for a reader: after a short wait, lines that cannot be written are
dropped. This file does not know the content of the lines.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import time
from typing import IO, Callable, Optional

PATIENCE_S = 0.5
# If select() reports a pipe as writable, it has room for this many bytes: pipe(7).
SURE_BYTES = 512
Put = Callable[[bytes], int]


class Console:
    """A console.

    A write must not block. But other processes share the open file description, and their writes
    must still block. So lightinit opens the console again, if possible. A socket has its own
    non-blocking calls.

    Args:
        stream: the console as a Python stream.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._patience_s = PATIENCE_S
        self._lost = 0
        self._is_broken_off = False
        self._descriptor = -1
        self._put: Optional[Put] = None
        try:
            self._descriptor = stream.fileno()
            self._put = _opener(self._descriptor)
        except (OSError, ValueError):
            pass  # a stream in memory, or a closed stream

    def write(self, line: bytes) -> None:
        """Write one line, with its newline. If the reader does not take it in time, it is lost.

        Raises:
            OSError, ValueError: the console is closed.
        """
        if self._put is None:
            self._stream.write(line.decode(getattr(self._stream, "encoding", None) or "utf-8"))
            self._stream.flush()
            return
        head = b""
        if self._is_broken_off:
            head = b"\n"
        if self._lost:
            head += b"lightinit: %d lines are not shown here: nobody read them\n" % self._lost
        left = self._push(self._put, head + line)
        if not left:
            self._lost, self._is_broken_off, self._patience_s = 0, False, PATIENCE_S
            return
        self._patience_s = 0.0  # until it takes a line again
        self._lost += 1
        if len(left) < len(head + line):
            self._is_broken_off = True

    def _push(self, put: Put, data: bytes) -> bytes:
        """Write what can be written. Returns the rest."""
        deadline_s = time.monotonic() + self._patience_s
        while data:
            # Do not use the stream's buffer: a signal handler may log during this write.
            wait_s = max(0.0, deadline_s - time.monotonic())
            if not select.select([], [self._descriptor], [], wait_s)[1]:
                break
            try:
                data = data[put(data) :]
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    break
                time.sleep(0.01)  # a terminal may have some room, but not enough
        return data

    def close(self) -> None:
        """Close the descriptor that this object opened. The stream stays open."""
        put, self._put = self._put, None
        closer = getattr(put, "close", None)
        if closer is not None:
            closer()


class _Reopened:
    """Writes to its own file description, which is non-blocking."""

    def __init__(self, descriptor: int) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        self._own = os.open("/proc/self/fd/%d" % descriptor, flags)

    def __call__(self, data: bytes) -> int:
        return os.write(self._own, data)

    def close(self) -> None:
        if self._own >= 0:
            os.close(self._own)
        self._own = -1


class _Socket:
    """Sends to a socket without blocking."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))

    def __call__(self, data: bytes) -> int:
        return self._socket.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._socket.close()


def _opener(descriptor: int) -> Put:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return lambda data: os.write(descriptor, data)
    try:
        if stat.S_ISSOCK(mode):
            return _Socket(descriptor)
        return _Reopened(descriptor)
    except OSError:
        # The console belongs to another user, or there is no /proc. A pipe that has room does not
        # block a write of this size.
        return lambda data: os.write(descriptor, data[:SURE_BYTES])
