"""Whether only root can change a place in the file system.

Whoever can write to a directory can put a link into it, and then root reads or writes somewhere
else. So each directory on the way to a file counts.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Optional, Tuple

from lightinit.host.system import System


@dataclass(frozen=True)
class WeakFolder:
    """A directory that somebody else than root can change.

    Attributes:
        path: as the VM sees it.
        uid: its owner.
        mode: its permission bits.
        foreign: it belongs to another user. Otherwise others may write to it.
    """

    path: str
    uid: int
    mode: int
    foreign: bool


def root_uids(system: System) -> Tuple[int, ...]:
    """The user ids that count as root's.

    A process without root's rights works on a scratch root only. Whatever it makes there belongs to
    itself.
    """
    if system.can_own:
        return (0,)
    return (0, os.geteuid())


def find_weak_folder(
    system: System, real_folder: str, sticky_is_safe: bool = False
) -> Optional[WeakFolder]:
    """The first directory on the way to ``real_folder``, from the root down, that not only root can
    change.

    A missing directory ends the search: nothing below it exists either.

    Args:
        system: the machine.
        real_folder: as :meth:`System.path` gives it, so without links; it is looked at too.
        sticky_is_safe: whether everybody may write to a directory that has the sticky bit.

    Returns:
        None if only root can change all of them.

    Raises:
        OSError: a directory cannot be looked at.
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
    # Without root's rights the group of a scratch root is that of whoever runs this.
    if status.st_mode & stat.S_IWGRP and status.st_gid != 0 and system.can_own:
        return True
    if sticky_is_safe and status.st_mode & stat.S_ISVTX:
        return False
    return bool(status.st_mode & stat.S_IWOTH)
