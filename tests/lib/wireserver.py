"""A WireServer client over a transport that answers from a list, and a clock that moves only in
sleep().
"""

from __future__ import annotations

from typing import Any, Tuple

from lightinit.datasources.azure.wireserver.client import WireServerClient
from lightinit.retry import RetryPolicy
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import FakeTransport, middle

HEADERS = {"x-ms-version": "2012-11-30", "x-ms-agent-name": "agent/1"}
POLICY = RetryPolicy(first_s=1.0, factor=2.0, cap_s=8.0, jitter=0.25, deadline_s=100.0)


def make(
    *steps: Any, other_endpoint: str = ""
) -> Tuple[WireServerClient, FakeTransport, ScriptedClock]:
    transport, clock = FakeTransport(*steps), ScriptedClock()
    wireserver = WireServerClient(
        transport,  # type: ignore[arg-type]
        "10.1.2.3",
        clock,
        POLICY,
        POLICY,
        agent="agent/1",
        random=middle,
        other_endpoint=other_endpoint,
    )
    return wireserver, transport, clock
