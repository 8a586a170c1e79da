"""The login shells that this host lists in /etc/shells.

dropbear and PAM's module pam_shells refuse users with other shells.
"""

from __future__ import annotations

import re
from typing import List

from lightinit.errors import ProvisioningError
from lightinit.host.files.access import Access
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.system import System

SHELLS = "/etc/shells"
# The result of getusershell(3) without the file, in glibc and in musl.
WITHOUT_FILE = ["/bin/sh", "/bin/csh"]
_SHELL = re.compile(r"[ \t]*(/[^#\s]*)", re.ASCII)


def list_shells(system: System) -> List[str]:
    """The shells that getusershell(3) returns; its defaults if the file cannot be read."""
    try:
        text = read_text_file(system, SHELLS)
    except ProvisioningError:
        text = None
    if text is None:
        return list(WITHOUT_FILE)
    lines = (_SHELL.match(line) for line in text.split("\n"))
    return [found.group(1) for found in lines if found is not None]


def add_shell(system: System, shell: str) -> None:
    """Add a shell to the file. If there is no file, the new one also gets the default shells.

    Raises:
        ProvisioningError: the file cannot be read or written.
    """
    text = read_text_file(system, SHELLS)
    if text is None:
        text = "".join(each + "\n" for each in WITHOUT_FILE)
    elif text and not text.endswith("\n"):
        text += "\n"
    write_text_file(system, SHELLS, text + shell + "\n", Access(0o644))
    restore_labels(system, [SHELLS])
