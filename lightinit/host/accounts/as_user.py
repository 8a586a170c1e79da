"""Runs a command as a user of this host: some tools answer only for the user who runs them.

A setuid program works as in the user's own shell.
"""

from __future__ import annotations

import os
from typing import Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.accounts.lookup import list_gids_of
from lightinit.host.command import Completed, run_command
from lightinit.host.system import System
from lightinit.model import NamedTuple


class Identity(NamedTuple):
    """The numeric ids of a user."""

    uid: int
    gid: int
    groups: Tuple[int, ...]

    def assume(self) -> None:
        """Become this user, in the child process before it starts the command."""
        os.setgroups(self.groups)
        os.setgid(self.gid)
        os.setuid(self.uid)


def identify(name: str, uid: int, gid: int) -> Identity:
    """The ids after a login as ``name``, with all groups that NSS knows."""
    return Identity(uid, gid, list_gids_of(System("/"), name, gid))


def run_as(
    system: System, identity: Identity, argv: Sequence[str], timeout_s: float = 10.0
) -> Completed:
    """Run a command as another user, and wait for its end. It gets no input.

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
