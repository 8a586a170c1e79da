"""A VM without an owner: reported to the pool once, then waited for, whatever the network does meanwhile."""
from __future__ import annotations

import os
from typing import Any, Callable, List, Optional

import pytest

from lightinit import boot, settings
from lightinit.errors import ProvisioningError, TransientError
from lightinit.formats.ovf import OvfEnvironment
from lightinit.host.system import System
from lightinit.pipeline import Context
from lightinit.registry import datasource_schema, module_schema
from lightinit.stages import pool
from lightinit.state import State, Timeline
from tests.support import UUID, Machine, ScriptedClock

OWNER = (b'<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure">'
         b"<wa:ProvisioningSection><wa:Version>1.0</wa:Version><LinuxProvisioningConfigurationSet "
         b'xmlns="http://schemas.microsoft.com/windowsazure"><HostName>owned</HostName><UserName>owner</UserName>'
         b"<UserPassword>secret</UserPassword></LinuxProvisioningConfigurationSet></wa:ProvisioningSection>"
         b"<wa:PlatformSettingsSection><wa:PlatformSettings><wa:PreprovisionedVm>true</wa:PreprovisionedVm>"
         b"</wa:PlatformSettings></wa:PlatformSettingsSection></Environment>")


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


class Source:
    """A datasource, as far as the wait goes."""

    pool_type = "Running"

    def __init__(self, imds: Imds, report: Callable[[], None] = lambda: None, goal_state: bool = True) -> None:
        self.imds = imds
        self.reports = 0
        self.adopted: Optional[OvfEnvironment] = None
        self.document = b""
        self._report = report
        self._goal_state = goal_state

    def report_to_pool(self, before: Callable[[], None]) -> None:
        if self._goal_state:
            before()
            self.reports += 1
        self._report()

    def adopt(self, environment: OvfEnvironment, document: bytes) -> None:
        self.adopted, self.document = environment, document


def make(tmp_path: Any, source: Source) -> Context:
    machine = Machine(tmp_path)
    system = System(machine.root, clock=ScriptedClock())
    context = boot.make_context(system, settings.load(system, datasource_schema, module_schema), Timeline(system.clock))
    context.use_instance(UUID)
    assert isinstance(context.state, State)
    context.state.make_current()
    context.datasource = source
    context.network = pool.find_network(system, 1.0)
    return context


def test_it_is_reported_once_and_then_waited_for(tmp_path: Any) -> None:
    source = Source(Imds(None, None, TransientError("request timed out"), None, OWNER))
    context = make(tmp_path, source)
    pool.wait_for_owner(context)
    assert source.reports == 1 and source.imds.asked == 5
    assert source.adopted is not None
    assert (source.adopted.hostname, source.adopted.user_name, source.adopted.password) == ("owned", "owner", "secret")
    assert not source.adopted.preprovisioned, "or it would wait for the next owner"
    assert source.document == OWNER
    assert context.state is not None
    assert context.state.load("pool") == {"kind": "Running", "begun": True, "reported": True, "owner": True}


def test_after_a_reboot_the_pool_knows_already(tmp_path: Any) -> None:
    source = Source(Imds(None, OWNER))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save("pool", {"kind": "Running", "reported": True, "owner": False})
    pool.wait_for_owner(context)
    assert source.reports == 0 and source.adopted is not None


def test_the_pool_hears_first_also_where_the_owners_data_are_there_already(tmp_path: Any) -> None:
    source = Source(Imds(OWNER), lambda: asked.append(source.imds.asked))
    asked: List[int] = []
    context = make(tmp_path, source)
    pool.wait_for_owner(context)
    assert source.reports == 1 and asked == [0], "this VM has never said anything"
    assert source.adopted is not None and context.system.clock.monotonic() == 1000.0, "and nothing is waited for then"


@pytest.mark.parametrize("said", [{"begun": True}, {"begun": True, "reported": True}, {"reported": True, "owner": True}])
def test_an_owner_that_came_after_the_report_is_not_told_that_its_vm_is_ready(tmp_path: Any, said: Any) -> None:
    """The power was cut after the report, perhaps before it was known to be accepted."""
    source = Source(Imds(OWNER))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save("pool", dict({"kind": "Running", "reported": False, "owner": False}, **said))
    pool.wait_for_owner(context)
    assert source.reports == 0 and source.adopted is not None and source.imds.asked == 1


def test_a_report_that_was_only_begun_is_made_again_while_there_is_no_owner(tmp_path: Any) -> None:
    """The power was cut before it was accepted: without a report the VM would never get one."""
    source = Source(Imds(None, None, OWNER))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save("pool", {"kind": "Running", "begun": True, "reported": False, "owner": False})
    pool.wait_for_owner(context)
    assert source.reports == 1 and source.adopted is not None


def test_it_is_on_the_disk_that_a_report_is_begun_before_it_is_sent(tmp_path: Any) -> None:
    def report() -> None:
        assert context.state is not None
        seen.append(context.state.load("pool"))

    seen: List[Any] = []
    context = make(tmp_path, Source(Imds(OWNER), report))
    pool.wait_for_owner(context)
    assert seen == [{"kind": "Running", "begun": True, "reported": False, "owner": False}]


def test_who_had_an_owner_is_not_left_waiting_for_ever(tmp_path: Any) -> None:
    source = Source(Imds(None))
    context = make(tmp_path, source)
    assert context.state is not None
    context.state.save("pool", {"kind": "Running", "reported": True, "owner": True})
    pool.wait_for_owner(context)
    assert source.reports == 0 and source.imds.asked > 3
    assert source.adopted == OvfEnvironment(), "nothing is known of it but what IMDS says"


def test_a_pool_that_cannot_be_told_is_an_error(tmp_path: Any) -> None:
    def refuse() -> None:
        raise ProvisioningError("wireserver refused the health report")

    source = Source(Imds(None), refuse, goal_state=False)
    context = make(tmp_path, source)
    with pytest.raises(ProvisioningError, match="wireserver refused"):
        pool.wait_for_owner(context)
    assert context.state is not None and context.state.load("pool") is None
    assert source.imds.asked == 0, "and is not waited for"


def test_data_that_cannot_be_used_are_asked_for_again(tmp_path: Any) -> None:
    source = Source(Imds(b"<html>", b"<html>", OWNER.replace(b"ProvisioningSection>", b"Section>"), OWNER))
    context = make(tmp_path, source)
    pool.wait_for_owner(context)
    assert source.adopted is not None


def test_a_link_that_flaps_while_nobody_looks_is_seen(tmp_path: Any) -> None:
    """As when it is down and up again before the answer to a question has come, or with that to the report."""
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
    pool.wait_for_owner(context)
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
    pool.wait_for_owner(context)
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    assert pauses[0] >= 9 and pauses[1] >= 9, "as the setting says while nothing happens"
    assert pauses[2] < 9 and all(pause <= 2 for pause in pauses[3:]), pauses
