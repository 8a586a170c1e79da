"""The datasource with media, telemetry and a platform that it tells of its work: who is waited for,
who is given up.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any, Dict, Iterator, List, Tuple
from xml.etree import ElementTree

import pytest

from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance, User
from tests.lib.tiny_platform import DOCUMENT, QUICK, Platform

PASSWORD = "pass:wörd <&>"
OVF = """<?xml version="1.0" encoding="utf-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" \
xmlns:wa="http://schemas.microsoft.com/windowsazure">
 <wa:ProvisioningSection><wa:Version>1.0</wa:Version>
  <LinuxProvisioningConfigurationSet xmlns="http://schemas.microsoft.com/windowsazure">
   <HostName>of-media</HostName><UserName>media</UserName>\
<UserPassword>pass:wörd &lt;&amp;&gt;</UserPassword>
   <DisableSshPasswordAuthentication>false</DisableSshPasswordAuthentication>\
<CustomData>%s</CustomData>
  </LinuxProvisioningConfigurationSet></wa:ProvisioningSection>
 <wa:PlatformSettingsSection><wa:PlatformSettings>%s</wa:PlatformSettings>\
</wa:PlatformSettingsSection>
</Environment>"""
CUSTOM = base64.b64encode(b"#!/bin/sh\n").decode()


@pytest.fixture
def platform(tmp_path: Any) -> Iterator[Platform]:
    made = Platform(str(tmp_path))
    yield made
    made.stop()


def source(
    platform: Platform, tmp_path: Any, text: str = OVF % (CUSTOM, ""), **options: Any
) -> AzureDatasource:
    """A datasource whose media are a directory of the scratch root."""
    os.makedirs(str(tmp_path) + "/media", exist_ok=True)
    with open(str(tmp_path) + "/media/ovf-env.xml", "w", encoding="utf-8") as handle:
        handle.write(text)
    system = System(str(tmp_path))
    wanted: Dict[str, Any] = {
        "wireserver": platform.endpoint,
        "imds": platform.endpoint,
        "media": "/media",
    }
    wanted.update(QUICK, **options)
    made = AzureDatasource(system, wanted)
    made.begin()
    return made


def states(platform: Platform) -> List[Tuple[str, str]]:
    reports = [
        ElementTree.fromstring(body) for line, _, body in platform.sent if line.startswith("POST")
    ]
    return [
        (report.findtext(".//State") or "", report.findtext(".//SubStatus") or "")
        for report in reports
    ]


def test_both_are_joined(platform: Platform, tmp_path: Any) -> None:
    azure = source(
        platform, tmp_path, (OVF % (CUSTOM, "")).replace("<UserName>media<", "<UserName>me<")
    )
    instance, warnings = azure.fetch("id")
    assert instance.admin is not None
    assert (instance.admin.name, instance.admin.password, instance.admin.password_login) == (
        "me",
        PASSWORD,
        False,
    )
    assert instance.custom_data == CUSTOM
    assert instance.raw["media"] == {
        "device": "/media",
        "how": "from the directory",
        "optical": False,
    }
    assert warnings == ()
    kept = azure.documents["ovf-env.xml"].decode()
    assert "of-media" in kept and "pass:" not in kept and CUSTOM not in kept
    asked = [line for line, _, _ in platform.sent if line.startswith("GET /metadata")]
    assert ["extended=true" in line for line in asked] == [
        False,
        True,
    ], "the media say nothing of a pool, IMDS may"


def test_the_media_alone_are_enough_when_imds_is_down(platform: Platform, tmp_path: Any) -> None:
    platform.replies["GET /metadata/instance?"] = lambda: (500, b"")
    instance, warnings = source(platform, tmp_path, media_only_s=0.05, fetch_timeout_s=60.0).fetch(
        "id"
    )
    assert instance.admin == User("media", (), True, PASSWORD)
    assert instance.hostnames == ("of-media",)
    assert [each.partition(":")[0] for each in warnings] == [
        "IMDS is unavailable; using the provisioning media only"
    ]


def test_neither_is_an_error_that_tells_of_both(platform: Platform, tmp_path: Any) -> None:
    platform.replies["GET /metadata/instance?"] = lambda: (500, b"")
    with pytest.raises(ProvisioningError, match="imds is not ready .*media=none found"):
        source(platform, tmp_path, media="none").fetch("id")
    broken = OVF.replace("</LinuxProvisioningConfigurationSet>", "") % ("", "")
    with pytest.raises(ProvisioningError, match="media=/media: xml document is not well-formed "):
        source(platform, tmp_path, broken).fetch("id")
    keyless = (OVF % ("", "")).replace("<UserPassword>pass:wörd &lt;&amp;&gt;</UserPassword>", "")
    with pytest.raises(ProvisioningError, match="media=no account with a way in"):
        source(platform, tmp_path, keyless).fetch("id")


def test_media_that_cannot_be_used_are_a_warning(platform: Platform, tmp_path: Any) -> None:
    twice = (OVF % ("", "")).replace(
        "<HostName>of-media</HostName>", "<HostName>a</HostName><HostName>b</HostName>"
    )
    instance, warnings = source(platform, tmp_path, twice).fetch("id")
    assert instance.admin is not None and instance.admin.password == ""
    assert len(warnings) == 1 and warnings[0].startswith(
        "the provisioning media on /media cannot be used: "
    )


def test_a_hundred_megabytes_are_not_read(platform: Platform, tmp_path: Any) -> None:
    azure = source(platform, tmp_path, "<Environment>" + "x" * (2 << 20))
    instance, warnings = azure.fetch("id")
    assert instance.admin is not None
    assert warnings == (
        "provisioning media may be on /media, but: its ovf-env.xml is larger than 1048576 bytes",
    )


def test_metadata_that_lack_what_the_media_have_are_not_waited_for(
    platform: Platform, tmp_path: Any
) -> None:
    platform.replies["GET /metadata/instance?"] = lambda: (
        200,
        json.dumps({"compute": {"name": "resource"}}).encode(),
    )
    instance, warnings = source(platform, tmp_path, complete_timeout_s=3600.0).fetch("id")
    assert instance.hostnames == ("of-media", "resource") and instance.admin is not None
    assert instance.admin.name == "media" and warnings == ()


def test_it_tells_once_that_it_is_at_work_and_before_the_result(
    platform: Platform, tmp_path: Any
) -> None:
    azure = source(platform, tmp_path)
    azure.fetch("id", announce=True)
    azure.report(None, None)
    assert states(platform) == [("NotReady", "Provisioning"), ("Ready", "")]


@pytest.mark.parametrize("options, announce", [({"report_progress": False}, True), ({}, False)])
def test_it_tells_nothing_when_it_should_not(
    platform: Platform, tmp_path: Any, options: Any, announce: bool
) -> None:
    azure = source(platform, tmp_path, **options)
    azure.fetch("id", announce=announce)
    azure.report(None, None)
    assert states(platform) == [("Ready", "")]


def test_a_platform_that_does_not_want_to_hear_of_work_is_not_pressed(
    platform: Platform, tmp_path: Any
) -> None:
    platform.replies["POST /machine?comp=health"] = lambda: (500, b"")
    azure = source(platform, tmp_path)
    _, warnings = azure.fetch("id", announce=True)
    with pytest.raises(ProvisioningError):
        azure.report(None, None)
    assert states(platform).count(("NotReady", "Provisioning")) == 1
    assert not [each for each in warnings if "imds names" not in each]


def extended_requests(platform: Platform) -> int:
    """How often IMDS was asked for the extended document; then it is forgotten what was sent."""
    count = len([line for line, _, _ in platform.sent if "extended=true" in line])
    platform.sent.clear()
    return count


PREPROVISIONED = "<wa:PreprovisionedVm>%s</wa:PreprovisionedVm>"
KIND = "<wa:PreprovisionedVMType>%s</wa:PreprovisionedVMType>"


@pytest.mark.parametrize(
    "said, by_imds, kind, requests",
    [
        (PREPROVISIONED % "1" + KIND % "Savable", "Running", "Savable", 0),  # the media say which
        (KIND % "preprovisionedosdisk", None, "PreprovisionedOSDisk", 0),
        (PREPROVISIONED % "true", None, "Running", 1),
        (PREPROVISIONED % "true", "Savable", "Savable", 1),
        (PREPROVISIONED % "false", None, "", 1),
        (PREPROVISIONED % "false", "Savable", "Savable", 1),
        ("", "Savable", "Savable", 1),
        ("", "None", "", 1),
        (KIND % "Unknown", None, "", 1),
        (KIND % "Unknown", "Running", "Running", 1),
        (None, "Running", "Running", 1),
        (None, "savable", "Savable", 1),
        (None, "None", "", 1),
        (None, 7, "", 1),
        (None, "Dedicated", "", 1),
    ],
)
def test_a_pool_is_seen_on_the_media_or_by_imds(
    platform: Platform, tmp_path: Any, said: Any, by_imds: Any, kind: str, requests: int
) -> None:
    extended = dict(
        DOCUMENT, **({} if by_imds is None else {"extended": {"compute": {"ppsType": by_imds}}})
    )
    platform.replies["GET /metadata/instance?api-version=2021-08-01&extended=true"] = lambda: (
        200,
        json.dumps(extended).encode(),
    )
    # The general one last.
    platform.replies["GET /metadata/instance?"] = platform.replies.pop("GET /metadata/instance?")
    where = {"media": "none"} if said is None else {}
    azure = source(platform, tmp_path, OVF % ("", said or ""), **where)
    _, warnings = azure.fetch("id")
    assert (azure.pool_type, extended_requests(platform)) == (kind, requests)
    unknown = [each for each in warnings if "; not waiting for an owner" in each]
    assert len(unknown) == (kind == "" and "Unknown" in (said or "") or by_imds == "Dedicated")
    ignoring = source(platform, tmp_path, OVF % ("", said or ""), preprovisioned="no", **where)
    ignoring.fetch("id")
    assert (ignoring.pool_type, extended_requests(platform)) == ("", 0)


def test_imds_that_is_down_is_not_pressed_to_name_a_pool(platform: Platform, tmp_path: Any) -> None:
    platform.replies["GET /metadata/instance?"] = lambda: (500, b"")
    azure = source(platform, tmp_path, media_only_s=0.05, fetch_timeout_s=60.0)
    azure.fetch("id")
    assert (azure.pool_type, extended_requests(platform)) == ("", 1)


def test_what_was_adopted_counts_instead_of_the_media(platform: Platform, tmp_path: Any) -> None:
    azure = source(
        platform, tmp_path, OVF % ("", "<wa:PreprovisionedVm>true</wa:PreprovisionedVm>")
    )
    azure.fetch("id")
    document = (OVF % (CUSTOM, "")).replace("of-media", "owned").encode()
    assert not azure.find_owner(), "there is none yet"
    platform.replies["GET /metadata/reprovisiondata?"] = lambda: (200, document)
    assert azure.find_owner()
    azure.adopt_owner()
    instance, _ = azure.fetch("id")
    assert azure.pool_type == "" and instance.custom_data == CUSTOM
    assert "owned" in instance.hostnames
    assert "owned" in azure.documents["ovf-env.xml"].decode()
    azure.report(None, instance)
    assert "pps_type=Running" in telemetry(platform)


def test_without_an_owners_document_imds_alone_is_believed(
    platform: Platform, tmp_path: Any
) -> None:
    azure = source(platform, tmp_path)
    azure.fetch("id")
    azure.adopt_owner()
    instance, _ = azure.fetch("id")
    assert instance.admin is not None and instance.admin.password == ""
    assert azure.documents == {}


def telemetry(platform: Platform) -> str:
    """The text of the one record in the key-value pool."""
    with open(platform.root + "/var/lib/hyperv/.kvp_pool_1", "rb") as handle:
        data = handle.read()
    assert len(data) == 2560 and data.startswith(b"PROVISIONING_REPORT\0")
    return data[512:].rstrip(b"\0").decode()


def test_telemetry_comes_before_the_report(platform: Platform, tmp_path: Any) -> None:
    before: List[str] = []

    def answer() -> Tuple[int, bytes]:
        before.append(telemetry(platform))
        return 200, b""

    platform.replies["POST /machine?comp=health"] = answer
    azure = source(platform, tmp_path)
    error = ProvisioningError("user cannot be made", user="me")
    assert azure.report(error, Instance("id", vm_id="vm-1")) == ()
    assert before == [platform.reports()[0].findtext(".//Description")]
    assert "reason=user cannot be made" in before[0] and "vm_id=vm-1" in before[0]


def test_success_is_in_the_telemetry_alone(platform: Platform, tmp_path: Any) -> None:
    source(platform, tmp_path, agent="me/2").report(None, Instance("id", vm_id="vm-1"))
    assert telemetry(platform).startswith(
        "result=success|agent=me/2|pps_type=None|vm_id=vm-1|timestamp=20"
    )


def test_trouble_with_telemetry_is_a_warning(platform: Platform, tmp_path: Any) -> None:
    os.makedirs(str(tmp_path) + "/var/lib/hyperv/.kvp_pool_1")
    warnings = source(platform, tmp_path).report(None, None)
    assert len(warnings) == 1 and warnings[0].startswith("no telemetry: ")
    assert source(platform, tmp_path, telemetry=False).report(None, None) == ()
    assert len(platform.reports()) == 2
