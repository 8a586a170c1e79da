"""Azure as a datasource: it joins IMDS, the provisioning media and the WireServer into one
Instance, and reports.

It decides which sources are required and how long to wait for each. It knows nothing of stages,
marks and the state's files.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple, Type

from lightinit.datasources.azure import identity
from lightinit.datasources.azure.connection import AzureConnection
from lightinit.datasources.azure.settings import SETTINGS, check_settings
from lightinit.datasources.base import Datasource
from lightinit.errors import LibraryError, LightinitError, ProvisioningError
from lightinit.formats.instance_id import normalise_uuid
from lightinit.host.identity import Dmi, read_dmi
from lightinit.host.system import System
from lightinit.model import Certificate, GoalState, Instance, Lease, Network

# What needs a network is imported by the methods that need it: nothing waits for it before the
# network is there. :data:`LATER` names it, for the time in which the network is waited for.
if TYPE_CHECKING:
    from lightinit.datasources.azure.documents import Documents, LateData
    from lightinit.datasources.azure.imds_client import ImdsClient
    from lightinit.datasources.azure.media import MediaReading
    from lightinit.datasources.azure.pool import OwnerSearch
    from lightinit.datasources.azure.reports import GoalStateReading
    from lightinit.datasources.azure.wireserver.client import WireServerClient
    from lightinit.formats.azure.ovf import OvfEnvironment
    from lightinit.host.azure.proxy_agent import ProxyAgentCheck
    from lightinit.host.network.http import HttpTransport, OnRequest

LOG = logging.getLogger("lightinit.azure")
# What to import while the network is waited for.
LATER = (
    "lightinit.datasources.azure.documents",
    "lightinit.datasources.azure.reports",
    "lightinit.formats.azure.ovf_redaction",
)


class AzureDatasource(Datasource):
    """Asks Azure about this VM, and reports to it.

    Before :meth:`connect`, requests go to the WireServer's well-known address.

    Args:
        system: the machine.
        options: values for the keys of ``SETTINGS``; a missing key has its default.
        on_request: called after each request, perhaps from two threads at once.

    Raises:
        ProvisioningError: an endpoint is not ``host`` or ``host:port``.
    """

    SETTINGS = SETTINGS
    check_settings = staticmethod(check_settings)
    REPORTS = True
    NOT_HERE = identity.NOT_AZURE
    ADDRESSES = (identity.WIRESERVER, identity.IMDS)
    SERVER = "WireServer"
    LEASE_OPTION = "option 245"
    LATER = LATER
    TRANSPORT: Optional[Type[HttpTransport]] = None  # for tests
    # How long the goal state is waited for, in the fetch stage, which does not need it, and before
    # the report. A WireServer that is well answers long before; tests wait longer.
    GRACE_S, PATIENCE_S = 1.0, 5.0
    PROBE_S = 2.0

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        super().__init__(system, options, on_request)
        self._media: Optional[MediaReading] = None
        self._late: Optional[LateData] = None
        self._lacks_data = False
        self._goal_state: Optional[GoalStateReading] = None
        self._owner_search: Optional[OwnerSearch] = None
        self._adopted: Optional[OvfEnvironment] = None
        self._document_of_pool: Optional[Dict[str, Any]] = None
        self._proxy_agent: Optional[ProxyAgentCheck] = None
        self._came_from = ""
        self._vm_id = ""
        self._connection = AzureConnection(
            system, self.options, on_request, self._while_waiting, self.TRANSPORT
        )

    @property
    def imds(self) -> ImdsClient:
        """The client of IMDS."""
        return self._connection.imds

    @property
    def wireserver(self) -> WireServerClient:
        """The client of the WireServer."""
        return self._connection.wireserver

    @property
    def _owner(self) -> OwnerSearch:
        if self._owner_search is None:
            from lightinit.datasources.azure.pool import OwnerSearch

            self._owner_search = OwnerSearch()
        return self._owner_search

    # Which platform, which instance.

    def is_this_platform(self, dmi: Dmi) -> Optional[bool]:
        """Whether DMI says that this is Azure."""
        return identity.is_azure(dmi.chassis_asset_tag, dmi.sys_vendor)

    def confirm_platform(self, network: Network) -> None:
        """Only Azure hands out option 245.

        Raises:
            ProvisioningError: the lease has no option 245.
        """
        if not network.server_from_lease:
            raise ProvisioningError(
                "platform is unknown",
                dmi="unreadable",
                option_245="absent",
                hint="on Azure, set platform_check = none in [lightinit]; elsewhere, datasource",
            )

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """The vmId of IMDS, for machines without a product_uuid in DMI.

        Raises:
            ProvisioningError: IMDS did not answer, or it has no usable vmId.
        """
        found = normalise_uuid(self.imds.fetch_vm_id())
        if found is None:
            raise ProvisioningError(
                "instance id is unknown", dmi="unreadable", imds="no usable vmId"
            )
        self._vm_id = found
        return found, (
            "DMI has no product_uuid: the instance id is the vmId of IMDS; each boot asks for it",
        )

    # The network.

    def begin(self) -> None:
        """Start the search for the provisioning media in its own thread."""
        if self._media is None:
            from lightinit.datasources.azure.media import MediaReading

            self._media = MediaReading(self.system, str(self.options["media"]))

    def server_in(self, lease: Lease) -> Optional[str]:
        """The WireServer's address in option 245."""
        return lease.wireserver

    def connect(self, network: Network) -> None:
        """Use the WireServer that the network names, unless the settings name one."""
        self._end_progress()
        self._connection.use(network.server)

    def connect_blindly(self) -> None:
        """Use the WireServer's well-known address, with a short time limit for the report."""
        self._end_progress()
        self._connection.use_blindly()

    def describe(self) -> str:
        """Which WireServer is used."""
        return self._connection.describe()

    def _while_waiting(self) -> None:
        self.while_waiting()  # the clients are older

    # The data.

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """Ask IMDS and the WireServer, and read the provisioning media, in parallel.

        The account needs the metadata, or media that name an account with a password or a key. If
        both are missing, this is an error. Only certificates need the goal state now: without them
        it is not waited for. The report uses it if it has come, and else asks for it.

        Args:
            instance_id: goes into the instance.
            announce: whether to report that this VM is at work, if it is for longer than
                ``progress_after_s`` after the goal state.

        Returns:
            The instance and the warnings, one sentence each. The instance's ``raw`` has those of
            ``imds``, ``ovf``, ``media`` and ``goal_state`` that were found.

        Raises:
            ProvisioningError: there are neither metadata nor sufficient media; or IMDS still
                describes the pool, and the owner's document is not sufficient.
        """
        from lightinit.datasources.azure import instance as azure_instance
        from lightinit.datasources.azure.documents import find_missing

        self.begin()
        self._lacks_data = False
        reading = self._begin_goal_state(announce)
        warnings: List[str] = []
        found = self._documents(warnings)
        instance = azure_instance.join(
            instance_id,
            found.document,
            found.environment,
            warnings,
            is_owners=self._adopted is not None,
        )
        warnings += find_missing(found, instance.custom_data, self._media)
        self._check_proxy_agent(found.environment)
        raw = dict(instance.raw, **self._raw_of_media())
        goal_state = self._goal_state_for(reading, instance, warnings)
        if goal_state is not None:
            raw["goal_state"] = goal_state._asdict()
        warnings += self._connection.note_server()
        certificates = self._certificates(goal_state, instance, warnings)
        admin = azure_instance.with_keys(instance.admin, certificates)
        if self.options["certificates"] != "all":
            certificates = instance.certificates
        return instance._replace(raw=raw, admin=admin, certificates=certificates), tuple(warnings)

    def _begin_goal_state(self, announce: bool) -> GoalStateReading:
        from lightinit.datasources.azure.reports import GoalStateReading
        from lightinit.host.network.http import preload

        try:
            preload()  # here, since only one thread may import
        except LibraryError:
            pass  # each request says so
        self._end_progress()
        announce_after_s: Optional[float] = None
        if announce and self.options["report_progress"]:
            announce_after_s = float(self.options["progress_after_s"])
        reading = GoalStateReading(self.wireserver, announce_after_s, self.PATIENCE_S)
        self._goal_state = reading
        reading.begin()
        return reading

    def fetch_offline(self, instance_id: str) -> Optional[Instance]:
        """The instance from the provisioning media alone, without any request.

        Returns:
            None if the media name no account with a password or a key, or if they belong to a pool
            and not to an owner.
        """
        if self._media is None:
            return None
        from lightinit.datasources.azure import instance as azure_instance

        warnings: List[str] = []
        environment = self._media.wait(True, float(self.options["media_wait_s"]), warnings)
        if (
            environment is None
            or not azure_instance.suffices(environment)
            or azure_instance.is_pools(environment)
        ):
            return None
        return azure_instance.join(instance_id, None, environment, warnings)

    def _documents(self, warnings: List[str]) -> Documents:
        from lightinit.datasources.azure.documents import (
            LateData,
            read_documents,
            read_owners_documents,
        )

        if self._adopted is not None:
            # Without a document of the owner there is only IMDS.
            before = self._document_of_pool if self._owner.found is not None else None
            return read_owners_documents(self.imds, self._adopted, before, self.options, warnings)
        try:
            found = read_documents(self.imds, self._media, self.options, warnings)
        except LibraryError:
            raise
        except ProvisioningError:
            self._lacks_data = True
            self._late = self._late or LateData(self._connection)
            raise
        self.documents = self._media.documents if self._media is not None else {}
        self.pool_type, self._document_of_pool = found.pool_type, found.document
        return found

    def _check_proxy_agent(self, environment: Optional[OvfEnvironment]) -> None:
        """Begin to ask the Guest Proxy Agent, if the platform announces one. Only Ready waits."""
        if environment is None or not environment.provision_guest_proxy_agent:
            return
        if self._proxy_agent is None and not self.pool_type:
            from lightinit.host.azure.proxy_agent import ProxyAgentCheck

            self._proxy_agent = ProxyAgentCheck(self.system)
            self._proxy_agent.begin()

    def _goal_state_for(
        self, reading: GoalStateReading, instance: Instance, warnings: List[str]
    ) -> Optional[GoalState]:
        """The goal state. It is waited for only if certificates are needed: account and keys do
        not depend on the WireServer.
        """
        needed = self._needs_certificates(instance)
        goal_state = reading.result_of_fetch(None if needed else self.GRACE_S)
        if goal_state is None and reading.error is not None:
            warnings.append("no goal state: %s" % reading.error)
        elif goal_state is None:
            LOG.info("the WireServer has not answered yet; going on, only the report waits for it")
        return goal_state

    def _raw_of_media(self) -> Dict[str, Any]:
        if self._media is None or self._media.medium is None:
            return {}
        medium = self._media.medium
        return {"media": {"device": medium.device, "how": medium.how, "optical": medium.optical}}

    def _certificates(
        self, goal_state: Optional[GoalState], instance: Instance, warnings: List[str]
    ) -> Tuple[Certificate, ...]:
        if not self._needs_certificates(instance):
            return ()
        if goal_state is None:
            warnings.append("no certificates: their URL is in the goal state, which is missing")
            return ()
        # This import is slow, and few VMs need it.
        from lightinit.datasources.azure.certificates import fetch_certificates

        self._end_progress()  # they share a connection
        try:
            now_s = self.system.clock.time()
            return fetch_certificates(self.wireserver, goal_state, now_s, warnings)
        except LightinitError as error:
            warnings.append("no certificates: %s" % error)
            return ()

    def has_late_media(self) -> bool:
        """Whether media have come that are enough."""
        if self._late is None or not self._lacks_data or not self._late.has_media():
            return False
        self._media = self._late.media
        return True

    def answers_now(self) -> bool:
        """Whether IMDS gives a whole document by now."""
        if self._late is None or not self._lacks_data:
            return False
        return self._late.answers(self.PROBE_S)

    def _needs_certificates(self, instance: Instance) -> bool:
        from lightinit.datasources.azure.instance import wanted_fingerprints

        which = self.options["certificates"]
        wanted = wanted_fingerprints(instance)
        return which != "none" and (which == "all" or bool(wanted)) and not self.pool_type

    # The report.

    def report(
        self, failure: Optional[LightinitError], instance: Optional[Instance]
    ) -> Tuple[str, ...]:
        """Write the record for Hyper-V, eject the media on success, and send the health report.

        Raises:
            ProvisioningError: the platform did not accept the report.
        """
        from lightinit.datasources.azure.reports import Reports

        vm_id = self._vm_id_for(instance)
        reports = Reports(self.system, self.options)
        record, warnings = reports.prepare(
            failure, vm_id, self.pool_type or self._came_from, instance
        )
        if failure is None and self._proxy_agent is not None and self._proxy_agent.problem():
            warnings += (
                "the platform wants its Guest Proxy Agent (ProvisionGuestProxyAgent): %s"
                % self._proxy_agent.problem(),
            )
        self._end_progress()
        check = self.check_failure
        wireserver = self.wireserver
        if not self.may_use_libraries:
            wireserver = self._connection.make_plain_wireserver()
        try:
            reports.send(wireserver, failure, vm_id, record, check)
        except LibraryError as error:
            LOG.warning("reporting with the standard library alone: %s", error)
            reports.send(self._connection.make_plain_wireserver(), failure, vm_id, record, check)
        return warnings + self._connection.note_server()

    def _vm_id_for(self, instance: Optional[Instance]) -> str:
        said = instance.vm_id if instance is not None else ""
        return said or self._vm_id or identity.vm_id(read_dmi(self.system))

    def _end_progress(self) -> None:
        """Let the thread with the goal state end: a report of progress must not arrive after the
        result. If it still waits for the WireServer, the connection is left to it.
        """
        reading, self._goal_state = self._goal_state, None
        if reading is not None and not reading.finish():
            self._connection.leave()

    # VMs of a pool.

    def report_to_pool(self, before: Callable[[], None], is_enough: Callable[[bool], bool]) -> bool:
        """Report Ready to the pool; see the base."""
        from lightinit.datasources.azure.pool import FIRST_REPORT_LIMIT_S

        self._end_progress()
        return self.wireserver.report_ready(before, is_enough, FIRST_REPORT_LIMIT_S)

    def is_taken_at_report(self) -> bool:
        """Whether VMs of this kind of pool lose their NIC, or stop, at the report."""
        from lightinit.datasources.azure.pool import TAKEN_AT_REPORT

        return self.pool_type in TAKEN_AT_REPORT

    def find_owner(self) -> bool:
        """Ask IMDS for the owner's document."""
        return self._owner.ask(self.imds)

    def owner_poll_s(self) -> float:
        """The seconds from the settings."""
        return float(self.options["reprovision_poll_s"])

    def adopt_owner(self) -> None:
        """Use the owner's document instead of the media, which describe the pool. Without such a
        document, use IMDS only.
        """
        from lightinit.datasources.azure.media import COPY
        from lightinit.datasources.azure.pool import OwnerData
        from lightinit.formats.azure.ovf_redaction import redact

        owner = self._owner.found or OwnerData()
        self._adopted = owner.environment
        self._came_from, self.pool_type = self.pool_type, ""
        self.documents = {}
        if owner.document:
            self.documents = {COPY: redact(owner.document)}
