"""Finds the running processes of DHCP clients in /proc."""

from __future__ import annotations

import os
import re
from typing import AbstractSet, List, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.host.system import System
from lightinit.model import NamedTuple

# These do not run as root. lightinit does not use their command lines.
UNPRIVILEGED = ("systemd-network", "dhcpcd")


class Process(NamedTuple):
    """A running process.

    Attributes:
        pid: its number.
        comm: its name, which the kernel cuts to 15 characters.
        argv: its command line.
    """

    pid: int
    comm: str
    argv: Tuple[str, ...]


def running_processes(system: System, comms: AbstractSet[str]) -> List[Process]:
    """The processes with these names in this machine's network namespace, sorted by pid.

    Processes in another network namespace are left out, since they belong to containers. Processes
    of other users than root are left out, since lightinit runs their command lines as root. Reading
    the namespace needs a capability; if it cannot be read, it counts as ours.

    Args:
        system: the machine.
        comms: names as in /proc/PID/comm.
    """
    found = []
    ours = _namespace(system, "self")
    for entry in system.list_dir("/proc"):
        if not re.match(r"[1-9][0-9]*\Z", entry):
            continue
        comm = _read(system, "/proc/%s/comm" % entry).rstrip("\n")
        if comm not in comms or (ours and _namespace(system, entry) not in (ours, None)):
            continue
        try:
            owner = system.file_status("/proc/" + entry).st_uid
        except OSError:
            continue  # it has just ended
        if owner != os.geteuid() and comm not in UNPRIVILEGED:
            continue
        argv = _read(system, "/proc/%s/cmdline" % entry).rstrip("\0").split("\0")
        if argv != [""]:  # it has ended
            found.append(Process(int(entry), comm, tuple(argv)))
    return sorted(found)


def _namespace(system: System, entry: str) -> Optional[str]:
    try:
        return os.readlink(system.path("/proc/%s/ns/net" % entry, follow_last=False))
    except OSError:
        return None


def _read(system: System, path: str) -> str:
    try:
        return system.read(path).decode("utf-8", "surrogateescape")
    except (OSError, MalformedError):
        return ""
