"""Azure as a datasource: it joins IMDS, the provisioning media and the WireServer into one
Instance, and reports.

It decides which sources are required and how long to wait for each. It knows nothing of stages,
marks and the state's files.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type

from lightinit.datasources.azure import identity, pool
from lightinit.datasources.azure import instance as azure_instance
from lightinit.datasources.azure.clients import AUTO, Clients, make_clients
from lightinit.datasources.azure.goal_state import GoalStateReading
from lightinit.datasources.azure.imds_client import Fetched, ImdsClient
from lightinit.datasources.azure.media import COPY, MediaReading
from lightinit.datasources.azure.reports import Reports
from lightinit.datasources.azure.settings import SETTINGS
from lightinit.datasources.azure.wireserver_client import WireServerClient
from lightinit.datasources.base import Datasource
from lightinit.errors import LibraryError, LightinitError, ProvisioningError
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.formats.azure.ovf_redaction import redact
from lightinit.formats.instance_id import normalise_uuid
from lightinit.host.dmi import Dmi, read_dmi
from lightinit.host.network.http import HttpTransport, OnRequest
from lightinit.host.system import System
from lightinit.model import Certificate, GoalState, Instance, Lease, Network

LOG = logging.getLogger("lightinit.azure")
LAST_REPORT_TIMEOUT_S = 60.0
PROBE_S = 2.0


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
    REPORTS = True
    NOT_HERE = identity.NOT_AZURE
    ADDRESSES = (identity.WIRESERVER, identity.IMDS)
    SERVER = "WireServer"
    LEASE_OPTION = "option 245"

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        super().__init__(system, options, on_request)
        self._media: Optional[MediaReading] = None
        self._late_media: Optional[MediaReading] = None
        self._lacks_data = False
        self._goal_state: Optional[GoalStateReading] = None
        self._owner = pool.OwnerSearch()
        self._adopted: Optional[OvfEnvironment] = None
        self._came_from = ""
        self._vm_id = ""
        self._noted = ""
        self._reports = Reports(system, self.options)
        self._server = identity.WIRESERVER
        self._client_options = self.options
        self._clients = self._make_clients()

    @property
    def imds(self) -> ImdsClient:
        """The client of IMDS."""
        return self._clients.imds

    @property
    def wireserver(self) -> WireServerClient:
        """The client of the WireServer."""
        return self._clients.wireserver

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
                hint="if this is Azure, set platform_check = none in [lightinit]",
            )

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """The vmId of IMDS, for machines without a product_uuid in DMI.

        Raises:
            ProvisioningError: IMDS did not answer, or it has no usable vmId.
        """
        found = normalise_uuid(self.imds.fetch_text("compute/vmId"))
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
            self._media = MediaReading(self.system, str(self.options["media"]))

    def server_in(self, lease: Lease) -> Optional[str]:
        """The WireServer's address in option 245."""
        return lease.wireserver

    def connect(self, network: Network) -> None:
        """Use the WireServer that the network names, unless the settings name one."""
        self._server = network.server
        self._goal_state = None
        self._client_options = self.options
        self._clients = self._make_clients()

    def connect_blindly(self) -> None:
        """Use the WireServer's well-known address, with a short time limit for the report."""
        self._server = identity.WIRESERVER
        self._client_options = dict(self.options, report_timeout_s=LAST_REPORT_TIMEOUT_S)
        self._clients = self._make_clients()

    def describe(self) -> str:
        """Which WireServer is used."""
        chosen = str(self.options["wireserver"])
        if chosen == AUTO:
            return "WireServer " + self._server
        return "WireServer %s by the settings" % chosen

    def _make_clients(self, transport: Type[HttpTransport] = HttpTransport) -> Clients:
        return make_clients(
            self._client_options, self._server, self.system.clock, self.on_request, transport
        )

    # The data.

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """Ask IMDS and the WireServer, and read the provisioning media, in parallel.

        The account needs the metadata, or media that name an account with a password or a key. If
        both are missing, this is an error. The account does not need the goal state: if it is
        missing, that is a warning, and the report asks for it again.

        Args:
            instance_id: goes into the instance.
            announce: whether to report that this VM is at work, once the goal state is known.

        Returns:
            The instance and the warnings, one sentence each. The instance's ``raw`` has those of
            ``imds``, ``ovf``, ``media`` and ``goal_state`` that were found.

        Raises:
            ProvisioningError: there are neither metadata nor sufficient media.
        """
        self.begin()
        self._lacks_data = False
        reading = GoalStateReading(self.wireserver, announce and self.options["report_progress"])
        self._goal_state = reading
        reading.start()
        warnings: List[str] = []
        fetched, environment = self._documents(warnings)
        instance = azure_instance.join(
            instance_id,
            fetched.document if fetched else None,
            environment,
            warnings,
            is_owners=self._adopted is not None,
        )
        if fetched and fetched.missing and not azure_instance.suffices(environment):
            warnings.append("imds document is incomplete: no " + ", no ".join(fetched.missing))
        goal_state = reading.result_of_fetch()
        raw = dict(instance.raw, **self._raw_of_media())
        if goal_state is not None:
            raw["goal_state"] = asdict(goal_state)
        else:
            warnings.append("no goal state: %s" % (reading.error or "ended without a result"))
        warnings += self._note_server()
        found = self._certificates(goal_state, instance, warnings)
        admin = azure_instance.with_keys(instance.admin, found)
        if self.options["certificates"] != "all":
            found = instance.certificates
        return replace(instance, raw=raw, admin=admin, certificates=found), tuple(warnings)

    def fetch_offline(self, instance_id: str) -> Optional[Instance]:
        """The instance from the provisioning media alone, without any request.

        Returns:
            None if the media name no account with a password or a key, or if they belong to a pool
            and not to an owner.
        """
        if self._media is None:
            return None
        warnings: List[str] = []
        environment = self._media.wait(True, float(self.options["media_wait_s"]), warnings)
        if (
            environment is None
            or not azure_instance.suffices(environment)
            or azure_instance.is_pools(environment)
        ):
            return None
        return azure_instance.join(instance_id, None, environment, warnings)

    def _documents(self, warnings: List[str]) -> Tuple[Optional[Fetched], Optional[OvfEnvironment]]:
        """The documents of IMDS and of the media. One of them may be None, never both."""
        media = self._media

        def can_do_without() -> bool:
            known = self._adopted
            if known is None and media is not None:
                known = media.environment()
            return azure_instance.suffices(known)

        fetched: Optional[Fetched] = None
        failure: Optional[ProvisioningError] = None
        try:
            fetched = self.imds.fetch_document(can_do_without, float(self.options["media_only_s"]))
            warnings += fetched.warnings
        except LibraryError:
            raise  # the image must be repaired, and its maker must hear of it
        except ProvisioningError as error:
            failure = error
        environment = self._adopted
        if environment is None and media is not None:
            environment = self._wait_for_media(media, fetched, warnings)
        if failure is None:
            return fetched, environment
        if not azure_instance.suffices(environment) and not self.pool_type:
            if media is not None:
                failure.details.setdefault("media", media.why_not_enough())
            self._lacks_data = True
            raise failure
        warnings.append("IMDS is unavailable; using the provisioning media only: %s" % failure)
        return None, environment

    def _wait_for_media(
        self, media: MediaReading, fetched: Optional[Fetched], warnings: List[str]
    ) -> Optional[OvfEnvironment]:
        """What the media say; also find the kind of pool. Wait for the media if they are needed."""
        admin = None
        if fetched is not None:
            admin = azure_instance.join("", fetched.document, None, []).admin
        needed = admin is None or admin.password_login is not False
        environment = media.wait(needed, float(self.options["media_wait_s"]), warnings)
        self.documents = media.documents
        if self.options["preprovisioned"] != "no":
            self.pool_type = pool.find_kind(environment, self.imds, fetched is not None, warnings)
        return environment

    def _raw_of_media(self) -> Dict[str, Any]:
        if self._media is None or self._media.medium is None:
            return {}
        medium = self._media.medium
        return {"media": {"device": medium.device, "how": medium.how, "optical": medium.optical}}

    def _certificates(
        self, goal_state: Optional[GoalState], instance: Instance, warnings: List[str]
    ) -> Tuple[Certificate, ...]:
        which = self.options["certificates"]
        wanted = azure_instance.wanted_fingerprints(instance)
        if which == "none" or (which == "ssh" and not wanted) or self.pool_type:
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

    def answers_now(self) -> bool:
        """Whether IMDS gives a whole document by now, or media have come that are enough."""
        if not self._lacks_data:
            return False
        if self._late_media is None:
            self._late_media = MediaReading(self.system, str(self.options["media"]))
        if azure_instance.suffices(self._late_media.environment()):
            self._media = self._late_media
            return True
        brief = dict.fromkeys(("fetch_timeout_s", "request_timeout_s"), PROBE_S)
        options = {**self.options, **brief, "complete_timeout_s": 0.0}
        imds = make_clients(options, self._server, self.system.clock, self.on_request).imds
        try:
            return not imds.fetch_document(lambda: False, PROBE_S).missing
        except LightinitError:
            return False

    # The report.

    def report(
        self, failure: Optional[LightinitError], instance: Optional[Instance]
    ) -> Tuple[str, ...]:
        """Write the record for Hyper-V, eject the media on success, and send the health report.

        Raises:
            ProvisioningError: the platform did not accept the report.
        """
        vm_id = self._vm_id_for(instance)
        record, warnings = self._reports.prepare(
            failure, vm_id, self.pool_type or self._came_from, instance
        )
        self._end_progress()
        check = self.check_failure
        try:
            self._reports.send(self.wireserver, failure, vm_id, record, check)
        except LibraryError as error:
            LOG.warning("reporting with the standard library alone: %s", error)
            self._reports.send(self._plain_wireserver(), failure, vm_id, record, check)
        return warnings + self._note_server()

    def _note_server(self) -> Tuple[str, ...]:
        """A warning, once, if another WireServer answers than the one that the lease names."""
        replaced = self.wireserver.replaced
        if not replaced or replaced == self._noted:
            return ()
        self._noted = replaced
        return (
            "option 245 of the lease names %s, which is no WireServer or does not answer;"
            " %s does and is used" % (replaced, self.wireserver.endpoint),
        )

    def _plain_wireserver(self) -> WireServerClient:
        from lightinit.host.network.plain_http import PlainTransport  # few boots need it

        return self._make_clients(PlainTransport).wireserver

    def _vm_id_for(self, instance: Optional[Instance]) -> str:
        said = instance.vm_id if instance is not None else ""
        return said or self._vm_id or identity.vm_id(read_dmi(self.system))

    def _end_progress(self) -> None:
        """Wait until the progress report has ended: it must not arrive after the result, and it
        uses the same connection.
        """
        if self._goal_state is not None:
            self._goal_state.join()

    # VMs of a pool.

    def report_to_pool(self, before: Callable[[], None], is_enough: Callable[[bool], bool]) -> bool:
        """Report Ready to the pool; see the base."""
        self._end_progress()
        return self.wireserver.report_ready(before, is_enough)

    def is_taken_at_report(self) -> bool:
        """Whether VMs of this kind of pool lose their NIC, or stop, at the report."""
        return self.pool_type in pool.TAKEN_AT_REPORT

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
        owner = self._owner.found or pool.OwnerData()
        self._adopted = owner.environment
        self._came_from, self.pool_type = self.pool_type, ""
        self.documents = {}
        if owner.document:
            self.documents = {COPY: redact(owner.document)}
