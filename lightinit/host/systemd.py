"""What there is of systemd on a machine, by its files alone: whether it runs, is installed, and starts a unit at boot."""
from __future__ import annotations

import os
from typing import Tuple

from lightinit.host.system import System

UNIT_FOLDERS = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
PROGRAMS = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")


def is_running(system: System) -> bool:
    """Whether it is the init system now: sd_booted(3)."""
    return system.exists("/run/systemd/system")


def is_installed(system: System) -> bool:
    """Whether it is there; a disk may have another init system besides."""
    return any(system.exists(path) for path in PROGRAMS)


def has_unit(system: System, unit: str) -> bool:
    """Whether a unit of that name is there."""
    return any(system.exists("%s/%s" % (folder, unit)) for folder in UNIT_FOLDERS)


def is_masked(system: System, name: str, folders: Tuple[str, ...] = UNIT_FOLDERS) -> bool:
    """Whether the first of the folders that has ``name`` has it as a link to /dev/null or empty: then it never runs."""
    for folder in folders:
        path = system.path("%s/%s" % (folder, name), follow_last=False)
        if os.path.islink(path):
            # Not followed: in a scratch root there may be no /dev/null.
            return os.readlink(path) == "/dev/null"
        if os.path.lexists(path):
            return os.path.isfile(path) and os.path.getsize(path) == 0
    return False


def is_linked(system: System, unit: str) -> bool:
    """Whether some unit wants or requires ``unit``, as `systemctl enable` arranges it, and it is not masked."""
    if is_masked(system, unit):
        return False
    for folder in UNIT_FOLDERS:
        for pattern in ("/*.wants/", "/*.requires/", "/*.upholds/"):
            for found in system.glob(folder + pattern + unit):
                link = system.path(found, follow_last=False)
                if not (os.path.islink(link) and os.readlink(link) == "/dev/null"):
                    return True
    return False
