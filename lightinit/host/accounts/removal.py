"""Removes an account with the host's own tool, and removes its home.

It knows no format. The caller decides whether an account is removed.
"""

from __future__ import annotations

import logging
import os
from typing import List, Optional, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.accounts.tools import find_busybox
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.accounts")
# Exit status: done; no such account; done, but a part of its home could not be removed.
USERDEL_GONE = (0, 6, 12)
HOME_TRIES = 3  # the user may be logged in, and write files while the home is being removed


def remove_user(system: System, user: str) -> Optional[str]:
    """Remove an account, even if it is logged in. Its home stays.

    Args:
        system: the machine.
        user: an account in this host's own files.

    Returns:
        The tool that removed it. None if there is no tool, if busybox's could not, or in a scratch
        root; then the caller edits the account files.

    Raises:
        ProvisioningError: userdel failed.
    """
    userdel = system.tool("userdel")
    if userdel is not None:
        _run(system, user, [userdel, "-f", user], USERDEL_GONE)
        return "userdel"
    deluser = find_busybox(system, "deluser")
    if deluser is not None:
        files.clear_stale_locks(system)
        ended = system.run([deluser, user])
        if ended.ok:
            return "deluser"
        LOG.info("busybox deluser did not remove %s: %s", user, ended.last_words)
    return None


def _run(system: System, user: str, argv: List[str], gone: Tuple[int, ...]) -> None:
    files.clear_stale_locks(system)
    ended = system.run(argv)
    if ended.returncode not in gone:
        raise ProvisioningError(
            "account cannot be removed",
            user=user,
            tool=os.path.basename(argv[0]),
            status=ended.returncode,
            said=ended.last_words,
        )


def why_home_stays(system: System, home: str, uid: int) -> str:
    """Why a home must not be removed with its account; "" if it can be, or if it does not exist.

    Args:
        system: the machine.
        home: its path in passwd.
        uid: the account's user id.
    """
    parts = [part for part in home.split("/") if part not in ("", ".")]
    if not home.startswith("/") or not parts or ".." in parts:
        return "it is not the account's own directory"
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
    """Remove a home with everything in it. Links are not followed.

    Returns:
        Whether it was there.

    Raises:
        ProvisioningError: something in it cannot be removed.
    """
    for left in range(HOME_TRIES - 1, -1, -1):
        try:
            return system.remove_tree(home)
        except ProvisioningError as error:
            if not left:
                raise
            LOG.debug("trying again: %s", error)
    return False
