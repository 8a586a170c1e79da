"""Scripts: data that begin with ``#!``. They are executed as the kernel would execute them."""

from __future__ import annotations

import logging
import os
from typing import List, NamedTuple, Optional

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.user_data.kind import Kind

LOG = logging.getLogger("lightinit.custom_data")


class Interpreter(NamedTuple):
    """What the first line of a script names.

    Attributes:
        path: of the program.
        argument: the one argument that it may have, or "".
    """

    path: str
    argument: str = ""


class Script(Kind):
    """A script with an interpreter in its first line."""

    has_effect = True
    warns = False

    def recognise(self, data: bytes) -> str:
        """Tell a script by its first two bytes, as the kernel does."""
        if data.startswith(b"#!"):
            return "script"
        return ""

    def check(self, which: str, name: str, data: bytes) -> None:
        """Refuse a script with CR LF: the kernel takes the carriage return for a part of the
        interpreter's name.
        """
        if data.split(b"\n", 1)[0].endswith(b"\r"):
            raise ProvisioningError(
                "custom data is not a script",
                which=which,
                why="its lines end in CR LF",
                hint="give it with Unix line ends (LF)",
            )

    def check_machine(self, which: str, data: bytes) -> None:
        """Refuse a script whose interpreter is not there."""
        interpreter = read_interpreter(data)
        if interpreter is not None and _can_execute(os.path.join("/", interpreter.path)):
            return
        # Only the program's name: what follows it may be anything.
        raise ProvisioningError(
            "interpreter of the custom data is missing",
            which=which,
            interpreter=interpreter.path[:80] if interpreter is not None else "",
            hint="put it into the image, or name another in the first line",
        )

    def make_command(self, system: System, data: bytes, path: str) -> List[str]:
        """Return the script itself, or its interpreter with the script as an argument where the
        file system is mounted noexec.
        """
        interpreter = read_interpreter(data)
        if interpreter is None or not os.statvfs(path).f_flag & os.ST_NOEXEC:
            return [path]
        LOG.debug("%s is on a file system that is mounted noexec: its interpreter reads it", path)
        words = [interpreter.path, interpreter.argument, path]
        return [word for word in words if word]


def read_interpreter(script: bytes) -> Optional[Interpreter]:
    """Read the first line of a script as the kernel does: everything after the first blank is one
    argument.

    Returns:
        None when the first line names no program.
    """
    line = script[2:].split(b"\n", 1)[0].strip(b" \t").decode("utf-8", "replace")
    path, _, argument = line.replace("\t", " ").partition(" ")
    if not path:
        return None
    return Interpreter(path, argument.strip(" "))


def _can_execute(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
