"""Finds the config drive and reads it: a volume, an image of one, or a folder with its tree. It
knows no Instance.
"""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from lightinit.datasources.configdrive.settings import AUTO, FOLDERS, LABELS
from lightinit.datasources.configdrive.sign import has_tree
from lightinit.datasources.signs import Evidence, gather
from lightinit.errors import LightinitError, MalformedError, ProvisioningError
from lightinit.formats.nova import tree
from lightinit.formats.nova.instance import instance_id_of
from lightinit.host.media.volumes import read_files
from lightinit.host.system import System
from lightinit.model import NamedTuple

LOG = logging.getLogger("lightinit.configdrive")
HINT = (
    "a config drive has openstack/latest/meta_data.json; see with: mount -o ro DEVICE /mnt, and"
    " make it again with: openstack server create --config-drive true …"
)


class Drive(NamedTuple):
    """A config drive that says which instance this is.

    Attributes:
        where: the path of the device, image or folder.
        label: of the volume, "" if it is none.
        version: the folder of the tree that counts.
        meta_data: its meta_data.json.
    """

    where: str
    label: str
    version: str
    meta_data: Dict[str, Any]

    @property
    def subplatform(self) -> str:
        """The place as cloud-init says it."""
        if self.label:
            return "config-disk (%s)" % self.where
        return "seed-dir (%s)" % self.where


class DriveSearch:
    """Looks for config drives.

    Args:
        system: the machine.
        options: a value for each key of the section [configdrive].

    Attributes:
        errors: why a drive that was found cannot be used, by its path.
        others: drives that name another instance than the first one.
    """

    def __init__(self, system: System, options: Mapping[str, Any]) -> None:
        self._system = system
        self._place = str(options["media"])
        self.errors: Dict[str, LightinitError] = {}
        self.others: List[Drive] = []

    def find(self) -> Optional[Drive]:
        """The first config drive that can be used, None if there is none."""
        self.errors, found = {}, []
        for where, label in self._list_places():
            try:
                found.append(self._look_at(where, label))
            except LightinitError as error:
                LOG.debug("%s: %s", where, error)
                self.errors[where] = error
        self.others = [
            other
            for other in found[1:]
            if instance_id_of(other.meta_data) != instance_id_of(found[0].meta_data)
        ]
        return found[0] if found else None

    def error(self) -> ProvisioningError:
        """Why :meth:`find` has found none."""
        for where, error in self.errors.items():
            details = {"hint": HINT, **error.details, "media": where, "because": error.reason}
            return ProvisioningError("config drive is not usable", **details)
        looked = self._place
        if looked == AUTO:
            looked = "volumes labelled config-2, %s" % ", ".join(FOLDERS)
        return ProvisioningError("config drive is missing", looked_for=looked, hint=HINT)

    def read(self, drive: Drive) -> Tuple[tree.Tree, Tuple[str, ...]]:
        """The whole tree of a drive, and warnings about files that cannot be read."""
        warnings: List[str] = []

        def read(names: Sequence[str]) -> Dict[str, bytes]:
            return _read_what_can_be(self._system, drive.where, names, warnings)

        found = tree.read_beside(drive.version, drive.meta_data, read)
        return found, tuple(warnings)

    def _list_places(self) -> List[Tuple[str, str]]:
        """(path, label) of all that may be one."""
        if self._place != AUTO:
            if not self._system.exists(self._place):
                return []
            label = "" if self._system.is_dir(self._place) else LABELS[0]
            return [(self._place, label)]
        found = [(folder, "") for folder in FOLDERS if has_tree(self._system, folder)]
        try:
            known = gather(self._system).find_volumes(LABELS)
            volumes = known or Evidence(self._system).find_volumes(LABELS)  # it may come late
        except LightinitError as error:
            self.errors["/dev"] = error
            return found
        return found + [(volume.device, volume.label) for volume in volumes]

    def _look_at(self, where: str, label: str) -> Drive:
        """The drive at ``where``.

        Raises:
            LightinitError: it cannot be read, or does not say which instance this is.
        """
        names = {
            tree.name_of(version, tree.META_DATA): version
            for version in (tree.LATEST, *reversed(tree.VERSIONS))
        }
        found = _read_files(self._system, where, list(names), tree.FILE_LIMIT_BYTES)
        for name, version in names.items():
            if name in found:
                return Drive(where, label, version, tree.read_meta_data(found[name], name))
        raise ProvisioningError("config drive has no metadata", hint=HINT)


def _read_what_can_be(
    system: System, where: str, names: Sequence[str], warnings: List[str]
) -> Dict[str, bytes]:
    """Those of the files that can be read, with a warning for each that cannot."""
    limit_bytes = tree.USER_DATA_LIMIT_BYTES
    try:
        return _read_files(system, where, names, limit_bytes)
    except MalformedError as error:
        if len(names) == 1:
            warnings.append("%s is not used: %s" % (names[0], error))
            return {}
    except LightinitError as error:
        warnings.append("what is beside meta_data.json is not used: %s" % error)
        return {}
    found: Dict[str, bytes] = {}
    for name in names:  # one of them is to blame
        found.update(_read_what_can_be(system, where, [name], warnings))
    return found


def _read_files(
    system: System, where: str, names: Sequence[str], limit_bytes: int
) -> Dict[str, bytes]:
    """The content of those of the files that are there.

    Raises:
        ProvisioningError: the place cannot be read.
        MalformedError: a file is too large, or is none.
    """
    if not system.is_dir(where):
        return read_files(system, where, names, limit_bytes)
    found: Dict[str, bytes] = {}
    for name in names:
        try:
            found[name] = system.read("%s/%s" % (where, name), limit_bytes)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise MalformedError(
                "file cannot be read", path=name, error=error.strerror or error
            ) from error
    return found
