"""Has ssh-keygen make those of OpenSSH's host keys that are not there yet.

`ssh-keygen -A` makes one type after the other, RSA first. On a starved machine that one may take
minutes, and none of the others is made before it. A host needs only one of them.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
from typing import Callable, List, Set

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.ssh.host_keys import FOLDER, KEYGEN_LIMIT_S, not_made
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.host_keys")
# What needs no search for primes. In FIPS mode only the second is allowed.
QUICK, QUICK_LIMIT_S = ("ed25519", "ecdsa"), 30.0
NO_SPACE = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


def make_missing(
    system: System, keygen: str, folder: str, unwanted: Set[str], made: Callable[[], List[str]]
) -> Completed:
    """Have `ssh-keygen -A` make the keys that are not there; if it fails and there is none, the
    quick types by a program each.

    Args:
        system: the live machine.
        keygen: the path of ssh-keygen.
        folder: the scratch folder, as the VM sees it. The keys that are whole in /etc/ssh below it
            are left as they are.
        unwanted: names of private keys that are not made.
        made: tells the names of the private keys that are whole.

    Returns:
        How `ssh-keygen -A` ended.

    Raises:
        ProvisioningError: space is lacking. It may be freed, and a later boot makes all keys.
    """
    place = folder + FOLDER + "/ssh_host_%s_key"
    blocked = ["%s%s/%s" % (folder, FOLDER, name) for name in sorted(unwanted)]
    for path in blocked:  # it makes none where a file is that is not empty
        system.link(path, keygen)
    try:
        ended = _run(system, [keygen, "-A", "-f", system.path(folder)], KEYGEN_LIMIT_S)
    finally:
        for path in blocked:
            system.remove(path)
    if ended.ok:
        return ended
    if lacks_space(ended.last_words):
        raise not_made(ended)
    for kind in QUICK:
        path = place % kind
        # A link is there in place of a key that stays.
        if not made() and path not in blocked and not os.path.islink(system.path(path, False)):
            for each in (path, path + ".pub"):  # it asks before it replaces what is not whole
                system.remove(each)
            argv = [keygen, "-q", "-t", kind, "-N", "", "-f", system.path(path)]
            alone = _run(system, argv, QUICK_LIMIT_S)
            LOG.info("ssh-keygen -A failed; -t %s alone: %s", kind, alone.last_words)
    return ended


def lacks_space(said: str) -> bool:
    """Whether what a program said is that space is lacking."""
    return any(text in said for text in NO_SPACE)


def _run(system: System, argv: List[str], limit_s: float) -> Completed:
    try:
        ended = system.run(argv, timeout_s=limit_s)
    except ProvisioningError as error:  # it took too long, or cannot be started
        return Completed(-signal.SIGKILL, "", str(error))
    LOG.debug("ssh-keygen said: %s", (ended.stdout + ended.stderr).strip())
    return ended
