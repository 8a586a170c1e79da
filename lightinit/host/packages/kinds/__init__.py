"""The table of the package managers that lightinit knows. Each one has a file of its own.

To add one, write its file here with a ``MANAGER``, and add that to :data:`MANAGERS`.
"""

from __future__ import annotations

from typing import Optional, Tuple

from lightinit.host.packages.kinds import (
    apk,
    apt,
    dnf,
    emerge,
    opkg,
    pacman,
    slackpkg,
    snap,
    xbps,
    zypper,
)
from lightinit.host.packages.manager import Manager
from lightinit.host.system import System

# In this order: a host may have the program of another one, too. dnf and zypper share their
# packages' format; only zypper's hosts have repositories for it.
MANAGERS: Tuple[Manager, ...] = (
    apt.MANAGER,
    zypper.MANAGER,
    dnf.MANAGER,
    apk.MANAGER,
    xbps.MANAGER,
    pacman.MANAGER,
    emerge.MANAGER,
    opkg.MANAGER,
    slackpkg.MANAGER,
)
# Those that only what names them is given to.
NAMED: Tuple[Manager, ...] = (snap.MANAGER,)
NAMES = tuple(each.name for each in (*MANAGERS, *NAMED))


def find_manager(system: System, name: str = "") -> Optional[Manager]:
    """The manager of this host's packages, or the one of a name; None if it is not there.

    Args:
        system: the machine; a scratch root has none.
        name: as in NAMES; "" for the host's own. The programs' names count, too.
    """
    there = [each for each in (*MANAGERS, *NAMED) if find_program(system, each) is not None]
    if name:
        return next((each for each in there if name == each.name or name in each.programs), None)
    there = [each for each in there if each in MANAGERS]
    owns = [each for each in there if _has_packages(system, each)]
    return next(iter(owns + there), None)


def find_program(system: System, manager: Manager) -> Optional[str]:
    """The path of a manager's program; None if it is not there."""
    return next(filter(None, map(system.tool, manager.programs)), None)


def _has_packages(system: System, manager: Manager) -> bool:
    return any(
        system.is_dir(found) or system.file_status(found).st_size > 0
        for pattern in manager.signs
        for found in system.glob(pattern)
        if system.exists(found)
    )
