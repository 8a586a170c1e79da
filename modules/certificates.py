"""Writes the platform's certificates and their keys to files, named by thumbprint.

It does not know where they come from, nor which program uses them. Files of earlier certificates
stay, because a program may still use them.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from typing import List, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.certificates")

FOLDER = "/var/lib/lightinit/instance/certificates"

THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}\Z")


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing."""
    folder = (settings["folder"] or FOLDER).rstrip("/")
    if not folder or os.path.normpath(folder) != folder:
        return [("folder", "it is not a plain path; write one such as /etc/ssl/azure")]
    if system.exists(folder) and not system.is_dir(folder):
        return [("folder", "%s is a file; name a folder" % folder)]
    return []


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Write a file for each certificate, and one for each key.

    Args:
        instance: its ``certificates``.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        The numbers of certificates and keys.

    Raises:
        ProvisioningError: a thumbprint is invalid, so nothing was written; a file could not be
            written; or a key was not written in time and lightinit no longer has it.
    """
    if not instance.certificates:
        return Outcome("no certificates given", skipped=True)
    folder = (settings["folder"] or FOLDER).rstrip("/")
    for each in instance.certificates:
        if not THUMBPRINT.match(each.thumbprint):
            raise ProvisioningError(
                "certificate has no thumbprint",
                thumbprint=ascii(each.thumbprint[:80]),
                hint="40 hex digits are expected; look at the datasource",
            )
    keys = kept = 0
    for each in instance.certificates:
        path = "%s/%s" % (folder, each.thumbprint.upper())
        # Write the key first: a program that finds the certificate may read its key at once.
        if each.key:
            keys += 1
            _write(system, path + ".prv", each.key, 0o600)
        elif system.exists(path + ".prv"):
            kept += 1
        elif each.had_key:
            raise ProvisioningError(
                "private key is no longer at hand",
                thumbprint=each.thumbprint,
                hint=(
                    "lightinit forgot it when the VM was ready; to get it again, run:"
                    " lightinit stage fetch --force, then: lightinit module certificates --force"
                ),
            )
        _write(system, path + ".crt", each.certificate, 0o644)
    message = "%d certificates and %d keys in %s" % (len(instance.certificates), keys, folder)
    if kept:
        # lightinit forgets the keys when the VM is Ready.
        message += "; %d existing key files stay, since lightinit no longer has the keys" % kept
    return Outcome(message)


def _write(system: System, path: str, text: str, mode: int) -> None:
    data = text.encode("ascii", "replace")
    try:
        if system.read(path) == data and stat.S_IMODE(os.stat(system.path(path)).st_mode) == mode:
            return
    except (OSError, MalformedError):
        pass
    system.write(path, data, mode, follow_last=False)
    LOG.info("%s written", path)
