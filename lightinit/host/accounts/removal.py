"""Remove an account with the host's own tool, and its home.

It knows no format. Whether an account may go is the caller's to say.
"""

from __future__ import annotations

import logging
import os
from typing import Optional

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.accounts.tools import find_busybox
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.accounts")
# Done; no such account; done, but something of its home could not be removed.
USERDEL_GONE = (0, 6, 12)
HOME_TRIES = 3  # its user may be logged in, and write while it goes


def remove_user(system: System, user: str) -> Optional[str]:
    """Remove an account, even while it is logged in. Its home stays.

    Args:
        system: the machine.
        user: an account in this host's own files.

    Returns:
        The tool; None when there is none, or this is a scratch root, and the files have to be
        edited.

    Raises:
        ProvisioningError: the tool failed.
    """
    userdel = system.tool("userdel")
    if userdel:
        files.clear_stale_locks(system)
        ended = system.run([userdel, "-f", user])
        if ended.returncode not in USERDEL_GONE:
            raise ProvisioningError(
                "account cannot be removed",
                user=user,
                tool="userdel",
                status=ended.returncode,
                said=ended.last_words,
            )
        return "userdel"
    deluser = find_busybox(system, "deluser")
    if deluser:
        files.clear_stale_locks(system)
        ended = system.run([deluser, user])
        if not ended.ok:
            raise ProvisioningError(
                "account cannot be removed",
                user=user,
                tool="deluser",
                status=ended.returncode,
                said=ended.last_words,
            )
        return "deluser"
    return None


def why_home_stays(system: System, home: str, uid: int) -> str:
    """Why a home must not be removed with its account; "" when it may (also when it is not there).

    Args:
        system: the machine.
        home: as passwd has it.
        uid: the account's user id.
    """
    parts = [part for part in home.split("/") if part not in ("", ".")]
    if not home.startswith("/") or not parts or ".." in parts:
        return "it is no place of its own"
    try:
        status = os.lstat(system.path(home, follow_last=False))
    except OSError:
        return ""
    if os.path.islink(system.path(home, follow_last=False)):
        return "it is a link"
    if system.can_own and status.st_uid != uid:
        return "it belongs to the user id %d" % status.st_uid
    return ""


def remove_home(system: System, home: str) -> bool:
    """Remove a home with all that is in it, following no link. Returns whether it was there.

    Raises:
        ProvisioningError: something in it could not be removed.
    """
    for left in range(HOME_TRIES - 1, -1, -1):
        try:
            return system.remove_tree(home)
        except ProvisioningError as error:
            if not left:
                raise
            LOG.debug("once more: %s", error)
    return False
