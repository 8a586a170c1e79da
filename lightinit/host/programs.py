"""Finds programs outside of the usual folders: in a system profile, or in a service's definition.

A program that other users than root can change is ignored, since it would run as root.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from typing import Iterator, Optional

# Profiles with the administrator's programs, on hosts that do not use /usr/bin: NixOS, Guix, Nix,
# pkgsrc.
PROFILES = (
    "/run/current-system/sw/bin",
    "/run/current-system/profile/sbin",
    "/run/current-system/profile/bin",
    "/nix/var/nix/profiles/default/bin",
    "/usr/pkg/sbin",
    "/usr/pkg/bin",
)
# For a service: the tools that belong to it, and their folders relative to the service's program.
SERVICES = {"sshd": {"sshd": ".", "ssh-keygen": ". ../bin ../../bin"}}
# The files in which init systems name the programs of services. NAME stands for the service's name
# without its final d.
UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
FILES = tuple(folder + "/NAME*.service.d/*.conf" for folder in UNITS)
FILES += tuple(folder + "/NAME*.service" for folder in UNITS)
FILES += (
    "/etc/conf.d/NAME*",  # OpenRC
    "/etc/default/NAME*",
    "/etc/init.d/NAME*",
    "/etc/rc.d/rc.NAME*",
    "/etc/service/NAME*/run",  # runit
    "/var/service/NAME*/run",
    "/etc/sv/NAME*/run",
    "/etc/runit/sv/NAME*/run",
    "/run/service/NAME*/run",  # s6
    "/etc/s6/sv/NAME*/run",
    "/etc/s6-rc/source/NAME*/run",
    "/etc/dinit.d/NAME*",
)
LIMIT_BYTES = 65536
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def find_outside(name: str) -> Optional[str]:
    """Search for the program ``name`` outside of the usual folders.

    Args:
        name: the program's name.

    Returns:
        The path, or None.
    """
    for folder in PROFILES:
        path = "%s/%s" % (folder, name)
        if is_roots_program(path):
            return path
    for service, tools in SERVICES.items():
        for folder in tools.get(name, "").split():
            for program in _programs_of(service):
                path = os.path.normpath(os.path.join(os.path.dirname(program), folder, name))
                if is_roots_program(path):
                    return path
    return None


def is_roots_program(path: str) -> bool:
    """Whether a path, after following links, is a program that only root can change."""
    if not os.access(path, os.X_OK):
        return False
    real = os.path.realpath(path)
    if not (os.path.isfile(real) and os.access(real, os.X_OK)):
        return False
    while True:
        try:
            status = os.stat(real)
        except OSError:
            return False
        # /nix/store belongs to the group of its builders, and has the sticky bit.
        open_to_others = status.st_mode & OTHERS_WRITE and not status.st_mode & stat.S_ISVTX
        if status.st_uid != 0 or open_to_others:
            return False
        if real == "/":
            return True
        real = os.path.dirname(real)


def _programs_of(service: str) -> Iterator[str]:
    """Possible paths of a service's program: the running one, then those that init files name."""
    for path in glob.iglob("/proc/[0-9]*/comm"):
        if _read(path).strip() == service:
            try:
                yield os.readlink(os.path.dirname(path) + "/exe")
            except OSError:
                continue
    pattern = re.compile(r"(?<![\w./~])/[^\s\"'`;|&(){}<>$=:]+/%s(?![\w./-])" % service)
    for each in FILES:
        for path in sorted(glob.iglob(each.replace("NAME", service.rstrip("d")))):
            for found in pattern.findall(_read(path)):
                if not found.startswith("/etc/"):  # that would be an init script
                    yield found


def _read(path: str) -> str:
    if not os.path.isfile(path):  # it may be a FIFO, which would block
        return ""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read(LIMIT_BYTES)
    except OSError:
        return ""
