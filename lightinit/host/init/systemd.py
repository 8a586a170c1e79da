"""What there is of systemd on a machine, by its files alone: whether it runs, is installed, and
starts a unit at boot.
"""

from __future__ import annotations

import logging
import os
from typing import Mapping, Tuple

from lightinit.host.system import System

LOG = logging.getLogger("lightinit.systemd")
UNIT_FOLDERS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
PROGRAMS = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")


def is_running(system: System) -> bool:
    """Whether it is the init system now: sd_booted(3)."""
    return system.exists("/run/systemd/system")


def is_installed(system: System) -> bool:
    """Whether it is there; a disk may have another init system besides."""
    return any(system.exists(path) for path in PROGRAMS)


def has_unit(system: System, unit: str) -> bool:
    """Whether a unit of that name is there."""
    return any(system.exists("%s/%s" % (folder, unit)) for folder in UNIT_FOLDERS)


def is_masked(system: System, name: str, folders: Tuple[str, ...] = UNIT_FOLDERS) -> bool:
    """Whether the first of the folders that has ``name`` has it as a link to /dev/null or empty:
    then it never runs.
    """
    for folder in folders:
        path = system.path("%s/%s" % (folder, name), follow_last=False)
        if os.path.islink(path):
            # Not followed: in a scratch root there may be no /dev/null.
            return os.readlink(path) == "/dev/null"
        if os.path.lexists(path):
            return os.path.isfile(path) and os.path.getsize(path) == 0
    return False


def is_linked(system: System, unit: str) -> bool:
    """Whether some unit wants or requires ``unit``, as `systemctl enable` arranges it, and it is
    not masked.
    """
    if is_masked(system, unit):
        return False
    for folder in UNIT_FOLDERS:
        for pattern in ("/*.wants/", "/*.requires/", "/*.upholds/"):
            for found in system.glob(folder + pattern + unit):
                link = system.path(found, follow_last=False)
                if not (os.path.islink(link) and os.readlink(link) == "/dev/null"):
                    return True
    return False


def extend_start(
    system: System, seconds: float, environment: Mapping[str, str] = os.environ
) -> bool:
    """Tell the service manager that this service's start may take ``seconds`` more from now:
    sd_notify(3).

    Does nothing where nobody listens, such as in a scratch root or with another init system.

    Args:
        system: the machine.
        seconds: how many.
        environment: in which the service manager says where it listens.

    Returns:
        Whether it was told.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not system.live or address[:1] not in ("/", "@"):
        return False
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1.0)
            sender.connect("\0" + address[1:] if address[0] == "@" else address)
            sender.send(b"EXTEND_TIMEOUT_USEC=%d" % int(seconds * 1e6))
    except OSError as error:
        LOG.info("the service manager does not hear that this takes longer: %s", error)
        return False
    return True
