"""Runs a command as a transient systemd unit: outside of lightinit's own service and its sandbox.

The sandbox has no raw sockets, which DHCP clients need, and it restricts scripts. This file knows
systemd-run(1) and nothing of the commands.
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
    """The command that runs ``argv`` as a unit, which systemd forgets after its end.

    Args:
        systemd_run: as :func:`find_systemd_run` returns it.
        argv: the command and its arguments.
        description: what the journal and systemctl call the unit.
        options: further options of systemd-run, such as ``--service-type=oneshot``.
    """
    head = [systemd_run, "--quiet", "--collect"]
    return head + list(options) + ["--description=" + description, "--"] + list(argv)
