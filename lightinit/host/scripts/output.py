"""Copies the output of scripts into files, besides the log: the ``output`` of a cloud-config.

The files are root's. A link is not followed, and where other users may change the way to a file,
nothing is written: root would write where they choose.
"""

from __future__ import annotations

import logging
import os
from typing import List, Sequence, Set

from lightinit.errors import LightinitError
from lightinit.host.files.trusted_place import find_weak_folder, root_uids
from lightinit.host.log import find_wrong
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.scripts")
KEY = "output files"  # in System.remembered: those that this run has written
# As a log: it may have a secret.
MODE = 0o640
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


class OutputFiles:
    """Files that get the output.

    Args:
        system: the machine.
        paths: as the VM sees them.
        append: whether what is in them stays. What this run has written stays in any case.

    Attributes:
        warnings: one for each file that gets nothing.
    """

    def __init__(self, system: System, paths: Sequence[str], append: bool) -> None:
        self.warnings: List[str] = []
        self._files: List[int] = []
        written: Set[str] = system.remembered.setdefault(KEY, set())
        for path in paths:
            try:
                self._files.append(_open(system, path, append or path in written))
                written.add(path)
            except (OSError, LightinitError) as error:
                why = getattr(error, "strerror", None) or error
                self.warnings.append("output is not copied to %s: %s" % (path, why))

    def write(self, data: bytes) -> None:
        """Add a piece of output. A full disk costs the rest of it, and nothing else."""
        for descriptor in list(self._files):
            rest = data
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError as error:
                self._files.remove(descriptor)
                os.close(descriptor)
                self.warnings.append("output is copied in part only: %s" % error.strerror)

    def close(self) -> None:
        """Close the files."""
        while self._files:
            os.close(self._files.pop())


def _open(system: System, path: str, append: bool) -> int:
    real = system.path(path, follow_last=False)
    folder = os.path.dirname(real)
    if not os.path.isdir(folder):
        raise _unusable("its folder is not there")
    weak = find_weak_folder(system, folder, sticky_is_safe=True)
    if weak is not None:
        raise _unusable("users other than root may change %s" % weak.path)
    if os.path.islink(real):
        raise _unusable("it is a symbolic link, which is not followed")
    descriptor = os.open(real, FLAGS, MODE)
    found = os.fstat(descriptor)
    why = find_wrong(found)
    if not why and found.st_uid not in root_uids(system):
        why = "it belongs to another user"
    if why:
        os.close(descriptor)
        raise _unusable(why)
    if not append:
        os.ftruncate(descriptor, 0)
    return descriptor


def _unusable(why: str) -> OSError:
    return OSError(0, why)
