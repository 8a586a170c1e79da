"""Reports to Azure: the health report to the WireServer, and the same in Hyper-V's key-value pool.

It knows the words of a report and the order of its parts, and that work is reported before its
result. It does not know why a VM is not ready.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Callable, List, Mapping, Optional, Tuple

from lightinit.datasources.azure.clients import printable_agent
from lightinit.datasources.azure.media import MediaReading
from lightinit.datasources.azure.wireserver.client import WireServerClient
from lightinit.errors import LightinitError
from lightinit.formats.azure import health
from lightinit.formats.azure import kvp as records
from lightinit.host.azure import kvp_pool
from lightinit.host.clock import Errand
from lightinit.host.system import System
from lightinit.model import GoalState, Instance

LOG = logging.getLogger("lightinit.azure")
FAILED = "ProvisioningFailed"
NO_POOL = "None"


class Reports:
    """Makes and sends the reports of one VM.

    Args:
        system: the machine.
        options: a value for each key of the section [azure].
    """

    def __init__(self, system: System, options: Mapping[str, Any]) -> None:
        self._system = system
        self._telemetry = bool(options["telemetry"])
        self._agent = printable_agent(options)

    def prepare(
        self,
        failure: Optional[LightinitError],
        vm_id: str,
        pool_type: str,
        instance: Optional[Instance],
    ) -> Tuple[str, Tuple[str, ...]]:
        """Prepare the health report: write the record into the key-value pool and, on success,
        eject the media.

        The host reads the pool when it gets the health report, so the record comes first. The media
        are ejected because they hold the password. After a failure they stay for the next attempt.

        Args:
            failure: why the VM is not ready; None if it is.
            vm_id: the platform's id of this VM, "" if unknown.
            pool_type: the kind of pool that this VM comes from, "" for none.
            instance: what was fetched, in this boot or an earlier one; None if nothing was.

        Returns:
            The record, for :meth:`send`; and warnings.
        """
        if failure is None:
            record = self.describe_success(vm_id, pool_type)
        else:
            record = self.describe_failure(failure, vm_id)
        warnings: List[str] = []
        if self._telemetry:
            try:
                report_provisioning(self._system, record)
            except LightinitError as error:
                warnings.append("no telemetry: %s" % error)
        if failure is None and instance is not None:
            warnings += self._eject(instance)
        return record, tuple(warnings)

    def send(
        self,
        wireserver: WireServerClient,
        failure: Optional[LightinitError],
        vm_id: str,
        record: str,
        check: Callable[[], None],
    ) -> None:
        """Send the health report: Ready, or NotReady with the record.

        Args:
            wireserver: the client.
            failure, vm_id: as for :meth:`prepare`.
            record: from :meth:`prepare`.
            check: ends the attempts to report NotReady by what it raises; see the client.

        Raises:
            ProvisioningError: the platform did not accept the report.
        """
        if failure is None:
            wireserver.report_ready()
            return
        now = self._timestamp()
        short = health.failure_description(failure.reason, {}, self._agent, vm_id, now)
        wireserver.report_not_ready(FAILED, record, short, check)

    def describe_failure(self, failure: LightinitError, vm_id: str) -> str:
        """The record of a failure, with its reason, for operators and their tools."""
        return health.failure_description(
            failure.reason, failure.details, self._agent, vm_id, self._timestamp()
        )

    def describe_success(self, vm_id: str, pool_type: str) -> str:
        """The record of a success. Only the key-value pool has room for it."""
        return health.success_description(
            self._agent, vm_id, self._timestamp(), pool_type or NO_POOL
        )

    def _eject(self, instance: Instance) -> List[str]:
        medium = instance.raw.get("media") or {}
        if not medium.get("optical"):
            return []
        why_not = MediaReading.eject(self._system, str(medium["device"]))
        if not why_not:
            return []
        return ["the provisioning media could not be ejected: %s" % why_not]

    def _timestamp(self) -> str:
        now_s = self._system.clock.time()
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_s))


def report_provisioning(system: System, record: str) -> None:
    """Write ``record`` into the key-value pool, in the place of an earlier one. The host reads it
    when it gets the health report.

    Args:
        system: the machine.
        record: from :mod:`lightinit.formats.azure.health`.

    Raises:
        ProvisioningError: it could not be written. This takes a few seconds at most.
    """
    kvp_pool.put(system, records.encode_report(record), records.KEY_FIELD_BYTES)


class GoalStateReading(Errand):
    """Fetches the goal state in a thread. If the boot takes longer, it then reports that this VM
    is at work. Meanwhile the connection stays open for the final report. If no further thread can
    be had, it fetches it when somebody waits for it without a limit, and reports nothing.

    Args:
        wireserver: the client. Nobody else may use it before this thread has ended.
        announce_after_s: seconds from the goal state to the report; 0 reports in any case, None
            never.
        patience_s: seconds for which :meth:`finish` waits for a request.

    Attributes:
        error: why there is no goal state; None if there is one, or if it is still being asked for.
    """

    def __init__(
        self,
        wireserver: WireServerClient,
        announce_after_s: Optional[float],
        patience_s: float,
    ) -> None:
        super().__init__("lightinit-goal-state")
        self._patience_s = patience_s
        self._wireserver = wireserver
        self._announce_after_s = announce_after_s
        self._fetched = threading.Event()
        self._idle = threading.Event()  # no request for the goal state is under way
        self._asked_s = 0.0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._is_left = False  # others use a connection of their own, and perhaps report the result
        self._result: Optional[GoalState] = None
        self.error: Optional[LightinitError] = None

    def run(self) -> None:
        """Fetch, then report."""
        try:
            self._result = self._wireserver.fetch_goal_state(self._check, self._idle.set)
        except LightinitError as error:
            self.error = error
        except _NotNeededError:
            return
        finally:
            with self._lock:
                self._fetched.set()
            self._idle.set()
        is_beside = threading.current_thread() is self
        if self._result is None or self._is_left or not is_beside:
            return
        if self._announce_after_s != 0:
            self._wireserver.connect_ahead()
            if self._announce_after_s is None or self._over.wait(self._announce_after_s):
                return
        try:
            self._wireserver.report_progress(self._result, "provisioning")
        except LightinitError as error:
            LOG.info("the platform was not told that this VM is at work: %s", error)
        self._wireserver.connect_ahead()

    def result_of_fetch(self, wait_s: Optional[float] = None) -> Optional[GoalState]:
        """Wait for the goal state.

        Args:
            wait_s: seconds to wait at most; None waits until it is there or given up.

        Returns:
            None if there is none; ``error`` says why, unless it is still being asked for.
        """
        if self.has_begun:
            self._fetched.wait(wait_s)
        elif wait_s is None:
            self.do_here()
        return self._result

    def finish(self) -> bool:
        """Report nothing from now on. Waits for a report that is under way, and for a request for
        the goal state that was sent less than ``patience_s`` ago: to a server that is slow, asking
        twice would be more work.

        Returns:
            Whether the client is free. If not, a request of this thread is still on its connection;
            after that, the thread sends nothing more.
        """
        self._over.set()
        if not self.has_begun:
            return True
        self._idle.wait(max(0.0, self._asked_s + self._patience_s - time.monotonic()))
        with self._lock:
            self._is_left = not self._fetched.is_set()
        if self._is_left:
            return False
        self.join()
        return True

    def _check(self) -> None:
        """Called before each attempt."""
        self._asked_s = time.monotonic()
        self._idle.clear()  # first: whoever then sets _over waits for the request
        if self._over.is_set():
            raise _NotNeededError


class _NotNeededError(Exception):
    """The result is there, so nobody asks for the goal state any more."""
