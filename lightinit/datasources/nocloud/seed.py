"""Reads the files of one NoCloud seed that is on this machine.

A file that cannot be used is left out, with a warning: the others may still give somebody a login.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

from lightinit.datasources.nocloud.places import (
    FILES,
    LIMITS_BYTES,
    META_DATA,
    USER_DATA,
    SeedPlace,
    read_credentials,
)
from lightinit.errors import LightinitError, MalformedError
from lightinit.host.system import System
from lightinit.model import NamedTuple

LEFT_OUT = "%s of %s cannot be used: %s"


class Seed(NamedTuple):
    """A seed that was read.

    Attributes:
        files: those that are there, by name.
        warnings: one sentence each.
    """

    files: Dict[str, bytes] = {}
    warnings: Tuple[str, ...] = ()

    @property
    def is_seed(self) -> bool:
        """Whether a file is there that makes it a seed."""
        return META_DATA in self.files or USER_DATA in self.files


def read_seed(system: System, place: SeedPlace) -> Seed:
    """Read all files of a seed.

    Raises:
        ProvisioningError: the whole place cannot be read.
    """
    if place.kind == "credentials":
        return Seed(read_credentials(system))
    if place.kind == "folder":
        return read_folder(system, place.where, str(place))
    return _read_volume(system, place)


def _read_volume(system: System, place: SeedPlace) -> Seed:
    from lightinit.host.media.volumes import read_files

    try:
        found = read_files(system, place.where, FILES, max(LIMITS_BYTES.values()))
        return _within_limits(found, place)
    except MalformedError:
        pass  # of one file: it must not hide the others
    files: Dict[str, bytes] = {}
    warnings: List[str] = []
    for name in FILES:
        try:
            files.update(read_files(system, place.where, [name], LIMITS_BYTES[name]))
        except MalformedError as error:
            warnings.append(LEFT_OUT % (name, place, error))
    return Seed(files, tuple(warnings))


def _within_limits(found: Mapping[str, bytes], place: SeedPlace) -> Seed:
    files, warnings = {}, []
    for name, data in found.items():
        if len(data) <= LIMITS_BYTES[name]:
            files[name] = data
        else:
            why = "it is larger than %d bytes" % LIMITS_BYTES[name]
            warnings.append(LEFT_OUT % (name, place, why))
    return Seed(files, tuple(warnings))


def read_folder(system: System, folder: str, told: str) -> Seed:
    """Read all files of a seed in a folder.

    Args:
        system: the machine.
        folder: the VM's path.
        told: what to call it in warnings.
    """
    files: Dict[str, bytes] = {}
    warnings: List[str] = []
    for name in FILES:
        path = "%s/%s" % (folder.rstrip("/"), name)
        try:
            files[name] = system.read(path, LIMITS_BYTES[name])
        except FileNotFoundError:
            continue
        except OSError as error:
            warnings.append(LEFT_OUT % (name, told, error.strerror))
        except LightinitError as error:
            warnings.append(LEFT_OUT % (name, told, error))
    return Seed(files, tuple(warnings))
