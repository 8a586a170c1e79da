"""Frees this process from what it was started with: signals that are ignored or blocked, and
limits (ulimit) of a shell or a service that no boot can do with.

An ignored SIGCHLD is the worst: then the kernel keeps no exit status, and each tool that failed
seems to have succeeded (wait(2), "ECHILD").
"""

from __future__ import annotations

import os
import signal
from typing import Any, List, Optional, Tuple

MIB = 1024 * 1024
# What a boot has at least: the name in the module resource, the value, and for messages.
LEAST: Tuple[Tuple[str, int, str], ...] = (
    ("RLIMIT_NOFILE", 1024, "open files"),
    ("RLIMIT_FSIZE", 1024 * 1024 * MIB, "file size"),
    ("RLIMIT_CPU", 24 * 3600, "CPU time"),
    ("RLIMIT_AS", 512 * MIB, "address space"),
    ("RLIMIT_DATA", 512 * MIB, "data"),
)


def leave_behind() -> List[str]:
    """Reset the signals, and lift the limits as far as this process may. Its children inherit that.

    Returns:
        What the limits were for that are lifted.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    try:
        import resource
    except ImportError:  # some small builds of Python lack it
        return []
    return [
        shown
        for name, least, shown in LEAST
        if _lift(resource, getattr(resource, name, None), least)
    ]


def _lift(resource: Any, kind: Optional[int], least: int) -> bool:
    """Lift a limit that is lower than ``least``. Returns whether there is less of one now."""
    if kind is None:
        return False
    endless = resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(kind)
    if soft == endless or soft >= least:
        return False
    most = least if hard == endless else max(hard, least)
    for wished in ((least, most), (hard, hard)):  # the first one is for root, if hard is lower
        try:
            resource.setrlimit(kind, wished)
            return wished[0] != soft
        except (OSError, ValueError):
            continue
    return False
