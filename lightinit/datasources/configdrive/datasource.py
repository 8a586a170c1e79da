"""OpenStack's config drive as a datasource: a volume says which instance this is, and what it gets.
It needs no network.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Mapping, Optional, Tuple

from lightinit.datasources.base import PRODUCT_UUID, Anchor, Datasource
from lightinit.datasources.configdrive.settings import FOLDERS, LABELS, SETTINGS, check_settings
from lightinit.datasources.kept import find_kept, machine_of
from lightinit.errors import LightinitError
from lightinit.formats.instance_id import normalise_uuid
from lightinit.formats.nova.dmi import find_openstack
from lightinit.host.identity import Dmi, read_dmi
from lightinit.host.system import System
from lightinit.model import Instance, Network

if TYPE_CHECKING:
    from lightinit.datasources.configdrive.drive import Drive, DriveSearch
    from lightinit.host.network.http import OnRequest

LOG = logging.getLogger("lightinit.configdrive")
NAME = "configdrive"
POLL_S = 0.5


class ConfigDriveDatasource(Datasource):
    """Reads the config drive of this VM.

    Args:
        system: the machine.
        options: values for the keys of ``SETTINGS``; a missing key has its default.
        on_request: not used.
    """

    SETTINGS = SETTINGS
    check_settings = staticmethod(check_settings)
    NEEDS_NETWORK = False
    NOT_HERE = "this machine has no config drive"

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        super().__init__(system, options, on_request)
        self._search: Optional[DriveSearch] = None
        self._drive: Optional[Drive] = None
        self._has_told = False

    def is_this_platform(self, dmi: Dmi) -> Optional[bool]:
        """True if there is a drive, even one that cannot be used, or was one in an earlier boot. A
        volume may come late, so else only time can tell.
        """
        if self._find() is not None or self._searched().errors or self._kept_id():
            return True
        return None

    def why_unusable(self) -> str:
        """Why no drive can be used. OpenStack's metadata service has the same data."""
        if self._find() is not None or not self._searched().errors:
            return ""
        return str(self._searched().error())

    def confirm_platform(self, network: Network) -> None:
        """Wait for the volume.

        Raises:
            ProvisioningError: it does not come.
        """
        clock = self.system.clock
        ends_s = clock.monotonic() + float(self.options["media_wait_s"])
        while self._find() is None:
            if clock.monotonic() >= ends_s:
                raise self._searched().error()
            clock.sleep(POLL_S)

    def instance_id(self, dmi: Dmi) -> str:
        """The ``uuid`` of meta_data.json. If the drive has gone since, Nova's DMI has it, too; and
        any other machine stays as it is.
        """
        drive = self._find()
        if drive is not None:
            from lightinit.formats.nova.instance import instance_id_of

            return instance_id_of(drive.meta_data)
        dmi = read_dmi(self.system, whole=True)
        if find_openstack(dmi.product_name, dmi.chassis_asset_tag):
            return normalise_uuid(dmi.product_uuid) or ""
        kept = self._kept_id()
        if kept and not self._has_told:
            self._has_told = True
            LOG.info("%s; this machine stays instance %s", self._searched().error(), kept)
        return kept

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """Never succeeds: :meth:`instance_id` has looked.

        Raises:
            ProvisioningError: why the drive is of no use.
        """
        raise self._searched().error()

    def anchors(self) -> Tuple[Anchor, ...]:
        """The drive, and the folders that would count before a volume."""
        drive = self._find()
        if drive is None:
            return super().anchors()
        found = [Anchor("file", "%s/openstack/latest/meta_data.json" % each) for each in FOLDERS]
        found.append(PRODUCT_UUID)  # the copy of a disk may have a drive whose date is the same
        if drive.label:
            found.append(Anchor("volume", LABELS[0]))
        else:
            name = "%s/openstack/%s/meta_data.json" % (drive.where, drive.version)
            found.append(Anchor("file", name))
        return tuple(dict.fromkeys(found))

    def describe(self) -> str:
        """The place of the drive."""
        return "config drive %s" % self._drive.where if self._drive is not None else ""

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """All that the drive says.

        Args:
            instance_id: goes into the instance.
            announce: not used; nobody is told.

        Raises:
            ProvisioningError: there is no drive, or it does not say which instance this is.
        """
        from lightinit.formats.nova.instance import instance_id_of, make_instance

        drive, search = self._find(), self._searched()
        if drive is None:
            raise search.error()
        found, unread = search.read(drive)
        instance, warnings = make_instance(instance_id, NAME, drive.subplatform, found)
        seed = {"kind": "volume" if drive.label else "folder", "where": drive.where}
        raw = {**instance.raw, "seed": {**seed, "machine": machine_of(self.system)}}
        unused = tuple(
            "%s is a config drive of another instance, %s; %s is used"
            % (other.where, instance_id_of(other.meta_data), drive.where)
            for other in search.others
        )
        bad = tuple("the config drive %s is not used: %s" % item for item in search.errors.items())
        return instance._replace(raw=raw), unused + bad + unread + warnings

    def _kept_id(self) -> str:
        return find_kept(self.system, NAME, machine_of(self.system))[0]

    def _searched(self) -> DriveSearch:
        if self._search is None:
            from lightinit.datasources.configdrive.drive import DriveSearch

            self._search = DriveSearch(self.system, self.options)
        return self._search

    def _find(self) -> Optional[Drive]:
        """The drive. One that was found is not looked for again."""
        if self._drive is None:
            try:
                self._drive = self._searched().find()
            except LightinitError:
                self._drive = None  # told when the data are due
        return self._drive
