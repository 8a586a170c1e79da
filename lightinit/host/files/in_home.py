"""Changes a file in a user's home as root. It is safe even if the user attacks it.

The owner of a directory can put a link, a FIFO or another user's file into it, and can do so at any
moment. So nothing here uses a path: each directory is held open, and the checks are done on the
open file, not on its name. The new file is made beside the old one, gets its owner and mode before
its name, and replaces the old file in one step.

The content of the file is not interpreted.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.atomic import write_all
from lightinit.host.files.access import OTHERS_MAY_WRITE, Access, access_of
from lightinit.host.files.home_folders import (
    DIR_FLAGS,
    ROOTS_FILE_MODE,
    USERS_FILE_MODE,
    Owner,
    check_folder,
    enter_folder,
    new_access,
    unsafe,
)
from lightinit.host.files.trusted_place import root_uids
from lightinit.host.system import HINTS, System

LIMIT_BYTES = 1024 * 1024
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def edit_private_file(
    system: System,
    base: str,
    parts: Sequence[str],
    owner: Owner,
    edit: Callable[[bytes], bytes],
    access: Optional[Access] = None,
) -> bool:
    """Replace the content of the file ``parts`` below ``base``.

    Missing directories (0700) and a missing file (0600) are made, and belong to the user. In a
    directory of root's they belong to root (0755 and 0644), since the user must be able to read
    them. Existing ones keep their owner and mode, but write permission for others is removed: sshd
    would ignore such files.

    Args:
        system: the machine.
        base: a directory whose path only root can change, such as a home. Links in this path are
            followed.
        parts: the names below ``base``. Links there are not followed.
        owner: the user. Everything below ``base`` must belong to this user or to root.
        edit: takes the old content (b"" if there is no file) and returns the new one.
        access: the mode and owner that the file gets in any case.

    Returns:
        Whether the file was written.

    Raises:
        ProvisioningError: a file or directory is not safe (``why``), or the file cannot be written.
            The old file is unchanged, and so is the target of a link.
    """
    shown = _check_place(base, parts)
    held: List[int] = []
    try:
        try:
            held.append(os.open(system.path(base), DIR_FLAGS))
            check_folder(system, held[-1], owner, base)
            for at, part in enumerate(parts[:-1]):
                folder = "/".join([base.rstrip("/")] + list(parts[: at + 1]))
                held.append(enter_folder(system, held[-1], part, owner, folder))
            return _edit(system, held[-1], parts[-1], owner, edit, shown, access)
        except OSError as error:
            raise _explain(error, shown) from error
    finally:
        for descriptor in held:
            os.close(descriptor)


def read_private_file(system: System, base: str, parts: Sequence[str], owner: Owner) -> bytes:
    """The content of a file, with the checks of :func:`edit_private_file`; b"" if there is none.

    Raises:
        ProvisioningError: as in :func:`edit_private_file`.
    """
    shown = _check_place(base, parts)
    held: List[int] = []
    try:
        try:
            held.append(os.open(system.path(base), DIR_FLAGS))
            for part in parts[:-1]:
                held.append(os.open(part, DIR_FLAGS, dir_fd=held[-1]))
            found = _read(system, held[-1], parts[-1], owner, shown)
            if found is None:
                return b""
            return found[0]
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _explain(error, shown) from error
    finally:
        for descriptor in held:
            os.close(descriptor)


def find_trusted_base(system: System, path: str) -> Tuple[str, Tuple[str, ...]]:
    """Split a path outside the homes into the part that only root can change, and the rest.

    No group may have write permission in the first part; sshd has the same rule.

    Returns:
        An existing directory, as the VM sees it, and the names below it, for
        :func:`edit_private_file`.

    Raises:
        ProvisioningError: the path is not absolute.
    """
    if not path.startswith("/"):
        raise unsafe(path, "its path is not plain")
    base = "/"
    parts = [part for part in path.split("/") if part]
    while len(parts) > 1:
        status = os.stat(system.path(base))
        below = "%s/%s" % (base.rstrip("/"), parts[0])
        if (
            status.st_uid not in root_uids(system)
            or status.st_mode & OTHERS_MAY_WRITE
            or not system.is_dir(below)
        ):
            break
        base = below
        del parts[0]
    return base, tuple(parts)


def _check_place(base: str, parts: Sequence[str]) -> str:
    """Check that the path is absolute and plain: a relative base would depend on the working
    directory. Returns the whole path, for messages.
    """
    shown = "/".join([base.rstrip("/")] + list(parts))
    if (
        not base.startswith("/")
        or not parts
        or any(part in ("", ".", "..") or "/" in part for part in parts)
    ):
        raise unsafe(shown, "its path is not plain")
    return shown


# -- the file
# --------------------------------------------------------------------------------------------------


def _read(
    system: System, folder: int, name: str, owner: Owner, shown: str
) -> Optional[Tuple[bytes, os.stat_result]]:
    """(content, status) of a file that is safe to read and to replace; None if there is none."""
    try:
        before = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    _check_file(system, before, owner, shown)
    descriptor = os.open(name, _FILE_FLAGS, dir_fd=folder)
    with open(descriptor, "rb") as handle:
        status = os.fstat(descriptor)
        _check_file(system, status, owner, shown)
        data = handle.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise unsafe(shown, "it is larger than %d bytes" % LIMIT_BYTES)
    return data, status


def _check_file(system: System, status: os.stat_result, owner: Owner, shown: str) -> None:
    kinds = (
        (stat.S_ISLNK, "it is a symbolic link"),
        (stat.S_ISDIR, "it is a directory"),
        (stat.S_ISFIFO, "it is a FIFO"),
        (stat.S_ISSOCK, "it is a socket"),
    )
    for is_kind, why in kinds:
        if is_kind(status.st_mode):
            raise unsafe(
                shown, why, hint="replace it by a plain file: in a user's home no link is followed"
            )
    if not stat.S_ISREG(status.st_mode):
        raise unsafe(shown, "it is not a regular file")
    if status.st_nlink > 1:
        raise unsafe(
            shown,
            "it has another name elsewhere (a hard link)",
            hint="copy it, and remove the link",
        )
    if status.st_uid not in root_uids(system) + (owner.uid,):
        raise unsafe(
            shown, "it belongs to another user", uid=status.st_uid, hint="give it to the user"
        )
    if status.st_uid != owner.uid and status.st_uid == 0 and not status.st_mode & stat.S_IROTH:
        # The user may have moved a secret file of root's here, to get its content copied into a
        # readable file.
        raise unsafe(
            shown, "it is root's, and the user may not read it", hint="give it to the user"
        )


def _edit(
    system: System,
    folder: int,
    name: str,
    owner: Owner,
    edit: Callable[[bytes], bytes],
    shown: str,
    wished: Optional[Access] = None,
) -> bool:
    found = _read(system, folder, name, owner, shown)
    if wished is not None:
        before = b"" if found is None else found[0]
        after = edit(before)
        if found is None or after != before or access_of(found[1]) != wished:
            _replace(system, folder, name, after, wished, shown)
            return True
        return False
    if found is None:
        after = edit(b"")
        if not after:
            return False
        access = new_access(system, folder, owner, USERS_FILE_MODE, ROOTS_FILE_MODE)
    else:
        before, status = found
        after = edit(before)
        access = _kept_access(status)
        if after == before:
            if access != access_of(status):
                _change_mode(folder, name, status, access.mode)
            return False
    _replace(system, folder, name, after, access, shown)
    return True


def _kept_access(status: os.stat_result) -> Access:
    """Mode and owner of a file, without set-id bits and without write permission for others."""
    return Access(
        stat.S_IMODE(status.st_mode) & ~OTHERS_MAY_WRITE & 0o777, status.st_uid, status.st_gid
    )


def _change_mode(folder: int, name: str, status: os.stat_result, mode: int) -> None:
    descriptor = os.open(name, _FILE_FLAGS, dir_fd=folder)
    try:
        now = os.fstat(descriptor)
        if (now.st_dev, now.st_ino, now.st_nlink) == (status.st_dev, status.st_ino, 1):
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _replace(
    system: System,
    folder: int,
    name: str,
    data: bytes,
    access: Access,
    shown: str,
) -> None:
    # The scratch name is fixed, so the next run removes a file that a crash has left.
    scratch = ".%s.lightinit-new" % name
    _remove(folder, scratch)
    descriptor = os.open(
        scratch,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o600,
        dir_fd=folder,
    )
    try:
        try:
            if system.can_own:
                os.fchown(descriptor, access.uid, access.gid)
            else:
                system.skip("ownership of files")
            os.fchmod(descriptor, access.mode)
            write_all(descriptor, data)
            system.durability.file(descriptor, shown)
        finally:
            os.close(descriptor)
        os.rename(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _remove(folder, scratch)
        raise
    system.durability.open_folder(folder, shown)


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


# -- errors
# --------------------------------------------------------------------------------------------------


def _explain(error: OSError, shown: str) -> ProvisioningError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return unsafe(
            shown,
            "a part of its path is a link, or not a directory",
            hint="replace it by a directory: in a user's home no link is followed",
        )
    if error.errno == errno.ENOENT:
        return ProvisioningError("home directory is missing", path=shown)
    details = {"path": shown, "error": error.strerror or str(error)}
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        details["hint"] = HINTS[error.errno]
    return ProvisioningError("file in a home cannot be written", **details)
