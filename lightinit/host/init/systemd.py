"""systemd: does it run, is it installed, which units does it start? Files show all of this."""

from __future__ import annotations

import logging
import os
from typing import Mapping, Tuple

from lightinit.host.init.init_system import InitSystem, Service
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
    """Whether it is the running init system, process 1 (sd_booted(3))."""
    return system.exists("/run/systemd/system")


def is_installed(system: System) -> bool:
    """Whether it is installed. A disk may have another init system too."""
    return any(system.exists(path) for path in PROGRAMS)


def has_unit(system: System, unit: str) -> bool:
    """Whether there is a unit of that name."""
    return any(system.exists("%s/%s" % (folder, unit)) for folder in UNIT_FOLDERS)


def is_masked(system: System, name: str, folders: Tuple[str, ...] = UNIT_FOLDERS) -> bool:
    """Whether ``name`` is masked: in the first of the ``folders`` that has it, it is an empty file
    or a link to /dev/null.
    """
    for folder in folders:
        path = system.path("%s/%s" % (folder, name), follow_last=False)
        if os.path.islink(path):
            # Do not follow it: a scratch root may have no /dev/null.
            return os.readlink(path) == "/dev/null"
        if os.path.lexists(path):
            return os.path.isfile(path) and os.path.getsize(path) == 0
    return False


def is_linked(system: System, unit: str) -> bool:
    """Whether another unit wants or requires ``unit``, as after `systemctl enable`, and ``unit`` is
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
    """Tell the service manager that the start of this service may take another ``seconds`` from
    now: sd_notify(3).

    Does nothing in a scratch root and under another init system.

    Args:
        system: the machine.
        seconds: the additional time.
        environment: the environment, with the address of the service manager.

    Returns:
        Whether the message was sent.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not system.live or address[:1] not in ("/", "@"):
        return False
    import socket

    if address[0] == "@":
        address = "\0" + address[1:]  # an abstract socket: unix(7)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1.0)
            sender.connect(address)
            sender.send(b"EXTEND_TIMEOUT_USEC=%d" % int(seconds * 1e6))
    except OSError as error:
        LOG.info("cannot tell the service manager that this takes longer: %s", error)
        return False
    return True


def starts(system: System, service: Service) -> bool:
    """Whether it starts one of the service's units at boot."""
    return (
        is_installed(system)
        and service.is_pulled_in(system)
        and any(has_unit(system, unit) and is_linked(system, unit) for unit in service.units)
    )


def hides_scripts(system: System, service: Service) -> bool:
    """Whether it ignores the service's links in /etc/rc?.d, because it has a unit for it."""
    return is_installed(system) and any(has_unit(system, unit) for unit in service.units)


INIT = InitSystem("systemd", starts, hides_scripts)
