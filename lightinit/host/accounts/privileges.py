"""Rules of sudo and doas, checked with the tool that will read them before they are put in place.

It knows no grammar: what a rule says is the caller's.
"""

from __future__ import annotations

import os
import stat
from typing import Optional, Sequence

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System

CANDIDATES = "/run/lightinit/candidates"
# Where lightinit's own rules are; doas.conf where doas has no folder.
SUDOERS_FOLDER = "/etc/sudoers.d"
# Without a dot: sudo passes over names that have one.
SUDOERS_FILE = SUDOERS_FOLDER + "/90-lightinit-users"
DOAS_FOLDER = "/etc/doas.d"
DOAS_FILE = DOAS_FOLDER + "/90-lightinit.conf"
DOAS_CONF = "/etc/doas.conf"


def read_rules(system: System, name: str) -> str:
    """The text of a file of rules; "" when there is none. Bytes that are no UTF-8 come through
    unchanged.

    Raises:
        ProvisioningError: it is there and cannot be read, so it must not be replaced.
    """
    try:
        return system.read(name).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ProvisioningError(
            "privilege rules cannot be read", path=name, error=error.strerror
        ) from error
    except MalformedError as error:
        raise ProvisioningError(
            "privilege rules cannot be read", path=name, error=error.reason
        ) from error


def write_checked(system: System, name: str, text: str, mode: int, checker: Sequence[str]) -> None:
    """Replace ``name`` by ``text`` when the checker finds no fault in it.

    The candidate is checked in another folder, so that a fault in it cannot cost the host its
    privileges for a moment.

    Args:
        system: the machine.
        name: the file's path.
        text: its whole content.
        mode: its permission bits when it is new; an existing file keeps its own.
        checker: the tool's name and its arguments before the path; when the host lacks it, nothing
            is checked.

    Raises:
        ProvisioningError: the checker found a fault, or the file could not be written; the old one
            is untouched.
    """
    data = text.encode("utf-8", "surrogateescape")
    tool = system.tool(checker[0])
    if tool:
        candidate = "%s/%s" % (CANDIDATES, os.path.basename(name))
        system.make_dir(CANDIDATES, 0o700)
        system.write(candidate, data, mode, durable=False)
        try:
            ended = system.run([tool] + list(checker[1:]) + [system.path(candidate)])
        finally:
            system.remove(candidate)
        if not ended.ok:
            # visudo's first line says what is wrong; those after it show the place.
            said = (ended.stderr.strip() or ended.stdout.strip() or ended.last_words).splitlines()[
                0
            ]
            raise ProvisioningError(
                "privilege rules were found faulty", path=name, checker=checker[0], said=said
            )
    system.write(name, data, _mode_now(system, name, mode))


def _mode_now(system: System, name: str, default: int) -> int:
    status: Optional[os.stat_result]
    try:
        status = os.stat(system.path(name))
    except OSError:
        return default
    # What others may write, sudo and doas refuse to read.
    return stat.S_IMODE(status.st_mode) & ~0o022
