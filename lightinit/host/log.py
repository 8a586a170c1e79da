"""The log: one stream to the console or the journal, one to a file. It never stops the boot."""

from __future__ import annotations

import logging
import os
import stat
import sys
import time
from typing import IO, Optional

from lightinit.errors import LightinitError
from lightinit.host.console import Console
from lightinit.host.system import System

PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
COLOURS = {logging.WARNING: "\033[33m", logging.ERROR: "\033[31m", logging.CRITICAL: "\033[31m"}
CONSOLE_LINE_CHARACTERS = 4096
FILE_LINE_CHARACTERS = 65536
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# For a record, as ``extra``: the console is left out. Long output of programs goes into the file.
ONLY_FILE = {"only_file": True}


class ConsoleHandler(logging.Handler):
    """Lines for people: seconds since the start, and the level if it is warning or above. Colour
    only on a terminal. A long line is cut; the log file has all of it.

    Args:
        stream: the console. If it is the journal, each line begins with its priority.
        began_s: monotonic seconds that count as zero.
    """

    def __init__(self, stream: IO[str], began_s: float) -> None:
        super().__init__()
        self._console = Console(stream)
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._began_s = began_s
        self._journal = is_journal(stream)
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
        if getattr(record, "only_file", False):
            return
        text = record.getMessage()
        left_out = len(text) - CONSOLE_LINE_CHARACTERS
        text = printable(text[:CONSOLE_LINE_CHARACTERS])
        if left_out > 0:
            text += "... (%d more characters are in the log)" % left_out
        if self._journal:
            line = "<%d>%s" % (PRIORITIES.get(record.levelno, 6), text)
        else:
            if record.levelno >= logging.WARNING:
                text = "%s: %s" % (record.levelname.lower(), text)
            if self._colour and record.levelno in COLOURS:
                text = COLOURS[record.levelno] + text + "\033[0m"
            line = "lightinit [%8.3f] %s" % (time.monotonic() - self._began_s, text)
        # At boot there is no locale, so a console may accept only ASCII.
        data = (line + "\n").encode(self._encoding, "backslashreplace")
        try:
            self._console.write(data)
        except (OSError, ValueError):
            pass

    def close(self) -> None:
        """Close the console, but not the stream."""
        self._console.close()
        super().close()


class LogFile(logging.Handler):
    """Lines in the log file: UTC time, process id, level, part of lightinit, message. Each line is
    appended in one write.

    Args:
        descriptor: an open file in append mode.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._is_cut = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A full disk is not an error."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = "%s.%03dZ %d %s %s: %s\n" % (
            stamp,
            record.msecs,
            record.process or 0,
            record.levelname,
            record.name,
            printable(record.getMessage()[:FILE_LINE_CHARACTERS]),
        )
        if record.exc_info:
            line += logging.Formatter().formatException(record.exc_info) + "\n"
        data = line.encode("utf-8", "replace")
        if self._is_cut:
            data = b"\n" + data
        try:
            # If the disk becomes full, only a part of the line is written. End that line, so that
            # the next one begins on a new line.
            self._is_cut = os.write(self._descriptor, data) < len(data)
        except OSError:
            pass

    def close(self) -> None:
        """Close the file. What another thread still logs is dropped: the file's number may soon be
        that of another file.
        """
        self.acquire()
        descriptor, self._descriptor = self._descriptor, -1
        self.release()
        try:
            os.close(descriptor)
        except OSError:
            pass
        super().close()


def printable(text: str) -> str:
    """``text`` on one line and without control characters. So text from the network cannot control
    a terminal.
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
    """Start logging, and stop the logging of an earlier call.

    Args:
        system: the machine with the log file.
        level: debug, info, warning or error.
        file: the log file as the VM sees it; "" for none.
        stream: the console; standard error by default.
        began_s: monotonic seconds that count as zero on the console.
    """
    logger = logging.getLogger("lightinit")
    stop()
    logger.setLevel(LEVELS.get(level, logging.INFO))
    logger.propagate = False
    if began_s is None:
        began_s = time.monotonic()
    logger.addHandler(ConsoleHandler(stream or sys.stderr, began_s))
    if file:
        try:
            logger.addHandler(LogFile(_open(system, file)))
        except (OSError, ValueError, LightinitError) as error:
            logger.warning("no log file: %s: %s", file, getattr(error, "strerror", None) or error)


def stop() -> None:
    """Stop logging, and close the file."""
    logger = logging.getLogger("lightinit")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def _open(system: System, file: str) -> int:
    """Open the log file. It must be a regular file with one name, and links are not followed.
    Otherwise a user who can write to the log's folder could choose the file to which root writes.
    """
    path = system.path(file, follow_last=False)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o640)
    except OSError as error:
        if os.path.islink(path):
            raise OSError(error.errno, "it is a symbolic link, which is not followed") from None
        raise
    wrong = find_wrong(os.fstat(descriptor))
    if wrong:
        os.close(descriptor)
        raise OSError(0, wrong)
    return descriptor


def find_wrong(opened: os.stat_result) -> str:
    """Why root should not write into a file that it has opened; "" if it may."""
    if not stat.S_ISREG(opened.st_mode):
        return "it is not a regular file"
    if opened.st_nlink > 1:
        return "it has another name (a hard link)"
    return ""
