"""Set the host name that the platform chose: static, live, in /etc/hosts, and with the DHCP server.

It knows neither the platform nor what the names mean: the instance brings candidates, best first. A
VM must not be lost for its name, so when none of them is valid everything stays as it is, and the
boot ends with a warning.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from functools import partial
from typing import Callable, List, Optional, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats import hostname as names
from lightinit.host.accounts.tools import restore_labels
from lightinit.host.dhcp.renew import Renewal, renew_leases
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.hostname_files import (
    ASSIGNMENT_FILES,
    HOSTS,
    HOSTS_LIMIT_BYTES,
    OTHER_PLAIN_FILES,
    PLAIN_FILE,
)
from lightinit.host.init import systemd
from lightinit.host.system import READ_LIMIT_BYTES, System
from lightinit.model import Frequency, Instance, Outcome
from lightinit.settings import ModuleSettings, Setting

LOG = logging.getLogger("lightinit.hostname")

NAME = "hostname"
FREQUENCY = Frequency.INSTANCE
REQUIRED = True
SETTINGS: Tuple[Setting, ...] = (
    Setting("hostname", "text", "", "The host name; empty: the one from the platform."),
    Setting("preserve_hostname", "boolean", False, "Keep the host name of the image."),
    Setting(
        "manage_etc_hosts",
        "boolean",
        True,
        "Give the host name an address (127.0.1.1) in /etc/hosts.",
    ),
    Setting(
        "renew_lease",
        "boolean",
        True,
        "Make the DHCP client send the new name to its server, which puts it into DNS.",
    ),
)


@dataclass(frozen=True)
class _NameFile:
    """One file that holds the static name: with a ``key`` a file of shell assignments, without one
    the bare name.
    """

    path: str
    key: str = ""
    add: bool = False

    def read(self, text: str) -> str:
        if not self.key:
            return names.read_plain(text)
        return names.read_assignment(text, self.key) or ""

    def edit(self, text: str, name: str) -> str:
        if not self.key:
            return names.edit_plain(text, name)
        return names.edit_assignment(text, self.key, name, self.add)


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Give the host its name, everywhere this host keeps it.

    Args:
        instance: its ``hostnames`` are tried in order.
        system: the machine.
        settings: as in ``SETTINGS``.

    Returns:
        What was done; a warning for each candidate that was refused or cut.

    Raises:
        ProvisioningError: a file that holds the name could not be read or written. Of /etc/hosts
            that is a warning.
    """
    if settings["preserve_hostname"]:
        return Outcome("host name left as it is, as the settings say", skipped=True)
    candidates = ((settings["hostname"],) if settings["hostname"] else ()) + tuple(
        instance.hostnames
    )
    name, warnings = _choose(candidates)
    if name is None:
        return Outcome(
            "host name left as it is",
            tuple(warnings or ["the platform names no host name"]),
            skipped=not candidates,
        )
    files = _static_files(system)
    changed = []
    # The hosts file comes first: which of its lines is the old name's is known only while the old
    # name is still there.
    if settings["manage_etc_hosts"]:
        old_names = [file.read(read_text_file(system, file.path) or "") for file in files]
        if system.live:
            old_names.append(socket.gethostname())
        try:
            changed += _edit(
                system,
                HOSTS,
                partial(names.edit_hosts, name=name, old_names=old_names),
                HOSTS_LIMIT_BYTES,
            )
        except ProvisioningError as error:
            warnings.append("%s is left as it is: %s" % (HOSTS, error))
    for file in files:
        changed += _edit(system, file.path, partial(file.edit, name=name))
    renewal = Renewal()
    if _set_live_name(name, system, warnings) and settings["renew_lease"]:
        renewal = renew_leases(system, name)
    LOG.debug("changed: %s", ", ".join(changed) or "nothing")
    return Outcome(
        "; ".join(("host name is %s" % name,) + renewal.told), tuple(warnings) + renewal.warnings
    )


def _choose(candidates: Tuple[str, ...]) -> Tuple[Optional[str], List[str]]:
    warnings: List[str] = []
    for candidate in candidates:
        if not candidate:
            continue
        try:
            name, notes = names.clean_hostname(candidate)
        except MalformedError as error:
            warnings.append(str(error))
            continue
        for note in notes:
            warnings.append("host name changed to %s: %s" % (name, note))
        return name, warnings
    return None, warnings


def _static_files(system: System) -> List[_NameFile]:
    """The files from which this host takes its name."""
    files = [
        _NameFile(path, key, add) for path, key, add in ASSIGNMENT_FILES if system.exists(path)
    ]
    files = [
        file for file in files if file.add or file.read(read_text_file(system, file.path) or "")
    ]
    files += [_NameFile(path) for path in OTHER_PLAIN_FILES if system.exists(path)]
    if (
        not files
        or system.exists(PLAIN_FILE)
        or systemd.is_running(system)
        or systemd.is_installed(system)
    ):
        files.append(_NameFile(PLAIN_FILE))
    return files


def _edit(
    system: System, path: str, edit: Callable[[str], str], limit_bytes: int = READ_LIMIT_BYTES
) -> List[str]:
    there = read_text_file(system, path, limit_bytes)
    after = edit(there or "")
    if after == (there or ""):
        return []
    write_text_file(system, path, after)
    if there is None:
        restore_labels(system, [path])
    return [path]


def _set_live_name(name: str, system: System, warnings: List[str]) -> bool:
    """Set the live name; returns whether it is another than before."""
    if not system.live:
        system.skip("live host name")
        return False
    if socket.gethostname() == name:
        return False
    try:
        socket.sethostname(name)
    except OSError as error:
        warnings.append(
            "live host name could not be set (%s); it holds from the next boot" % error.strerror
        )
        return False
    return True
