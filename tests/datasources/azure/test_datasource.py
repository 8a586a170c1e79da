"""The Azure datasource as a whole, against a tiny platform of this test's own on the loopback
interface.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Tuple
from xml.etree import ElementTree

import pytest

from lightinit import datasources
from lightinit.datasources.azure.datasource import SETTINGS, AzureDatasource
from lightinit.errors import ProvisioningError
from lightinit.model import Network
from lightinit.settings import convert
from tests.lib.transport import GOAL_STATE

DOCUMENT = {
    "compute": {
        "name": "vm",
        "vmId": "13F56399",
        "publicKeys": [{"keyData": "ssh-rsa A", "path": ""}],
        "osProfile": {"adminUsername": "me", "disablePasswordAuthentication": "true"},
    }
}
# Quick, so that failures need no patience: a tenth of a second where a VM would take a minute.
QUICK = {
    "retry_first_s": 0.01,
    "fetch_timeout_s": 0.4,
    "goal_state_timeout_s": 0.2,
    "report_timeout_s": 0.4,
    "complete_timeout_s": 0.05,
    "request_timeout_s": 2.0,
}
Reply = Tuple[int, bytes]


class Platform:
    """Replies by the beginning of method and target; what was sent is kept."""

    def __init__(self) -> None:
        self.replies: Dict[str, Callable[[], Reply]] = {
            "GET /machine?comp=goalstate": lambda: (200, GOAL_STATE % 1),
            "POST /machine?comp=health": lambda: (200, b""),
            "GET /metadata/instance?": lambda: (200, json.dumps(DOCUMENT).encode()),
            "GET /metadata/instance/compute/vmId?": lambda: (200, b"13F56399"),
        }
        self.sent: List[Tuple[str, Dict[str, str], bytes]] = []
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                line = "%s %s" % (self.command, self.path)
                platform.sent.append((line, dict(self.headers.items()), body))
                status, data = next(
                    (
                        reply()
                        for start, reply in platform.replies.items()
                        if line.startswith(start)
                    ),
                    (404, b""),
                )
                head = "HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (status, len(data))
                self.wfile.write(head.encode() + data)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.endpoint = "127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def reports(self) -> List[ElementTree.Element]:
        """What the platform was told of this VM's health in the end: reports that only tell of
        progress are left out.
        """
        found = [
            ElementTree.fromstring(body) for line, _, body in self.sent if line.startswith("POST")
        ]
        return [report for report in found if report.findtext(".//SubStatus") != "Provisioning"]


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.server.shutdown()
    made.server.server_close()


def source(platform: Platform, **options: Any) -> AzureDatasource:
    return AzureDatasource(
        Network(wireserver="192.0.2.1"),
        {"wireserver": platform.endpoint, "imds": platform.endpoint, **QUICK, **options},
    )


def test_fetch(platform: Platform) -> None:
    instance, warnings = source(platform).fetch("the-id")
    assert warnings == ()
    assert (instance.id, instance.platform, instance.hostnames) == ("the-id", "azure", ("vm",))
    assert instance.admin is not None and instance.admin.name == "me"
    assert instance.raw["imds"] == DOCUMENT
    assert instance.raw["goal_state"]["container_id"] == "container-1"
    assert json.loads(json.dumps(instance.raw)) == instance.raw
    assert sorted(line.split("?")[0] for line, _, _ in platform.sent) == [
        "GET /machine",
        "GET /metadata/instance",
    ]


def test_imds_and_the_goal_state_are_asked_side_by_side(platform: Platform) -> None:
    meeting = threading.Barrier(2, timeout=5.0)  # broken unless both requests are there at once
    for start in ("GET /machine?comp=goalstate", "GET /metadata/instance?"):

        def wait(reply: Callable[[], Reply] = platform.replies[start]) -> Reply:
            meeting.wait()
            return reply()

        platform.replies[start] = wait
    instance, warnings = source(platform).fetch("the-id")
    assert warnings == () and "goal_state" in instance.raw and not meeting.broken


def test_no_goal_state_is_a_warning(platform: Platform) -> None:
    platform.replies["GET /machine?comp=goalstate"] = lambda: (503, b"")
    instance, warnings = source(platform).fetch("the-id")
    assert instance.admin is not None and "goal_state" not in instance.raw
    assert len(warnings) == 1 and warnings[0].startswith(
        "no goal state: wireserver is not ready (status=503"
    )


def test_no_metadata_is_an_error(platform: Platform) -> None:
    platform.replies["GET /metadata/instance?"] = lambda: (500, b"")
    with pytest.raises(ProvisioningError, match="imds is not ready .*status=500"):
        source(platform).fetch("the-id")


def test_incomplete_metadata_is_a_warning(platform: Platform) -> None:
    platform.replies["GET /metadata/instance?"] = lambda: (200, b'{"compute": {"name": "vm"}}')
    instance, warnings = source(platform).fetch("the-id")
    assert instance.hostnames == ("vm",) and instance.admin is None
    assert warnings == ("imds document is incomplete: no osProfile",)


def test_what_nobody_needs_may_be_odd(platform: Platform) -> None:
    compute = dict(
        DOCUMENT["compute"], zone=1, tagsList=[{"name": "t", "value": 5}], location="LOCATION"
    )
    body = json.dumps({"compute": compute}).replace('"LOCATION"', '"\\ud800", "load": NaN')
    platform.replies["GET /metadata/instance?"] = lambda: (200, body.encode())
    instance, warnings = source(platform).fetch("the-id")
    assert (instance.zone, instance.tags, instance.location) == ("1", {"t": "5"}, "?")
    json.dumps(instance.raw, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert [" ".join(warning.split(" ")[2:5]) for warning in warnings] == [
        "compute.location has half",
        "compute.load has an",
        "compute.zone has the",
        "compute.tagsList.0.value has the",
    ]


@pytest.mark.parametrize("first_s", [0.0, 0.001])
def test_no_pause_at_all_is_none_that_anybody_gets(platform: Platform, first_s: float) -> None:
    platform.replies["POST /machine?comp=health"] = lambda: (503, b"")
    with pytest.raises(ProvisioningError, match="wireserver refused the health report"):
        source(platform, retry_first_s=first_s, report_timeout_s=1.0).report_ready()
    assert 3 < len(platform.reports()) < 12


def test_the_vm_id(platform: Platform) -> None:
    assert source(platform).vm_id() == "13f56399"


def test_ready(platform: Platform) -> None:
    azure = source(platform, agent="me/2")
    azure.fetch("the-id")
    platform.replies["GET /machine?comp=goalstate"] = lambda: (200, GOAL_STATE % 2)
    azure.report_ready()
    (report,) = platform.reports()
    assert report.findtext(".//State") == "Ready"
    assert report.findtext("GoalStateIncarnation") == "2"
    assert platform.sent[-1][1]["x-ms-agent-name"] == "me/2"


def test_an_agent_that_fits_no_header_does_not_stop_the_report(platform: Platform) -> None:
    source(platform, agent="me\r\nX-Evil: ü/2").report_ready()
    assert (
        platform.sent[-1][1]["x-ms-agent-name"]
        == platform.sent[-1][1]["User-Agent"]
        == "me??X-Evil: ?/2"
    )
    assert len(platform.reports()) == 1


def test_failure(platform: Platform) -> None:
    azure = source(platform, agent="me/2")
    error = ProvisioningError("user cannot be made", user="me", hint="look at the log")
    azure.report_failure(error, "vm-1")
    azure.report_failure(error, "vm-1", "as told before")
    first, second = (report.findtext(".//Description") or "" for report in platform.reports())
    start = (
        "result=error|reason=user cannot be made|agent=me/2|user=me|hint=look at the"
        " log|vm_id=vm-1|timestamp=20"
    )
    assert first.startswith(start) and azure.describe_failure(error, "vm-1").startswith(start)
    assert first.endswith("Z|documentation_url=https://aka.ms/linuxprovisioningerror")
    assert second == "as told before"
    assert platform.reports()[0].findtext(".//SubStatus") == "ProvisioningFailed"
    assert azure.describe_success("vm-1").startswith(
        "result=success|agent=me/2|pps_type=None|vm_id=vm-1|timestamp=20"
    )


def test_a_failure_too_long_for_the_server_is_told_shortly(platform: Platform) -> None:
    answers = iter([500, 500, 200])
    platform.replies["POST /machine?comp=health"] = lambda: (next(answers), b"")
    source(platform).report_failure(
        ProvisioningError("user cannot be made", said="x" * 900), "vm-1"
    )
    lengths = [len(report.findtext(".//Description") or "") for report in platform.reports()]
    assert lengths[0] == lengths[1] == 512 and 100 < lengths[2] < 250


def test_a_platform_that_takes_no_report_is_an_error(platform: Platform) -> None:
    platform.replies["POST /machine?comp=health"] = lambda: (429, b"")
    with pytest.raises(
        ProvisioningError, match="wireserver refused the health report .*status=429"
    ):
        source(platform).report_ready()


def test_the_wireserver_of_the_lease_is_used_unless_an_option_says_otherwise() -> None:
    network = Network(wireserver="192.0.2.1")
    assert AzureDatasource(network, {}).wireserver.is_ours("http://192.0.2.1:80/x")
    assert AzureDatasource(network, {"wireserver": "192.0.2.7"}).wireserver.is_ours(
        "http://192.0.2.7/x"
    )


def test_each_request_is_told(platform: Platform) -> None:
    told: List[Any] = []
    options = {"wireserver": platform.endpoint, "imds": platform.endpoint}
    AzureDatasource(
        Network("192.0.2.1"), options, on_request=lambda *event: told.append(event)
    ).fetch("the-id")
    assert sorted(event[1].split("?")[0].rpartition("/")[2] for event in told) == [
        "instance",
        "machine",
    ]
    assert {event[2] for event in told} == {"200"}


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "a b",
        "h/../x",
        "h?x",
        "u@h",
        "h:",
        "h:0",
        "h:99999",
        "h:80:80",
        "h\n",
        "ü",
        "a_b:80",
        "[::1]:80",
        ".-.",
    ],
)
def test_endpoints_that_are_refused(endpoint: str) -> None:
    for key in ("imds", "wireserver"):
        with pytest.raises(ProvisioningError, match="endpoint is not usable .*key=" + key):
            AzureDatasource(Network("192.0.2.1"), {key: endpoint})
        setting = next(setting for setting in SETTINGS if setting.key == key)
        with pytest.raises(ValueError):  # the settings have the same rule
            convert(setting, endpoint)


def test_every_setting_has_its_kinds_type() -> None:
    kinds = {"text": str, "endpoint": str, "seconds": float, "boolean": bool}
    assert all(
        isinstance(setting.default, kinds[setting.kind]) and setting.help for setting in SETTINGS
    )
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)


def test_datasources_by_name() -> None:
    assert datasources.load("azure") is AzureDatasource
    for place in (
        "lightinit.datasources.azure.datasource:AzureDatasource",
        "lightinit.datasources.azure.datasource.AzureDatasource",
    ):
        assert datasources.load(place) is AzureDatasource
    with pytest.raises(ProvisioningError, match="unknown datasource .*name=azur, nearest=azure"):
        datasources.load("azur")


@pytest.mark.parametrize(
    "line, said",
    [
        ("raise RuntimeError('no licence')", "error=RuntimeError: no licence"),
        ("import sys; sys.exit(3)", "error=SystemExit: 3"),
        ("def broken(:", "error=SyntaxError: "),
        ("1 / 0", "error=ZeroDivisionError: "),
        ("raise MemoryError()", "error=MemoryError: "),
        ("X = 1", "error=AttributeError: "),
    ],
)
def test_whatever_a_sites_datasource_raises_is_an_error_of_ours(
    tmp_path: Any, line: str, said: str
) -> None:
    name = "site_%d" % abs(hash(str(tmp_path)))
    (tmp_path / (name + ".py")).write_text(line + "\n")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ProvisioningError, match="datasource cannot be imported") as caught:
            datasources.load(name + ".Source")
    finally:
        sys.path.remove(str(tmp_path))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["no.such.module:X", "lightinit.datasources.azure.datasource:Nothing", "json.", ".x", "a.b:"],
)
def test_places_without_a_datasource(name: str) -> None:
    with pytest.raises(ProvisioningError, match="datasource cannot be imported"):
        datasources.load(name)
