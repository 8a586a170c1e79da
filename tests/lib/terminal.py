"""Somebody at a serial console: logs in, runs shell commands, reads what they print.

What is typed is echoed, once or twice: by the terminal as soon as it comes, and by the shell's line
editor, with its prompt, when it gets to it. So nothing counts as a command's output but what stands
between two marks that only the shell can print. The kernel and lightinit write lines of their own
to the console at any time, also into the middle of a command's line: these are taken out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable, Optional

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # Python 3.7 has none

# Digits are an exit status: what was typed has "$?" in their place, however often it is echoed.
OUTPUT = re.compile(r"begin-\d+-\n(.*?)end-(\d+)-", re.DOTALL)

# A line of the kernel's log, or of lightinit's: the seconds since the start, and a message.
LOGGED = re.compile(r"\[ *\d+\.\d{6}\] [^\n]*\n")


class Console(Protocol):
    """What a :class:`Terminal` needs of a machine."""

    def console_size(self) -> int:
        """How many bytes have been shown."""

    def console(self, since: Optional[int] = None) -> str:
        """The text shown since a :meth:`console_size`, without what drives a terminal."""

    def type(self, text: str) -> None:
        """Type a line."""

    def wait_until(self, holds: Callable[[], object], timeout_s: float, what: str) -> None:
        """Wait until ``holds`` gives something true; else fail with ``what``."""


class Terminal:
    """Somebody at the serial console.

    Args:
        machine: whose console it is.
    """

    def __init__(self, machine: Console) -> None:
        self._machine = machine
        # Where a login is looked for: in all that this boot has shown.
        self._began: Optional[int] = None
        self._seen = machine.console_size()

    def log_in(self, name: str, password: str, timeout_s: float) -> None:
        """Log in, as soon as the console offers it."""
        self._machine.wait_until(
            lambda: "login:" in self._machine.console(self._began),
            timeout_s,
            "the console offers no login",
        )
        self.type("")
        self.wait_for("login:", 60.0)
        self.type(name)
        self.wait_for("assword:", 60.0)
        self.type(password)
        self.wait_for("$ ", 120.0)

    def log_out(self) -> None:
        """Log out: the console offers the next login."""
        self._began = self._machine.console_size()
        self.type("exit")

    def run(self, command: str, timeout_s: float = 120.0) -> str:
        """Run a shell command to its end; its exit status must be 0. Returns what it printed."""
        self.type("echo begin-$?-; %s; echo end-$?-" % command)
        self._machine.wait_until(
            lambda: OUTPUT.search(self._shown()), timeout_s, "no end of %r on the console" % command
        )
        found = OUTPUT.search(self._shown())
        assert found is not None and found.group(2) == "0", "%s: on the console: %s" % (
            command,
            self._shown(),
        )
        return found.group(1)

    def type(self, text: str) -> None:
        """Type a line."""
        self._seen = self._machine.console_size()
        self._machine.type(text)

    def wait_for(self, words: str, timeout_s: float) -> None:
        """Wait until the console shows ``words`` after what was typed last."""
        self._machine.wait_until(
            lambda: words in self._shown(), timeout_s, "the console does not show %r" % words
        )

    def _shown(self) -> str:
        return LOGGED.sub("", self._machine.console(self._seen))
