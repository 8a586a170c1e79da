"""Looks up accounts outside of the account files: in NSS, and by the programs of this host.

It knows no format of an account file.
"""

from __future__ import annotations

import os
import stat
from typing import List, Optional, Tuple

from lightinit.digits import read_digits
from lightinit.host.system import System

# Where distributions have the homes of ordinary users. /home may be a link to one of them.
HOMES = ("/home", "/var/home", "/usr/home", "/export/home")


def look_up_elsewhere(system: System, name: str) -> Optional[Tuple[int, int, str, str]]:
    """(uid, gid, home, shell) of an account from NSS, which may come from LDAP or systemd-homed.

    None if NSS knows no such account, and in a scratch root.
    """
    if not system.live:
        return None
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell or "/bin/sh"


def has_user_id(system: System, number: int) -> bool:
    """Whether NSS knows an account with this user id; False in a scratch root."""
    if not system.live:
        return False
    import pwd

    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


def has_group_id(system: System, number: int) -> bool:
    """Whether NSS knows a group with this id; False in a scratch root, and where Python cannot
    ask.
    """
    return _ask_groups(system, "getgrgid", number)


def has_group(system: System, name: str) -> bool:
    """Whether NSS knows a group of this name; False as for :func:`has_group_id`."""
    return _ask_groups(system, "getgrnam", name)


def _ask_groups(system: System, question: str, about: object) -> bool:
    if not system.live:
        return False
    try:
        import grp

        getattr(grp, question)(about)
    except (ImportError, KeyError):
        return False
    return True


def list_groups_of(system: System, name: str, gid: int) -> Tuple[str, ...]:
    """The names of an account's groups from NSS, as sshd sees them; empty in a scratch root."""
    if not system.live:
        return ()
    try:
        import grp
    except ImportError:
        named = [(line[2], line[0]) for line in _group_lines(system)]
        ids = list_gids_of(system, name, gid)
        return tuple(group for number, group in named if read_digits(number) in ids)
    found = []
    for each in list_gids_of(system, name, gid):
        try:
            found.append(grp.getgrgid(each).gr_name)
        except KeyError:
            pass
    return tuple(found)


def list_gids_of(system: System, name: str, gid: int) -> Tuple[int, ...]:
    """The ids of an account's groups from NSS; in a scratch root only the primary group."""
    if not system.live:
        return (gid,)
    if hasattr(os, "getgrouplist"):
        return tuple(os.getgrouplist(name, gid))
    found = [line[2] for line in _group_lines(system) if name in line[3].split(",")]
    return (gid,) + tuple(each for each in map(read_digits, found) if each is not None)


def _group_lines(system: System) -> List[List[str]]:
    """The fields of the lines of /etc/group, for a Python that cannot ask NSS for groups."""
    lines = [line.split(":") for line in system.read_text("/etc/group").split("\n")]
    return [fields for fields in lines if len(fields) == 4]


def is_among_homes(homes: str, home: str) -> bool:
    """Whether the path ``home`` is in ``homes``, the folder in which useradd makes homes, or in
    another one of ordinary users' homes.
    """
    return os.path.dirname(os.path.normpath(home)) in (os.path.normpath(homes),) + HOMES


def is_home_of_person(system: System, homes: str, home: str, uid: int) -> bool:
    """Whether ``home`` is a directory of the user ``uid`` in a folder for ordinary users' homes.
    System accounts have their homes elsewhere, such as in /var/lib, or have none.

    Args:
        system: the machine.
        homes: the folder in which useradd makes homes.
        home: an absolute path.
        uid: the user id. Without root's rights, the owner of the directory is not checked.
    """
    if not is_among_homes(homes, home):
        return False
    try:
        status = system.file_status(home)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (status.st_uid == uid or not system.can_own)


def can_be_shell(system: System, path: str) -> bool:
    """Whether sshd accepts ``path`` as a login shell: an executable file that exists.

    A scratch root without any shell shows nothing; then the result is True.
    """
    for each in (path, "/bin/sh"):
        try:
            status = system.file_status(each)
            if stat.S_ISREG(status.st_mode) and status.st_mode & 0o111:
                return each == path
        except OSError:
            pass
        if system.live:
            return False
    return True
