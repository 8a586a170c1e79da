"""A client for the emulator's tests: raw sockets and http.client, nothing of lightinit."""

from __future__ import annotations

import http.client
import socket
from typing import Dict, List, NamedTuple, Optional

from lightinit.emulator import Platform

WIRE = {"x-ms-version": "2012-11-30"}
REPORT = dict(WIRE, **{"x-ms-agent-name": "tester/1.0", "Content-Type": "text/xml;charset=utf-8"})
METADATA = {"Metadata": "true"}
INSTANCE = "/metadata/instance?api-version=2023-11-15"
GOAL_STATE = "/machine?comp=goalstate"
HEALTH = "/machine?comp=health"


class Reply(NamedTuple):
    """What came back; header names are in lower case."""

    status: int
    headers: Dict[str, str]
    body: bytes


def ask(
    address: str,
    method: str,
    target: str,
    headers: Optional[Dict[str, str]] = None,
    body: Optional[bytes] = None,
    timeout_s: float = 60.0,
) -> Reply:
    """Send one request on a connection of its own."""
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
    try:
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, found, response.read())
    finally:
        connection.close()


def get_goal_state(platform: Platform, timeout_s: float = 60.0) -> Reply:
    """Ask properly for the goal state."""
    return ask(platform.wireserver, "GET", GOAL_STATE, WIRE, timeout_s=timeout_s)


def get_instance(platform: Platform, target: str = INSTANCE, timeout_s: float = 60.0) -> Reply:
    """Ask properly for an IMDS document."""
    return ask(platform.imds, "GET", target, METADATA, timeout_s=timeout_s)


def write_report(
    platform: Platform, state: str = "Ready", details: str = "", **changes: str
) -> bytes:
    """Write the report of this platform's VM, with some of its fields changed."""
    machine = platform.machine
    fields = {"incarnation": str(machine.incarnation), "container": machine.container_id}
    fields["role"] = machine.role_id
    fields.update(changes)
    return (
        (
            "<Health><GoalStateIncarnation>{incarnation}</GoalStateIncarnation><Container>"
            "<ContainerId>{container}</ContainerId><RoleInstanceList><Role>"
            "<InstanceId>{role}</InstanceId>"
            "<Health><State>{state}</State>{details}</Health></Role>"
            "</RoleInstanceList></Container></Health>"
        )
        .format(state=state, details=details, **fields)
        .encode("utf-8")
    )


def write_details(substatus: str = "ProvisioningFailed", description: str = "result=error") -> str:
    """Write the Details of a NotReady report; the description is taken as already escaped."""
    return "<Details><SubStatus>%s</SubStatus><Description>%s</Description></Details>" % (
        substatus,
        description,
    )


def post_report(
    platform: Platform, body: Optional[bytes] = None, headers: Optional[Dict[str, str]] = None
) -> Reply:
    """Post a report, by default a good Ready."""
    sent = write_report(platform) if body is None else body
    return ask(platform.wireserver, "POST", HEALTH, REPORT if headers is None else headers, sent)


def exchange_raw(address: str, data: bytes, timeout_s: float = 60.0) -> bytes:
    """Send bytes as they are and read until the server closes."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout_s) as sock:
        sock.sendall(data)
        blocks: List[bytes] = []
        while True:
            block = sock.recv(65536)
            if not block:
                return b"".join(blocks)
            blocks.append(block)
