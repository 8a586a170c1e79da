"""Makes users and groups with whatever tools the host has: useradd, busybox, or none.

It knows no format of an account file; :mod:`lightinit.host.accounts.files` reads and writes these
files.
"""

from __future__ import annotations

import logging
import os
from typing import List, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.command import TOOL_FOLDERS
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.accounts")
USERADD_BAD_NAME = (3, 19)  # 'invalid argument' in most versions, 'invalid name' in new ones
USERADD_NAME_IN_USE = 9
USERADD_NO_HOME = 12
BUSYBOX_SAYS = "BusyBox"  # in the help of each of its applets


class NewUser(NamedTuple):
    """A new account.

    Attributes:
        name: a checked login name.
        shell: the path of its shell.
        home: its home; None: the host's policy chooses.
        group: an existing group that becomes its primary group; None: a new group of its own.
        groups: existing groups that it joins, if the tool can do that in the same step.
        comment: the comment field, such as the full name.
        uid: a free user id; None: the host's policy chooses.
        is_system: whether it is a system account.
        has_home: whether it gets a home.
        has_own_group: whether it gets a group of its own name, if ``group`` is None.
        has_login_records: whether lastlog and faillog are reset for its user id.
        selinux_user: its name for SELinux; "": the host's policy chooses.
    """

    name: str
    shell: str
    home: Optional[str] = None
    group: Optional[str] = None
    groups: Tuple[str, ...] = ()
    comment: str = ""
    uid: Optional[int] = None
    is_system: bool = False
    has_home: bool = True
    has_own_group: bool = True
    has_login_records: bool = True
    selinux_user: str = ""


def has_tool(system: System, name: str) -> bool:
    """Whether the host has the command ``name``. This also works in a scratch root, where no
    command is run.
    """
    if system.live:
        return system.tool(name) is not None
    return any(system.exists("%s/%s" % (folder, name)) for folder in TOOL_FOLDERS)


def find_busybox(system: System, applet: str) -> Optional[str]:
    """The path of ``applet`` if it is busybox's; else None.

    Debian's adduser, for example, is another program with other options.
    """
    path = system.tool(applet)
    if path is None:
        return None
    if os.path.basename(os.path.realpath(path)).startswith("busybox"):
        return path
    said = system.run([path, "--help"])
    if BUSYBOX_SAYS in said.stdout + said.stderr:
        return path
    return None


def add_user(system: System, user: NewUser) -> Optional[str]:
    """Make an account with the host's own tool, which applies the host's policy.

    Args:
        system: the machine.
        user: the account. It must not exist.

    Returns:
        The tool that made it. None if there is no tool, or if busybox's could not: then the caller
        edits the account files.

    Raises:
        ProvisioningError: useradd failed.
    """
    useradd = system.tool("useradd")
    if useradd is not None:
        files.clear_stale_locks(system)
        _run_useradd(system, useradd, user)
        return "useradd"
    adduser = find_busybox(system, "adduser")
    if adduser is not None:
        files.clear_stale_locks(system)
        if _run_busybox_adduser(system, adduser, user):
            return "adduser"
    return None


def _run_useradd(system: System, useradd: str, user: NewUser) -> None:
    options = _useradd_options(user)
    home = "-m" if user.has_home else "-M"
    ended = system.run([useradd, home] + options + [user.name])
    if ended.returncode in USERADD_BAD_NAME:
        # Some versions accept only lower case. The name has passed our own check.
        options.append("--badname")
        ended = system.run([useradd, home] + options + [user.name])
    if ended.returncode == USERADD_NO_HOME:
        # Some versions have made the account at this point, others have not. make_home makes the
        # home.
        LOG.debug("useradd made no home: %s", ended.last_words)
        ended = system.run([useradd, "-M"] + options + [user.name])
        if ended.returncode == USERADD_NAME_IN_USE:
            return
    if not ended.ok:
        raise ProvisioningError(
            "useradd failed", user=user.name, status=ended.returncode, said=ended.last_words
        )


def _useradd_options(user: NewUser) -> List[str]:
    options = ["-s", user.shell, "-p", "*"]
    if user.group:
        options += ["-g", user.group]
    else:
        options.append("-U" if user.has_own_group else "-N")
    options += _option("-d", user.home) + _option("-G", ",".join(user.groups))
    options += _option("-c", user.comment) + _option("-Z", user.selinux_user)
    if user.uid is not None:
        options += ["-u", str(user.uid)]
    if user.is_system:
        options.append("-r")
    if not user.has_login_records:
        options.append("-l")
    return options


def _run_busybox_adduser(system: System, adduser: str, user: NewUser) -> bool:
    """Whether it made the account. Its options depend on how it was built, and it refuses names
    that lightinit and sshd accept.
    """
    if user.is_system:
        return False  # its own kind has another group, and ids of another range
    # -D: no password. -H: no home; make_home makes it in a way that survives a crash.
    argv = [adduser, "-D", "-H", "-s", user.shell, "-g", user.comment]
    if user.uid is not None:
        argv += ["-u", str(user.uid)]
    argv += _option("-h", user.home) + _option("-G", user.group)
    ended = system.run(argv + [user.name])
    if not ended.ok:
        LOG.info("busybox adduser did not make %s: %s", user.name, ended.last_words)
    return ended.ok


def _option(name: str, value: Optional[str]) -> List[str]:
    """An option with its value; empty if there is no value."""
    if not value:
        return []
    return [name, value]


def add_to_groups(system: System, user: str, groups: Sequence[str]) -> bool:
    """Make ``user`` a member of existing groups with the host's own tool.

    Returns:
        Whether there is such a tool, and it could. busybox's may have been built without this.

    Raises:
        ProvisioningError: usermod failed.
    """
    usermod = system.tool("usermod")
    if usermod is not None:
        files.clear_stale_locks(system)
        system.run_checked([usermod, "-a", "-G", ",".join(groups), user])
        return True
    addgroup = find_busybox(system, "addgroup")
    if addgroup is not None:
        files.clear_stale_locks(system)
        ended = [system.run([addgroup, user, group]) for group in groups]
        failed = [each.last_words for each in ended if not each.ok]
        if failed:
            LOG.info("busybox addgroup did not add %s to a group: %s", user, failed[0])
        return not failed
    return False


def add_group(system: System, name: str) -> bool:
    """Make a group with the host's own tool.

    Returns:
        Whether there is such a tool, and it could. busybox's may have been built without this.

    Raises:
        ProvisioningError: groupadd failed.
    """
    groupadd = system.tool("groupadd")
    if groupadd is not None:
        files.clear_stale_locks(system)
        system.run_checked([groupadd, name])
        return True
    addgroup = find_busybox(system, "addgroup")
    if addgroup is None:
        return False
    files.clear_stale_locks(system)
    ended = system.run([addgroup, name])
    if not ended.ok:
        LOG.info("busybox addgroup did not make %s: %s", name, ended.last_words)
    return ended.ok


def set_password_mark(system: System, user: str, mark: str) -> bool:
    """Put ``mark`` (such as ``*``; not a secret) into the password field with usermod.

    Returns:
        Whether there is usermod.

    Raises:
        ProvisioningError: usermod failed.
    """
    usermod = system.tool("usermod")
    if usermod is None:
        return False
    files.clear_stale_locks(system)
    system.run_checked([usermod, "-p", mark, user])
    return True
