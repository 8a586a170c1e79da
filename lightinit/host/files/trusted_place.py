"""Checks whether only root can change a path.

A user who can write to a directory can put a link into it; then root reads or writes another file.
So each directory on the path to a file is checked.
"""

from __future__ import annotations

import os
import stat
from typing import Optional, Tuple

from lightinit.host.system import System
from lightinit.model import NamedTuple


class WeakFolder(NamedTuple):
    """A directory that other users than root can change.

    Attributes:
        path: as the VM sees it.
        uid: its owner.
        mode: its permission bits.
        foreign: True: it belongs to another user. False: others may write to it.
    """

    path: str
    uid: int
    mode: int
    foreign: bool


def root_uids(system: System) -> Tuple[int, ...]:
    """The user ids that count as root's.

    A process without root's rights only works on a scratch root, in which all files are its own. So
    its own user id counts, too.
    """
    if system.can_own:
        return (0,)
    return (0, os.geteuid())


def find_weak_folder(
    system: System, real_folder: str, sticky_is_safe: bool = False
) -> Optional[WeakFolder]:
    """The first directory on the path to ``real_folder``, from the root down, that other users than
    root can change.

    The search ends at a missing directory.

    Args:
        system: the machine.
        real_folder: a path without links, as from :meth:`System.path`. It is checked, too.
        sticky_is_safe: whether write permission for others is safe in a directory with the sticky
            bit.

    Returns:
        The directory; None if only root can change all of them.

    Raises:
        OSError: the status of a directory cannot be read.
    """
    base = system.root.rstrip("/")
    parts = [part for part in real_folder[len(base) :].split("/") if part]
    for count in range(len(parts) + 1):
        folder = "/" + "/".join(parts[:count])
        try:
            status = os.stat(base + folder)
        except FileNotFoundError:
            return None
        foreign = status.st_uid not in root_uids(system)
        if foreign or _others_may_write(system, status, sticky_is_safe):
            return WeakFolder(folder, status.st_uid, stat.S_IMODE(status.st_mode), foreign)
    return None


def _others_may_write(system: System, status: os.stat_result, sticky_is_safe: bool) -> bool:
    # Without root's rights, the group of a scratch root is that of the user who runs this.
    if status.st_mode & stat.S_IWGRP and status.st_gid != 0 and system.can_own:
        return True
    if sticky_is_safe and status.st_mode & stat.S_ISVTX:
        return False
    return bool(status.st_mode & stat.S_IWOTH)
