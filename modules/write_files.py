"""Writes the files that the settings list, each with its owner and mode.

Only root may be able to change the directories on a file's path. Files for users' homes belong into
/etc/skel.
"""

from __future__ import annotations

import logging
import os
import stat
from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.digits import ID_MOST, read_digits
from lightinit.errors import ProvisioningError
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.file_entries import CONTENT_LIMIT_BYTES, FileEntry, parse_entry
from lightinit.host.accounts.files import read_account_file
from lightinit.host.files.access import Access, access_of
from lightinit.host.files.text import read_file
from lightinit.host.files.trusted_place import find_weak_folder
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.write_files")

MODE = 0o644
ROOT = "0"


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Write the files in the order of the list.

    Args:
        instance: not used.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        How many there are, and how many of them had to be written.

    Raises:
        ProvisioningError: the first entry that failed: it is not valid, or its file cannot be
            written. The other files are still written.
    """
    lines = [line for line in settings["files"].split("\n") if line]
    given: Sequence[FileEntry] = settings.get("entries", ())
    if not lines and not given:
        return Outcome("no files are listed", skipped=True)
    changed = 0
    failures: List[ProvisioningError] = []
    to_do = [partial(parse_entry, line, number) for number, line in enumerate(lines, 1)]
    to_do += [partial(_as_it_is, entry) for entry in given]
    for number, read in enumerate(to_do, 1):
        try:
            changed += _write(system, read(), number)
        except ProvisioningError as error:
            if failures:
                LOG.warning("entry %d failed too: %s", number, error)
            failures.append(error)
    if failures:
        raise failures[0]
    return Outcome("%d files, %d of them written" % (len(to_do), changed))


def _as_it_is(entry: FileEntry) -> FileEntry:
    return entry


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The files of a cloud-config: ``entries``, which are written after those of the settings."""
    from lightinit.formats.cloud_config.readers.files import join_appended, read_files

    return {
        "entries": tuple(
            FileEntry(
                each.path,
                each.mode,
                *_named_owner(each.owner, each.group),
                each.append,
                content=each.content,
                as_it_is=True,
            )
            for each in join_appended(read_files(values)[0])
        )
    }


def _named_owner(owner: str, group: str) -> Tuple[str, str]:
    """Owner and group of a cloud-config's file. As in cloud-init, the one of them that is not given
    is root's.
    """
    if not owner and not group:
        return "", ""
    return owner or ROOT, group or ROOT


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing.

    Owners are not looked up, since the module users may make them later.
    """
    found = []
    for number, line in enumerate([line for line in settings["files"].split("\n") if line], 1):
        try:
            entry = parse_entry(line, number)
        except ProvisioningError as error:
            found.append(("files", str(error)))
            continue
        if system.is_dir(entry.path):
            found.append(("files", "entry %d: %s is a directory" % (number, entry.path)))
        if entry.source and not system.exists(entry.source):
            text = "entry %d (%s): its source %s does not exist; put it into the image"
            found.append(("files", text % (number, entry.path, entry.source)))
    return found


def _write(system: System, entry: FileEntry, number: int) -> bool:
    """Make a file match its entry. Returns whether it was changed."""
    content = entry.content
    if entry.source:
        content = _read(system, entry.source, number)
    status = _look(system, entry.path, number)
    before = b""
    if status is not None:
        before = _read(system, entry.path, number)
    access = _wished_access(system, entry, number)
    if status is not None:
        there = access_of(status)
        if entry.append:
            access = _kept_access(entry, access, there)
            content = _appended(before, content, entry.as_it_is)
        if content == before and _is_same(system, there, access):
            return False
    system.write(entry.path, content, access.mode, access.uid, access.gid)
    LOG.debug("written: %s", entry.path)
    return True


def _wished_access(system: System, entry: FileEntry, number: int) -> Access:
    uid, gid = _owner(system, entry, number)
    if entry.mode is None:
        return Access(MODE, uid, gid)
    return Access(entry.mode, uid, gid)


def _kept_access(entry: FileEntry, wished: Access, there: Access) -> Access:
    """The owner and mode of a file to which an entry appends. They stay unless the entry names
    them.
    """
    if entry.mode is None:
        wished = wished._replace(mode=there.mode)
    if not entry.owner:
        wished = wished._replace(uid=there.uid, gid=there.gid)
    return wished


def _is_same(system: System, there: Access, wished: Access) -> bool:
    if not system.can_own:
        return there.mode == wished.mode
    return there == wished


def _appended(before: bytes, content: bytes, as_it_is: bool = False) -> bytes:
    """``before`` with ``content`` at its end, unless it already has these lines; or, as it is,
    unless it ends with it.

    So a second run adds nothing.
    """
    if as_it_is:
        return before if before.endswith(content) else before + content
    if not content or b"\n" + _ended(content) in b"\n" + _ended(before):
        return before
    return _ended(before) + content


def _ended(lines: bytes) -> bytes:
    """``lines`` with a line end after the last one, so that whole lines can be compared."""
    if lines and not lines.endswith(b"\n"):
        return lines + b"\n"
    return lines


def _look(system: System, path: str, number: int) -> Optional[os.stat_result]:
    """The status of the existing file; None if there is none. Only root may change its path."""
    _check_place(system, path, number)
    try:
        status = os.stat(system.path(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refuse(path, number, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise _refuse(path, number, "it is not a regular file")
    return status


def _check_place(system: System, path: str, number: int) -> None:
    try:
        weak = find_weak_folder(system, os.path.dirname(system.path(path)))
    except OSError as error:
        raise _refuse(path, number, error.strerror or str(error)) from error
    if weak is not None:
        raise _refuse(
            path,
            number,
            "users other than root may change %s" % weak.path,
            hint="put files for users' homes into /etc/skel",
        )


def _read(system: System, path: str, number: int) -> bytes:
    _check_place(system, path, number)
    try:
        return read_file(system, path, CONTENT_LIMIT_BYTES, entry=number)
    except FileNotFoundError as error:
        raise ProvisioningError(
            "file cannot be read", entry=number, path=path, error=error.strerror
        ) from error


def _owner(system: System, entry: FileEntry, number: int) -> Tuple[int, int]:
    """The numeric owner and group. The default group is the owner's primary group."""
    if not entry.owner:
        return 0, 0
    uid, gid = _find_owner(system, entry, number)
    if entry.group:
        gid = _find_group(system, entry, number)
    return uid, gid


def _find_owner(system: System, entry: FileEntry, number: int) -> Tuple[int, int]:
    account = texts.find_account(read_account_file(system, "/etc/passwd"), entry.owner)
    if account is not None:
        return account.uid, account.gid
    uid = read_digits(entry.owner, ID_MOST)
    if uid is not None:
        return uid, 0
    raise ProvisioningError(
        "owner of a file does not exist",
        entry=number,
        path=entry.path,
        owner=entry.owner,
        hint="make the account in the image, or list write_files after users",
    )


def _find_group(system: System, entry: FileEntry, number: int) -> int:
    gid = texts.find_group(read_account_file(system, "/etc/group"), entry.group)
    if gid is not None:
        return gid
    gid = read_digits(entry.group, ID_MOST)
    if gid is not None:
        return gid
    raise ProvisioningError(
        "owner of a file does not exist",
        entry=number,
        path=entry.path,
        group=entry.group,
        hint="make the group in the image",
    )


def _refuse(path: str, number: int, why: str, **details: str) -> ProvisioningError:
    return ProvisioningError(
        "place of a file is not safe", entry=number, path=path, why=why, **details
    )
