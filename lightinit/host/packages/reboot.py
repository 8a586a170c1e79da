"""Whether what was installed asks for a restart of the machine."""

from __future__ import annotations

import os
import re
from typing import Optional

from lightinit.errors import LightinitError
from lightinit.host.packages.manager import REBOOT_FILES, Manager
from lightinit.host.system import System

LIMIT_S = 300.0
MODULES = ("/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules")


def has_modules(system: System) -> bool:
    """Whether the modules of the running kernel are there. An upgrade of the kernel may remove
    them: then nothing can be loaded until a restart.
    """
    release = os.uname().release
    return any(system.is_dir("%s/%s" % (folder, release)) for folder in MODULES)


def is_required(system: System, manager: Manager, had_modules: bool) -> Optional[bool]:
    """Whether a restart is required.

    Args:
        system: the machine.
        manager: the manager that has installed.
        had_modules: what :func:`has_modules` was before.

    Returns:
        None if nothing on this host tells.
    """
    if any(system.exists(path) for path in REBOOT_FILES):
        return True
    if had_modules and not has_modules(system):
        return True
    told = None
    for argv in manager.needs_reboot:
        program = system.tool(argv[0])
        if program is None:
            continue
        try:
            ended = system.run([program, *argv[1:]], timeout_s=LIMIT_S)
        except LightinitError:
            continue
        said = ended.stdout + ended.stderr
        prints = manager.reboot_prints
        if ended.returncode == manager.reboot_status and (
            not prints or re.search(prints, said) is not None
        ):
            return True
        if ended.ok:
            told = False
    if manager.name == "apt":
        return False  # packages that need it write the file
    return told
