"""Exact crash recovery: the power is cut before each single change to the disk in turn, and the
next boot completes.

The cut is an exception that nothing catches, thrown by the System itself in place of (or right
after) a change; then a new process' worth of objects boots the same root again. In the end the root
must be as if nothing had happened.
"""

from __future__ import annotations

import signal
import time
from typing import Any, List, Optional

import pytest

from lightinit import boot
from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.host.system import System
from tests.lib.context import make_context
from tests.lib.lasting import lasting
from tests.lib.scratch import Machine

pytestmark = pytest.mark.long


class PowerCut(BaseException):
    """Nothing catches this."""


class FailingSystem(System):
    """A machine whose power is cut at its Nth change.

    Args:
        root: the scratch root.
        cut_at: which change, counted from 1; None never.
        after: whether the change is still made.
        only: how the names end of the changes that count.
    """

    def __init__(self, root: str, cut_at: Optional[int], after: bool, only: str = "") -> None:
        super().__init__(root)
        self.changes: List[str] = []
        self._cut_at = cut_at
        self._after = after
        self._only = only

    def _change(self, name: str, work: Any) -> Any:
        if name.startswith("/run/lightinit/status") or not name.endswith(self._only):
            return work()
        self.changes.append(name)
        cut = len(self.changes) == self._cut_at
        if cut and not self._after:
            raise PowerCut(name)
        result = work()
        if cut:
            raise PowerCut(name)
        return result

    def write(self, name: str, *arguments: Any, **more: Any) -> None:
        self._change(name, lambda: super(FailingSystem, self).write(name, *arguments, **more))

    def link(self, name: str, target: str, over_file: bool = False) -> None:
        self._change(name, lambda: super(FailingSystem, self).link(name, target, over_file))

    def make_dir(self, name: str, mode: int = 0o755) -> None:
        self._change(name, lambda: super(FailingSystem, self).make_dir(name, mode))

    def remove(self, name: str) -> bool:
        return bool(self._change(name, lambda: super(FailingSystem, self).remove(name)))


def run(
    machine: Machine, cut_at: Optional[int] = None, after: bool = False, only: str = ""
) -> FailingSystem:
    """Boot in this process, perhaps with a cut."""
    system = FailingSystem(machine.root, cut_at, after, only)
    context = make_context(system)
    try:
        assert boot.boot(context) in ("done", "degraded done")
    except PowerCut:
        pass
    return system


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_cut_at_every_change_is_made_good(tmp_path: Any, after: bool) -> None:
    with Platform() as platform:
        whole = Machine(tmp_path / "whole")
        whole.lead_to(platform)
        count = len(run(whole).changes)
        assert count > 10
        expected = lasting(whole)
        readies = platform.ready_count
        assert readies == 1
        for cut_at in range(1, count + 1):
            machine = Machine(tmp_path / str(cut_at))
            machine.lead_to(platform)
            where = run(machine, cut_at, after).changes[-1]
            machine.put("/proc/sys/kernel/random/boot_id", "22222222-2222-4222-8222-222222222222\n")
            run(machine)
            machine.put("/proc/sys/kernel/random/boot_id", "11111111-1111-4111-8111-111111111111\n")
            assert lasting(machine) == expected, "after a cut %s change %d (%s)" % (
                "after" if after else "before",
                cut_at,
                where,
            )
            heard, readies = platform.ready_count - readies, platform.ready_count
            # Only between 'the platform has accepted' and 'the mark says so' a second Ready cannot
            # be excluded.
            assert heard == 1 or (heard == 2 and where.endswith("/sem/stage.final")), (where, heard)
            run(machine)
            assert platform.ready_count == readies


@pytest.mark.parametrize("owned", [False, True], ids=["owner after Ready", "owner from the start"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "cut_at, readies", [(1, 0), (2, 1), (3, 1)], ids=["begun", "reported", "owner"]
)
def test_a_cut_at_every_change_of_a_pools_record(
    tmp_path: Any, cut_at: int, readies: int, after: bool, owned: bool
) -> None:
    """The pool hears Ready, once, and so does the owner."""
    machine = Machine(tmp_path)
    machine.put(
        "/media/ovf-env.xml", make_ovf("keeper", "pool-7", preprovisioned_type="Savable").decode()
    )
    with Platform(scenario="preprovisioned-savable") as platform:
        if owned:
            assert platform.scenario.assign is not None
            platform.assign(platform.scenario.assign["ovf"], platform.scenario.assign["instance"])
        machine.lead_to(platform, "[azure]\nmedia = /media\nreprovision_poll_s = 0.1\n")
        assert len(run(machine, cut_at, after, "/pool.json").changes) == cut_at
        assert platform.ready_count == readies
        # Who has heard Ready gives the VM an owner, and by the next boot it has.
        deadline_s = time.monotonic() + 120
        while (
            readies and platform.machine.reprovision_data is None and time.monotonic() < deadline_s
        ):
            time.sleep(0.02)
        machine.put("/proc/sys/kernel/random/boot_id", "22222222-2222-4222-8222-222222222222\n")
        run(machine)
        assert machine.read("/etc/hostname") == "owned-vm\n"
        if not owned:
            assert [report["in_pool"] for report in platform.final_reports] == [True, False]
        elif cut_at == 1 and after:
            assert platform.ready_count == 1, (
                "by its record it may have reported, and with an owner that is not done again"
            )
        else:
            assert platform.ready_count == 2


@pytest.mark.parametrize("delay_s", [0.02, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4])
def test_kill_9_at_any_time_is_made_good(tmp_path: Any, delay_s: float) -> None:
    machine = Machine(tmp_path)
    with Platform(latency_s=0.02) as platform:
        machine.lead_to(platform)
        process = machine.start("boot")
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        assert 1 <= platform.ready_count <= 2
        assert all(report["accepted"] for report in platform.final_reports)
    assert machine.run("status").returncode == 0
    leftovers = [name for name in machine.tree() if "lightinit-new" in name]
    assert not leftovers
