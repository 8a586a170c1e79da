"""Reads and writes the standard streams of a process until the process ends.

Background processes that it left behind may keep the streams open much longer. lightinit does not
wait for them.
"""

from __future__ import annotations

import logging
import os
import select
import time
from typing import Any, Dict, Optional

LOG = logging.getLogger("lightinit.pipes")

OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024  # further output of a command is dropped
PIPE_BYTES = 1024 * 1024  # the largest pipe that Linux makes by default
TICK_S = 0.05
KILL_S = 5.0
SHELL = "/bin/sh"
# Reads the output of the background processes until none of them has it open. It uses another
# descriptor, because a shell replaces the standard input of a command in the background.
READ_ON = "exec 3<&0; cat <&3 3<&- >/dev/null 2>&1 &"


class Pipes:
    """The standard streams of a process. No call blocks.

    Args:
        process: a subprocess.Popen with three pipes.
        stdin: the data for its standard input.
    """

    def __init__(self, process: Any, stdin: bytes) -> None:
        self._process = process
        self._input = process.stdin
        self._left = memoryview(stdin)
        self._poll = select.poll()
        self._open: Dict[int, bytearray] = {}
        for stream in (process.stdout, process.stderr):
            self._open[stream.fileno()] = bytearray()
            self._poll.register(stream, select.POLLIN)
        self.stdout, self.stderr = self._open.values()
        self._poll.register(self._input, select.POLLOUT)
        for stream in (process.stdout, process.stderr, self._input):
            os.set_blocking(stream.fileno(), False)
        if not stdin:
            self._close_input()

    def follow(self, timeout_s: float) -> Optional[int]:
        """Read and write until the process has ended.

        Args:
            timeout_s: seconds to wait for that.

        Returns:
            Its exit status, or None if it still runs.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            left_s = deadline_s - time.monotonic()
            status: Optional[int] = self._process.poll()
            if status is None and left_s > 0 and self._open:
                self._work(min(TICK_S, left_s))
            elif status is None and left_s > 0:
                time.sleep(min(TICK_S / 10, left_s))
            else:
                break
        for descriptor in list(self._open):
            self._drain(descriptor)
        return status

    def close(self, still_read: bool) -> None:
        """Close the streams.

        Args:
            still_read: whether to leave a reader, so that background processes can still print.
        """
        self._close_input()
        for stream in (self._process.stdout, self._process.stderr):
            if still_read and stream.fileno() in self._open:
                leave_reader(stream)
            stream.close()

    def _work(self, timeout_s: float) -> None:
        for descriptor, _event in self._poll.poll(timeout_s * 1000):
            if descriptor in self._open:
                self._read(descriptor)
            else:
                self._write(descriptor)

    def _read(self, descriptor: int) -> int:
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return 0
        taken = self._open[descriptor]
        taken += data[: max(0, OUTPUT_LIMIT_BYTES - len(taken))]
        if not data:
            self._poll.unregister(descriptor)
            del self._open[descriptor]
        return len(data)

    def _drain(self, descriptor: int) -> None:
        """Read the current content of the pipe. A background process may print for ever."""
        left = PIPE_BYTES
        while left > 0 and descriptor in self._open:
            count = self._read(descriptor)
            left -= count or PIPE_BYTES

    def _write(self, descriptor: int) -> None:
        try:
            self._left = self._left[os.write(descriptor, self._left[: select.PIPE_BUF]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the process has closed its input
            self._left = self._left[:0]
        if not self._left:
            self._close_input()

    def _close_input(self) -> None:
        if not self._input.closed:
            self._poll.unregister(self._input)
            self._input.close()


def leave_reader(pipe: Any) -> None:
    """Leave a process that reads ``pipe`` and drops the data, until no process has it open for
    writing. So background processes that print do not die of SIGPIPE.

    Args:
        pipe: the read end of the pipe.
    """
    import subprocess

    watch = select.poll()
    watch.register(pipe, 0)
    if watch.poll(0):  # no events were requested, so poll only reports that no writer is left
        return
    os.set_blocking(pipe.fileno(), True)  # the reader shares this open file description
    try:
        subprocess.Popen(
            [SHELL, "-c", READ_ON],
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        ).wait()
    except OSError as error:
        LOG.debug("no reader for background processes: %s", error)
