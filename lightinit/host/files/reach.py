"""Checks whether a user can read a file: the user must be able to enter each directory on its path.

sshd reads a user's keys with that user's rights. With StrictModes it also refuses a file that other
users could have written.
"""

from __future__ import annotations

import os
import stat
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.attributes import CANNOT_TELL, read_attribute
from lightinit.host.files.access import OTHERS_MAY_WRITE
from lightinit.host.system import System
from lightinit.model import NamedTuple

ACL = "system.posix_acl_access"
MAX_ENTRIES = 1000
MAX_DEPTH = 4
MAX_BYTES = 1024 * 1024


class Reader(NamedTuple):
    """Who reads a file.

    Attributes:
        uid: the user id.
        gids: the ids of the user's groups.
    """

    uid: int
    gids: Tuple[int, ...]


class Barrier(NamedTuple):
    """A file or directory because of which a user cannot read a file.

    Attributes:
        path: as the VM sees it.
        why: what is wrong with it.
        certain: False if it has an access control list, which may allow the access.
        missing: whether it does not exist.
    """

    path: str
    why: str
    certain: bool = True
    missing: bool = False


def find_barrier(
    system: System, path: str, reader: Reader, home: str, strict: bool
) -> Optional[Barrier]:
    """The first reason why a user cannot read a file; None if the user can.

    Args:
        system: the machine.
        path: the file, as the VM sees it.
        reader: the user.
        home: the user's home. StrictModes checks no directories above it.
        strict: whether StrictModes is on.
    """
    try:
        for folder in _folders_on_the_way(system, path):
            status = os.stat(folder)
            if not _may(status, reader, 1):
                return _shut(system, folder, status, "the user may not enter it")
        real = system.path(path)
        status = os.stat(real)
        if not stat.S_ISREG(status.st_mode):
            return Barrier(path, "it is not a regular file")
        if not _may(status, reader, 4):
            return _shut(system, real, status, "the user may not read it")
        if strict:
            return _find_loose(system, real, reader, home)
    except (FileNotFoundError, NotADirectoryError):
        return Barrier(path, "it does not exist", missing=True)
    except (OSError, ProvisioningError) as error:
        return Barrier(path, "its status cannot be read: %s" % error, certain=False)
    return None


def open_way(
    system: System,
    path: str,
    reader: Reader,
    is_keys: Callable[[bytes], bool],
    homes: Sequence[str] = (),
) -> List[str]:
    """Let a user enter root's directories on the path to a file with keys, if this is harmless: the
    user can then read only public keys there.

    Args:
        system: the machine.
        path: the file, as the VM sees it.
        reader: the user.
        is_keys: takes a file's content; returns whether it has only public keys.
        homes: directories that are never changed.

    Returns:
        The directories that were changed, with their new modes.
    """
    changed: List[str] = []
    try:
        for folder in _folders_on_the_way(system, path):
            status = os.stat(folder)
            if _may(status, reader, 1):
                continue
            if status.st_uid != 0 or not system.can_own or _shown(system, folder) in homes:
                break
            if not _holds_only_keys(folder, is_keys):
                break
            mode = stat.S_IMODE(status.st_mode) | 0o011
            os.chmod(folder, mode)
            changed.append("%s (%04o)" % (_shown(system, folder), mode))
    except OSError:
        pass  # find_barrier reports the problem
    return changed


def _folders_on_the_way(system: System, path: str) -> List[str]:
    """The real directories on the path to ``path``, from the root down. For a link, these are the
    directories of the link and of its target.
    """
    base = system.root.rstrip("/")
    parts = [part for part in path.split("/") if part]
    found = []
    for count in range(len(parts)):
        real = system.path("/" + "/".join(parts[:count]))
        below = [part for part in real[len(base) :].split("/") if part]
        found += [base + "/" + "/".join(below[:each]) for each in range(len(below) + 1)]
    real = system.path(path)
    below = [part for part in real[len(base) :].split("/") if part]
    found += [base + "/" + "/".join(below[:each]) for each in range(len(below))]
    if not system.live:  # the owner of a scratch root may have removed access for others
        found = [each for each in found if each.rstrip("/") != base]
    return list(dict.fromkeys(found))


def _may(status: os.stat_result, reader: Reader, bit: int) -> bool:
    """Whether a user has a permission: 4 to read, 1 to enter."""
    if reader.uid == 0:
        return True
    if status.st_uid == reader.uid:
        bit <<= 6
    elif status.st_gid in reader.gids:
        bit <<= 3
    return bool(status.st_mode & bit)


def _shut(system: System, real: str, status: os.stat_result, why: str) -> Barrier:
    mode = "%s (mode %04o, owner %d)" % (why, stat.S_IMODE(status.st_mode), status.st_uid)
    return Barrier(_shown(system, real), mode, certain=not _has_acl(real))


def _has_acl(real: str) -> bool:
    try:
        return bool(read_attribute(real, ACL))
    except OSError as error:
        return error.errno == CANNOT_TELL


def _find_loose(system: System, real: str, reader: Reader, home: str) -> Optional[Barrier]:
    """The first path that StrictModes refuses, from the file up to the home or to ``/``."""
    base = system.root.rstrip("/")
    stop = system.path(home or "/")
    at = real
    while True:
        status = os.stat(at)
        if status.st_uid not in (0, reader.uid) or status.st_mode & OTHERS_MAY_WRITE:
            mode = stat.S_IMODE(status.st_mode)
            return Barrier(
                _shown(system, at),
                "StrictModes refuses it: others may change it (mode %04o, owner %d)"
                % (mode, status.st_uid),
            )
        if at == stop and at != real or len(at) <= len(base) + 1:
            return None
        at = os.path.dirname(at)
        if not system.live and at.rstrip("/") == base:
            return None


def _shown(system: System, real: str) -> str:
    return real[len(system.root.rstrip("/")) :] or "/"


def _holds_only_keys(folder: str, is_keys: Callable[[bytes], bool], depth: int = 0) -> bool:
    """Whether a user who can enter a directory can read only keys in it."""
    if depth > MAX_DEPTH:
        return False
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= MAX_ENTRIES:
                return False
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                continue  # the directories on the path to its target are checked on their own
            if stat.S_ISDIR(status.st_mode):
                opened = status.st_mode & 0o011
                if opened and not _holds_only_keys(entry.path, is_keys, depth + 1):
                    return False
                continue
            is_open = status.st_mode & 0o066
            if not stat.S_ISREG(status.st_mode) or is_open and not _has_keys(entry.path, is_keys):
                return False
    return True


def _has_keys(path: str, is_keys: Callable[[bytes], bool]) -> bool:
    with open(path, "rb") as handle:
        data = handle.read(MAX_BYTES + 1)
    return len(data) <= MAX_BYTES and is_keys(data)
