"""Removes directories, but never the content of a file system that is mounted in them.

Somebody may have mounted a share or a data disk below /tmp or in a home. Its files are not this
machine's own.
"""

from __future__ import annotations

import os
from typing import List

from lightinit.errors import ProvisioningError
from lightinit.formats.disks.mounts import parse_mounts
from lightinit.host.accounts import removal
from lightinit.host.system import System

MOUNTS_LIMIT_BYTES = 4 * 1024 * 1024


def mounted_below(system: System, path: str) -> List[str]:
    """The mount points at ``path`` and below it, as this machine sees them.

    Args:
        system: the machine, or a scratch root on this machine.
        path: as the VM sees it; a link in the last place is not followed.

    Raises:
        OSError: the table of mounts cannot be read.
        MalformedError: it is too large.
    """
    table = System("/").read("/proc/self/mountinfo", MOUNTS_LIMIT_BYTES).decode("utf-8", "replace")
    real = system.path(path, follow_last=False)
    places = [mount.place for mount in parse_mounts(table)]
    return [place for place in places if place == real or place.startswith(real + "/")]


def remove_unmounted(system: System, path: str) -> bool:
    """Remove ``path`` and everything below it, without following links.

    Returns:
        Whether it was there.

    Raises:
        ProvisioningError: something is mounted there, or it cannot be removed.
    """
    _check(system, path)
    return system.remove_tree(path)


def remove_home(system: System, path: str) -> bool:
    """As :func:`remove_unmounted`, for what its user may change meanwhile: it tries some times."""
    _check(system, path)
    return removal.remove_home(system, path)


def _check(system: System, path: str) -> None:
    real = system.path(path, follow_last=False)
    if os.path.islink(real) or not os.path.isdir(real):
        return
    mounted = mounted_below(system, path)
    if mounted:
        raise ProvisioningError(
            "a file system is mounted in a directory that is to be removed",
            path=path,
            mounted=mounted[0],
            hint="unmount it, or move what is to stay; then run the command again",
        )
