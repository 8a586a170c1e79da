"""A console that nobody reads never stops a boot, whatever it is: real terminals, pipes and
sockets, full before anything is written.

S6: a tool that prints one line of 200 kB to a console that nobody reads.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import socket
import subprocess
import sys
import termios
from typing import Any, Iterator, Tuple

import pytest

from tests.lib.scratch import HERE

# Logs short lines and long ones, and says in a file that it came to its end.
SAY = (
    "import sys; sys.path.insert(0, %r)\n"
    "import logging\nfrom lightinit.host import log\nfrom lightinit.host.system import System\n"
    "log.start(System(sys.argv[1]), 'info', '/x.log')\n"
    "say = logging.getLogger('lightinit.x').info\n"
    "say('x' * 200000)\n"
    "for number in range(300):\n    say('line %%d %%s', number, 'y' * 200)\n"
    "say('the end')\n" % HERE
)
READ_LATER = (
    "import os, sys; sys.path.insert(0, %r)\n"
    "from lightinit.host.console import Console\n"
    "console = Console(sys.stderr)\n"
    "for number in range(2000):\n    console.write(b'z' * 99 + b'\\n')\n"
    "sys.stdout.write('full\\n'); sys.stdout.flush()\n"
    "sys.stdin.readline()\n"
    "console.write(b'read again\\n')\n" % HERE
)


@contextlib.contextmanager
def a_pipe() -> Iterator[Tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


@contextlib.contextmanager
def a_terminal() -> Iterator[Tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(theirs)
    os.close(ours)


@contextlib.contextmanager
def a_stopped_terminal() -> Iterator[Tuple[int, int]]:
    """As a serial line whose other end has sent XOFF."""
    with a_terminal() as (ours, theirs):
        termios.tcflow(theirs, termios.TCOOFF)
        yield ours, theirs
        termios.tcflow(theirs, termios.TCOON)


@contextlib.contextmanager
def a_socket() -> Iterator[Tuple[int, int]]:
    """As the journal's, of which the reader hangs."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours.fileno(), theirs.fileno()


CONSOLES = (a_pipe, a_terminal, a_stopped_terminal, a_socket)


def say(folder: Any, stderr: int) -> str:
    """Log to ``stderr``. Returns the log file."""
    subprocess.run([sys.executable, "-c", SAY, str(folder)], stderr=stderr, check=True, timeout=300)
    with open(str(folder) + "/x.log", encoding="utf-8") as handle:
        return handle.read()


@pytest.mark.parametrize("console", CONSOLES)
def test_a_console_that_nobody_reads(tmp_path: Any, console: Any) -> None:
    """S6: it comes to its end, and the file has everything."""
    with console() as (_, writing):
        written = say(tmp_path, writing)
        # Others write to the same console, and may wait as they like.
        assert os.get_blocking(writing)
    assert "the end" in written and written.count("line ") == 300


@pytest.mark.parametrize("console", CONSOLES)
def test_a_console_that_is_full_already(tmp_path: Any, console: Any) -> None:
    """S6: no room at all, or too little for one line."""
    with console() as (reading, writing):
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while os.write(writing, b"x" * 1000):
                pass
        os.set_blocking(writing, True)
        assert "the end" in say(tmp_path, writing)


@pytest.mark.parametrize("console", (a_pipe, a_socket))
def test_a_console_whose_reader_is_gone(tmp_path: Any, console: Any) -> None:
    """S6: EPIPE, and no SIGPIPE."""
    with console() as (reading, writing):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, reading)
        os.close(null)
        assert "the end" in say(tmp_path, writing)


@pytest.mark.parametrize("console", (a_pipe, a_terminal, a_socket))
def test_what_was_lost_is_noted(console: Any) -> None:
    with console() as (reading, writing):
        running = subprocess.Popen(
            [sys.executable, "-c", READ_LATER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=writing,
        )
        assert running.stdout is not None
        assert running.stdout.readline() == b"full\n"
        while select.select([reading], [], [], 0.5)[0]:  # the kernel passes it on piece by piece
            os.read(reading, 65536)
        running.communicate(b"\n", timeout=300)
        shown = b""
        while b"read again" not in shown or not shown.endswith(b"\n"):
            assert select.select([reading], [], [], 60.0)[0], shown
            shown += os.read(reading, 65536)
        lines = shown.decode().splitlines()
        assert " lines are not shown here: nobody read them" in lines[-2]
        assert lines[-1] == "read again"


def test_a_long_line_is_cut_on_the_console_alone(tmp_path: Any) -> None:
    """S6: the console gets the beginning, the file more."""
    ended = subprocess.run(
        [sys.executable, "-c", SAY, str(tmp_path)], stderr=subprocess.PIPE, check=True
    )
    first = ended.stderr.split(b"\n")[0]
    assert first.endswith(b"... (195904 more characters are in the log)") and len(first) < 5000
    with open(str(tmp_path) + "/x.log", encoding="utf-8") as handle:
        assert len(handle.readline()) > 60000
