"""pacman: pacman(8). Its lock is a file that stays after a power cut, and that it keeps open while
it works (libalpm's ``_alpm_handle_lock``).
"""

from __future__ import annotations

import glob
import os

from lightinit.errors import LightinitError
from lightinit.host.packages.manager import Manager
from lightinit.host.system import System

LOCK = "/var/lib/pacman/db.lck"


def remove_stale_lock(system: System) -> str:
    """Remove the lock if no process has it open. Returns what was done, or ""."""
    if not system.exists(LOCK) or not system.can_own:
        return ""
    path = system.path(LOCK)
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        try:
            if os.path.samefile(link, path):
                return ""
        except OSError:
            continue
    try:
        system.remove(LOCK)
    except LightinitError as error:
        return str(error)
    return "removed %s, which an interrupted run had left" % LOCK


QUIET = ("--noconfirm", "--noprogressbar", "--color", "never")
MANAGER = Manager(
    name="pacman",
    programs=("pacman",),
    signs=("/var/lib/pacman/local/*",),
    update=("--sync", "--refresh", *QUIET),
    upgrade=("--sync", "--refresh", "--sysupgrade", *QUIET),
    install=("--sync", "--needed", *QUIET),
    pinned="%s=%s",
    before=remove_stale_lock,
    busy=r"(unable to|could not) lock database",
    telling=r"^error",
    installed=("pacman", "--query"),
)
