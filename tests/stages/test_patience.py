"""The sum of all waits of a boot, in the worst cases, by a scripted clock: the platform hears
something before its patience ends.

Azure waits for 20 to 40 minutes. So the first report is tried within 20 minutes, however bad it is,
and the boot ends before systemd ends it.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional

import pytest

from lightinit import boot
from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.errors import TransientError
from lightinit.host.clock import Clock
from lightinit.host.init.watchdog import Alarm, OnClose, OnDeath, TimeLimit, Watchdog
from lightinit.host.network.http import Response
from lightinit.host.system import System
from tests.lib.context import make_context
from tests.lib.imds_document import changed
from tests.lib.scratch import LEASE, Machine

FIRST_REPORT_S = 20 * 60.0
ENDS_S = 25 * 60.0  # TimeoutStartSec= of the unit is 35 minutes
REPORT_S = 300.0
NEVER_S = float("inf")
DOCUMENT = json.dumps(dict(changed("compute.name", "vm"), extended={"compute": {}})).encode()


class Overdue(BaseException):
    """The watchdog acts."""


class WorldClock(Clock):
    """Moves when the main thread sleeps. Another thread's sleep takes no time of the main one.

    Args:
        lease_at_s: when the lease comes, in seconds from the beginning.
        make_lease: makes it come.
    """

    def __init__(self, lease_at_s: float, make_lease: Callable[[], None]) -> None:
        self._own = threading.local()
        self._own.now_s = 0.0
        self._lease_at_s, self._make_lease = lease_at_s, make_lease
        self.watchdog: Optional[Recorded] = None

    def monotonic(self) -> float:
        return float(getattr(self._own, "now_s", 0.0))

    def time(self) -> float:
        return 1700000000.0 + self.monotonic()

    def sleep(self, duration_s: float) -> None:
        ends_s = self.monotonic() + duration_s
        if threading.current_thread() is threading.main_thread():
            if self._lease_at_s <= ends_s:
                self._lease_at_s = NEVER_S
                self._make_lease()
            due_s = self.watchdog.due_s if self.watchdog is not None else None
            if due_s is not None and due_s <= ends_s:
                self._own.now_s = max(due_s, self.monotonic())
                raise Overdue
        self._own.now_s = ends_s


class Recorded(Watchdog):
    """Says when it would act, without a second process."""

    def begin(
        self,
        limit_s: float,
        alarm: Alarm,
        on_death: OnDeath = lambda *_: None,
        clean: Callable[[], None] = lambda: None,
        on_close: OnClose = lambda *_: None,
    ) -> None:
        self._time = TimeLimit(limit_s, self._monotonic())

    @property
    def due_s(self) -> Optional[float]:
        """When it acts."""
        return self._time.due_s


class World(NamedTuple):
    """How bad it is.

    Attributes:
        lease_at_s: when the lease comes.
        imds_at_s: when IMDS begins to give its whole document.
        refusal: the status until then; 0: requests hang.
        question_alone: whether IMDS is well only when the report asks whether it is.
        wireserver_at_s: when the WireServer begins to answer.
    """

    lease_at_s: float = 0.0
    imds_at_s: float = 0.0
    refusal: int = 0
    question_alone: bool = False
    wireserver_at_s: float = NEVER_S


WORLDS = {
    "no lease": World(lease_at_s=NEVER_S),
    "a late lease, then IMDS hangs": World(lease_at_s=299.0, imds_at_s=NEVER_S),
    "a late lease, then IMDS refuses": World(lease_at_s=299.0, imds_at_s=NEVER_S, refusal=500),
    "the lease comes with the report": World(lease_at_s=310.0, imds_at_s=NEVER_S, refusal=404),
    "all is late, and custom data are slow": World(lease_at_s=299.0, imds_at_s=580.0),
    "IMDS comes and goes": World(lease_at_s=299.0, imds_at_s=0.0, refusal=503, question_alone=True),
    "IMDS comes with the report": World(imds_at_s=600.0, refusal=429),
    "the WireServer is late": World(lease_at_s=299.0, imds_at_s=500.0, wireserver_at_s=1200.0),
}


def transport_of(world: World, tried_s: List[float]) -> Any:
    """A transport class for ``world``; it notes when a report is tried."""

    class Transport:
        def __init__(self, clock: Clock, *_: Any, **_named: Any) -> None:
            self._clock = clock

        def request(self, method: str, url: str, *_: Any, timeout_s: float, **__: Any) -> Response:
            thread, now_s = threading.current_thread(), self._clock.monotonic()
            is_main = thread is threading.main_thread()
            if "/metadata/" in url:
                is_well = is_main and now_s >= world.imds_at_s
                if world.question_alone:
                    is_well = thread.name == "lightinit-imds"
                if is_well:
                    return Response(200, {}, DOCUMENT)
                if world.refusal:
                    return Response(world.refusal)
            elif is_main:
                tried_s.append(now_s)
            self._clock.sleep(timeout_s)
            raise TransientError("request timed out", url=url)

    return Transport


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_the_platform_hears_something_in_time(tmp_path: Path, name: str) -> None:
    world, tried_s = WORLDS[name], []  # type: World, List[float]
    lease = "/var/lib/dhcp/dhclient.eth0.leases"
    machine = Machine(tmp_path, without=[lease])
    machine.put(
        "/etc/lightinit/conf.d/10-test.conf",
        "[lightinit]\nmodules = tests.lib.slow_module\nlogin_check = no\n"
        "[network]\ninterface = nic-of-nowhere\n",
    )
    clock = WorldClock(
        world.lease_at_s, lambda: machine.put(lease, LEASE.replace("eth0", "nic-of-nowhere"))
    )
    system = System(machine.root, clock)
    context = make_context(system)

    class Source(AzureDatasource):
        TRANSPORT = transport_of(world, tried_s)

    context.datasource = Source(system, {"media": "none", "telemetry": False})
    context.watchdog = clock.watchdog = Recorded(clock.monotonic)
    ends_s = REPORT_S
    try:
        boot.boot(context)
        ends_s = 0.0
    except Overdue:
        tried_s.append(clock.monotonic())
    ends_s += clock.monotonic()
    assert min(tried_s) <= FIRST_REPORT_S
    assert ends_s <= ENDS_S
