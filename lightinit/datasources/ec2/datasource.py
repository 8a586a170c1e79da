"""EC2 as a datasource: it asks the metadata service, and makes an Instance of the answers.

EC2 names no admin: its keys are for whoever the settings' default user is. Nothing is reported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Mapping, Optional, Tuple

from lightinit.datasources.base import Anchor, Datasource, anchor_by_uuid
from lightinit.datasources.ec2.settings import ADDRESS, SETTINGS
from lightinit.datasources.ec2.sign import MISSING, is_amazon
from lightinit.host.identity import Dmi, read_dmi
from lightinit.host.system import System
from lightinit.model import Instance, Network

# What needs a network is imported by the methods that need it.
if TYPE_CHECKING:
    from lightinit.datasources.ec2.service import Ec2Service
    from lightinit.host.network.http import OnRequest

_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}\Z")


class Ec2Datasource(Datasource):
    """Asks EC2's metadata service, or that of a private cloud like it.

    Args:
        system: the machine.
        options: values for the keys of ``SETTINGS``; a missing key has its default.
        on_request: called after each request.
    """

    SETTINGS = SETTINGS
    NOT_HERE = "not a VM on EC2 (%s)" % MISSING
    ADDRESSES = (ADDRESS,)
    SERVER = "metadata service"
    LATER = ("lightinit.datasources.ec2.service", "lightinit.formats.ec2.instance")

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        super().__init__(system, options, on_request)
        self._made: Optional[Ec2Service] = None

    @property
    def _service(self) -> Ec2Service:
        if self._made is None:
            from lightinit.datasources.ec2.service import Ec2Service

            self._made = Ec2Service(self.system, self.options, self.on_request, self._wait)
        return self._made

    def _wait(self) -> None:
        self.while_waiting()  # set after the service was made

    def instance_id(self, dmi: Dmi) -> str:
        """The instance id in DMI's board asset tag, where Amazon's own machines have it. Of others
        only the service knows it.
        """
        whole = read_dmi(self.system, whole=True)
        tag = (whole.board_asset_tag or "").strip()
        return tag if is_amazon(whole) and _INSTANCE_ID.match(tag) else ""

    def anchors(self) -> Tuple[Anchor, ...]:
        """DMI's product_uuid: a copy of this VM's disk has another."""
        return anchor_by_uuid(self.system)

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """The service's instance-id.

        Raises:
            ProvisioningError: the service did not give one.
        """
        self._service.start()
        return self._service.find_instance_id(), ()

    def connect(self, network: Network) -> None:
        """Use ``network`` from now on: a new session."""
        self._made = None

    def describe(self) -> str:
        """Which service is asked."""
        endpoint = str(self.options["endpoint"])
        return "metadata service " + (ADDRESS if endpoint == "auto" else endpoint)

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """Ask for all values and the user data.

        Returns:
            The instance and the warnings. The values are in ``raw["meta_data"]``.

        Raises:
            ProvisioningError: the service did not give the instance id, the list of its values, or
                a key that it lists.
        """
        from lightinit.datasources.metadata import show_service
        from lightinit.formats.ec2.instance import instance_from_tree

        service = self._service
        service.start()
        tree, warnings = service.fetch_tree()
        user_data, more = service.fetch_user_data()
        told = service.find_instance_id()
        warnings += more + tuple(service.warnings)
        if _INSTANCE_ID.match(instance_id) and told != instance_id:
            warnings += (
                "the metadata service gives the instance id %s, but DMI has %s: it may be that of"
                " another VM" % (ascii(told[:80]), instance_id),
            )
        subplatform = "metadata (%s)" % show_service(service.endpoint)
        return instance_from_tree(tree, instance_id, user_data, subplatform), warnings
