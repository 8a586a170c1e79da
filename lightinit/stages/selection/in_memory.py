"""What a restart empties, since it is in memory."""

from __future__ import annotations

from typing import List, Tuple

from lightinit.host.system import System
from lightinit.pipeline import Context

STATE = "/var/lib/lightinit"
# What a restart must not empty: accounts, keys, and the names of this host.
PLACES = ("/etc", "/etc/ssh", "/home")


def find_in_memory(context: Context) -> Tuple[str, ...]:
    """Those of STATE and PLACES that a restart empties. The mounts are read once."""
    if context.in_memory is None:
        context.in_memory = _read_in_memory(context.system)
    return context.in_memory


def _read_in_memory(system: System) -> Tuple[str, ...]:
    if not system.live:
        return ()
    from lightinit.formats.disks.mounts import is_in_memory, parse_mounts

    mounts = parse_mounts(system.read_text("/proc/self/mountinfo"))
    return tuple(each for each in (STATE, *PLACES) if is_in_memory(mounts, system.path(each)))


def find_lost(in_memory: Tuple[str, ...]) -> Tuple[str, ...]:
    """Those of PLACES that a restart empties, as on many read-only images, although it keeps the
    records that say once per instance what is done. If it keeps nothing, each boot is a first one,
    and nothing is lost.

    Args:
        in_memory: the result of :func:`find_in_memory`.
    """
    if STATE in in_memory:
        return ()
    return in_memory


def describe_lost(in_memory: Tuple[str, ...]) -> List[str]:
    """The warnings about what a restart empties.

    Args:
        in_memory: the result of :func:`find_in_memory`.
    """
    if STATE in in_memory and "/etc" not in in_memory:
        return [
            "%s is in memory: each boot provisions this VM again, and gives it new SSH host keys;"
            " mount a file system of a disk there" % STATE
        ]
    return [
        "%s is in memory, so a restart empties it: each boot makes anew what lightinit has put"
        " there, but a password of the platform's is lost; keep it on a disk" % place
        for place in find_lost(in_memory)
        if place.rpartition("/")[0] not in in_memory
    ]
