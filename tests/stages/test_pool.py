"""A VM without an owner: reported to the pool once, then waited for, whatever the network does
meanwhile.
"""

from __future__ import annotations

import os
from typing import Any, Callable, List, Optional

import pytest

from lightinit.datasources.azure.identity import WIRESERVER
from lightinit.datasources.azure.pool import TAKEN_AT_REPORT, OwnerData, OwnerSearch
from lightinit.datasources.azure.wireserver.client import WireServerClient
from lightinit.datasources.base import Datasource
from lightinit.errors import ProvisioningError, TransientError
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.host.system import System
from lightinit.pipeline import Context
from lightinit.stages import pool
from lightinit.state import State
from tests.lib.context import make_context
from tests.lib.scratch import UUID, Machine, ScriptedClock
from tests.lib.transport import GOAL_STATE, FakeTransport, middle, ok, status

OWNER = (
    b'<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" '
    b'xmlns:wa="http://schemas.microsoft.com/windowsazure">'
    b"<wa:ProvisioningSection><wa:Version>1.0</wa:Version><LinuxProvisioningConfigurationSet "
    b'xmlns="http://schemas.microsoft.com/windowsazure"><HostName>owned</HostName>'
    b"<UserName>owner</UserName>"
    b"<UserPassword>secret</UserPassword></LinuxProvisioningConfigurationSet>"
    b"</wa:ProvisioningSection>"
    b"<wa:PlatformSettingsSection><wa:PlatformSettings>"
    b"<wa:PreprovisionedVm>true</wa:PreprovisionedVm>"
    b"</wa:PlatformSettings></wa:PlatformSettingsSection></Environment>"
)


class Imds:
    """Answers in order; the last one for ever."""

    def __init__(self, *steps: Any) -> None:
        self.steps: List[Any] = list(steps)
        self.asked = 0

    def fetch_reprovision_data(self, timeout_s: float) -> Optional[bytes]:
        self.asked += 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        found: Optional[bytes] = step() if callable(step) else step
        return found


class Source(Datasource):
    """A datasource, as far as the wait goes. It reads the owner's document as Azure's does."""

    ADDRESSES = (WIRESERVER,)

    def __init__(
        self, imds: Imds, report: Callable[[], None] = lambda: None, goal_state: bool = True
    ) -> None:
        super().__init__(System("/nonexistent"), {})
        self.pool_type = "Running"
        self.imds = imds
        self._owner = OwnerSearch()
        self.reports = 0
        self.adopted: Optional[OvfEnvironment] = None
        self.document = b""
        self._report = report
        self._goal_state = goal_state

    def report_to_pool(self, before: Callable[[], None], is_enough: Callable[[bool], bool]) -> bool:
        if self._goal_state:
            before()
            self.reports += 1
        self._report()
        return True

    def is_taken_at_report(self) -> bool:
        return self.pool_type in TAKEN_AT_REPORT

    def find_owner(self) -> bool:
        return self._owner.ask(self.imds)  # type: ignore[arg-type]

    def adopt_owner(self) -> None:
        self.adopted, self.document = self._owner.found or OwnerData()


def make(tmp_path: Any, source: Source) -> Context:
    machine = Machine(tmp_path)
    system = System(machine.root, clock=ScriptedClock())
    context = make_context(system)
    context.use_instance(UUID)
    assert isinstance(context.state, State)
    context.state.make_current()
    context.datasource = source
    context.network = pool.find_network(system, source, 1.0)
    return context


def test_it_is_reported_once_and_then_waited_for(tmp_path: Any) -> None:
    source = Source(Imds(None, None, TransientError("request timed out"), None, OWNER))
    context = make(tmp_path, source)
    pool.wait_for_owner(context, source)
    assert source.reports == 1 and source.imds.asked == 5
    assert source.adopted is not None
    assert (source.adopted.hostname, source.adopted.user_name, source.adopted.password) == (
        "owned",
        "owner",
        "secret",
    )
    assert not source.adopted.preprovisioned, "or it would wait for the next owner"
    assert source.document == OWNER
    assert context.state is not None
    assert context.state.load("pool") == {
        "kind": "Running",
        "begun": True,
        "reported": True,
        "owner": True,
    }


def test_after_a_reboot_the_pool_knows_already(tmp_path: Any) -> None:
    source = Source(Imds(None, OWNER))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save("pool", {"kind": "Running", "reported": True, "owner": False})
    pool.wait_for_owner(context, source)
    assert source.reports == 0 and source.adopted is not None


def test_the_pool_hears_first_also_where_the_owners_data_are_there_already(tmp_path: Any) -> None:
    source = Source(Imds(OWNER), lambda: asked.append(source.imds.asked))
    asked: List[int] = []
    context = make(tmp_path, source)
    pool.wait_for_owner(context, source)
    assert source.reports == 1 and asked == [0], "this VM has never said anything"
    assert source.adopted is not None and context.system.clock.monotonic() == 1000.0, (
        "and nothing is waited for then"
    )


@pytest.mark.parametrize(
    "said", [{"begun": True}, {"begun": True, "reported": True}, {"reported": True, "owner": True}]
)
def test_an_owner_that_came_after_the_report_is_not_told_that_its_vm_is_ready(
    tmp_path: Any, said: Any
) -> None:
    """The power was cut after the report, perhaps before it was known to be accepted."""
    source = Source(Imds(OWNER))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save("pool", dict({"kind": "Running", "reported": False, "owner": False}, **said))
    pool.wait_for_owner(context, source)
    assert source.reports == 0 and source.adopted is not None and source.imds.asked == 1


def test_a_report_that_was_only_begun_is_made_again_while_there_is_no_owner(tmp_path: Any) -> None:
    """The power was cut before it was accepted: without a report the VM would never get one."""
    source = Source(Imds(None, None, OWNER))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save(
        "pool", {"kind": "Running", "begun": True, "reported": False, "owner": False}
    )
    pool.wait_for_owner(context, source)
    assert source.reports == 1 and source.adopted is not None


def test_it_is_on_the_disk_that_a_report_is_begun_before_it_is_sent(tmp_path: Any) -> None:
    def report() -> None:
        assert context.state is not None
        seen.append(context.state.load("pool"))

    seen: List[Any] = []
    source = Source(Imds(OWNER), report)
    context = make(tmp_path, source)
    pool.wait_for_owner(context, source)
    assert seen == [{"kind": "Running", "begun": True, "reported": False, "owner": False}]


def test_who_had_an_owner_is_not_left_waiting_for_ever(tmp_path: Any) -> None:
    source = Source(Imds(None))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save("pool", {"kind": "Running", "reported": True, "owner": True})
    pool.wait_for_owner(context, source)
    assert source.reports == 0 and source.imds.asked > 3
    assert source.adopted == OvfEnvironment(), "nothing is known of it but what IMDS says"


def test_a_pool_that_cannot_be_told_is_an_error(tmp_path: Any) -> None:
    def refuse() -> None:
        raise ProvisioningError("wireserver refused the health report")

    source = Source(Imds(None), refuse, goal_state=False)
    context = make(tmp_path, source)
    with pytest.raises(ProvisioningError, match="wireserver refused"):
        pool.wait_for_owner(context, source)
    assert context.state is not None and context.state.load("pool") is None
    assert source.imds.asked == 1, "and is not waited for"


def test_an_owner_who_is_there_is_served_though_the_pool_could_not_be_told(tmp_path: Any) -> None:
    def refuse() -> None:
        raise ProvisioningError("wireserver is not ready")

    source = Source(Imds(OWNER), refuse, goal_state=False)
    pool.wait_for_owner(make(tmp_path, source), source)
    assert source.adopted is not None


class Told(Source):
    """A datasource that reports by the real client, over a transport that answers from a list.

    Args:
        kind: of which pool the VM is.
        imds: tells of the owner.
        steps: what the WireServer answers.
    """

    def __init__(self, kind: str, imds: Imds, *steps: Any) -> None:
        super().__init__(imds)
        self.pool_type = kind
        self.transport = FakeTransport(*steps)

    def report_to_pool(self, before: Callable[[], None], is_enough: Callable[[bool], bool]) -> bool:
        client = WireServerClient(
            self.transport,  # type: ignore[arg-type]
            "10.1.2.3",
            self.clock,
            random=middle,
        )
        return client.report_ready(before, is_enough)

    def posts(self) -> int:
        """How many reports were sent."""
        return len([sent for sent in self.transport.sent if sent.method == "POST"])

    def wait(self, tmp_path: Any) -> Any:
        """The whole of it; what the record says right after the report."""
        context = make(tmp_path, self)
        self.clock = context.system.clock
        assert context.state is not None
        state, records = context.state, []

        def note(answer: Any = self.imds.fetch_reprovision_data) -> Any:
            records.append(state.load("pool"))
            return answer(0.0)

        self.imds.fetch_reprovision_data = lambda timeout_s: note()  # type: ignore[method-assign]
        pool.wait_for_owner(context, self)
        return records[0]


def lost(reason: str) -> TransientError:
    """What comes instead of the answer to a request that has gone out."""
    error = TransientError(reason)
    error.was_sent = True
    return error


GOAL = ok(GOAL_STATE % 1)
SENT = {"begun": True, "reported": False, "owner": False}
RESET, GONE = lost("connection reset"), TransientError("no route to host")


@pytest.mark.parametrize("kind", ["Savable", "PreprovisionedOSDisk"])
@pytest.mark.parametrize(
    "reason", ["connection reset", "request timed out", "connection closed without an answer"]
)
def test_a_platform_that_takes_the_nic_instead_of_answering_was_told(
    tmp_path: Any, kind: str, reason: str
) -> None:
    source = Told(kind, Imds(None, None, None, OWNER), GOAL, lost(reason), GONE)
    record = source.wait(tmp_path)
    assert source.adopted is not None and source.posts() == 1 and len(source.transport.sent) == 2
    assert record == dict(SENT, kind=kind), (
        "it has gone out, and nobody has said that it was accepted"
    )


@pytest.mark.parametrize(
    "early", [TransientError("connection refused"), GONE, status(503), RESET], ids=str
)
def test_what_failed_before_the_report_was_sent_is_tried_again(tmp_path: Any, early: Any) -> None:
    source = Told(
        "Savable",
        Imds(None, OWNER),
        early,
        early,
        GOAL,
        TransientError("connection refused"),
        GOAL,
        ok(),
    )
    source.wait(tmp_path)
    assert source.posts() == 2 and len(source.transport.sent) == 6 and source.adopted is not None


def test_a_refused_report_is_made_again(tmp_path: Any) -> None:
    source = Told("Savable", Imds(None), GOAL, status(503), status(410), GOAL, ok())
    source.imds.steps = [lambda: OWNER if source.posts() == 3 else None]
    source.wait(tmp_path)
    assert source.posts() == 3


@pytest.mark.parametrize("kind", ["Savable", "Running"])
def test_an_owner_who_comes_between_two_attempts_ends_them(tmp_path: Any, kind: str) -> None:
    """The platform has taken the report that it refused; now nobody can say at which."""
    source = Told(kind, Imds(None, None, OWNER), GOAL, status(410), GONE)
    source.wait(tmp_path)
    assert source.posts() == 1 and source.imds.asked == 3 and source.adopted is not None


def test_an_owner_who_was_there_before_any_report_does_not_end_the_attempts_at_one(
    tmp_path: Any,
) -> None:
    source = Told("Savable", Imds(OWNER), GONE, status(503), GOAL, ok())
    source.wait(tmp_path)
    assert source.posts() == 1


@pytest.mark.parametrize("changes", [False, True])
def test_a_running_vm_whose_answer_was_lost_reports_again_unless_a_link_has_changed(
    tmp_path: Any, changes: bool
) -> None:
    folder = str(tmp_path) + "/sys/class/net/eth0"
    os.makedirs(folder)

    def write(count: int) -> None:
        for name, value in (("carrier", 1), ("carrier_changes", count)):
            with open("%s/%s" % (folder, name), "w", encoding="utf-8") as handle:
                handle.write("%d\n" % value)

    def lose(_sent: Any) -> Any:
        write(4 if changes else 2)
        raise lost("request timed out")

    write(2)
    source = Told("Running", Imds(None, None, None, OWNER), GOAL, lose, GOAL, ok())
    source.wait(tmp_path)
    assert source.posts() == (1 if changes else 2) and source.adopted is not None


def test_a_pool_that_is_never_heard_of_after_the_report_was_told(tmp_path: Any) -> None:
    source = Told("Running", Imds(None), GOAL, RESET, GONE)
    source.imds.steps = [lambda: OWNER if source.clock.monotonic() > 1400 else None]
    source.wait(tmp_path)
    assert source.posts() == 1 and source.adopted is not None


def test_a_pool_that_was_never_reached_is_an_error_and_data_are_looked_at_no_earlier(
    tmp_path: Any,
) -> None:
    source = Told("Savable", Imds(None), GONE)
    with pytest.raises(ProvisioningError, match="no route to host"):
        source.wait(tmp_path)
    assert source.imds.asked == 1 and len(source.transport.sent) > 10


def test_data_that_cannot_be_used_are_asked_for_again(tmp_path: Any) -> None:
    source = Source(
        Imds(b"<html>", b"<html>", OWNER.replace(b"ProvisioningSection>", b"Section>"), OWNER)
    )
    context = make(tmp_path, source)
    pool.wait_for_owner(context, source)
    assert source.adopted is not None


def test_a_link_that_flaps_while_nobody_looks_is_seen(tmp_path: Any) -> None:
    """As when it is down and up again before the answer to a question has come, or with that to the
    report.
    """
    times: List[float] = []
    folder = str(tmp_path) + "/sys/class/net/eth0"
    os.makedirs(folder)

    def write(changes: int) -> None:
        for name, value in (("carrier", 1), ("carrier_changes", changes)):
            with open("%s/%s" % (folder, name), "w", encoding="utf-8") as handle:
                handle.write("%d\n" % value)

    def answer() -> Optional[bytes]:
        times.append(clock.monotonic())
        return OWNER if len(times) == 4 else None

    write(2)
    source = Source(Imds(answer), lambda: write(4))
    context = make(tmp_path, source)
    clock = context.system.clock
    pool.wait_for_owner(context, source)
    assert times[-1] - times[0] < 9, "or it would be asked every ten seconds"


def test_after_a_change_of_the_network_it_is_asked_at_once_and_often(tmp_path: Any) -> None:
    carrier = str(tmp_path) + "/sys/class/net/eth0/carrier"
    times: List[float] = []
    source = Source(Imds(None))
    context = make(tmp_path, source)
    clock = context.system.clock
    os.makedirs(os.path.dirname(carrier))

    def write(up: bool) -> None:
        with open(carrier, "w", encoding="utf-8") as handle:
            handle.write("%d\n" % up)

    def answer() -> Optional[bytes]:
        times.append(clock.monotonic())
        if len(times) == 3:
            write(False)  # the platform takes the cable out
        return OWNER if len(times) == 8 else None

    write(True)
    source.imds.steps = [answer]
    pool.wait_for_owner(context, source)
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    assert pauses[0] >= 9 and pauses[1] >= 9, "as the setting says while nothing happens"
    assert pauses[2] < 9 and all(pause <= 2 for pause in pauses[3:]), pauses
