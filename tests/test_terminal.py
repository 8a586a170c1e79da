"""The harness's own: how tests in virtual machines read what a command printed at the serial
console. Here, they type to a real shell at a pseudo-terminal.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from typing import Callable, Iterator, Optional

import pytest

from tests.lib.terminal import Terminal

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Shell:
    """A shell with a line editor, whose start takes a while: what is typed meanwhile is echoed
    twice.
    """

    def __init__(self, before: str) -> None:
        self._shown = b""
        self._terminal, shells = os.openpty()
        env = {
            "PATH": os.environ["PATH"],
            "PS1": "somebody@here:~$ ",
            "TERM": "dumb",
            "PROMPT_COMMAND": before,
        }
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "bash", "--norc", "--noprofile", "-i"],
            env=env,
            stdin=shells,
            stdout=shells,
            stderr=shells,
        )
        os.close(shells)

    def end(self) -> None:
        """Hang up."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def console_size(self) -> int:
        return len(self._shown)

    def console(self, since: Optional[int] = None) -> str:
        return ESCAPES.sub("", self._shown[since or 0 :].decode())

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode() + b"\r")

    def wait_until(self, holds: Callable[[], object], timeout_s: float, what: str) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline_s, "%s: %r" % (what, self._shown)
            if select.select([self._terminal], [], [], 0.05)[0]:
                self._shown += os.read(self._terminal, 4096)


@pytest.fixture(params=["", "sleep 0.3"], ids=["quick", "slow"])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    """A shell that shows its prompt at once, or only some time after it has ended a command."""
    made = Shell(request.param)
    yield made
    made.end()


def test_what_a_command_printed_and_nothing_that_was_typed(shell: Shell) -> None:
    terminal = Terminal(shell)
    assert [terminal.run("echo %d; echo two" % number) for number in range(3)] == [
        "%d\ntwo\n" % number for number in range(3)
    ]
    assert terminal.run("true") == ""


def test_what_the_kernel_writes_into_a_commands_output_is_no_part_of_it(shell: Shell) -> None:
    logged = r"[  119.017460] lightinit[148]: nothing done\n"
    command = "printf '%srunn%sing\\n%s'" % (logged, logged, logged)
    assert Terminal(shell).run(command) == "running\n"


def echoes() -> int:
    """How often a line comes back that is typed while the shell still starts."""
    made = Shell("sleep 0.3")
    try:
        Terminal(made).run("true")
        return made.console().count("echo end-$?-")
    finally:
        made.end()


def test_the_echoed_line_came_twice_where_the_shell_was_slow() -> None:
    # Where the machine is busy, the shell may be there first; then it is asked again.
    assert any(echoes() == 2 for _ in range(20)), "the case that the marks are for has come up"


def test_a_command_that_fails(shell: Shell) -> None:
    terminal = Terminal(shell)
    with pytest.raises(AssertionError, match="false"):
        terminal.run("false")
    assert terminal.run("echo well") == "well\n"
