"""Run a command as a user of this host: some tools answer only for the user who asks.

A setuid program works here as in the user's own shell.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed, run_command
from lightinit.host.system import System


@dataclass(frozen=True)
class Identity:
    """A user as the kernel knows one: numeric ids."""

    uid: int
    gid: int
    groups: Tuple[int, ...]

    def assume(self) -> None:
        """Become this user, in the process that is about to start the command."""
        os.setgroups(self.groups)
        os.setgid(self.gid)
        os.setuid(self.uid)


def identify(name: str, uid: int, gid: int) -> Identity:
    """The identity that a login as ``name`` has, with the groups that NSS knows."""
    return Identity(uid, gid, tuple(os.getgrouplist(name, gid)))


def run_as(
    system: System, identity: Identity, argv: Sequence[str], timeout_s: float = 10.0
) -> Completed:
    """Run a command as another user, to its end. It has no input.

    Args:
        system: the machine.
        identity: the user.
        argv: the command, as ``system.tool`` returned it, and its arguments.
        timeout_s: seconds after which it is killed.

    Raises:
        ProvisioningError: it could not be started, was killed at the time limit, or this is a
            scratch root.
    """
    if not system.live:
        raise ProvisioningError("commands are not run in a scratch root", command=argv[0])
    return run_command(argv, b"", timeout_s, identity.assume)
