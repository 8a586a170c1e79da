"""Write the files that the settings list, each whole, with its owner and mode.

They are for places that root alone can change. What is to lie in a user's home belongs into
/etc/skel.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import List, Optional, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.file_entries import CONTENT_LIMIT_BYTES, FileEntry, parse_entry
from lightinit.host.accounts.files import read_account_file
from lightinit.host.system import System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.write_files")

NAME = "write_files"
FREQUENCY = Frequency.INSTANCE
REQUIRED = False
NEEDS_INSTANCE = False
SETTINGS: Tuple[Setting, ...] = (
    Setting(
        "files",
        "lines",
        "",
        "The files, one on each indented line: PATH [mode=0644] [owner=root:root] [append], "
        "then text=, base64=, gzip= or source= with what it is to hold.",
    ),
)
MODE = 0o644


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Write the files, in the order in which they are listed.

    Args:
        instance: not used.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        How many there are, and how many of them were not as they should be.

    Raises:
        ProvisioningError: an entry is not valid, or a file could not be written: the first one that
            failed. The others are written all the same.
    """
    lines = [line for line in settings["files"].split("\n") if line]
    if not lines:
        return Outcome("no files are listed", skipped=True)
    changed = 0
    failures: List[ProvisioningError] = []
    for number, line in enumerate(lines, 1):
        try:
            changed += _write(system, parse_entry(line, number), number)
        except ProvisioningError as error:
            if failures:
                LOG.warning("entry %d failed too: %s", number, error)
            failures.append(error)
    if failures:
        raise failures[0]
    return Outcome("%d files, %d of them written" % (len(lines), changed))


def _write(system: System, entry: FileEntry, number: int) -> bool:
    """Let a file be as its entry says; returns whether it was not so already."""
    content = _read(system, entry.source, number) if entry.source else entry.content
    status = _look(system, entry.path, number)
    before = _read(system, entry.path, number) if status else b""
    uid, gid = _owner(system, entry, number)
    mode = MODE if entry.mode is None else entry.mode
    if entry.append and status:
        # What is there stays whose it is, unless the entry says otherwise.
        mode = stat.S_IMODE(status.st_mode) if entry.mode is None else mode
        uid, gid = (uid, gid) if entry.owner else (status.st_uid, status.st_gid)
        content = _appended(before, content)
    if (
        status
        and content == before
        and stat.S_IMODE(status.st_mode) == mode
        and (not system.can_own or (status.st_uid, status.st_gid) == (uid, gid))
    ):
        return False
    system.write(entry.path, content, mode, uid, gid)
    LOG.debug("written: %s", entry.path)
    return True


def _appended(before: bytes, content: bytes) -> bytes:
    """``before`` with ``content`` at its end, unless its lines are in there already: a second run
    adds nothing.
    """
    if not content or b"\n" + _ended(content) in b"\n" + _ended(before):
        return before
    return _ended(before) + content


def _ended(lines: bytes) -> bytes:
    """With an end at the last line too, so that whole lines can be compared, and others follow."""
    return lines if not lines or lines.endswith(b"\n") else lines + b"\n"


def _look(system: System, path: str, number: int) -> Optional[os.stat_result]:
    """The status of the file that is there, None when there is none. Its place must be root's
    alone.
    """
    _check_place(system, path, number)
    try:
        status = os.stat(system.path(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refuse(path, number, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise _refuse(path, number, "what is there is no regular file")
    return status


def _check_place(system: System, path: str, number: int) -> None:
    """Whoever may change a folder can put a link there, and have root write, or read, wherever it
    leads.
    """
    base = system.root.rstrip("/")
    parts = system.path(path)[len(base) :].strip("/").split("/")
    for folder in ["/" + "/".join(parts[:at]) for at in range(len(parts))]:
        try:
            status = os.stat(base + folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refuse(path, number, error.strerror or str(error)) from error
        others = (
            stat.S_IWOTH
            if status.st_gid == 0 or not system.can_own
            else stat.S_IWOTH | stat.S_IWGRP
        )
        if (
            status.st_uid not in ((0,) if system.can_own else (0, os.geteuid()))
            or status.st_mode & others
        ):
            raise _refuse(
                path,
                number,
                "others than root may change %s" % folder,
                hint="put what users are to have in their homes into /etc/skel",
            )


def _read(system: System, path: str, number: int) -> bytes:
    _check_place(system, path, number)
    try:
        return system.read(path, CONTENT_LIMIT_BYTES)
    except OSError as error:
        raise ProvisioningError(
            "file cannot be read", entry=number, path=path, error=error.strerror or str(error)
        ) from error
    except MalformedError as error:
        raise ProvisioningError(
            "file cannot be read", entry=number, path=path, error=error.reason
        ) from error


def _owner(system: System, entry: FileEntry, number: int) -> Tuple[int, int]:
    """The numeric owner and group. A group that is not named is the owner's own."""
    if not entry.owner:
        return 0, 0
    account = texts.find_account(read_account_file(system, "/etc/passwd"), entry.owner)
    if account is None and not entry.owner.isdigit():
        raise ProvisioningError(
            "owner of a file does not exist",
            entry=number,
            path=entry.path,
            owner=entry.owner,
            hint="make the account in the image, or list write_files after users",
        )
    uid = account.uid if account else int(entry.owner)
    if not entry.group:
        return uid, account.gid if account else 0
    gid = texts.find_group(read_account_file(system, "/etc/group"), entry.group)
    if gid is None and not entry.group.isdigit():
        raise ProvisioningError(
            "owner of a file does not exist",
            entry=number,
            path=entry.path,
            group=entry.group,
            hint="make the group in the image",
        )
    return uid, gid if gid is not None else int(entry.group)


def _refuse(path: str, number: int, why: str, **details: str) -> ProvisioningError:
    return ProvisioningError(
        "place of a file is not safe", entry=number, path=path, why=why, **details
    )
