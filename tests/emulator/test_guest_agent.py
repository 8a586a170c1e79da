"""What a guest agent asks beyond provisioning: configurations, telemetry and health at the
WireServer, the HostGAPlugin.
"""

from __future__ import annotations

import json
from typing import Dict, Iterator, List
from xml.etree import ElementTree

import pytest

from lightinit.emulator import Platform
from tests.emulator.wire import REPORT, WIRE, Reply, ask, get_goal_state

CONFIGURATION = "Container/RoleInstanceList/RoleInstance/Configuration/"
ENDPOINT = "Instances/Instance/InputEndpoints/Endpoint[%d]"
TELEMETRY = "/machine?comp=telemetrydata"
EVENTS = (
    b'<?xml version="1.0"?><TelemetryData version="1.0"><Provider id="p"><Event'
    b' id="1"><![CDATA[x]]></Event></Provider></TelemetryData>'
)
SIGNAL = {
    "Api": "reporttargethealth",
    "Observations": [{"ObservationName": "a", "IsHealthy": True}],
}


@pytest.fixture(name="platform")
def make_platform() -> Iterator[Platform]:
    """Run a platform without faults, with a HostGAPlugin."""
    with Platform(
        instance={"compute": {"name": "vm<1>", "osProfile": {"computerName": "web-1"}}},
        host_plugin=("127.0.0.1", 0),
    ) as platform:
        yield platform


def url_of(platform: Platform, name: str) -> str:
    """The target of one of the goal state's URLs."""
    url = ElementTree.fromstring(get_goal_state(platform).body).findtext(CONFIGURATION + name) or ""
    return url.partition(platform.wireserver)[2]


def own(platform: Platform, **changes: str) -> Dict[str, str]:
    """The headers by which the HostGAPlugin knows the VM."""
    name = (
        ElementTree.fromstring(get_goal_state(platform).body).findtext(CONFIGURATION + "ConfigName")
        or ""
    )
    headers = {
        "x-ms-version": "2015-09-01",
        "x-ms-containerid": platform.machine.container_id,
        "x-ms-host-config-name": name,
    }
    headers.update({key.replace("_", "-"): value for key, value in changes.items()})
    return {key: value for key, value in headers.items() if value}


def check_refused(platform: Platform, reply: Reply, status: int, reason: str) -> None:
    """See that a request was refused, and that the log says so."""
    assert (reply.status, platform.requests[-1]["verdict"]) == (status, "refused")
    assert reason in reply.body.decode() and reason in platform.requests[-1]["reason"]


@pytest.mark.parametrize(
    "name, path, key, value",
    [
        ("HostingEnvironmentConfig", "Incarnation", "instance", "vm<1>"),
        ("SharedConfig", "Incarnation", "instance", "_web-1"),
        ("SharedConfig", "Instances/Instance", "id", "_web-1"),
        ("SharedConfig", "Instances/Instance", "address", "10.0.0.4"),
        ("SharedConfig", ENDPOINT % 1, "name", "openInternalEndpoint"),
        ("SharedConfig", ENDPOINT % 2, "loadBalancedPublicAddress", "203.0.113.17:22"),
        ("ExtensionsConfig", "StatusUploadBlob", "statusBlobType", "BlockBlob"),
    ],
)
def test_the_goal_states_urls_lead_somewhere(
    platform: Platform, name: str, path: str, key: str, value: str
) -> None:
    platform.set_incarnation(5)
    reply = ask(platform.wireserver, "GET", url_of(platform, name), WIRE)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    root = ElementTree.fromstring(reply.body)
    node = root.find(path)
    assert root.get("goalStateIncarnation") == "5"
    assert node is not None and node.get(key) == value


def test_a_configuration_is_that_of_this_vm_and_this_incarnation(platform: Platform) -> None:
    target = url_of(platform, "SharedConfig")
    check_refused(platform, ask(platform.wireserver, "GET", target), 400, "x-ms-version is missing")
    check_refused(
        platform,
        ask(platform.wireserver, "GET", target, {"x-ms-version": "1"}),
        400,
        "1 is not supported",
    )
    check_refused(platform, ask(platform.wireserver, "POST", target, WIRE, b""), 405, "only GET")
    check_refused(
        platform,
        ask(platform.wireserver, "GET", target.replace("sharedConfig", "fullConfig"), WIRE),
        400,
        "must be one of hostingEnvironmentConfig",
    )
    platform.set_incarnation(2)
    check_refused(
        platform, ask(platform.wireserver, "GET", target, WIRE), 410, "the current one is 2"
    )
    platform.become({"compute": {"vmId": "another"}})
    check_refused(
        platform, ask(platform.wireserver, "GET", target, WIRE), 400, "not in this VM's goal state"
    )


def test_telemetry_is_taken(platform: Platform) -> None:
    assert ask(platform.wireserver, "POST", TELEMETRY, REPORT, EVENTS).status == 200


@pytest.mark.parametrize(
    "change, status, reason",
    [
        ({"x-ms-version": None}, 400, "x-ms-version is missing"),
        ({"x-ms-agent-name": None}, 400, "x-ms-agent-name is missing"),
        ({"Content-Type": "text/xml"}, 415, "charset=utf-8"),
    ],
)
def test_telemetry_needs_its_headers(
    platform: Platform, change: dict, status: int, reason: str
) -> None:
    headers = {key: value for key, value in dict(REPORT, **change).items() if value}
    check_refused(
        platform, ask(platform.wireserver, "POST", TELEMETRY, headers, EVENTS), status, reason
    )


@pytest.mark.parametrize(
    "body, status, reason",
    [
        (b"<TelemetryData>", 400, "not well-formed"),
        (b'<!DOCTYPE T [<!ENTITY a "b">]><TelemetryData/>', 400, "DTD"),
        (b"<Telemetry/>", 400, "<Telemetry>, not <TelemetryData>"),
        (b"<TelemetryData/>", 400, "needs Providers"),
        (EVENTS.replace(b'id="p"', b""), 400, "needs Providers with an id"),
        (EVENTS.replace(b'<Event id="1">', b'<Event id="one">'), 400, "with a numeric id"),
        (b'<TelemetryData><Provider id="p"/></TelemetryData>', 400, "needs Events"),
        (EVENTS.replace(b"[x]", b"[" + b"x" * 65536 + b"]"), 413, "65536 bytes"),
    ],
)
def test_telemetry_is_read(platform: Platform, body: bytes, status: int, reason: str) -> None:
    check_refused(
        platform, ask(platform.wireserver, "POST", TELEMETRY, REPORT, body), status, reason
    )


def test_health_signals(platform: Platform) -> None:
    def post(body: bytes) -> Reply:
        return ask(
            platform.wireserver,
            "POST",
            "/HealthService",
            {"Content-Type": "application/json"},
            body,
        )

    assert post(json.dumps(SIGNAL).encode()).status == 200
    check_refused(platform, post(b"no"), 400, "not JSON")
    wrong: List[object] = [
        [],
        {},
        {"Observations": "x"},
        {"Observations": [1]},
        {"Observations": [{"IsHealthy": True}]},
    ]
    for bad in wrong:
        check_refused(platform, post(json.dumps(bad).encode()), 400, "needs Observations")
    check_refused(platform, ask(platform.wireserver, "GET", "/HealthService"), 405, "only POST")


def test_without_a_host_plugin_there_is_none() -> None:
    with Platform() as platform:
        assert platform.host_plugin == ""


def test_the_host_plugin_and_its_own_vm(platform: Platform) -> None:
    plugin = platform.host_plugin
    assert json.loads(ask(plugin, "GET", "/versions").body) == ["2015-09-01"]
    assert ask(plugin, "GET", "/health").status == 200
    # Not supported, which is no refusal.
    assert ask(plugin, "GET", "/vmSettings", own(platform)).status == 404
    assert platform.requests[-1]["verdict"] == "answered"
    status = json.dumps(
        {"requestUri": "https://blob.example/x", "headers": [], "content": "e30="}
    ).encode()
    assert ask(plugin, "PUT", "/status", own(platform), status).status == 200
    assert platform.requests[-1]["server"] == "hostplugin"


@pytest.mark.parametrize(
    "method, target, change, status, reason",
    [
        ("GET", "/elsewhere", {}, 404, "nothing at /elsewhere"),
        ("GET", "/status", {}, 405, "only PUT"),
        ("POST", "/versions", {}, 405, "only GET"),
        ("GET", "/vmSettings", {"x_ms_version": "2012-11-30"}, 400, "must be 2015-09-01"),
        ("GET", "/vmSettings", {"x_ms_containerid": ""}, 400, "x-ms-containerid is missing"),
        ("GET", "/vmSettings", {"x_ms_containerid": "other"}, 410, "is 'other'; this VM's"),
        ("PUT", "/status", {"x_ms_host_config_name": "other"}, 410, "is 'other'; this VM's"),
        ("PUT", "/status", {}, 400, "not JSON"),
    ],
)
def test_the_host_plugin_refuses(
    platform: Platform, method: str, target: str, change: dict, status: int, reason: str
) -> None:
    body = None if method == "GET" else b""
    check_refused(
        platform,
        ask(platform.host_plugin, method, target, own(platform, **change), body),
        status,
        reason,
    )


@pytest.mark.parametrize(
    "said", [[], {"headers": []}, {"requestUri": "x"}, {"requestUri": "x", "headers": {}}]
)
def test_a_status_says_where_it_goes(platform: Platform, said: object) -> None:
    check_refused(
        platform,
        ask(platform.host_plugin, "PUT", "/status", own(platform), json.dumps(said).encode()),
        400,
        "needs requestUri and headers",
    )
