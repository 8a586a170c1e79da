"""The clients of IMDS and the WireServer, made from the settings and the network."""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, Optional, Type

from lightinit.datasources.azure.identity import IMDS, WIRESERVER
from lightinit.datasources.azure.imds_client import ImdsClient
from lightinit.datasources.azure.settings import AUTO, read_endpoint
from lightinit.datasources.azure.wireserver.client import WireServerClient
from lightinit.host.network.http import HttpTransport, OnRequest
from lightinit.host.network.socket_mark import mark_for
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.retry import RetryPolicy

MIN_PAUSE_S = 0.05
CAP_FACTOR = 15.0
# cloud-init gives a request to IMDS 30 s and one to the WireServer 60 s, as azure-init does.
IMDS_SHARE = 0.5


class Clients(NamedTuple):
    """One client for each service of the platform."""

    imds: ImdsClient
    wireserver: WireServerClient


def make_clients(
    options: Mapping[str, Any],
    server: str,
    system: System,
    on_request: Optional[OnRequest],
    transport: Type[HttpTransport] = HttpTransport,
    while_waiting: Optional[Callable[[], None]] = None,
) -> Clients:
    """The clients for IMDS and the WireServer.

    Args:
        options: a value for each key of the section [azure].
        server: the WireServer's address, unless the settings name one. If it is not the well-known
            address, that one is tried, too.
        system: its clock is for pauses and deadlines, its routes say whether IMDS is locked.
        on_request: called after each request, perhaps from two threads at once.
        transport: what sends the requests.
        while_waiting: called while each request to IMDS is under way.

    Raises:
        ProvisioningError: an endpoint is not ``host`` or ``host:port``.
    """
    agent = printable_agent(options)
    clock = system.clock
    first_s = max(MIN_PAUSE_S, float(options["retry_first_s"]))
    policy = RetryPolicy(first_s=first_s, cap_s=CAP_FACTOR * first_s)
    request_timeout_s = float(options["request_timeout_s"])  # of the WireServer, the slower one
    # Each has its own transport: they run in parallel, and a request that hangs must not block the
    # other service.
    imds_at = read_endpoint(options, "imds", IMDS)
    to_imds = transport(clock, on_request, agent, mark=lambda: mark_for(system, imds_at))
    to_imds.while_waiting = while_waiting
    imds = ImdsClient(
        to_imds,
        clock,
        imds_at,
        policy=policy._replace(deadline_s=float(options["fetch_timeout_s"])),
        request_timeout_s=IMDS_SHARE * request_timeout_s,
        complete_timeout_s=float(options["complete_timeout_s"]),
    )
    wireserver = WireServerClient(
        transport(clock, on_request, agent),
        read_endpoint(options, "wireserver", server),
        clock,
        fetch_policy=policy._replace(deadline_s=float(options["goal_state_timeout_s"])),
        report_policy=policy._replace(deadline_s=float(options["report_timeout_s"])),
        request_timeout_s=request_timeout_s,
        agent=agent,
        other_endpoint=WIRESERVER if options["wireserver"] == AUTO and server != WIRESERVER else "",
    )
    return Clients(imds, wireserver)


def printable_agent(options: Mapping[str, Any]) -> str:
    """The agent's name for a header. Any character but printable ASCII would make every request
    fail.
    """
    return re.sub(r"[^ -~]", "?", str(options["agent"]))
