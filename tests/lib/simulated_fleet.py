"""Many VMs in simulated time: the WireServer's real client, over a server that takes only so many
requests a second. Hundreds of VMs take a moment, and each run gives the same numbers.

A VM here does what a boot does: a thread asks for the goal state, the modules take a moment beside
it, and the report takes over where that thread is. Only one thread runs at a time.
"""

from __future__ import annotations

import heapq
import random
import threading
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from lightinit.datasources.azure.wireserver.client import WireServerClient
from lightinit.emulator.wire.rate_limit import RateLimit
from lightinit.host.clock import Clock
from lightinit.host.network.http import Response
from lightinit.retry import RetryPolicy
from tests.lib.transport import GOAL_STATE, FakeTransport, Sent

MODULES_S = 0.3
GRACE_S = 1.0  # the fetch stage waits so long for a goal state that is late
POLICY = RetryPolicy(deadline_s=300.0)


class SharedClock(Clock):
    """A clock for many threads. Who sleeps lets the one run whose time is next."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._queue: List[Tuple[float, int, threading.Event]] = []
        self._count = 0
        self._idle = threading.Event()

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return 1700000000.0 + self.now_s

    def sleep(self, duration_s: float) -> None:
        turn = self._turn_at(self.now_s + max(0.0, duration_s))
        self._idle.set()
        turn.wait()

    def begin(self, at_s: float, work: Callable[[], None]) -> None:
        """Start ``work`` in a thread at a time of this clock."""
        turn = self._turn_at(at_s)

        def run() -> None:
            turn.wait()
            try:
                work()
            finally:
                self._idle.set()

        threading.Thread(target=run, daemon=True).start()

    def run(self) -> None:
        """Let time pass until nobody waits."""
        while self._queue:
            self.now_s, _, turn = heapq.heappop(self._queue)
            self._idle.clear()
            turn.set()
            self._idle.wait()

    def _turn_at(self, at_s: float) -> threading.Event:
        self._count += 1
        turn = threading.Event()
        heapq.heappush(self._queue, (at_s, self._count, turn))
        return turn


class GivenUpError(Exception):
    """The report begins."""


class Until(Clock):
    """A clock whose sleeps end at a time, with an error."""

    def __init__(self, clock: SharedClock) -> None:
        self._clock = clock
        self.ends_s = float("inf")

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, duration_s: float) -> None:
        left_s = max(0.0, self.ends_s - self._clock.now_s)
        self._clock.sleep(min(duration_s, left_s))
        if duration_s > left_s:
            raise GivenUpError


class Outcome(NamedTuple):
    """How a fleet came up.

    Attributes:
        requests: how many requests the WireServer has had.
        refused: how many of them it has refused.
        ready_s: when each VM was Ready, from its own lease.
        last_s: when the last was Ready, from the first lease.
    """

    requests: int
    refused: int
    ready_s: List[float]
    last_s: float


def simulate(
    vms: int,
    within_s: float,
    limit: Dict[str, Any],
    refuse_first: int = 0,
    status: int = 429,
    seed: int = 1,
) -> Outcome:
    """Boot VMs against one WireServer.

    Args:
        vms: how many.
        within_s: they get their leases at random within so many seconds.
        limit: what the server takes, as in a scenario's ``rate_limit``.
        refuse_first: how many requests it refuses at first, whatever the limit.
        status: its answer to what it refuses.
        seed: another one gives other leases and pauses.
    """
    clock = SharedClock()
    server = BusyServer(RateLimit(limit, clock.monotonic), refuse_first, status)
    leases = random.Random(seed)  # noqa: S311 - the same in each run
    begins = [clock.now_s + leases.random() * within_s for _ in range(vms)]
    ready_s: List[float] = []

    def vm(dice: Callable[[], float]) -> None:
        begun_s = clock.now_s
        boot(server, clock, dice)
        ready_s.append(clock.now_s - begun_s)

    for number, begin_s in enumerate(begins):
        own = random.Random(1000 * seed + number)  # noqa: S311 - the same in each run
        clock.begin(begin_s, lambda own=own: vm(own.random))  # type: ignore[misc]
    clock.run()
    return Outcome(server.requests, server.refused, ready_s, clock.now_s - min(begins))


def boot(server: "BusyServer", clock: SharedClock, dice: Callable[[], float]) -> None:
    """What one VM asks of the WireServer."""
    until = Until(clock)
    first = make_client(server, until, dice)
    begun_s = clock.now_s
    failed: List[float] = []

    def note() -> None:
        # A goal state that does not come at once is given up when the modules are done.
        failed.append(clock.now_s)
        until.ends_s = begun_s + GRACE_S + MODULES_S

    try:
        first.fetch_goal_state(failed=note)
    except GivenUpError:
        client = make_client(server, clock, dice)
        client.heed(first)
    else:
        client = first
        until.ends_s = float("inf")
        clock.sleep(MODULES_S)
    client.report_ready()


def make_client(server: "BusyServer", clock: Clock, dice: Callable[[], float]) -> WireServerClient:
    transport: Any = FakeTransport(server)
    return WireServerClient(transport, "10.1.2.3", clock, POLICY, POLICY, random=dice)


class BusyServer:
    """A WireServer that takes only so many requests."""

    def __init__(self, limit: RateLimit, refuse_first: int, status: int) -> None:
        self._limit = limit
        self._refuse_first = refuse_first
        self._status = status
        self.requests = 0
        self.refused = 0

    def __call__(self, sent: Sent) -> Response:
        self.requests += 1
        refusal: Optional[Dict[str, Any]] = self._limit.refuse()
        if self.requests <= self._refuse_first or refusal:
            self.refused += 1
            return Response(self._status, {}, b"", (refusal or {}).get("retry_after_s"))
        return Response(200, {}, GOAL_STATE % 1 if sent.method == "GET" else b"")
