"""Finds hooks, and says what is in their folders and will never run."""

from __future__ import annotations

import os
import re
import stat
from typing import List, Tuple

from lightinit.hooks import FOLDER, PLACES
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.settings import nearest

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
# What editors and package managers leave beside a file.
LEFTOVERS = (".bak", ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".rpmnew", ".rpmorig", ".rpmsave")


class Found(NamedTuple):
    """The content of one folder.

    Attributes:
        hooks: the names of the programs, in the order in which they run.
        ignored: what else is there, each with why it is not run.
    """

    hooks: Tuple[str, ...] = ()
    ignored: Tuple[str, ...] = ()


def find(system: System, place: str) -> Found:
    """Find the hooks of one folder. Their order is that of their names as bytes.

    Args:
        system: the machine.
        place: one of ``PLACES``.
    """
    folder = "%s/%s" % (FOLDER, place)
    hooks, ignored = [], []
    for name in sorted(system.list_dir(folder)):
        if name.startswith(".") or name.endswith("~") or name.endswith(LEFTOVERS):
            continue
        why = _why_ignored(system, "%s/%s" % (folder, name), name)
        if why:
            ignored.append("%s/%s is not run: %s" % (folder, name, why))
        else:
            hooks.append(name)
    return Found(tuple(hooks), tuple(ignored))


def _why_ignored(system: System, path: str, name: str) -> str:
    if not NAME.match(name):
        return "its name may have letters, digits and . _ - only"
    try:
        status = os.stat(system.path(path))
    except OSError as error:
        return str(error.strerror)
    if stat.S_ISDIR(status.st_mode):
        return "it is a folder"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if not status.st_mode & 0o111:
        return "it is not executable; run: chmod 755 %s" % path
    return ""


def find_mistakes(system: System) -> List[str]:
    """What is in the folder of hooks and will never run, a line for each."""
    found = []
    for name in sorted(system.list_dir(FOLDER)):
        path = "%s/%s" % (FOLDER, name)
        if name in PLACES:
            if not system.is_dir(path):
                found.append("%s is not a folder: hooks are files in it" % path)
            found += find(system, name).ignored
        elif name.startswith(".") or name == "README":
            continue
        else:
            similar = nearest(name, PLACES)
            hint = "one of: " + ", ".join(PLACES)
            if similar:
                hint = "did you mean %s?" % similar
            found.append("%s is not used: no hooks run at such a time; %s" % (path, hint))
    return found
