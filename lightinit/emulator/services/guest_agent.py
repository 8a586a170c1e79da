"""The WireServer's answers to a guest agent: configurations, telemetry, health signals.

Requests in, answers out, strictly. Knows no socket. Source: public traces of the WireServer
protocol, and the requests of the Azure Linux Agent. Not documented, so decided here: 410 for a
configuration of another incarnation, as for a report; 400 for a configuration of another VM, and
for telemetry that differs from what the platform's own agent sends.
"""

from __future__ import annotations

import json
from typing import Any, Optional, Sequence, Tuple, Union
from xml.etree import ElementTree

from lightinit.emulator.documents.configs import CONFIGS, Names
from lightinit.emulator.documents.goal_state import VERSION
from lightinit.emulator.services.machine import Machine
from lightinit.emulator.wire.messages import Reply, Request, has_xml_type, make_answer, refuse

XML = "text/xml; charset=utf-8"
TELEMETRY_BYTES = 65536
_MACHINE = ("/machine", "/machine/")
_ADDRESS: Tuple[Union[str, int], ...] = ("network", "interface", 0, "ipv4", "ipAddress", 0)


def answer_guest_agent(
    request: Request, machine: Machine, versions: Sequence[str]
) -> Optional[Reply]:
    """Answer a request that provisioning does not need.

    Args:
        request: the request.
        machine: the VM.
        versions: the protocol versions that the WireServer supports.

    Returns:
        the answer; None if the request is of another kind.
    """
    comp = request.parameter("comp")
    if request.path == "/HealthService":
        return _take("HealthService", request) or _judge_observations(request)
    if request.path in _MACHINE and comp == "telemetrydata":
        return _take(comp, request) or _need_version(request, versions) or _judge_telemetry(request)
    if request.path.startswith("/machine/") and comp == "config":
        if request.method != "GET":
            return refuse(405, "config allows only GET", Allow="GET")
        return _need_version(request, versions) or _give_config(request, machine)
    return None


def _take(name: str, request: Request) -> Optional[Reply]:
    if request.method == "POST":
        return None
    return refuse(405, "%s allows only POST" % name, Allow="POST")


def _need_version(request: Request, versions: Sequence[str]) -> Optional[Reply]:
    version = request.headers.get("x-ms-version")
    if version is None:
        return refuse(400, "the header x-ms-version is missing")
    if version != VERSION or version not in versions:
        return refuse(400, "x-ms-version %s is not supported" % version)
    return None


def _find(node: Any, *words: Union[str, int]) -> Any:
    """Return the value at a path of a document; None if there is none."""
    for word in words:
        try:
            node = node[word]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def _give_config(request: Request, machine: Machine) -> Reply:
    with machine.lock:
        document = machine.document
        names = Names(
            str(_find(document, "compute", "name") or ""),
            machine.container_id,
            machine.role_id,
            str(machine.incarnation),
            str(_find(document, *_ADDRESS, "privateIpAddress") or "10.0.0.4"),
            str(_find(document, *_ADDRESS, "publicIpAddress") or ""),
        )
    if request.path != "/machine/%s/%s" % (names.container_id, names.role_id):
        return refuse(400, "the URL is not in this VM's goal state")
    form = CONFIGS.get(request.parameter("type"))
    if form is None:
        return refuse(400, "the parameter type must be one of %s" % ", ".join(CONFIGS))
    incarnation = request.parameter("incarnation")
    if incarnation != names.incarnation:
        return refuse(
            410,
            "incarnation %s is out of date; the current one is %s"
            % (incarnation, names.incarnation),
        )
    return make_answer(200, form(names), XML)


def _judge_telemetry(request: Request) -> Reply:
    if not request.headers.get("x-ms-agent-name"):
        return refuse(400, "the header x-ms-agent-name is missing")
    if not has_xml_type(request):
        return refuse(415, "Content-Type must be text/xml;charset=utf-8")
    if len(request.body) > TELEMETRY_BYTES:
        return refuse(413, "a telemetry request has at most %d bytes" % TELEMETRY_BYTES)
    if b"<!DOCTYPE" in request.body:
        return refuse(400, "telemetry has a DTD")
    try:
        root = ElementTree.fromstring(request.body)  # noqa: S314 - it has no DTD, see above
    except ElementTree.ParseError as error:
        return refuse(400, "telemetry is not well-formed XML: %s" % error)
    if root.tag != "TelemetryData":
        return refuse(400, "the root element is <%s>, not <TelemetryData>" % root.tag)
    providers = root.findall("Provider")
    if not providers or not all(provider.get("id") for provider in providers):
        return refuse(400, "TelemetryData needs Providers with an id")
    events = [event for provider in providers for event in provider]
    if not events or any(
        event.tag != "Event" or not (event.get("id") or "").isdecimal() for event in events
    ):
        return refuse(400, "a Provider needs Events with a numeric id")
    return make_answer(200, b"", "")


def _judge_observations(request: Request) -> Reply:
    try:
        signal = json.loads(request.body.decode("utf-8"))
    except ValueError as error:
        return refuse(400, "the health signal is not JSON: %s" % error)
    observations = signal.get("Observations") if isinstance(signal, dict) else None
    if not isinstance(observations, list) or not all(
        isinstance(each, dict) and "ObservationName" in each and "IsHealthy" in each
        for each in observations
    ):
        return refuse(
            400, "a health signal needs Observations, each with ObservationName and IsHealthy"
        )
    return make_answer(200, b"", "")
