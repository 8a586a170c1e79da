"""What this host knows about an account besides its account files: by NSS, and by its programs.

No format of an account file is known here.
"""

from __future__ import annotations

import os
import stat
from typing import Optional, Tuple

from lightinit.host.system import System

# Where distributions have the homes of people. /home may be a link to one of them.
HOMES = ("/home", "/var/home", "/usr/home", "/export/home")


def look_up_elsewhere(system: System, name: str) -> Optional[Tuple[int, int, str, str]]:
    """(uid, gid, home, shell) of an account that NSS knows: from LDAP or systemd-homed, too.

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


def list_groups_of(system: System, name: str, gid: int) -> Tuple[str, ...]:
    """The names of an account's groups by NSS, as sshd sees them; none in a scratch root."""
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


def list_gids_of(system: System, name: str, gid: int) -> Tuple[int, ...]:
    """The ids of an account's groups by NSS; in a scratch root the first group alone."""
    if not system.live:
        return (gid,)
    return tuple(os.getgrouplist(name, gid))


def is_home_of_person(system: System, homes: str, home: str, uid: int) -> bool:
    """Whether ``home`` is a directory of the user ``uid`` among the homes of people. Services have
    theirs elsewhere, such as in /var/lib, or none.

    Args:
        system: the machine.
        homes: the folder in which useradd makes homes.
        home: an absolute path.
        uid: the user id. The owner is not looked at if owners cannot be set here.
    """
    if os.path.dirname(os.path.normpath(home)) not in (os.path.normpath(homes),) + HOMES:
        return False
    try:
        status = os.stat(system.path(home))
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (status.st_uid == uid or not system.can_own)


def can_be_shell(system: System, path: str) -> bool:
    """Whether sshd accepts ``path`` as a login shell: an executable file that exists.

    A scratch root that has no shell at all gives no answer. Then it is True.
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
