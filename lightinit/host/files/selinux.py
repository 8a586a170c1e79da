"""SELinux labels of files that lightinit made."""

from __future__ import annotations

import logging
from typing import Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.selinux")


def restore_labels(system: System, paths: Sequence[str], with_content: bool = True) -> None:
    """Give new files and directories the SELinux labels that the policy has for their paths.

    Without SELinux, or in a scratch root, this does nothing. A failure is only logged.

    Args:
        system: the machine.
        paths: files and directories.
        with_content: whether, for a directory, this includes everything in it.
    """
    if not system.live or not system.exists("/sys/fs/selinux/enforce"):
        return
    restorecon = system.tool("restorecon")
    if restorecon is None:
        return
    argv = [restorecon]
    if with_content:
        argv.append("-R")
    try:
        system.run_checked(argv + list(paths))
    except ProvisioningError as error:
        LOG.warning("the SELinux labels of %s could not be restored: %s", ", ".join(paths), error)
