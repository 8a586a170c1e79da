"""Writes one file that is listed, with its owner and mode.

Only root may be able to change the directories on the path of a file that the settings list. A file
of a cloud-config may be in a user's home, too, where no link is followed, and right in a directory
such as /tmp. It replaces none of the files that have the host's accounts: nobody could log in. For
the same reason keys stay in a file of keys, and faulty rules and configurations are not written.
"""

from __future__ import annotations

import logging
import os
import stat
from typing import Optional, Tuple

from lightinit.digits import ID_MOST, read_digits
from lightinit.errors import ProvisioningError
from lightinit.files.former import keep_former
from lightinit.files.guarded import check_content, is_key_file, with_keys_kept
from lightinit.formats.accounts import passwd as texts
from lightinit.formats.file_entries import CONTENT_LIMIT_BYTES, FileEntry
from lightinit.host.accounts.files import read_account_file
from lightinit.host.files.access import Access, access_of
from lightinit.host.files.home_folders import Owner
from lightinit.host.files.in_home import edit_private_file
from lightinit.host.files.text import read_file
from lightinit.host.files.trusted_place import WeakFolder, find_weak_folder
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.write_files")
MODE = 0o644
ACCOUNT_FILES = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow")


def write_entry(system: System, entry: FileEntry, number: int) -> bool:
    """Make a file match its entry. Returns whether it was changed.

    Args:
        system: the machine.
        entry: the file.
        number: that of the entry, from 1, for errors.

    Raises:
        ProvisioningError: its place is not safe, its owner does not exist, or it cannot be written.
    """
    if entry.in_home:
        home = _find_home(system, entry.path, number)
        if home is not None:
            return _write_in_home(system, entry, number, *home)
    content = entry.content
    if entry.source:
        content = _read(system, entry.source, number)
    status = _look(system, entry, number)
    has_accounts = entry.in_home and _has_accounts(system, entry.path)
    if has_accounts and (status is None or not entry.append):
        raise _refuse(
            entry.path,
            number,
            "the accounts of this host are in it",
            hint="let `users`, `groups` and `chpasswd` change them, or append to it",
        )
    before = b""
    if status is not None:
        before = _read(system, entry.path, number, entry.in_home)
    access = _wished_access(system, entry, number)
    if status is not None:
        there = access_of(status)
        if entry.append:
            access = _kept_access(entry, access, there)
            content = _appended(before, content, entry.as_it_is)
        elif entry.in_home and is_key_file(entry.path):
            content, access = with_keys_kept(before, content), there
        if has_accounts:
            access = there
        if content == before and _is_same(system, there, access):
            return False
    if entry.in_home:
        check_content(system, entry.path, content)
        keep_former(system, entry.path, before, status)
    in_public = entry.in_home and _is_public(system, entry.path)
    system.write(
        entry.path, content, access.mode, access.uid, access.gid, follow_last=not in_public
    )
    LOG.debug("written: %s", entry.path)
    return True


def _has_accounts(system: System, path: str) -> bool:
    """Whether a path leads to one of the files that have the accounts, by a link, too."""
    return system.path(path) in {system.path(each) for each in ACCOUNT_FILES}


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


def _look(system: System, entry: FileEntry, number: int) -> Optional[os.stat_result]:
    """The status of the existing file; None if there is none. Only root may change its path."""
    path = entry.path
    _check_place(system, path, number, entry.in_home)
    try:
        status = os.stat(system.path(path))
        if entry.in_home and _is_public(system, path):
            status = os.lstat(system.path(path, follow_last=False))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refuse(path, number, error.strerror or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        raise _refuse(path, number, "it is not a regular file")
    return status


def _is_public(system: System, path: str) -> bool:
    """Whether the file is right in a directory in which everybody may make files, such as /tmp."""
    try:
        mode = os.stat(os.path.dirname(system.path(path, follow_last=False))).st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH)


def _find_weak(
    system: System, path: str, number: int, sticky_is_safe: bool = False
) -> Optional[WeakFolder]:
    folder = os.path.dirname(system.path(path, follow_last=not sticky_is_safe))
    try:
        return find_weak_folder(system, folder, sticky_is_safe)
    except OSError as error:
        raise _refuse(path, number, error.strerror or str(error)) from error


def _check_place(system: System, path: str, number: int, in_home: bool = False) -> None:
    weak = _find_weak(system, path, number, in_home)
    if weak is not None:
        raise _refuse(
            path,
            number,
            "users other than root may change %s" % weak.path,
            hint="put files for users' homes into /etc/skel",
        )


def _find_home(system: System, path: str, number: int) -> Optional[Tuple[str, Tuple[str, ...]]]:
    """The user's directory on a path, and the names below it; None if only root can change the
    path. Links of root's are followed up to there.
    """
    names = [name for name in path.split("/") if name]
    for count in range(1, len(names)):
        base = "/" + "/".join(names[:count])
        if _is_foreign_link(system, base):
            raise _refuse(path, number, "%s is a link in a directory of all users" % base)
        real = system.path(base)
        try:
            weak = find_weak_folder(system, real, sticky_is_safe=True)
        except OSError as error:
            raise _refuse(path, number, error.strerror or str(error)) from error
        if weak is not None and weak.foreign and real == system.root.rstrip("/") + weak.path:
            return base, tuple(names[count:])
        if weak is not None:
            _check_place(system, path, number)
    return None


def _is_foreign_link(system: System, base: str) -> bool:
    return _is_public(system, base) and os.path.islink(system.path(base, follow_last=False))


def _write_in_home(
    system: System, entry: FileEntry, number: int, base: str, parts: Tuple[str, ...]
) -> bool:
    """Make a file below a user's directory match its entry. No link is followed there."""
    status = os.stat(system.path(base))
    access: Optional[Access] = _wished_access(system, entry, number)
    has_keys = is_key_file(entry.path)
    if has_keys:
        access = None  # sshd reads it as the user, and refuses what others may change

    def edit(before: bytes) -> bytes:
        if entry.append:
            return _appended(before, entry.content, entry.as_it_is)
        return with_keys_kept(before, entry.content) if has_keys else entry.content

    return edit_private_file(system, base, parts, Owner(status.st_uid, status.st_gid), edit, access)


def _read(system: System, path: str, number: int, in_home: bool = False) -> bytes:
    _check_place(system, path, number, in_home)
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
