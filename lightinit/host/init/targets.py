"""Tells systemd that a stage is done, by starting its target while lightinit.service still runs.

It knows the targets' names and nothing of what the stages do. Other init systems have no such
thing.
"""

from __future__ import annotations

import logging
import os
from typing import Callable, List, Mapping, Optional

from lightinit.host.init import systemd
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.targets")


def reach(
    system: System,
    stage: str,
    environment: Mapping[str, str] = os.environ,
    start: Optional[Callable[[List[str]], None]] = None,
) -> bool:
    """Have systemd reach ``lightinit-STAGE.target`` now. Never fails, and is not waited for.

    The target has a job already, since the service wants it, and that job waits for the end of the
    service. Starting it again without dependencies lets that job run at once, and with it whatever
    waits for the target.

    Args:
        system: the machine.
        stage: local, fetch or config; the final target follows from the end of the service.
        environment: has INVOCATION_ID when systemd has started us (systemd.exec(5)).
        start: starts a command without waiting for it.

    Returns:
        Whether systemd was told.
    """
    systemctl = system.tool("systemctl")
    if systemctl is None or not environment.get("INVOCATION_ID") or not systemd.is_running(system):
        return False
    argv = [
        systemctl,
        "start",
        "--no-block",
        "--job-mode=ignore-dependencies",
        "lightinit-%s.target" % stage,
    ]
    try:
        (start or _start)(argv)
    except OSError as error:
        LOG.info("lightinit-%s.target is reached only when all is done: %s", stage, error.strerror)
        return False
    return True


def _start(argv: List[str]) -> None:
    import subprocess

    subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        close_fds=True,
    )
