"""Users, groups and homes, made with whatever tools the host has: useradd, busybox, or none.

It knows no format. What it knows is the order of things, and who may own what; the account files
themselves are the work of :mod:`lightinit.host.accounts.files`.
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.atomic import sync_dir
from lightinit.host.command import TOOL_FOLDERS
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.accounts")
USERADD_BAD_NAME = (3, 19)  # 'invalid argument' in most versions, 'invalid name' in new ones
USERADD_NAME_IN_USE = 9
USERADD_NO_HOME = 12
DAY_S = 86400


@dataclass(frozen=True)
class NewUser:
    """What a new account is to be.

    Attributes:
        name: a checked login name.
        shell: the path of its shell.
        home: its home; None lets the host's own policy choose.
        group: an existing group that becomes its primary one; None: a new group of its own.
        groups: existing groups that it joins, where the tool can do that in one step.
    """

    name: str
    shell: str
    home: Optional[str] = None
    group: Optional[str] = None
    groups: Tuple[str, ...] = ()


def has_tool(system: System, name: str) -> bool:
    """Whether the host has the command ``name``: also true of a scratch root, where it is not
    run.
    """
    if system.live:
        return system.tool(name) is not None
    return any(system.exists("%s/%s" % (folder, name)) for folder in TOOL_FOLDERS)


def can_be_shell(system: System, path: str) -> bool:
    """Whether sshd would take ``path`` for a login shell: a program that is there.

    In a scratch root without any shell this cannot be told: yes.
    """
    for each in (path, "/bin/sh"):
        try:
            status = os.stat(system.path(each))
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o111:
                return each == path
        except OSError:
            pass
        if system.live:
            return False
    return True


def look_up_elsewhere(system: System, name: str) -> Optional[Tuple[int, int, str, str]]:
    """(uid, gid, home, shell) of an account that only NSS knows (LDAP, systemd-homed); None if
    there is none.
    """
    if not system.live:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell or "/bin/sh"


def today(system: System) -> int:
    """Days since 1970, which shadow counts in, by a clock that may be wrong at boot."""
    return int(system.clock.time() // DAY_S)


def list_groups_of(system: System, name: str, gid: int) -> Tuple[str, ...]:
    """The names of an account's groups as NSS has them, which is as sshd has them; none in a
    scratch root.
    """
    if not system.live:
        return ()
    import grp

    found = []
    for each in os.getgrouplist(name, gid):
        try:
            found.append(grp.getgrgid(each).gr_name)
        except KeyError:
            pass
    return tuple(found)


# -- with the host's tools
# ---------------------------------------------------------------------------------------------


def add_user(system: System, user: NewUser) -> Optional[str]:
    """Make an account with the host's own tool, which brings the host's own policy.

    Args:
        system: the machine.
        user: what it is to be. It must not exist.

    Returns:
        The tool that made it; None when there is none, and the files have to be edited.

    Raises:
        ProvisioningError: the tool failed.
    """
    useradd = system.tool("useradd")
    if useradd:
        files.clear_stale_locks(system)
        options = ["-s", user.shell, "-p", "*"]
        options += ["-g", user.group] if user.group else ["-U"]
        options += ["-d", user.home] if user.home else []
        options += ["-G", ",".join(user.groups)] if user.groups else []
        ended = system.run([useradd, "-m"] + options + [user.name])
        if ended.returncode in USERADD_BAD_NAME:
            # Some versions take lower case only. The name has passed our own check.
            options.append("--badname")
            ended = system.run([useradd, "-m"] + options + [user.name])
        if ended.returncode == USERADD_NO_HOME:
            # Some versions have put the account in place by then, others have not. The home is for
            # make_home.
            LOG.debug("useradd made no home: %s", ended.last_words)
            ended = system.run([useradd, "-M"] + options + [user.name])
            if ended.returncode == USERADD_NAME_IN_USE:
                return "useradd"
        if not ended.ok:
            raise ProvisioningError(
                "useradd failed", user=user.name, status=ended.returncode, said=ended.last_words
            )
        return "useradd"
    adduser = find_busybox(system, "adduser")
    if adduser:
        files.clear_stale_locks(system)
        # -D: no password; -H: the home is made by make_home, which a crash cannot leave half done.
        argv = [adduser, "-D", "-H", "-s", user.shell, "-g", ""]
        argv += ["-h", user.home] if user.home else []
        argv += ["-G", user.group] if user.group else []
        system.run_checked(argv + [user.name])
        return "adduser"
    return None


def add_to_groups(system: System, user: str, groups: Sequence[str]) -> bool:
    """Make ``user`` a member of existing groups with the host's own tool. Returns False when there
    is none.

    Raises:
        ProvisioningError: the tool failed.
    """
    usermod = system.tool("usermod")
    if usermod:
        files.clear_stale_locks(system)
        system.run_checked([usermod, "-a", "-G", ",".join(groups), user])
        return True
    addgroup = find_busybox(system, "addgroup")
    if addgroup:
        files.clear_stale_locks(system)
        for group in groups:
            system.run_checked([addgroup, user, group])
        return True
    return False


def set_password_mark(system: System, user: str, mark: str) -> bool:
    """Put ``mark`` (such as ``*``; not a secret) in the password field with usermod. False when
    there is none.

    Raises:
        ProvisioningError: usermod failed.
    """
    usermod = system.tool("usermod")
    if not usermod:
        return False
    files.clear_stale_locks(system)
    system.run_checked([usermod, "-p", mark, user])
    return True


def find_busybox(system: System, applet: str) -> Optional[str]:
    """Where ``applet`` is, if it is busybox's: Debian's adduser, of the same name, takes other
    options.
    """
    path = system.tool(applet)
    if path is None:
        return None
    if os.path.basename(os.path.realpath(path)).startswith("busybox"):
        return path
    said = system.run([path, "--help"])
    return path if "BusyBox" in said.stdout + said.stderr else None


# -- homes
# --------------------------------------------------------------------------------------------------


def make_home(
    system: System, home: str, owner: Tuple[int, int], mode: int, skel: str, adopt: bool
) -> bool:
    """Make sure that a home is there and is its user's.

    A new one is made under a scratch name that only root can enter, filled from ``skel``, and gets
    its own name last.

    Args:
        system: the machine.
        home: where it is.
        owner: numeric user and group.
        mode: its permission bits when it is new.
        skel: the directory whose content a new home starts with.
        adopt: whether a home that is root's (a crash of useradd leaves one) is given to the user;
            never its content.

    Returns:
        Whether anything had to be done.

    Raises:
        ProvisioningError: it could not be made, is no directory, or belongs to somebody else.
    """
    if not home.startswith("/"):
        raise ProvisioningError("home cannot be made", path=home, error="not an absolute path")
    path = system.path(home)
    try:
        status = os.stat(path)
    except FileNotFoundError:
        _make_new_home(system, home, path, owner, mode, skel)
        return True
    if not stat.S_ISDIR(status.st_mode):
        raise ProvisioningError("home is not a directory", path=home)
    if status.st_uid == owner[0] or not system.can_own:
        return False
    if status.st_uid != 0:
        raise ProvisioningError(
            "home belongs to another user",
            path=home,
            uid=status.st_uid,
            user_uid=owner[0],
            hint=(
                "if a removed account left it: remove it, or give it to the user with chown -R; "
                "then run: lightinit boot"
            ),
        )
    if not adopt:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, mode)
            os.fchown(descriptor, owner[0], owner[1])
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ProvisioningError("home cannot be made", path=home, error=error.strerror) from error
    return True


def _make_new_home(
    system: System, home: str, path: str, owner: Tuple[int, int], mode: int, skel: str
) -> None:
    above, name = os.path.split(home.rstrip("/"))
    scratch_name = "%s/.%s.lightinit-new" % (above, name)
    system.remove_tree(scratch_name)
    if not system.is_dir(above):
        system.make_dir(above)
    scratch = system.path(scratch_name)
    try:
        os.mkdir(scratch, 0o700)
        if system.is_dir(skel):
            _copy_tree(system, system.path(skel), scratch, owner)
        os.chmod(scratch, mode)
        if system.can_own:
            os.chown(scratch, owner[0], owner[1])
        else:
            system.skip("ownership of files")
        os.rename(scratch, path)
        sync_dir(os.path.dirname(path))
    except OSError as error:
        raise ProvisioningError(
            "home cannot be made", path=home, error=error.strerror or str(error)
        ) from error


def _copy_tree(system: System, source: str, target: str, owner: Tuple[int, int]) -> None:
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        new = os.path.join(target, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), new)
        elif entry.is_dir(follow_symlinks=False):
            os.mkdir(new, 0o700)
            _copy_tree(system, entry.path, new, owner)
            os.chmod(new, stat.S_IMODE(entry.stat().st_mode))
        elif entry.is_file(follow_symlinks=False):
            _copy_file(entry.path, new)
        else:
            continue
        if system.can_own:
            os.chown(new, owner[0], owner[1], follow_symlinks=False)


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb") as reader, open(target, "xb") as writer:
        for block in iter(lambda: reader.read(1 << 16), b""):
            writer.write(block)
        os.fchmod(writer.fileno(), stat.S_IMODE(os.fstat(reader.fileno()).st_mode) & 0o777)


def restore_labels(system: System, paths: Sequence[str]) -> None:
    """Give new files the SELinux labels that the host's policy wants for them. Does nothing without
    SELinux.
    """
    if not system.live or not system.exists("/sys/fs/selinux/enforce"):
        return
    restorecon = system.tool("restorecon")
    if restorecon:
        ended = system.run([restorecon, "-R"] + list(paths))
        if not ended.ok:
            LOG.warning(
                "SELinux labels of %s could not be restored: %s", ", ".join(paths), ended.last_words
            )
