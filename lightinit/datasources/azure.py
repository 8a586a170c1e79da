"""Azure as a datasource: IMDS and the WireServer joined into one Instance, and reports to the platform.

It decides which source is indispensable and which is not. It knows nothing of stages, semaphores and files.
"""
from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, replace
from typing import Any, List, Mapping, Optional, Tuple

from lightinit import __version__
from lightinit.clients.imds import ENDPOINT, ImdsClient
from lightinit.clients.wireserver import WireServerClient
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats import health
from lightinit.formats.imds import instance_from_document
from lightinit.host.clock import Clock
from lightinit.host.transport import OnRequest, Transport
from lightinit.model import GoalState, Instance, Network
from lightinit.retry import RetryPolicy
from lightinit.settings import Setting, check_endpoint

LOG = logging.getLogger("lightinit.azure")
FAILED = "ProvisioningFailed"
MIN_PAUSE_S = 0.05

SETTINGS: Tuple[Setting, ...] = (
    Setting("wireserver", "endpoint", "auto",
            "Where the WireServer is: auto (as the DHCP lease says) or host:port."),
    Setting("imds", "endpoint", "169.254.169.254:80", "Where the Instance Metadata Service is."),
    Setting("agent", "text", "lightinit/" + __version__, "The name and version that the platform is told."),
    Setting("fetch_timeout_s", "seconds", 300.0, "How long to ask for the metadata document."),
    Setting("goal_state_timeout_s", "seconds", 60.0,
            "How long to ask for the goal state while fetching; reporting asks again, and for longer."),
    Setting("report_timeout_s", "seconds", 300.0, "How long to try to report to the platform."),
    Setting("complete_timeout_s", "seconds", 30.0,
            "How long to wait for metadata that lacks something, before taking it as it is."),
    Setting("request_timeout_s", "seconds", 10.0,
            "How long one request may take, from connecting to its last byte."),
    Setting("retry_first_s", "seconds", 1.0,
            "How long to wait before the second attempt; each further one is twice as long, up to 15 times."),
)


class AzureDatasource:
    """Asks Azure about this VM, and reports to it.

    Args:
        network: what the local stage found; its ``wireserver`` is used unless an option overrides it.
        options: values for the keys of ``SETTINGS``; what is absent has its default.
        clock: for pauses, deadlines and timestamps.
        on_request: called after each request (see :class:`lightinit.host.transport.Transport`), perhaps from
            two threads at once.

    Raises:
        ProvisioningError: an endpoint is not ``host`` or ``host:port``.
    """

    SETTINGS = SETTINGS

    def __init__(self, network: Network, options: Mapping[str, Any], clock: Optional[Clock] = None,
                 on_request: Optional[OnRequest] = None) -> None:
        values = {setting.key: setting.default for setting in SETTINGS}
        values.update(options)
        self._clock = clock or Clock()
        # It goes into a header, where anything but printable ASCII would make every request fail.
        self._agent = "".join(letter if " " <= letter <= "~" else "?" for letter in str(values["agent"]))
        wireserver = network.wireserver if values["wireserver"] == "auto" else values["wireserver"]
        imds = ENDPOINT if values["imds"] == "auto" else values["imds"]
        first_s = max(MIN_PAUSE_S, float(values["retry_first_s"]))
        policy = RetryPolicy(first_s=first_s, cap_s=15.0 * first_s)
        # A transport each: they are used side by side, and one that hangs must not cost the other its
        # connection.
        self.imds = ImdsClient(
            Transport(self._clock, on_request, self._agent), self._clock, _endpoint("imds", imds),
            policy=replace(policy, deadline_s=float(values["fetch_timeout_s"])),
            request_timeout_s=float(values["request_timeout_s"]),
            complete_timeout_s=float(values["complete_timeout_s"]))
        self.wireserver = WireServerClient(
            Transport(self._clock, on_request, self._agent), _endpoint("wireserver", wireserver), self._clock,
            fetch_policy=replace(policy, deadline_s=float(values["goal_state_timeout_s"])),
            report_policy=replace(policy, deadline_s=float(values["report_timeout_s"])),
            request_timeout_s=float(values["request_timeout_s"]), agent=self._agent)

    def fetch(self, instance_id: str) -> Tuple[Instance, Tuple[str, ...]]:
        """Ask IMDS and the WireServer, side by side.

        Without the metadata there is no account to make, so that is an error. Without the goal state there
        is: its failure is a warning, and reporting, which needs a goal state, asks for it once more.

        Args:
            instance_id: the id that semaphores hang on.

        Returns:
            The instance, with ``imds`` and, if it came, ``goal_state`` in its ``raw``; and warnings, one
            sentence each.

        Raises:
            ProvisioningError: no metadata document to be had.
        """
        goal_state = _Background(self.wireserver.fetch_goal_state)
        goal_state.start()
        fetched = self.imds.fetch_document()
        warnings: List[str] = list(fetched.warnings)
        instance = instance_from_document(fetched.document, instance_id, warnings)
        if fetched.missing:
            warnings.append("imds document is incomplete: no " + ", no ".join(fetched.missing))
        goal_state.join()
        raw = dict(instance.raw)
        if goal_state.result is not None:
            raw["goal_state"] = asdict(goal_state.result)
        else:
            warnings.append("no goal state: %s" % (goal_state.error or "ended without a result"))
        return replace(instance, raw=raw), tuple(warnings)

    def vm_id(self) -> str:
        """The platform's id of this VM, for machines whose DMI does not tell; "" when IMDS has none.

        Raises:
            ProvisioningError: IMDS could not be asked.
        """
        return self.imds.fetch_text("compute/vmId").lower()

    def report_ready(self) -> None:
        """Tell the platform that this VM is ready.

        Raises:
            ProvisioningError: the platform could not be told.
        """
        self.wireserver.report_ready()

    def describe_failure(self, error: LightinitError, vm_id: str = "") -> str:
        """The record that tells operators and their tools why provisioning failed; for telemetry as well."""
        return health.failure_description(error.reason, error.details, self._agent, vm_id, self._timestamp())

    def describe_success(self, vm_id: str = "") -> str:
        """The record that tells that it succeeded; for telemetry, the health report has no place for it."""
        return health.success_description(self._agent, vm_id, self._timestamp())

    def report_failure(self, error: LightinitError, vm_id: str = "", description: str = "") -> None:
        """Tell the platform why this VM is not ready.

        Args:
            error: the first failure of something required.
            vm_id: the platform's id of this VM, as far as it is known.
            description: what :meth:`describe_failure` gave, where telemetry has sent the same before.

        Raises:
            ProvisioningError: the platform could not be told.
        """
        short = health.failure_description(error.reason, {}, self._agent, vm_id, self._timestamp())
        self.wireserver.report_not_ready(FAILED, description or self.describe_failure(error, vm_id), short)

    def _timestamp(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock.time()))


class _Background(threading.Thread):
    """Fetches the goal state beside the rest, and keeps what was raised on purpose."""

    def __init__(self, fetch: Any) -> None:
        super().__init__(name="lightinit-goal-state", daemon=True)
        self._fetch = fetch
        self.result: Optional[GoalState] = None
        self.error: Optional[LightinitError] = None

    def run(self) -> None:
        """Fetch."""
        try:
            self.result = self._fetch()
        except LightinitError as error:
            self.error = error


def _endpoint(key: str, value: Any) -> str:
    """``value``, if it is an endpoint by the rule that the settings have too."""
    try:
        return check_endpoint(str(value))
    except ValueError as error:
        raise ProvisioningError("endpoint is not usable", key=key, value=str(value)[:100], error=error,
                                hint="give host or host:port") from None
