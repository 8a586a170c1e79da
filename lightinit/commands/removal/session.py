"""The time in which a command removes things: as root, alone, and to its end."""

from __future__ import annotations

import os
import signal
from typing import Callable

from lightinit.errors import EXIT_NO_PERMISSION, RefusedError
from lightinit.host.files.lock import Lock
from lightinit.host.system import System
from lightinit.state import LOCK


def run_alone(system: System, command: str, work: Callable[[], int]) -> int:
    """Run a command that removes things: check permission, take the lock, ignore SIGHUP.

    Args:
        system: the machine.
        command: its name, for messages.
        work: does it; returns the exit code.

    Returns:
        What ``work`` returns.

    Raises:
        RefusedError: the caller is not root, or another lightinit is running.
    """
    if system.live and os.geteuid() != 0:
        raise RefusedError(
            "only root can %s this machine" % command, EXIT_NO_PERMISSION, hint="run as root"
        )
    lock = Lock(system, LOCK)
    lock.take(command)
    # The SSH connection may end before the work does. Then the work must go on: with host keys or
    # accounts half removed, nobody could log in again.
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        return work()
    finally:
        signal.signal(signal.SIGHUP, before)
        lock.release()
