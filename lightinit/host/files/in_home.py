"""One file in a user's home, changed by root although the user may be an enemy.

Whoever owns a directory can put a link, a FIFO or somebody else's file in it, and change it while
we look. So nothing here is done by path: each directory is opened from the one above it without
following a link, and is then held open; what was opened is looked at, not what its name says. The
new file is made beside the old one, gets its owner and mode before it gets its name, and takes the
old one's place in one step.

It knows neither what is in the file nor who wants it there.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.atomic import sync_open_dir, write_all
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.private_files")
LIMIT_BYTES = 1024 * 1024
OTHERS_MAY_WRITE = 0o022
_DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Owner:
    """Whom a file belongs to."""

    uid: int
    gid: int


def edit_private_file(
    system: System, base: str, parts: Sequence[str], owner: Owner, edit: Callable[[bytes], bytes]
) -> bool:
    """Replace the file ``parts`` below ``base`` by what ``edit`` makes of it.

    Missing directories are made (0700, the owner's), a missing file too (0600). Where a directory
    belongs to root, so does what is made in it (0755 and 0644, since the user must be able to read
    it). What is there keeps its owner and its mode, without the permission for others to write,
    with which sshd would pass it over.

    Args:
        system: the machine.
        base: a directory whose place only root can change, such as a home; links on the way to it
            are followed.
        parts: the names below it; no link is followed there.
        owner: the user; the only one besides root to whom anything here may belong.
        edit: gets the old content, b"" when there is no file; when it gives that back, nothing is
            written.

    Returns:
        Whether the file was written.

    Raises:
        ProvisioningError: something there is not what it has to be (``why``), or it could not be
            written. The old file, and whatever a link points to, are untouched.
    """
    shown = _check_place(base, parts)
    held: List[int] = []
    try:
        try:
            held.append(os.open(system.path(base), _DIR_FLAGS))
            _check_dir(system, held[-1], owner, base)
            for at, part in enumerate(parts[:-1]):
                folder = "/".join([base.rstrip("/")] + list(parts[: at + 1]))
                held.append(_enter(system, held[-1], part, owner, folder))
            return _edit(system, held[-1], parts[-1], owner, edit, shown)
        except OSError as error:
            raise _explain(error, shown) from error
    finally:
        for descriptor in held:
            os.close(descriptor)


def read_private_file(system: System, base: str, parts: Sequence[str], owner: Owner) -> bytes:
    """The content of a file, under the rules of :func:`edit_private_file`; b"" when there is none.

    Raises:
        ProvisioningError: as :func:`edit_private_file`.
    """
    shown = _check_place(base, parts)
    held: List[int] = []
    try:
        try:
            held.append(os.open(system.path(base), _DIR_FLAGS))
            for part in parts[:-1]:
                held.append(os.open(part, _DIR_FLAGS, dir_fd=held[-1]))
            found = _read(system, held[-1], parts[-1], owner, shown)
            return found[0] if found else b""
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _explain(error, shown) from error
    finally:
        for descriptor in held:
            os.close(descriptor)


def find_trusted_base(system: System, path: str) -> Tuple[str, Tuple[str, ...]]:
    """Split a path outside the homes into the part that only root can change, and the rest.

    Returns:
        An existing directory, as the VM sees it, and the names below it, for
        :func:`edit_private_file`.

    Raises:
        ProvisioningError: the path is not absolute.
    """
    if not path.startswith("/"):
        raise _refuse(path, "its path is not plain")
    base = "/"
    parts = [part for part in path.split("/") if part]
    while len(parts) > 1:
        status = os.stat(system.path(base))
        below = "%s/%s" % (base.rstrip("/"), parts[0])
        if (
            status.st_uid not in _root_like(system)
            or status.st_mode & OTHERS_MAY_WRITE
            or not system.is_dir(below)
        ):
            break
        base = below
        del parts[0]
    return base, tuple(parts)


def _check_place(base: str, parts: Sequence[str]) -> str:
    """The whole path, for messages. A base that is not absolute would be looked up from wherever we
    happen to be.
    """
    shown = "/".join([base.rstrip("/")] + list(parts))
    if (
        not base.startswith("/")
        or not parts
        or any(part in ("", ".", "..") or "/" in part for part in parts)
    ):
        raise _refuse(shown, "its path is not plain")
    return shown


# -- directories
# --------------------------------------------------------------------------------------------------


def _root_like(system: System) -> Tuple[int, ...]:
    # Without root's rights every file that is made belongs to whoever runs this, in a scratch root
    # only.
    return (0,) if system.can_own else (0, os.geteuid())


def _check_dir(system: System, descriptor: int, owner: Owner, shown: str) -> None:
    status = os.fstat(descriptor)
    if status.st_uid not in _root_like(system) + (owner.uid,):
        raise _refuse(
            shown,
            "it belongs to another user",
            uid=status.st_uid,
            hint="see who put it there, then remove it or give it to the user",
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & OTHERS_MAY_WRITE and status.st_uid not in _root_like(system)[1:] + (owner.uid,):
        raise _refuse(
            shown,
            "others may write there, so sshd would pass it over",
            mode="%04o" % mode,
            hint="take the permission away: chmod go-w",
        )
    if mode & OTHERS_MAY_WRITE:
        LOG.warning(
            "%s: others could write there (%04o), so sshd would pass it over: changed to %04o",
            shown,
            mode,
            mode & ~OTHERS_MAY_WRITE,
        )
        os.fchmod(descriptor, mode & ~OTHERS_MAY_WRITE)


def _enter(system: System, above: int, part: str, owner: Owner, shown: str) -> int:
    try:
        descriptor = os.open(part, _DIR_FLAGS, dir_fd=above)
    except FileNotFoundError:
        return _make_dir(system, above, part, owner)
    try:
        _check_dir(system, descriptor, owner, shown)
        status = os.fstat(descriptor)
        if system.can_own and status.st_uid == 0 != owner.uid and not status.st_mode & stat.S_IXOTH:
            # Root's, and closed to the user, so sshd could not look into it on the user's behalf.
            # An empty one is what a crash left of somebody's mkdir and chown.
            if os.listdir(descriptor):
                raise _refuse(
                    shown, "it is root's, and the user may not enter it", hint="give it to the user"
                )
            os.fchown(descriptor, owner.uid, owner.gid)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _make_dir(system: System, above: int, part: str, owner: Owner) -> int:
    """Make the directory under a scratch name, so that it never has its own name without its owner
    and mode.
    """
    roots = _roots(system, above, owner)
    scratch = ".%s.lightinit-new" % part
    try:
        os.rmdir(scratch, dir_fd=above)
    except FileNotFoundError:
        pass
    os.mkdir(scratch, 0o700, dir_fd=above)
    descriptor = os.open(scratch, _DIR_FLAGS, dir_fd=above)
    try:
        # Its name may have been given to another directory in between: only an empty one of ours is
        # given away.
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or os.listdir(descriptor):
            raise _refuse(part, "it was changed while it was being made")
        if system.can_own and not roots:
            os.fchown(descriptor, owner.uid, owner.gid)
        os.fchmod(descriptor, 0o755 if roots else 0o700)
        os.rename(scratch, part, src_dir_fd=above, dst_dir_fd=above)
        sync_open_dir(above)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _roots(system: System, folder: int, owner: Owner) -> bool:
    """Whether a directory is root's own, so that what is made in it has to be root's too."""
    if not system.can_own:
        return False
    return os.fstat(folder).st_uid == 0 and owner.uid != 0


# -- the file
# --------------------------------------------------------------------------------------------------


def _read(
    system: System, folder: int, name: str, owner: Owner, shown: str
) -> Optional[Tuple[bytes, os.stat_result]]:
    """The content and the status of a file that is safe to read and to replace; None when there is
    none.
    """
    try:
        before = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    _check_file(system, before, owner, shown)
    descriptor = os.open(
        name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
    )
    with open(descriptor, "rb") as handle:
        status = os.fstat(descriptor)
        _check_file(system, status, owner, shown)
        data = handle.read(LIMIT_BYTES + 1)
    if len(data) > LIMIT_BYTES:
        raise _refuse(shown, "it is larger than %d bytes" % LIMIT_BYTES)
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
            raise _refuse(
                shown, why, hint="replace it by a plain file; no link is followed in a user's home"
            )
    if not stat.S_ISREG(status.st_mode):
        raise _refuse(shown, "it is no regular file")
    if status.st_nlink > 1:
        raise _refuse(
            shown,
            "it has another name elsewhere (a hard link)",
            hint="copy it, and remove the link",
        )
    if status.st_uid not in _root_like(system) + (owner.uid,):
        raise _refuse(
            shown, "it belongs to another user", uid=status.st_uid, hint="give it to the user"
        )
    if status.st_uid != owner.uid and status.st_uid == 0 and not status.st_mode & stat.S_IROTH:
        # The user may have moved a secret of root's here, to have it copied into a file of his own.
        raise _refuse(
            shown, "it is root's, and the user may not read it", hint="give it to the user"
        )


def _edit(
    system: System, folder: int, name: str, owner: Owner, edit: Callable[[bytes], bytes], shown: str
) -> bool:
    found = _read(system, folder, name, owner, shown)
    before, status = found if found else (b"", None)
    after = edit(before)
    roots = _roots(system, folder, owner)
    mode = (
        stat.S_IMODE(status.st_mode) & ~OTHERS_MAY_WRITE & 0o777
        if status
        else 0o644
        if roots
        else 0o600
    )
    if found and after == before:
        if stat.S_IMODE(status.st_mode) != mode:  # type: ignore[union-attr]
            _change_mode(folder, name, status, mode)  # type: ignore[arg-type]
        return False
    if not found and not after:
        return False
    uid, gid = (
        (status.st_uid, status.st_gid) if status else (0, 0) if roots else (owner.uid, owner.gid)
    )
    _replace(system, folder, name, after, mode, Owner(uid, gid))
    return True


def _change_mode(folder: int, name: str, status: os.stat_result, mode: int) -> None:
    descriptor = os.open(
        name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
    )
    try:
        now = os.fstat(descriptor)
        if (now.st_dev, now.st_ino, now.st_nlink) == (status.st_dev, status.st_ino, 1):
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _replace(system: System, folder: int, name: str, data: bytes, mode: int, owner: Owner) -> None:
    # One fixed name, so that what a crash leaves is taken away by the next run.
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
                os.fchown(descriptor, owner.uid, owner.gid)
            else:
                system.skip("ownership of files")
            os.fchmod(descriptor, mode)
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(scratch, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        _remove(folder, scratch)
        raise
    sync_open_dir(folder)


def _remove(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


# -- words
# --------------------------------------------------------------------------------------------------


def _refuse(shown: str, why: str, **details: object) -> ProvisioningError:
    return ProvisioningError("file in a home is not safe to change", path=shown, why=why, **details)


def _explain(error: OSError, shown: str) -> ProvisioningError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return _refuse(
            shown,
            "a part of its path is a link or no directory",
            hint="replace it by a directory; no link is followed in a user's home",
        )
    if error.errno == errno.ENOENT:
        return ProvisioningError("home directory is missing", path=shown)
    return ProvisioningError(
        "file in a home cannot be written", path=shown, error=error.strerror or str(error)
    )
