"""The datasource with media, telemetry and a platform that it tells of its work: who is waited for,
who is given up.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple
from xml.etree import ElementTree

import pytest

from lightinit.datasources.azure.datasource import AzureDatasource
from lightinit.datasources.azure.media import MediaReading
from lightinit.errors import ProvisioningError
from lightinit.host.clock import Clock
from lightinit.host.system import System
from lightinit.model import Instance, User
from tests.lib.tiny_platform import DOCUMENT, PATIENT, OwnClock, PatientDatasource, Platform

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
OVF_OF_ME = (OVF % (CUSTOM, "")).replace("<UserName>media<", "<UserName>me<")
PROXY_AGENT = "<wa:ProvisionGuestProxyAgent>true</wa:ProvisionGuestProxyAgent>"


@pytest.fixture
def platform(tmp_path: Any) -> Iterator[Platform]:
    made = Platform(str(tmp_path))
    yield made
    made.stop()


def source(
    platform: Platform,
    tmp_path: Any,
    text: str = OVF % (CUSTOM, ""),
    clock: Optional[Clock] = None,
    **options: Any,
) -> AzureDatasource:
    """A datasource whose media are a directory of the scratch root."""
    os.makedirs(str(tmp_path) + "/media", exist_ok=True)
    with open(str(tmp_path) + "/media/ovf-env.xml", "w", encoding="utf-8") as handle:
        handle.write(text)
    system = System(str(tmp_path), clock or OwnClock())
    wanted: Dict[str, Any] = {
        "wireserver": platform.endpoint,
        "imds": platform.endpoint,
        "media": "/media",
    }
    wanted.update(PATIENT, **options)
    made = PatientDatasource(system, wanted)
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
    assert ["extended=true" in line for line in asked] == [True], "one answer has it all"


def test_the_media_alone_are_enough_when_imds_is_down(platform: Platform, tmp_path: Any) -> None:
    platform.replies["GET /metadata/instance?"] = lambda: (500, b"")
    instance, warnings = source(platform, tmp_path, media_only_s=5.0).fetch("id")
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
    azure = source(platform, tmp_path, progress_after_s=0.0)
    azure.fetch("id", announce=True)
    azure.report(None, None)
    assert states(platform) == [("NotReady", "Provisioning"), ("Ready", "")]


@pytest.mark.parametrize(
    "options, announce",
    [
        ({"report_progress": False, "progress_after_s": 0.0}, True),
        ({"progress_after_s": 0.0}, False),
        ({"progress_after_s": 3600.0}, True),  # Ready comes earlier
    ],
)
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
    azure = source(platform, tmp_path, progress_after_s=0.0)
    _, warnings = azure.fetch("id", announce=True)
    with pytest.raises(ProvisioningError):
        azure.report(None, None)
    assert states(platform).count(("NotReady", "Provisioning")) == 1
    assert not [each for each in warnings if "imds names" not in each]


PREPROVISIONED = "<wa:PreprovisionedVm>%s</wa:PreprovisionedVm>"
KIND = "<wa:PreprovisionedVMType>%s</wa:PreprovisionedVMType>"


@pytest.mark.parametrize(
    "said, by_imds, kind",
    [
        (PREPROVISIONED % "1" + KIND % "Savable", "Running", "Savable"),  # the media say which
        (KIND % "preprovisionedosdisk", None, "PreprovisionedOSDisk"),
        (PREPROVISIONED % "true", None, "Running"),
        (PREPROVISIONED % "true", "Savable", "Savable"),
        (PREPROVISIONED % "false", None, ""),
        (PREPROVISIONED % "false", "Savable", "Savable"),
        ("", "Savable", "Savable"),
        ("", "None", ""),
        (KIND % "Unknown", None, ""),
        (KIND % "Unknown", "Running", "Running"),
        (None, "Running", "Running"),
        (None, "savable", "Savable"),
        (None, "None", ""),
        (None, 7, ""),
        (None, "Dedicated", ""),
    ],
)
def test_a_pool_is_seen_on_the_media_or_by_imds(
    platform: Platform, tmp_path: Any, said: Any, by_imds: Any, kind: str
) -> None:
    extend(platform, **({} if by_imds is None else {"ppsType": by_imds}))
    where: Dict[str, Any] = {"media": "none"} if said is None else {}
    azure = source(platform, tmp_path, OVF % ("", said or ""), **where)
    _, warnings = azure.fetch("id")
    assert azure.pool_type == kind
    unknown = [each for each in warnings if "; not waiting for an owner" in each]
    assert len(unknown) == (kind == "" and "Unknown" in (said or "") or by_imds == "Dedicated")
    ignoring = source(platform, tmp_path, OVF % ("", said or ""), preprovisioned="no", **where)
    ignoring.fetch("id")
    assert ignoring.pool_type == ""


def extend(platform: Platform, compute: Any = DOCUMENT["compute"], **extended: Any) -> None:
    """IMDS gives the whole document from now on."""
    document = {"compute": compute, "extended": {"compute": extended}}
    platform.replies["GET /metadata/instance?"] = lambda: (200, json.dumps(document).encode())


@pytest.mark.parametrize("announced", [True, "true", "True"])
def test_custom_data_that_are_announced_are_waited_for(
    platform: Platform, tmp_path: Any, announced: Any
) -> None:
    """P3: canonical/cloud-init#6779."""
    extend(platform, hasCustomData=announced)
    azure = source(platform, tmp_path, OVF_OF_ME, Clock(), media="/late")
    threading.Timer(0.5, os.rename, (str(tmp_path / "media"), str(tmp_path / "late"))).start()
    instance, warnings = azure.fetch("id")
    assert (instance.custom_data, warnings) == (CUSTOM, ())


def test_custom_data_that_are_announced_and_do_not_come_are_told(
    platform: Platform, tmp_path: Any
) -> None:
    """P3: also if the media are there and have none, or may not be used."""
    extend(platform, hasCustomData=True)
    none = "imds announces custom data, but there are none: "
    cases: List[Tuple[str, Dict[str, Any], str]] = [
        (OVF_OF_ME, {"media": "/none"}, "no usable provisioning media"),
        (OVF_OF_ME, {"media": "none"}, "no usable provisioning media"),
        (OVF_OF_ME.replace(CUSTOM, ""), {}, "the document has none"),
    ]
    for text, options, why in cases:
        _, warnings = source(platform, tmp_path, text, **options).fetch("id")
        (warning,) = [each for each in warnings if each.startswith("imds")]
        assert warning.startswith(none) and why in warning
    extend(platform, hasCustomData=False)
    assert source(platform, tmp_path, media="none").fetch("id")[1] == ()


def test_a_vm_from_a_specialized_disk_waits_for_nothing(
    platform: Platform, tmp_path: Any, caplog: Any
) -> None:
    """P10: Azure/WALinuxAgent#754, #506: no wait, no warning, no advice about a firewall."""
    caplog.set_level("INFO")
    extend(platform, {"name": "resource", "osProfile": None, "publicKeys": []}, ppsType="None")
    azure = source(
        platform, tmp_path, media="/none", complete_timeout_s=3600.0, media_wait_s=3600.0
    )
    instance, warnings = azure.fetch("id")
    assert (instance.admin, instance.hostnames) == (None, ("resource",))
    assert [each for each in warnings if "media may be on /none" not in each] == []
    assert "from a specialized disk" in caplog.text and "firewall" not in caplog.text


def test_a_guest_proxy_agent_that_is_announced_and_missing_is_told(
    platform: Platform, tmp_path: Any
) -> None:
    """P3: what is announced is waited for or told."""
    wanted = OVF_OF_ME.replace("<wa:PlatformSettings>", "<wa:PlatformSettings>" + PROXY_AGENT)
    azure = source(platform, tmp_path, wanted)
    instance, _ = azure.fetch("id")
    (warning,) = azure.report(None, instance)
    assert "Guest Proxy Agent" in warning and "azure-proxy-agent is not installed" in warning
    os.makedirs(str(tmp_path) + "/usr/sbin", exist_ok=True)
    (tmp_path / "usr/sbin/azure-proxy-agent").write_text("")
    azure = source(platform, tmp_path, wanted)
    instance, _ = azure.fetch("id")
    assert azure.report(None, instance) == ()


class PatientReading(MediaReading):
    LEAST_S = 60.0


@pytest.mark.parametrize("needed", [True, False])
def test_media_that_are_there_count_after_the_vm_was_frozen(tmp_path: Any, needed: bool) -> None:
    """Its host was serviced, or its clock stepped: all time is over, and hardly any was used."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media/ovf-env.xml").write_text(OVF % (CUSTOM, ""), encoding="utf-8")
    reading = PatientReading(System(str(tmp_path), Clock()), "/media")
    reading._began_s -= 3600.0
    warnings: List[str] = []
    environment = reading.wait(needed, 10.0, warnings)
    assert environment is not None and environment.hostname == "of-media" and warnings == []


def test_what_was_adopted_counts_instead_of_the_media(platform: Platform, tmp_path: Any) -> None:
    azure = source(
        platform, tmp_path, OVF % ("", "<wa:PreprovisionedVm>true</wa:PreprovisionedVm>")
    )
    azure.fetch("id")
    document = (OVF % (CUSTOM, "")).replace("of-media", "owned").encode()
    assert not azure.find_owner(), "there is none yet"
    platform.replies["GET /metadata/reprovisiondata?"] = lambda: (200, document)
    assert any(azure.find_owner() for _ in range(5))  # asked once, and maybe too busy to answer
    azure.adopt_owner()
    instance, _ = azure.fetch("id")
    assert azure.pool_type == "" and instance.custom_data == CUSTOM
    assert "owned" in instance.hostnames
    assert "owned" in azure.documents["ovf-env.xml"].decode()
    azure.report(None, instance)
    assert "pps_type=Running" in telemetry(platform)


def owned(
    platform: Platform, azure: AzureDatasource, document: str, begin: Any = lambda: None
) -> Tuple[Instance, Tuple[str, ...]]:
    """Fetch in the pool, get an owner, and fetch again."""
    azure.fetch("id")
    platform.replies["GET /metadata/reprovisiondata?"] = lambda: (200, document.encode())
    assert any(azure.find_owner() for _ in range(5))  # asked once, and maybe too busy to answer
    azure.adopt_owner()
    begin()
    return azure.fetch("id")


OWNERS = OVF_OF_ME.replace("of-media", "owned")
POOLS = dict(DOCUMENT["compute"], name="pool", userData="cG9vbA==", tagsList=[])
KEYLESS = OWNERS.replace("<UserPassword>pass:wörd &lt;&amp;&gt;</UserPassword>", "")


@pytest.mark.parametrize("extended", [True, False])
def test_the_owners_data_win_while_imds_still_shows_the_pool(
    platform: Platform, tmp_path: Any, extended: bool
) -> None:
    """P2: canonical/cloud-init#4596. Both admins have one name; the pool's key opens nothing, and
    its host name, user data and tags go nowhere. Without the extended part the document that was
    seen before is known again.
    """
    compute = dict(POOLS, tagsList=[{"name": "of", "value": "pool"}])
    if extended:
        extend(platform, compute, ppsType="Running", hasCustomData=True)
    else:
        body = json.dumps({"compute": compute}).encode()
        platform.replies["GET /metadata/instance?"] = lambda: (200, body)
    azure = source(platform, tmp_path, OVF_OF_ME.replace(CUSTOM, "cG9vbA=="))
    instance, warnings = owned(platform, azure, OWNERS)
    assert instance.admin == User("me", (), True, PASSWORD)
    assert (instance.hostnames, instance.custom_data) == (("owned",), CUSTOM)
    assert (instance.user_data, instance.tags, instance.vm_id) == ("", {}, "13F56399")
    assert "ssh-rsa" not in json.dumps(instance.raw) and "pool" not in json.dumps(instance.raw)
    assert [each for each in warnings if each.startswith("imds still describes the pool (")]


def test_imds_is_waited_for_until_it_shows_the_owner(platform: Platform, tmp_path: Any) -> None:
    """P2: the rest of the owner's data is then used: keys, user data, tags."""
    answers: List[str] = []

    def reply() -> Tuple[int, bytes]:
        answers.append("")
        kind = "Running" if len(answers) < 4 else "None"
        name = {"Running": "pool", "None": "owned"}[kind]
        compute = dict(DOCUMENT["compute"], name=name, userData="b3duZWQ=")
        document = {"compute": compute, "extended": {"compute": {"ppsType": kind}}}
        return 200, json.dumps(document).encode()

    platform.replies["GET /metadata/instance?"] = reply
    azure = source(platform, tmp_path)
    instance, warnings = owned(platform, azure, OWNERS)
    assert instance.admin is not None and instance.admin.ssh_keys and warnings == ()
    assert (instance.hostnames, instance.user_data) == (("owned",), "b3duZWQ=")


def test_an_owner_whom_only_imds_could_let_in_is_no_reason_to_use_the_pools_key(
    platform: Platform, tmp_path: Any
) -> None:
    """P2: nobody could log in, so the VM is not ready."""
    extend(platform, POOLS, ppsType="Running")
    azure = source(platform, tmp_path)
    with pytest.raises(ProvisioningError, match="imds still describes the pool .*pool=Running"):
        owned(platform, azure, KEYLESS)


def test_custom_data_of_an_owner_that_are_announced_and_missing_are_told(
    platform: Platform, tmp_path: Any
) -> None:
    extend(platform, POOLS, ppsType="Running")
    azure = source(platform, tmp_path)
    _, warnings = owned(
        platform,
        azure,
        OWNERS.replace(CUSTOM, ""),
        lambda: extend(platform, POOLS, ppsType="None", hasCustomData=True),
    )
    assert [each for each in warnings if each.startswith("imds announces custom data")]


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
