"""The record of the accounts that were made for an instance besides the platform's admin.

`lightinit generalize --user` removes them. Accounts that the image had are not in it.
"""

from __future__ import annotations

from typing import List

from lightinit.host.system import System

NAME = "made-accounts"
INSTANCE = "/var/lib/lightinit/instance"


def record(system: System, user: str) -> None:
    """Record an account that is about to be made.

    Raises:
        ProvisioningError: the record cannot be written.
    """
    there = list_made(system, INSTANCE)
    if user not in there:
        text = "".join(name + "\n" for name in [*there, user])
        system.write("%s/%s" % (INSTANCE, NAME), text.encode("utf-8", "replace"), 0o644)


def list_made(system: System, folder: str) -> List[str]:
    """The accounts that were made for an instance.

    Args:
        system: the machine.
        folder: that of the instance's state.
    """
    return system.read_text("%s/%s" % (folder, NAME)).split()
