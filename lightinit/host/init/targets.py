"""Tells systemd that a stage is done: starts its target while lightinit.service still runs.

It knows the names of the targets, not what the stages do. Other init systems have no targets.
"""

from __future__ import annotations

import logging
import os
from typing import Callable, List, Mapping, Optional

from lightinit.host.command import start_command
from lightinit.host.init import systemd
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.targets")


def reach(
    system: System,
    stage: str,
    environment: Mapping[str, str] = os.environ,
    start: Optional[Callable[[List[str]], None]] = None,
) -> bool:
    """Make systemd reach ``lightinit-STAGE.target`` now. This raises no error and does not wait.

    The target already has a start job, since the service wants it. That job waits for the end of
    the service. A start that ignores dependencies runs it at once. Then the units that wait for the
    target start, too.

    Args:
        system: the machine.
        stage: local, fetch or config. The final target is reached at the end of the service.
        environment: the environment. It has INVOCATION_ID if systemd started lightinit
            (systemd.exec(5)).
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
        (start or start_command)(argv)
    except OSError as error:
        LOG.info("lightinit-%s.target is reached only at the end: %s", stage, error.strerror)
        return False
    return True
