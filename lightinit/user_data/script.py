"""Scripts: data that begin with ``#!``. They are executed as the kernel executes a file."""

from __future__ import annotations

import logging
import os
from typing import List, Optional

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.user_data.kind import ONLY_SCRIPTS, Kind, start_of
from lightinit.user_data.pieces import FREQUENCIES

LOG = logging.getLogger("lightinit.custom_data")


class Interpreter(NamedTuple):
    """The interpreter in the first line of a script.

    Attributes:
        path: the path of the program.
        argument: its only argument, or "".
    """

    path: str
    argument: str = ""


class Script(Kind):
    """A script with an interpreter in its first line."""

    has_effect = True
    warns = False
    is_executed = True
    is_text = True
    types = dict.fromkeys(("text/x-shellscript", *FREQUENCIES), "script")

    def recognise(self, data: bytes) -> str:
        """Recognise a script by its first two bytes, as the kernel does. A byte-order mark and
        white space before them are removed later.
        """
        if start_of(data).startswith(b"#!"):
            return "script"
        return ""

    def check(self, which: str, name: str, data: bytes) -> None:
        """Refuse what a container calls a script, and is none."""
        if not data.startswith(b"#!"):
            raise ProvisioningError(
                "custom data is not a script",
                which=which,
                why="it does not begin with #!",
                hint=ONLY_SCRIPTS,
            )
        if read_interpreter(data) is None:
            raise _missing(which, "")

    def check_machine(self, which: str, data: bytes) -> None:
        """Refuse a script whose interpreter is missing or not executable."""
        interpreter = read_interpreter(data)
        path = ""
        if interpreter is not None:
            path = interpreter.path
        if path and _can_execute(os.path.join("/", path)):
            return
        raise _missing(which, path)

    def make_command(self, system: System, data: bytes, path: str) -> List[str]:
        """Return the path of the script. On a file system that is mounted noexec, return its
        interpreter with the script as an argument.
        """
        interpreter = read_interpreter(data)
        if interpreter is None or not os.statvfs(path).f_flag & os.ST_NOEXEC:
            return [path]
        LOG.debug("%s is on a file system that is mounted noexec; running its interpreter", path)
        words = [interpreter.path, interpreter.argument, path]
        return [word for word in words if word]


def read_interpreter(script: bytes) -> Optional[Interpreter]:
    """Read the first line of a script as the kernel does: everything after the first blank is one
    argument.

    Args:
        script: the script, which begins with ``#!``.

    Returns:
        None if the first line names no program.
    """
    line = script[2:].split(b"\n", 1)[0].strip(b" \t").decode("utf-8", "replace")
    path, _, argument = line.replace("\t", " ").partition(" ")
    if not path:
        return None
    return Interpreter(path, argument.strip(" "))


def _missing(which: str, path: str) -> ProvisioningError:
    """The error for a script without an interpreter. It names only the program: its argument may be
    a secret.
    """
    return ProvisioningError(
        "interpreter of the custom data is missing",
        which=which,
        interpreter=path[:80],
        hint="install it in the image, or name another one in the first line of the script",
    )


def _can_execute(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
