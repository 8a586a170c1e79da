"""``lightinit clean``: forget what was provisioned, so that the next boot does it again."""
from __future__ import annotations

from typing import List

from lightinit.host.system import System
from lightinit.state import CURRENT, INSTANCES


def clean(system: System, logs: bool, log_file: str) -> List[str]:
    """Remove every instance's state and marks; marks of frequency ``once`` stay, since the disk is the same.

    What modules have made of the machine (accounts, keys, names) stays too.

    Args:
        system: the machine.
        logs: remove the log file as well.
        log_file: where it is.

    Returns:
        The paths that were removed.

    Raises:
        ProvisioningError: something could not be removed.
    """
    removed = []
    for path in (CURRENT, INSTANCES, "/run/lightinit/sem", "/run/lightinit/status.json"):
        if system.remove_tree(path):
            removed.append(path)
    if logs and log_file and system.remove(log_file):
        removed.append(log_file)
    return removed
