"""Programs that a test needs done before it goes on, and where they get packages from."""

from __future__ import annotations

import os
import subprocess
from typing import Mapping, Optional

import pytest

from tests.lib.scratch import HERE

MIRROR = os.environ.get("LIGHTINIT_MIRROR", "http://deb.debian.org/debian")
TRY_AGAIN = HERE + "/tools/try-again"
# Debian's release that changes on every day, and on some days cannot be installed.
UNSTABLE = "sid"
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


def fetch(release: str, *argv: str, without: str = "") -> str:
    """Run a program that downloads a release of Debian; again if it fails: tools/try-again.

    Args:
        release: its name. On a day on which the unstable one cannot be installed, the test is
            skipped: that says nothing about lightinit.
        argv: the command line.
        without: the path that a try may leave half-made.

    Returns:
        All that it printed.

    Raises:
        AssertionError: it ended with another status than 0 each time.
    """
    try:
        return run(TRY_AGAIN, *(["--without", without] if without else []), *argv)
    except AssertionError as error:
        if release != UNSTABLE:
            raise
        lines = [line for line in str(error).splitlines() if line.strip()]
        pytest.skip("Debian's %s cannot be installed today: %s" % (release, " / ".join(lines[-4:])))
