"""Reads and changes /etc/fstab, and checks it with the host's own tool."""

from __future__ import annotations

import os
from typing import Callable, List

from lightinit.errors import ProvisioningError
from lightinit.host.disks import mounts
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.system import System

FILE = "/etc/fstab"
OURS = "/etc/"  # the folder in which a link may point to another file
VERIFY_LIMIT_S = 30.0


def read_fstab(system: System) -> str:
    """Its text; "" if there is none.

    Raises:
        ProvisioningError: it cannot be read.
    """
    return read_text_file(system, FILE) or ""


def edit_fstab(system: System, edit: Callable[[str], str]) -> bool:
    """Change it, and have systemd read it again. Returns whether it was changed.

    Args:
        system: the machine.
        edit: takes the old text and returns the new one.

    Raises:
        ProvisioningError: it cannot be read or written, or belongs to another program.
    """
    before = read_fstab(system)
    after = edit(before)
    if after == before:
        return False
    real = system.path(FILE)
    root = system.path("/").rstrip("/")
    if os.path.islink(root + FILE) and not real.startswith(root + OURS):
        raise ProvisioningError(
            "file cannot be written",
            path=FILE,
            error="it is a link out of /etc, so another program makes it",
        )
    write_text_file(system, FILE, after)
    restore_labels(system, [FILE])
    mounts.reload_units(system)
    return True


def complaints(system: System) -> List[str]:
    """What findmnt finds wrong in it: ``MOUNT POINT: TEXT``; empty without that tool."""
    tool = system.tool("findmnt")
    if tool is None:
        return []
    try:
        ended = system.run([tool, "--verify", "--tab-file", FILE], timeout_s=VERIFY_LIMIT_S)
    except ProvisioningError:
        return []
    found, place = [], ""
    for line in ended.stdout.split("\n"):
        if line.startswith("/") or line.startswith("none"):
            place = line.strip()
        elif line.strip().startswith("[E]"):
            found.append("%s: %s" % (place, line.strip()[3:].strip()))
    return found
