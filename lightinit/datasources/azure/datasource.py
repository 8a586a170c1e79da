"""Azure as a datasource: IMDS, the provisioning media and the WireServer joined into one Instance,
and reports.

It decides which source is indispensable and which is not, and what is waited for. It knows nothing
of stages, semaphores and the state's files.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from lightinit.datasources.azure import instance as azure_instance
from lightinit.datasources.azure import telemetry
from lightinit.datasources.azure.goal_state import GoalStateReading
from lightinit.datasources.azure.imds_client import ENDPOINT, Fetched, ImdsClient
from lightinit.datasources.azure.media import COPY, MediaReading
from lightinit.datasources.azure.settings import SETTINGS
from lightinit.datasources.azure.wireserver_client import WireServerClient
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.azure import health
from lightinit.formats.azure.ovf import OvfEnvironment, redact
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, OnRequest
from lightinit.host.system import System
from lightinit.model import Certificate, GoalState, Instance, Network
from lightinit.retry import RetryPolicy
from lightinit.settings import check_endpoint

LOG = logging.getLogger("lightinit.azure")
FAILED = "ProvisioningFailed"
MIN_PAUSE_S = 0.05
POOL_TYPES = ("Running", "Savable", "PreprovisionedOSDisk")


class AzureDatasource:
    """Asks Azure about this VM, and reports to it.

    Args:
        network: what the local stage found; its ``wireserver`` is used unless an option overrides
            it.
        options: values for the keys of ``SETTINGS``; what is absent has its default.
        clock: for pauses, deadlines and timestamps.
        on_request: called after each request, perhaps from two threads at once (see
            :class:`lightinit.host.network.http.HttpTransport`).
        system: the machine, for media and telemetry; without one there are none.
        begun: what :meth:`begin` gave.

    Attributes:
        pool_type: the kind of pool in which this VM waits for an owner, "" for none; known after
            :meth:`fetch`.
        documents: what is to be kept for people, name -> content; without secrets. Known after
            :meth:`fetch`.

    Raises:
        ProvisioningError: an endpoint is not ``host`` or ``host:port``.
    """

    SETTINGS = SETTINGS

    def __init__(
        self,
        network: Network,
        options: Mapping[str, Any],
        clock: Optional[Clock] = None,
        on_request: Optional[OnRequest] = None,
        system: Optional[System] = None,
        begun: Any = None,
    ) -> None:
        values = {setting.key: setting.default for setting in SETTINGS}
        values.update(options)
        self._options = values
        self._clock = clock or Clock()
        self._system = system
        self._media: Optional[MediaReading] = begun
        self._goal_state: Optional[GoalStateReading] = None
        self._adopted: Optional[OvfEnvironment] = None
        self._came_from = ""
        self.pool_type = ""
        self.documents: Dict[str, bytes] = {}
        # It goes into a header, where anything but printable ASCII would make every request fail.
        self._agent = "".join(
            letter if " " <= letter <= "~" else "?" for letter in str(values["agent"])
        )
        wireserver = network.wireserver if values["wireserver"] == "auto" else values["wireserver"]
        imds = ENDPOINT if values["imds"] == "auto" else values["imds"]
        first_s = max(MIN_PAUSE_S, float(values["retry_first_s"]))
        policy = RetryPolicy(first_s=first_s, cap_s=15.0 * first_s)
        # A transport each: they are used side by side, and one that hangs must not cost the other
        # its connection.
        self.imds = ImdsClient(
            HttpTransport(self._clock, on_request, self._agent),
            self._clock,
            _endpoint("imds", imds),
            policy=replace(policy, deadline_s=float(values["fetch_timeout_s"])),
            request_timeout_s=float(values["request_timeout_s"]),
            complete_timeout_s=float(values["complete_timeout_s"]),
        )
        self.wireserver = WireServerClient(
            HttpTransport(self._clock, on_request, self._agent),
            _endpoint("wireserver", wireserver),
            self._clock,
            fetch_policy=replace(policy, deadline_s=float(values["goal_state_timeout_s"])),
            report_policy=replace(policy, deadline_s=float(values["report_timeout_s"])),
            request_timeout_s=float(values["request_timeout_s"]),
            agent=self._agent,
        )

    @staticmethod
    def begin(system: System, options: Mapping[str, Any]) -> MediaReading:
        """Start what needs no network: the search for the provisioning media, in a thread of its
        own.

        Args:
            system: the machine.
            options: as in the constructor.
        """
        default = next(setting.default for setting in SETTINGS if setting.key == "media")
        return MediaReading(system, str(options.get("media", default)))

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """Ask IMDS and the WireServer, and read the provisioning media, side by side.

        Without the metadata and without media that name an account and a way in, there is no
        account to make, so that is an error. Without the goal state there is: its failure is a
        warning, and reporting, which needs a goal state, asks for it once more.

        Args:
            instance_id: the id that semaphores hang on.
            announce: tell the platform that this VM is at work, as soon as there is a goal state to
                tell it with.

        Returns:
            The instance, with ``imds``, ``ovf``, ``media`` and ``goal_state`` in its ``raw`` as far
            as they came; and warnings, one sentence each.

        Raises:
            ProvisioningError: neither metadata nor sufficient media to be had.
        """
        if self._system is not None and self._media is None:
            self._media = self.begin(self._system, self._options)
        self._goal_state = GoalStateReading(
            self.wireserver, announce and self._options["report_progress"]
        )
        self._goal_state.start()
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
        goal_state = self._goal_state.result_of_fetch()
        raw = dict(instance.raw)
        if self._media is not None and self._media.medium is not None:
            medium = self._media.medium
            raw["media"] = {"device": medium.device, "how": medium.how, "optical": medium.optical}
        if goal_state is not None:
            raw["goal_state"] = asdict(goal_state)
        else:
            warnings.append(
                "no goal state: %s" % (self._goal_state.error or "ended without a result")
            )
        found = self._certificates(goal_state, instance, warnings)
        instance = replace(instance, raw=raw, admin=azure_instance.with_keys(instance.admin, found))
        if self._options["certificates"] == "all":
            instance = replace(instance, certificates=found)
        return instance, tuple(warnings)

    def fetch_offline(self, instance_id: str) -> Optional[Instance]:
        """What the provisioning media alone say, for a machine that has no network. Nobody is
        asked.

        Args:
            instance_id: as for :meth:`fetch`.

        Returns:
            None when they do not tell of an account with a way in, or are those of a pool and not
            of an owner.
        """
        warnings: List[str] = []
        environment = (
            self._media.wait(True, float(self._options["media_wait_s"]), warnings)
            if self._media
            else None
        )
        if (
            environment is None
            or not azure_instance.suffices(environment)
            or azure_instance.is_pools(environment)
        ):
            return None
        return azure_instance.join(instance_id, None, environment, warnings)

    def _documents(self, warnings: List[str]) -> Tuple[Optional[Fetched], Optional[OvfEnvironment]]:
        """What IMDS says and what the media say, each None when there is nothing; not both."""
        media, adopted = self._media, self._adopted

        def can_do_without() -> bool:
            return azure_instance.suffices(adopted or (media.environment() if media else None))

        fetched: Optional[Fetched] = None
        failure: Optional[ProvisioningError] = None
        try:
            fetched = self.imds.fetch_document(can_do_without, float(self._options["media_only_s"]))
            warnings += fetched.warnings
        except ProvisioningError as error:
            failure = error
        if adopted is not None:
            environment: Optional[OvfEnvironment] = adopted
        elif media is not None:
            admin = azure_instance.join("", fetched.document, None, []).admin if fetched else None
            needed = admin is None or admin.password_login is not False
            environment = media.wait(needed, float(self._options["media_wait_s"]), warnings)
            self.documents = media.documents
            self.pool_type = self._pool_type(environment, fetched is not None, warnings)
        else:
            environment = None
        if failure is not None:
            if not azure_instance.suffices(environment) and not self.pool_type:
                said = "none found" if environment is None else "no account with a way in"
                failure.details.setdefault(
                    "media", media.describe() or said if media is not None else "not looked for"
                )
                raise failure
            warnings.append("no metadata, the provisioning media must do: %s" % failure)
        return fetched, environment

    def _pool_type(
        self, environment: Optional[OvfEnvironment], has_metadata: bool, warnings: List[str]
    ) -> str:
        """The pool as the media name it, or else IMDS: it may be told by either alone. IMDS that is
        down is not pressed.
        """
        if self._options["preprovisioned"] == "no":
            return ""
        said = environment.preprovisioned_type if environment is not None else ""
        known = _known_pool(said)
        if not known:
            asked = self.imds.fetch_pool_type(insist=has_metadata)
            known, said = _known_pool(asked), asked or said
        if known or (environment is not None and environment.preprovisioned):
            return known or POOL_TYPES[0]
        if said:  # not one to wait in for ever
            warnings.append(
                "the platform says that this VM is preprovisioned as %s, which is unknown: it is"
                " provisioned" % ascii(said[:40])
            )
        return ""

    def _certificates(
        self, goal_state: Optional[GoalState], instance: Instance, warnings: List[str]
    ) -> Tuple[Certificate, ...]:
        which = self._options["certificates"]
        wanted = azure_instance.wanted_fingerprints(instance)
        if which == "none" or (which == "ssh" and not wanted) or self.pool_type:
            return ()
        if goal_state is None:
            warnings.append("no certificates: there is no goal state to say where they are")
            return ()
        # This import costs more than the rest, and few need it.
        from lightinit.datasources.azure.certificates import fetch_certificates

        self._end_progress()  # they share a connection
        try:
            return fetch_certificates(self.wireserver, goal_state, self._clock.time())
        except LightinitError as error:
            warnings.append("no certificates: %s" % error)
            return ()

    def succeed(self, earlier: "AzureDatasource") -> None:
        """Take over from one that was made for another network: what it knows of the media and the
        pool.

        Args:
            earlier: asked for nothing any more.
        """
        self._media, self.pool_type = earlier._media, earlier.pool_type

    def adopt(self, environment: OvfEnvironment, document: bytes = b"") -> None:
        """Take what the platform has said of the owner, in the place of the media, which tell of
        the pool.

        Args:
            environment: the reprovision data; without anything in it, IMDS alone is believed.
            document: as they came.
        """
        self._adopted = environment
        self._came_from, self.pool_type = self.pool_type, ""
        self.documents = {COPY: redact(document)} if document else {}

    def vm_id(self) -> str:
        """The platform's id of this VM, for machines whose DMI does not tell; "" when IMDS has
        none.

        Raises:
            ProvisioningError: IMDS could not be asked.
        """
        return self.imds.fetch_text("compute/vmId").lower()

    def before_report(
        self, error: Optional[LightinitError], vm_id: str, instance: Optional[Instance]
    ) -> Tuple[str, Tuple[str, ...]]:
        """What comes before a report: the same in Hyper-V's key-value pool, and, when all went
        well, the media's ejection.

        The host reads the pool when it is signalled, so this is written first. The media go because
        they hold the password; after a failure they stay, for the next attempt.

        Args:
            error: why the VM is not ready; None when it is.
            vm_id: the platform's id of this VM, as far as it is known.
            instance: what was fetched, in this boot or an earlier one; None when nothing was.

        Returns:
            The record that was written, for :meth:`report_failure`; and warnings.
        """
        record = (
            self.describe_success(vm_id) if error is None else self.describe_failure(error, vm_id)
        )
        warnings: List[str] = []
        if self._system is not None and self._options["telemetry"]:
            try:
                telemetry.report_provisioning(self._system, record)
            except LightinitError as trouble:
                warnings.append("no telemetry: %s" % trouble)
        if error is None and self._system is not None and instance is not None:
            medium = instance.raw.get("media") or {}
            why = (
                MediaReading.eject(self._system, str(medium["device"]))
                if medium.get("optical")
                else ""
            )
            if why:
                warnings.append("the provisioning media stay in the drive: %s" % why)
        return record, tuple(warnings)

    def report_ready(self) -> None:
        """Tell the platform that this VM is ready.

        Raises:
            ProvisioningError: the platform could not be told.
        """
        self._end_progress()
        self.wireserver.report_ready()

    def report_to_pool(self, before: Callable[[], None], is_enough: Callable[[bool], bool]) -> bool:
        """Tell the platform that this VM is ready to be somebody's.

        Args:
            before: called right before each report is sent.
            is_enough: called between attempts, with whether the answer to a report was lost by
                then; True ends it.

        Returns:
            Whether the platform accepted it; False when it was enough without.

        Raises:
            ProvisioningError: the platform could not be told.
        """
        self._end_progress()
        return self.wireserver.report_ready(before, is_enough)

    def describe_failure(self, error: LightinitError, vm_id: str = "") -> str:
        """The record that tells operators and their tools why provisioning failed; for telemetry as
        well.
        """
        return health.failure_description(
            error.reason, error.details, self._agent, vm_id, self._timestamp()
        )

    def describe_success(self, vm_id: str = "") -> str:
        """The record that tells that it succeeded; for telemetry, the health report has no place
        for it.
        """
        return health.success_description(
            self._agent, vm_id, self._timestamp(), self.pool_type or self._came_from or "None"
        )

    def report_failure(self, error: LightinitError, vm_id: str = "", description: str = "") -> None:
        """Tell the platform why this VM is not ready.

        Args:
            error: the first failure of something required.
            vm_id: the platform's id of this VM, as far as it is known.
            description: what :meth:`describe_failure` gave, where telemetry has sent the same
                before.

        Raises:
            ProvisioningError: the platform could not be told.
        """
        self._end_progress()
        short = health.failure_description(error.reason, {}, self._agent, vm_id, self._timestamp())
        self.wireserver.report_not_ready(
            FAILED, description or self.describe_failure(error, vm_id), short
        )

    def _end_progress(self) -> None:
        """Wait for the news that this VM is at work: it must not come after the result, and has the
        same connection.
        """
        if self._goal_state is not None:
            self._goal_state.join()

    def _timestamp(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock.time()))


def _known_pool(kind: str) -> str:
    """``kind`` as it is spelled here, "" where it is none that is known."""
    return next((each for each in POOL_TYPES if each.lower() == kind.lower()), "")


def _endpoint(key: str, value: Any) -> str:
    """``value``, if it is an endpoint by the rule that the settings have too."""
    try:
        return check_endpoint(str(value))
    except ValueError as error:
        raise ProvisioningError(
            "endpoint is not usable",
            key=key,
            value=str(value)[:100],
            error=error,
            hint="give host or host:port",
        ) from None
