"""Writes several files, and reads those of a cloud-config."""

from __future__ import annotations

import logging
from typing import Any, Callable, List, Mapping, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.files.write import write_entry
from lightinit.formats.file_entries import FileEntry
from lightinit.host.system import System
from lightinit.model import Outcome

LOG = logging.getLogger("lightinit.write_files")
ROOT = "0"


def write_listed(system: System, to_do: Sequence[Callable[[], FileEntry]]) -> Outcome:
    """Write files in their order.

    Args:
        system: the machine.
        to_do: each returns one of them, or raises ProvisioningError.

    Returns:
        How many there are, and how many of them had to be written.

    Raises:
        ProvisioningError: the first one that failed, with how many others did. The other files are
            still written.
    """
    changed = 0
    failures: List[ProvisioningError] = []
    for number, read in enumerate(to_do, 1):
        try:
            changed += write_entry(system, read(), number)
        except ProvisioningError as error:
            if failures:
                LOG.warning("entry %d failed too: %s", number, error)
            failures.append(error)
    if failures:
        if len(failures) > 1:
            failures[0].details["more"] = "entries that failed too, see the log: %d" % (
                len(failures) - 1
            )
        raise failures[0]
    return Outcome("%d files, %d of them written" % (len(to_do), changed))


def as_it_is(entry: FileEntry) -> FileEntry:
    """An entry that is read already, for :func:`write_listed`."""
    return entry


def read_entries(values: Mapping[str, Any], deferred: bool) -> Tuple[FileEntry, ...]:
    """The files of a cloud-config.

    Args:
        values: its keys.
        deferred: whether those with ``defer`` are wanted, or all others.
    """
    from lightinit.formats.cloud_config.readers.files import join_appended, read_files

    wanted = [each for each in read_files(values)[0] if each.defer is deferred]
    return tuple(
        FileEntry(
            each.path,
            each.mode,
            *_named_owner(each.owner, each.group),
            each.append,
            content=each.content,
            as_it_is=True,
            in_home=True,
        )
        for each in join_appended(wanted)
    )


def _named_owner(owner: str, group: str) -> Tuple[str, str]:
    """Owner and group of a cloud-config's file. As in cloud-init, the one of them that is not given
    is root's.
    """
    if not owner and not group:
        return "", ""
    return owner or ROOT, group or ROOT
