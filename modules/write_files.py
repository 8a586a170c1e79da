"""Writes the files that the platform gives and the settings list, each with its owner and mode.

Only root may be able to change the directories on a file's path. Files for users' homes belong into
/etc/skel.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.settings import ModuleSettings

if TYPE_CHECKING:
    from lightinit.formats.file_entries import FileEntry


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Write the files: first those that the platform gives, then those of the settings.

    Args:
        instance: its ``files``.
        system: the machine.
        settings: a value for each of its keys in lightinit/settings/shipped.py.

    Returns:
        How many there are, and how many of them had to be written.

    Raises:
        ProvisioningError: the first entry that failed: it is not valid, or its file cannot be
            written. The other files are still written.
    """
    lines = [line for line in settings["files"].split("\n") if line]
    given: Sequence[FileEntry] = settings.get("entries", ())
    if not lines and not given and not instance.files:
        return Outcome("no files are listed", skipped=True)
    from lightinit.files.listed import as_it_is, write_listed
    from lightinit.formats.file_entries import parse_entry, read_injected

    to_do = [partial(read_injected, file.path, file.content) for file in instance.files]
    to_do += [partial(parse_entry, line, number) for number, line in enumerate(lines, 1)]
    return write_listed(system, to_do + [partial(as_it_is, entry) for entry in given])


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """The files of a cloud-config: ``entries``, which are written after those of the settings. The
    module write_files_deferred writes those with ``defer``.
    """
    from lightinit.files.listed import read_entries

    return {"entries": read_entries(values, deferred=False)}


def check_settings(system: System, settings: ModuleSettings) -> List[Tuple[str, str]]:
    """Check the settings. Returns (key, text) for each mistake. Changes nothing.

    Owners are not looked up, since the module users may make them later.
    """
    from lightinit.formats.file_entries import parse_entry

    found = []
    for number, line in enumerate([line for line in settings["files"].split("\n") if line], 1):
        try:
            entry = parse_entry(line, number)
        except ProvisioningError as error:
            found.append(("files", str(error)))
            continue
        if system.is_dir(entry.path):
            found.append(("files", "entry %d: %s is a directory" % (number, entry.path)))
        if entry.source and not system.exists(entry.source):
            text = "entry %d (%s): its source %s does not exist; put it into the image"
            found.append(("files", text % (number, entry.path, entry.source)))
    return found
