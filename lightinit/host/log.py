"""The log: one stream to the console or the journal, one to a file. It must never stop the boot."""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
import time
from typing import IO, Optional

from lightinit.errors import LightinitError
from lightinit.host.system import System

PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
COLOURS = {logging.WARNING: "\033[33m", logging.ERROR: "\033[31m", logging.CRITICAL: "\033[31m"}
PATIENCE_S = 0.5
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Console(logging.Handler):
    """Lines for a person: seconds since the start, the level from warning up, colour only on a
    terminal.

    A console that nobody reads can fill up, such as a serial line with flow control or a pipe. Then
    lines are dropped after a short wait.

    Args:
        stream: the console. If it is the journal, each line begins with its priority.
        began_s: monotonic seconds that count as zero.
    """

    def __init__(self, stream: IO[str], began_s: float) -> None:
        super().__init__()
        self._stream = stream
        self._began_s = began_s
        self._journal = is_journal(stream)
        self._patience_s = PATIENCE_S
        try:
            self._colour = (
                stream.isatty()
                and os.environ.get("TERM", "dumb") != "dumb"
                and "NO_COLOR" not in os.environ
            )
        except ValueError:
            self._colour = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A console that is closed or full is not an error."""
        text = printable(record.getMessage())
        if self._journal:
            line = "<%d>%s" % (PRIORITIES.get(record.levelno, 6), text)
        else:
            if record.levelno >= logging.WARNING:
                text = "%s: %s" % (record.levelname.lower(), text)
            if self._colour and record.levelno in COLOURS:
                text = COLOURS[record.levelno] + text + "\033[0m"
            line = "lightinit [%8.3f] %s" % (time.monotonic() - self._began_s, text)
        # At boot there is no locale, so a console may accept only ASCII.
        data = (line + "\n").encode(
            getattr(self._stream, "encoding", None) or "utf-8", "backslashreplace"
        )
        try:
            self._write(data)
        except (OSError, ValueError):
            pass

    def _write(self, data: bytes) -> None:
        try:
            descriptor = self._stream.fileno()
        except OSError:  # a stream in memory
            self._stream.write(data.decode(getattr(self._stream, "encoding", None) or "utf-8"))
            self._stream.flush()
            return
        # Do not use the stream's buffer: a signal handler may log while a line is being written.
        if not select.select([], [descriptor], [], self._patience_s)[1]:
            self._patience_s = 0.0
            return
        self._patience_s = PATIENCE_S
        os.write(descriptor, data)


class LogFile(logging.Handler):
    """Lines for later: UTC time, process, level, the part of lightinit. Each is appended in one
    write.

    Args:
        descriptor: an open file in append mode.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A full disk is not an error."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = "%s.%03dZ %d %s %s: %s\n" % (
            stamp,
            record.msecs,
            record.process or 0,
            record.levelname,
            record.name,
            printable(record.getMessage()),
        )
        if record.exc_info:
            line += logging.Formatter().formatException(record.exc_info) + "\n"
        try:
            os.write(self._descriptor, line.encode("utf-8", "replace"))
        except OSError:
            pass

    def close(self) -> None:
        """Close the file."""
        try:
            os.close(self._descriptor)
        except OSError:
            pass
        super().close()


def printable(text: str) -> str:
    """``text`` on one line and without control characters, so that text from outside cannot
    control a terminal.
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def is_journal(stream: IO[str]) -> bool:
    """Whether ``stream`` goes to the systemd journal: JOURNAL_STREAM in systemd.exec(5)."""
    try:
        found = os.fstat(stream.fileno())
        return os.environ.get("JOURNAL_STREAM") == "%d:%d" % (found.st_dev, found.st_ino)
    except (OSError, ValueError, AttributeError):
        return False


def start(
    system: System,
    level: str,
    file: str,
    stream: Optional[IO[str]] = None,
    began_s: Optional[float] = None,
) -> None:
    """Begin to log, and end what an earlier call began.

    Args:
        system: the machine whose log file it is.
        level: debug, info, warning or error.
        file: the log file as the VM sees it, "" for none.
        stream: the console; standard error by default.
        began_s: monotonic seconds that count as zero on the console.
    """
    logger = logging.getLogger("lightinit")
    stop()
    logger.setLevel(LEVELS.get(level, logging.INFO))
    logger.propagate = False
    if began_s is None:
        began_s = time.monotonic()
    logger.addHandler(Console(stream or sys.stderr, began_s))
    if file:
        try:
            logger.addHandler(LogFile(_open(system, file)))
        except (OSError, ValueError, LightinitError) as error:
            logger.warning("no log file: %s: %s", file, getattr(error, "strerror", None) or error)


def stop() -> None:
    """End logging and close the file."""
    logger = logging.getLogger("lightinit")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def _open(system: System, file: str) -> int:
    path = system.path(file)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(
        path,
        os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW,
        0o640,
    )
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "not a regular file")
    return descriptor
