"""The files of sshd's configuration. What stands in them is not known here."""
from __future__ import annotations

from typing import List, Optional

from lightinit.host.system import System

CONFIGS = ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config")


def find_config(system: System) -> Optional[str]:
    """The sshd_config that sshd reads: the administrator's, or else the vendor's; None when there is none."""
    return next((path for path in CONFIGS if system.exists(path)), None)


def read_included(system: System, pattern: str) -> List[str]:
    """The texts of the files that the pattern of an Include names; relative ones are below /etc/ssh."""
    absolute = pattern if pattern.startswith("/") else "/etc/ssh/" + pattern
    return [system.read_text(name) for name in system.glob(absolute)]
