"""Opens the directories on the path to a file in a user's home, one from the other.

A user can rename directories at any moment. So each directory is opened from the open one above it,
without following links, and the checks are done on the open directory, not on its name.
"""

from __future__ import annotations

import logging
import os
import stat

from lightinit.errors import ProvisioningError
from lightinit.host.files.access import OTHERS_MAY_WRITE, Access, access_of
from lightinit.host.files.trusted_place import root_uids
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.private_files")
DIR_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# New files in the user's own directory are for the user only. New files in a directory of root's
# belong to root, and the user must be able to read them.
USERS_FOLDER_MODE, ROOTS_FOLDER_MODE = 0o700, 0o755
USERS_FILE_MODE, ROOTS_FILE_MODE = 0o600, 0o644


class Owner(NamedTuple):
    """The ids of the user to whom a file belongs."""

    uid: int
    gid: int


def check_folder(system: System, descriptor: int, owner: Owner, shown: str) -> None:
    """Check that an open directory belongs to root or the user, and that nobody else can write to
    it. In a directory of the user, write permission for others is removed.

    Args:
        system: the machine.
        descriptor: the directory.
        owner: the user.
        shown: its path, for messages.

    Raises:
        ProvisioningError: it is not safe.
        OSError: its mode cannot be changed.
    """
    there = access_of(os.fstat(descriptor))
    if there.uid not in root_uids(system) + (owner.uid,):
        raise unsafe(
            shown,
            "it belongs to another user",
            uid=there.uid,
            hint="see who put it there, then remove it or give it to the user",
        )
    if not there.mode & OTHERS_MAY_WRITE:
        return
    if there.uid == 0 != owner.uid:
        raise unsafe(
            shown,
            "others may write to it, so sshd ignores the files in it",
            mode="%04o" % there.mode,
            hint="remove that permission: chmod go-w",
        )
    mode = there.mode & ~OTHERS_MAY_WRITE
    LOG.warning(
        "%s: others could write to it (%04o), so sshd would ignore its files: changed to %04o",
        shown,
        there.mode,
        mode,
    )
    os.fchmod(descriptor, mode)


def enter_folder(system: System, above: int, part: str, owner: Owner, shown: str) -> int:
    """Open the directory ``part`` in ``above``, and make it if it is missing.

    Returns:
        A descriptor, for the caller to close.

    Raises:
        ProvisioningError: it is not safe.
        OSError: it cannot be opened or made.
    """
    try:
        descriptor = os.open(part, DIR_FLAGS, dir_fd=above)
    except FileNotFoundError:
        return _make_folder(system, above, part, owner)
    try:
        check_folder(system, descriptor, owner, shown)
        if is_roots(system, descriptor, owner):
            _let_in(descriptor, owner, shown)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _let_in(descriptor: int, owner: Owner, shown: str) -> None:
    """Check that the user can enter a directory of root's: sshd reads it with the user's rights."""
    if os.fstat(descriptor).st_mode & stat.S_IXOTH:
        return
    # It is empty if a crash came between mkdir and chown.
    if os.listdir(descriptor):
        raise unsafe(
            shown, "it is root's, and the user may not enter it", hint="give it to the user"
        )
    os.fchown(descriptor, owner.uid, owner.gid)


def _make_folder(system: System, above: int, part: str, owner: Owner) -> int:
    """Make the directory under a scratch name. It gets its name after owner and mode are set."""
    access = new_access(system, above, owner, USERS_FOLDER_MODE, ROOTS_FOLDER_MODE)
    scratch = ".%s.lightinit-new" % part
    try:
        os.rmdir(scratch, dir_fd=above)
    except FileNotFoundError:
        pass
    os.mkdir(scratch, 0o700, dir_fd=above)
    descriptor = os.open(scratch, DIR_FLAGS, dir_fd=above)
    try:
        # Another directory may have this name now. So give it to the user only if it is ours and
        # empty.
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or os.listdir(descriptor):
            raise unsafe(part, "it was changed while it was being made")
        if system.can_own:
            os.fchown(descriptor, access.uid, access.gid)
        os.fchmod(descriptor, access.mode)
        os.rename(scratch, part, src_dir_fd=above, dst_dir_fd=above)
        system.durability.open_folder(above, "the folder of %s" % part)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_roots(system: System, folder: int, owner: Owner) -> bool:
    """Whether an open directory belongs to root, not to the user. Then new files in it do, too."""
    return system.can_own and os.fstat(folder).st_uid == 0 and owner.uid != 0


def new_access(
    system: System, folder: int, owner: Owner, users_mode: int, roots_mode: int
) -> Access:
    """The mode and owner for new files in an open directory.

    Args:
        system: the machine.
        folder: the directory.
        owner: the user.
        users_mode: the mode if it becomes the user's.
        roots_mode: the mode if it becomes root's.
    """
    if is_roots(system, folder, owner):
        return Access(roots_mode)
    return Access(users_mode, owner.uid, owner.gid)


def unsafe(shown: str, why: str, **details: object) -> ProvisioningError:
    """The error for a file or directory that is not safe."""
    return ProvisioningError("file in a home is not safe to change", path=shown, why=why, **details)
