"""The Azure datasource as a whole, against a tiny platform of this test's own on the loopback
interface.
"""

from __future__ import annotations

import json
import os
import threading
from typing import Any, Callable, Iterator, List, Optional, Type

import pytest

from lightinit.datasources.azure.datasource import SETTINGS, AzureDatasource
from lightinit.errors import ProvisioningError
from lightinit.formats.instance_id import swap_byte_order
from lightinit.host.clock import Clock
from lightinit.host.system import System
from lightinit.model import Instance, Network
from lightinit.settings import convert
from tests.lib.scratch import UUID
from tests.lib.tiny_platform import DOCUMENT, PATIENT, OwnClock, PatientDatasource, Platform, Reply
from tests.lib.transport import GOAL_STATE


@pytest.fixture
def platform(tmp_path: Any) -> Iterator[Platform]:
    made = Platform(str(tmp_path))
    yield made
    made.stop()


def source(
    platform: Platform,
    on_request: Any = None,
    kind: Type[AzureDatasource] = PatientDatasource,
    clock: Optional[Clock] = None,
    **options: Any,
) -> AzureDatasource:
    """A datasource without media, telemetry and pool."""
    apart = {"media": "none", "telemetry": False, "preprovisioned": "no"}
    wanted = {"wireserver": platform.endpoint, "imds": platform.endpoint, **PATIENT, **apart}
    system = System(platform.root, clock or OwnClock())
    return kind(system, {**wanted, **options}, on_request)


class Hurried(PatientDatasource):
    """Does without the goal state at once; its report waits for it."""

    GRACE_S = 0.0


class Impatient(Hurried):
    """Its report asks again at once."""

    PATIENCE_S = 0.0


def put(root: str, name: str, text: str) -> None:
    os.makedirs(os.path.dirname(root + name), exist_ok=True)
    with open(root + name, "w", encoding="utf-8") as handle:
        handle.write(text)


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
    meeting = threading.Barrier(2, timeout=60.0)  # broken unless both requests are there at once
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


def test_account_and_keys_do_not_wait_for_the_wireserver(platform: Platform) -> None:
    """N2: Azure/WALinuxAgent#821, #3492. It would take an hour here; only the report waits."""
    let_go = threading.Event()

    def hang() -> Reply:
        let_go.wait(60.0)
        return 503, b""

    platform.replies["GET /machine?comp=goalstate"] = hang
    azure = source(platform, kind=Impatient)
    instance, warnings = azure.fetch("the-id", announce=True)
    assert instance.admin is not None and instance.admin.ssh_keys and warnings == ()
    assert not let_go.is_set()
    platform.replies["GET /machine?comp=goalstate"] = lambda: (200, GOAL_STATE % 1)
    azure.report(None, instance)
    assert [report.findtext(".//State") for report in platform.reports()] == ["Ready"]
    let_go.set()


def test_a_goal_state_that_is_on_its_way_is_not_asked_for_again(platform: Platform) -> None:
    """A WireServer that is slow, because a thousand VMs ask it, gets no more to do."""
    let_go = threading.Event()

    def slow() -> Reply:
        let_go.wait(60.0)
        return 200, GOAL_STATE % 1

    platform.replies["GET /machine?comp=goalstate"] = slow
    azure = source(platform, kind=Hurried)
    instance, warnings = azure.fetch("the-id", announce=True)
    assert "goal_state" not in instance.raw and warnings == ()
    threading.Timer(0.2, let_go.set).start()  # while the report waits
    azure.report(None, instance)
    assert [line for line, _, _ in platform.sent if "/machine" in line] == [
        "GET /machine?comp=goalstate",
        "POST /machine?comp=health",
    ]


def test_the_thread_that_waits_for_a_goal_state_ends_with_the_report(platform: Platform) -> None:
    """N2: it neither asks on nor reports that the VM is at work after Ready."""
    down = threading.Event()

    def reply() -> Reply:
        down.set()
        return 503, b""

    platform.replies["GET /machine?comp=goalstate"] = reply
    azure = source(platform, kind=Hurried, clock=Clock(), goal_state_timeout_s=3600.0)
    instance, _ = azure.fetch("the-id", announce=True)
    assert down.wait(60.0)
    platform.replies["GET /machine?comp=goalstate"] = lambda: (200, GOAL_STATE % 1)
    azure.report(None, instance)
    for thread in threading.enumerate():
        if thread.name == "lightinit-goal-state":
            thread.join(30.0)
            assert not thread.is_alive()
    assert [line for line, _, _ in platform.sent if line.startswith("POST")] == [
        "POST /machine?comp=health"
    ]


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


def refusal(platform: Platform, status: int, **options: Any) -> ProvisioningError:
    """The error when the platform takes no report. Where the machine was too busy for the last
    attempt, which has little time, it is tried again.
    """
    platform.replies["POST /machine?comp=health"] = lambda: (status, b"")
    for _ in range(5):
        platform.sent.clear()
        with pytest.raises(ProvisioningError) as caught:
            source(platform, **options).report(None, None)
        if caught.value.reason != "request timed out":
            break
    return caught.value


@pytest.mark.parametrize("first_s", [0.0, 0.001])
def test_no_pause_at_all_is_none_that_anybody_gets(platform: Platform, first_s: float) -> None:
    error = refusal(platform, 503, retry_first_s=first_s, report_timeout_s=2.0)
    assert error.reason == "wireserver refused the health report"
    assert 3 < len(platform.reports()) < 12


def test_imds_tells_the_instance_id_where_dmi_does_not(platform: Platform) -> None:
    azure = source(platform)
    platform.replies["GET /metadata/instance/compute/vmId?"] = lambda: (200, UUID.upper().encode())
    # The document has none: the single value is asked for.
    platform.replies["GET /metadata/instance?"] = lambda: (200, b'{"compute": {"vmId": ""}}')
    found, warnings = azure.ask_instance_id()
    assert found == UUID and "the vmId of IMDS" in warnings[0]
    azure.report(ProvisioningError("it failed"), None)
    assert "vm_id=" + UUID in (platform.reports()[0].findtext(".//Description") or "")
    platform.replies["GET /metadata/instance/compute/vmId?"] = lambda: (200, b"13F56399")
    with pytest.raises(ProvisioningError, match="instance id is unknown .*imds=no usable vmId"):
        azure.ask_instance_id()


def test_ready(platform: Platform) -> None:
    azure = source(platform, agent="me/2")
    azure.fetch("the-id")
    platform.replies["GET /machine?comp=goalstate"] = lambda: (200, GOAL_STATE % 2)
    answers = [(410, b""), (200, b"")]
    platform.replies["POST /machine?comp=health"] = lambda: answers.pop(0)
    azure.report(None, None)
    old, report = platform.reports()
    assert old.findtext("GoalStateIncarnation") == "1"  # of the fetch stage
    assert report.findtext(".//State") == "Ready"
    assert report.findtext("GoalStateIncarnation") == "2"
    assert platform.sent[-1][1]["x-ms-agent-name"] == "me/2"


def test_an_agent_that_fits_no_header_does_not_stop_the_report(platform: Platform) -> None:
    source(platform, agent="me\r\nX-Evil: ü/2").report(None, None)
    assert (
        platform.sent[-1][1]["x-ms-agent-name"]
        == platform.sent[-1][1]["User-Agent"]
        == "me??X-Evil: ?/2"
    )
    assert len(platform.reports()) == 1


def test_failure(platform: Platform) -> None:
    azure = source(platform, agent="me/2")
    error = ProvisioningError("user cannot be made", user="me", hint="look at the log")
    azure.report(error, Instance("the-id", vm_id="vm-1"))
    (report,) = platform.reports()
    text = report.findtext(".//Description") or ""
    assert text.startswith(
        "result=error|reason=user cannot be made|agent=me/2|user=me|hint=look at the"
        " log|vm_id=vm-1|timestamp=20"
    )
    assert text.endswith("Z|documentation_url=https://aka.ms/linuxprovisioningerror")
    assert report.findtext(".//SubStatus") == "ProvisioningFailed"


@pytest.mark.parametrize("efi", [True, False])
def test_before_anything_was_fetched_a_report_has_the_vm_id_of_dmi(
    platform: Platform, efi: bool
) -> None:
    put(platform.root, "/sys/class/dmi/id/product_uuid", UUID + "\n")
    if efi:
        put(platform.root, "/sys/firmware/efi/runtime", "")
    source(platform).report(ProvisioningError("it failed"), None)
    expected = UUID if efi else swap_byte_order(UUID)
    assert "vm_id=" + expected in (platform.reports()[0].findtext(".//Description") or "")


def test_a_failure_too_long_for_the_server_is_told_shortly(platform: Platform) -> None:
    answers = iter([500, 500, 200])
    platform.replies["POST /machine?comp=health"] = lambda: (next(answers), b"")
    source(platform).report(ProvisioningError("user cannot be made", said="x" * 900), None)
    lengths = [len(report.findtext(".//Description") or "") for report in platform.reports()]
    assert lengths[0] == lengths[1] == 512 and 100 < lengths[2] < 250


def test_a_platform_that_takes_no_report_is_an_error(platform: Platform) -> None:
    error = refusal(platform, 429)
    assert error.reason == "wireserver refused the health report"
    assert error.details["status"] == "429"


def test_the_wireserver_of_the_lease_is_used_unless_an_option_says_otherwise(
    tmp_path: Any,
) -> None:
    azure = AzureDatasource(System(str(tmp_path)), {})
    assert azure.wireserver.is_ours("http://168.63.129.16/x")
    azure.connect(Network("192.0.2.1"))
    assert azure.wireserver.is_ours("http://192.0.2.1:80/x")
    assert azure.describe() == "WireServer 192.0.2.1"
    azure.connect_blindly()
    assert azure.wireserver.is_ours("http://168.63.129.16/x")
    azure = AzureDatasource(System(str(tmp_path)), {"wireserver": "192.0.2.7"})
    azure.connect(Network("192.0.2.1"))
    assert azure.wireserver.is_ours("http://192.0.2.7/x")
    assert azure.describe() == "WireServer 192.0.2.7 by the settings"


def test_only_a_lease_with_option_245_confirms_the_platform(tmp_path: Any) -> None:
    azure = AzureDatasource(System(str(tmp_path)), {})
    azure.confirm_platform(Network("192.0.2.1", server_from_lease=True))
    with pytest.raises(ProvisioningError, match="platform is unknown .*option_245=absent"):
        azure.confirm_platform(Network("192.0.2.1"))


def test_each_request_is_told(platform: Platform) -> None:
    told: List[Any] = []
    source(platform, lambda *event: told.append(event)).fetch("the-id")
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
def test_endpoints_that_are_refused(tmp_path: Any, endpoint: str) -> None:
    for key in ("imds", "wireserver"):
        with pytest.raises(ProvisioningError, match="endpoint is not usable .*key=" + key):
            AzureDatasource(System(str(tmp_path)), {key: endpoint})
        setting = next(setting for setting in SETTINGS if setting.key == key)
        with pytest.raises(ValueError):  # the settings have the same rule
            convert(setting, endpoint)


def test_every_setting_has_its_kinds_type() -> None:
    kinds = {"text": str, "endpoint": str, "seconds": float, "boolean": bool}
    assert all(
        isinstance(setting.default, kinds[setting.kind]) and setting.help for setting in SETTINGS
    )
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)
