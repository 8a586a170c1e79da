"""Writes the files of a cloud-config that have ``defer``, after Ready: accounts and packages, which
make their owners, are there.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, Mapping

from lightinit.files.listed import as_it_is, read_entries, write_listed
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Write the files in the order of the list.

    Args:
        instance: not used.
        system: the machine.
        settings: ``entries`` of the cloud-config.

    Returns:
        How many there are, and how many of them had to be written.

    Raises:
        ProvisioningError: the first entry that failed. The other files are still written.
    """
    entries = settings.get("entries", ())
    if not entries:
        return Outcome("no file is deferred", skipped=True)
    return write_listed(system, [partial(as_it_is, entry) for entry in entries])


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The files with ``defer``: ``entries``."""
    return {"entries": read_entries(values, deferred=True)}
