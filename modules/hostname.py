"""Sets the host name: in its files, live, in /etc/hosts, and at the DHCP server.

It does not know the platform. The instance has candidates, the best first. A problem with the name
is only a warning, since a VM must not fail because of its name. If no candidate is valid, the host
name stays. If a file cannot be read or written, the other files and the live name are still set.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.assignments import edit_assignment, read_assignment
from lightinit.formats.hostname import clean_hostname, edit_plain, read_plain
from lightinit.formats.hosts_file import edit_hosts
from lightinit.host.dhcp.renew import Sending, renew_leases
from lightinit.host.files.hostname_files import (
    ASSIGNMENT_FILES,
    HOSTS,
    HOSTS_LIMIT_BYTES,
    OTHER_PLAIN_FILES,
    PLAIN_FILE,
)
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.init import systemd
from lightinit.host.system import READ_LIMIT_BYTES, System
from lightinit.model import Instance, NamedTuple, Outcome, Rest
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.hostname")


GIVE_UP_S = 1.0
# Some hosts generate these files from their own configuration, in places that are read-only.
NOT_KEPT = (
    "after a reboot the host has the name in that file again: change the source of that file, or"
    " set frequency = boot in [module.hostname]"
)


class _NameFile(NamedTuple):
    """A file that holds the static name.

    Attributes:
        path: its path as the VM sees it.
        key: the key if it is a file of shell assignments; "" if it holds nothing but the name.
        add: whether to add the key if the file lacks it.
    """

    path: str
    key: str = ""
    add: bool = False

    def find_name(self, system: System) -> str:
        """The name in the file; "" if there is none, or the file cannot be read."""
        try:
            text = read_text_file(system, self.path) or ""
        except (ProvisioningError, OSError) as error:
            LOG.debug("%s: %s", self.path, error)
            return ""
        if not self.key:
            return read_plain(text)
        return read_assignment(text, self.key) or ""

    def edit(self, text: str, name: str) -> str:
        if not self.key:
            return edit_plain(text, name)
        return edit_assignment(text, self.key, name, self.add)


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Set the host name in all places where this host keeps it.

    Args:
        instance: its ``hostnames`` are tried in order.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        What was done; a warning for each candidate that was refused or shortened, and for each
        file that could not be read or written.
    """
    if settings["preserve_hostname"]:
        return Outcome("host name left as it is, as the settings say", skipped=True)
    candidates = tuple(instance.hostnames)
    if settings["hostname"]:
        candidates = (settings["hostname"],) + candidates
    name, warnings = _choose(candidates)
    if name is None:
        return Outcome(
            "host name left as it is",
            tuple(warnings or ["the platform gives no host name"]),
            skipped=not candidates,
        )
    files = _static_files(system)
    changed: List[str] = []
    # /etc/hosts comes first: the line to replace has the old name, which is known only while it is
    # still in the other files.
    if settings["manage_etc_hosts"]:
        try:
            changed += _edit_hosts(system, name, files, settings.get("fqdn", ""))
        except (ProvisioningError, OSError) as error:
            warnings.append("%s is left as it is: %s" % (HOSTS, error))
    for file in files:
        try:
            changed += _edit(system, file.path, partial(file.edit, name=name))
        except (ProvisioningError, OSError) as error:
            warnings.append("%s is left as it is: %s; %s" % (file.path, _why(error), NOT_KEPT))
    LOG.debug("changed: %s", ", ".join(changed) or "nothing")
    is_renewed = _set_live_name(name, system, warnings) and bool(settings["renew_lease"])
    outcome = Outcome("host name is %s" % name, tuple(warnings))
    if not is_renewed:
        return outcome
    sending = Sending(partial(renew_leases, system, name))
    return outcome._replace(rest=_NameOnItsWay(outcome, sending))


class _NameOnItsWay(Rest):
    """The DHCP clients send the name. The next modules need not wait for that."""

    def __init__(self, outcome: Outcome, sending: Sending) -> None:
        self._outcome, self._sending = outcome, sending

    def finish(self) -> Outcome:
        renewal = self._sending.wait()
        message, warnings = self._outcome.message, tuple(self._outcome.warnings)
        return Outcome("; ".join((message,) + renewal.told), warnings + renewal.warnings)

    def give_up(self) -> None:
        self._sending.wait(GIVE_UP_S)  # so that no second client stays behind


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of this module's settings."""
    from lightinit.formats.cloud_config.readers.names import read_names

    names, _ = read_names(values)
    found: Dict[str, Any] = {}
    if names.name:
        found["hostname"], found["fqdn"] = names.name, names.fqdn
    if "preserve_hostname" in values:
        found["preserve_hostname"] = names.preserve
    if names.etc_hosts:
        found["manage_etc_hosts"] = names.etc_hosts != "no"
    return found


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing."""
    if not settings["hostname"]:
        return []
    try:
        name, notes = clean_hostname(settings["hostname"])
    except MalformedError as error:
        return [("hostname", "%s; write a name such as web-1, or leave it empty" % error)]
    return [("hostname", "it would become %s: %s; correct it" % (name, note)) for note in notes]


def _choose(candidates: Tuple[str, ...]) -> Tuple[Optional[str], List[str]]:
    warnings: List[str] = []
    for candidate in candidates:
        if not candidate:
            continue
        try:
            name, notes = clean_hostname(candidate)
        except MalformedError as error:
            warnings.append(str(error))
            continue
        for note in notes:
            warnings.append("host name changed to %s: %s" % (name, note))
        return name, warnings
    return None, warnings


def _static_files(system: System) -> List[_NameFile]:
    """The files from which this host reads its name at boot."""
    files = [
        _NameFile(path, key, add) for path, key, add in ASSIGNMENT_FILES if system.exists(path)
    ]
    files = [file for file in files if file.add or file.find_name(system)]
    files += [_NameFile(path) for path in OTHER_PLAIN_FILES if system.exists(path)]
    if (
        not files
        or system.exists(PLAIN_FILE)
        or systemd.is_running(system)
        or systemd.is_installed(system)
    ):
        files.append(_NameFile(PLAIN_FILE))
    return files


def _edit_hosts(system: System, name: str, files: Sequence[_NameFile], fqdn: str) -> List[str]:
    old_names = [file.find_name(system) for file in files]
    if system.live:
        old_names.append(socket.gethostname())
    edit = partial(edit_hosts, name=name, old_names=old_names, fqdn=fqdn)
    return _edit(system, HOSTS, edit, HOSTS_LIMIT_BYTES)


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


def _why(error: Exception) -> str:
    if isinstance(error, ProvisioningError):
        return "%s (%s)" % (error.reason, error.details.get("error", "unknown error"))
    return str(error)


def _set_live_name(name: str, system: System, warnings: List[str]) -> bool:
    """Set the live name. Returns whether it was changed."""
    if not system.live:
        system.skip("live host name")
        return False
    if socket.gethostname() == name:
        return False
    try:
        socket.sethostname(name)
    except OSError as error:
        warnings.append(
            "live host name could not be set (%s); it is changed at the next boot" % error.strerror
        )
        return False
    return True
