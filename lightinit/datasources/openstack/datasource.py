"""OpenStack as a datasource: the metadata service says which instance this is, and what it gets.

Nobody is reported to: Nova takes no reports from the VM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

from lightinit.datasources.base import Anchor, Datasource, anchor_by_uuid
from lightinit.datasources.openstack.settings import ADDRESS, SETTINGS
from lightinit.formats.nova.dmi import find_openstack
from lightinit.host.identity import Dmi, read_dmi
from lightinit.host.system import System
from lightinit.model import Instance, Network

# What needs a network is imported when it is needed: nothing waits for it before.
if TYPE_CHECKING:
    from lightinit.datasources.metadata import MetadataClient
    from lightinit.datasources.openstack.reading import MetadataReading
    from lightinit.host.network.http import OnRequest


class OpenStackDatasource(Datasource):
    """Asks Nova's metadata service about this VM.

    Args:
        system: the machine.
        options: values for the keys of ``SETTINGS``; a missing key has its default.
        on_request: called after each request.
    """

    SETTINGS = SETTINGS
    NOT_HERE = "this machine is not a VM of OpenStack, by DMI"
    ADDRESSES = (ADDRESS,)
    SERVER = "metadata service"
    LATER = (
        "lightinit.datasources.openstack.reading",
        "lightinit.formats.nova.instance",
    )

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        super().__init__(system, options, on_request)
        self._made: Optional[MetadataClient] = None
        # What ask_instance_id has read; fetch needs it next.
        self._early: Optional[Tuple[str, Dict[str, Any]]] = None

    def is_this_platform(self, dmi: Dmi) -> Optional[bool]:
        """True by DMI. Else only the network can tell: bare-metal machines have their own DMI."""
        whole = read_dmi(self.system, whole=True)
        if find_openstack(whole.product_name, whole.chassis_asset_tag):
            return True
        return None

    def confirm_platform(self, network: Network) -> None:
        """Check that OpenStack's metadata service answers.

        Raises:
            ProvisioningError: it does not.
        """
        self._reading().check_service()

    def instance_id(self, dmi: Dmi) -> str:
        """Only the service knows it: DMI's product_uuid is another one on some hypervisors."""
        return ""

    def anchors(self) -> Tuple[Anchor, ...]:
        """DMI's product_uuid: a copy of this VM's disk has another."""
        return anchor_by_uuid(self.system)

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """The ``uuid`` of meta_data.json.

        Raises:
            ProvisioningError: the service does not give it.
        """
        from lightinit.formats.nova.instance import instance_id_of

        self._early = self._read_meta_data(self._reading())
        return instance_id_of(self._early[1]), ()

    def describe(self) -> str:
        """The service's address."""
        return "metadata service %s" % self.options["endpoint"]

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """All that the service says.

        Args:
            instance_id: goes into the instance.
            announce: not used; nobody is told.

        Raises:
            ProvisioningError: the service gives no meta_data.json.
        """
        from lightinit.datasources.metadata import show_service
        from lightinit.datasources.openstack.reading import read_whole
        from lightinit.formats.nova.instance import make_instance

        reading = self._reading()
        version, meta_data = self._early or self._read_meta_data(reading)
        self._early = None
        found, beside = read_whole(reading, version, meta_data)
        where = "metadata (%s)" % show_service(str(self.options["endpoint"]))
        instance, warnings = make_instance(instance_id, "openstack", where, found)
        return instance, beside + warnings

    def _read_meta_data(self, reading: MetadataReading) -> Tuple[str, Dict[str, Any]]:
        return reading.read_meta_data(reading.find_version())

    def _reading(self) -> MetadataReading:
        from lightinit.datasources.metadata import MetadataClient
        from lightinit.datasources.openstack.reading import MetadataReading

        if self._made is None:
            self._made = MetadataClient(
                self.system,
                str(self.options["endpoint"]),
                self.on_request,
                timeout_s=float(self.options["request_timeout_s"]),
            )
        self._made.transport.while_waiting = self.while_waiting
        return MetadataReading(self.system, self._made, self.options)
