"""Makes homes from the skeleton, and gives them to their users.

It knows no format of an account file.
"""

from __future__ import annotations

import os
import stat

from lightinit.errors import ProvisioningError
from lightinit.host.files.access import Access
from lightinit.host.system import System


def make_home(system: System, home: str, access: Access, skel: str, adopt: bool) -> bool:
    """Make sure that a home exists and belongs to its user.

    A new home is made under a scratch name, where only root can enter it, and filled from ``skel``.
    It gets its final name last.

    Args:
        system: the machine.
        home: its path.
        access: its owner; and its mode, if it is new or adopted.
        skel: the directory that is copied into a new home.
        adopt: whether to give an existing home of root to the user: useradd leaves such a home if
            it crashes. Files in it stay root's.

    Returns:
        Whether anything was changed.

    Raises:
        ProvisioningError: it cannot be made, is not a directory, or belongs to another user.
    """
    if not home.startswith("/"):
        raise ProvisioningError("home cannot be made", path=home, error="not an absolute path")
    path = system.path(home)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        _make_new_home(system, home, path, access, skel)
        return True
    if not stat.S_ISDIR(status.st_mode):
        raise ProvisioningError("home is not a directory", path=home)
    if status.st_uid == access.uid or not system.can_own:
        return False
    if status.st_uid != 0:
        raise ProvisioningError(
            "home belongs to another user",
            path=home,
            uid=status.st_uid,
            user_uid=access.uid,
            hint=(
                "if it was left by a removed account: remove it, or give it to the user with"
                " chown -R; then run: lightinit boot"
            ),
        )
    if not adopt:
        return False
    _adopt(home, path, access)
    return True


def _adopt(home: str, path: str, access: Access) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, access.mode)
            os.fchown(descriptor, access.uid, access.gid)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ProvisioningError("home cannot be made", path=home, error=error.strerror) from error


def _make_new_home(system: System, home: str, path: str, access: Access, skel: str) -> None:
    above, name = os.path.split(home.rstrip("/"))
    scratch_name = "%s/.%s.lightinit-new" % (above, name)
    system.remove_tree(scratch_name)
    if not system.is_dir(above):
        system.make_dir(above)
    scratch = system.path(scratch_name)
    try:
        os.mkdir(scratch, 0o700)
        if system.is_dir(skel):
            _copy_tree(system, system.path(skel), scratch, access)
            # A home that has its name is not filled again.
            system.make_durable(above)
        os.chmod(scratch, access.mode)
        if system.can_own:
            os.chown(scratch, access.uid, access.gid)
        else:
            system.skip("ownership of files")
        os.rename(scratch, path)
        system.durability.folder(os.path.dirname(path))
    except OSError as error:
        raise ProvisioningError(
            "home cannot be made", path=home, error=error.strerror or str(error)
        ) from error


def _copy_tree(system: System, source: str, target: str, owner: Access) -> None:
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        new = os.path.join(target, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), new)
        elif entry.is_dir(follow_symlinks=False):
            os.mkdir(new, 0o700)
            _copy_tree(system, entry.path, new, owner)
            os.chmod(new, stat.S_IMODE(entry.stat().st_mode))
        elif entry.is_file(follow_symlinks=False):
            _copy_file(system, entry.path, new)
        else:
            continue
        if system.can_own:
            os.chown(new, owner.uid, owner.gid, follow_symlinks=False)


def _copy_file(system: System, source: str, target: str) -> None:
    with open(source, "rb") as reader, open(target, "xb") as writer:
        for block in iter(lambda: reader.read(1 << 16), b""):
            writer.write(block)
        writer.flush()
        os.fchmod(writer.fileno(), stat.S_IMODE(os.fstat(reader.fileno()).st_mode) & 0o777)
        system.durability.file(writer.fileno(), target, waits=True)
