"""Makes users and groups with whatever tools the host has: useradd, busybox, or none.

It knows no format of an account file; :mod:`lightinit.host.accounts.files` reads and writes these
files.
"""

from __future__ import annotations

import logging
import os
from typing import List, NamedTuple, Optional, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.command import TOOL_FOLDERS
from lightinit.host.system import System

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
    """

    name: str
    shell: str
    home: Optional[str] = None
    group: Optional[str] = None
    groups: Tuple[str, ...] = ()


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
        The tool that made it. None if there is no tool; then the caller edits the account files.

    Raises:
        ProvisioningError: the tool failed.
    """
    useradd = system.tool("useradd")
    if useradd is not None:
        files.clear_stale_locks(system)
        _run_useradd(system, useradd, user)
        return "useradd"
    adduser = find_busybox(system, "adduser")
    if adduser is not None:
        files.clear_stale_locks(system)
        _run_busybox_adduser(system, adduser, user)
        return "adduser"
    return None


def _run_useradd(system: System, useradd: str, user: NewUser) -> None:
    options = ["-s", user.shell, "-p", "*"]
    options += _option("-g", user.group) or ["-U"]
    options += _option("-d", user.home) + _option("-G", ",".join(user.groups))
    ended = system.run([useradd, "-m"] + options + [user.name])
    if ended.returncode in USERADD_BAD_NAME:
        # Some versions accept only lower case. The name has passed our own check.
        options.append("--badname")
        ended = system.run([useradd, "-m"] + options + [user.name])
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


def _run_busybox_adduser(system: System, adduser: str, user: NewUser) -> None:
    # -D: no password. -H: no home; make_home makes it in a way that survives a crash.
    argv = [adduser, "-D", "-H", "-s", user.shell, "-g", ""]
    argv += _option("-h", user.home) + _option("-G", user.group)
    system.run_checked(argv + [user.name])


def _option(name: str, value: Optional[str]) -> List[str]:
    """An option with its value; empty if there is no value."""
    if not value:
        return []
    return [name, value]


def add_to_groups(system: System, user: str, groups: Sequence[str]) -> bool:
    """Make ``user`` a member of existing groups with the host's own tool.

    Returns:
        Whether there is such a tool.

    Raises:
        ProvisioningError: the tool failed.
    """
    usermod = system.tool("usermod")
    if usermod is not None:
        files.clear_stale_locks(system)
        system.run_checked([usermod, "-a", "-G", ",".join(groups), user])
        return True
    addgroup = find_busybox(system, "addgroup")
    if addgroup is not None:
        files.clear_stale_locks(system)
        for group in groups:
            system.run_checked([addgroup, user, group])
        return True
    return False


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
