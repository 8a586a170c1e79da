"""Waits until an SSH server answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import Any

LIMIT_S = 60.0
PAUSE_S = 0.05


def wait_for_banner(process: "subprocess.Popen[Any]", port: int) -> None:
    """Wait until the server on this machine's loopback interface sends its first line.

    Args:
        process: the server.
        port: where it listens.

    Raises:
        SystemExit: it has ended, or does not answer for a minute.
    """
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            sys.exit("the server has ended: %r" % (process.args,))
        try:
            with socket.create_connection(("127.0.0.1", port), 30.0) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(PAUSE_S)
    sys.exit("the server does not answer: %r" % (process.args,))
