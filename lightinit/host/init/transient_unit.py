"""Runs a command as a transient systemd unit: outside of lightinit's own service and its sandbox.

The sandbox has no raw sockets, which DHCP clients need, and it restricts scripts. This file knows
systemd-run(1), but not the commands.
"""

from __future__ import annotations

from typing import List, Optional, Sequence

from lightinit.host.init import systemd
from lightinit.host.system import System


def find_systemd_run(system: System) -> Optional[str]:
    """The path of systemd-run, or None if it is missing or systemd is not the init system now."""
    if not systemd.is_running(system):
        return None
    return system.tool("systemd-run")


def unit_command(
    systemd_run: str, argv: Sequence[str], description: str, options: Sequence[str] = ()
) -> List[str]:
    """The command that runs ``argv`` as a unit. systemd forgets the unit after its end.

    Args:
        systemd_run: the path of systemd-run, from :func:`find_systemd_run`.
        argv: the command and its arguments.
        description: the unit's description in the journal and in systemctl.
        options: further options of systemd-run, such as ``--service-type=oneshot``.
    """
    head = [systemd_run, "--quiet", "--collect"]
    return head + list(options) + ["--description=" + description, "--"] + list(argv)
