"""Programs that a test needs done before it goes on, and where they get packages from."""

from __future__ import annotations

import os
import subprocess
from typing import Mapping, Optional

MIRROR = os.environ.get("LIGHTINIT_MIRROR", "http://deb.debian.org/debian")
TIMEOUT_S = 1800.0
SHOWN = 300  # characters of the command line in an error


def run(
    *argv: str,
    wanted: int = 0,
    env: Optional[Mapping[str, str]] = None,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a program to its end.

    Args:
        argv: the command line.
        wanted: the exit status that it must have.
        env: its variables; None for those of the tests.
        timeout_s: how long it may take, in seconds.

    Returns:
        All that it printed, on both outputs.

    Raises:
        AssertionError: it ended with another status; the message has what it printed.
    """
    ended = subprocess.run(
        argv,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=timeout_s,
    )
    said = ended.stdout.decode("utf-8", "replace")
    line = " ".join(argv)[:SHOWN]
    assert ended.returncode == wanted, "%s: status %d\n%s" % (line, ended.returncode, said)
    return said
