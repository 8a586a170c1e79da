"""The datasource openstack, against the emulator's metadata service."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Dict, Sequence

import pytest

from lightinit.datasources.openstack.datasource import OpenStackDatasource
from lightinit.datasources.openstack.reading import MetadataReading
from lightinit.datasources.openstack.sign import find_sign
from lightinit.datasources.signs import Evidence
from lightinit.emulator.openstack.platform import OpenStack
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.host.identity import Dmi
from lightinit.host.system import System
from lightinit.model import Network
from tests.lib.scratch import ScriptedClock

UUID = "d8e02d56-2648-49a3-bf97-6be8f1204f38"
VM = {
    "uuid": UUID,
    "public_keys": {"mykey": "ssh-ed25519 AAAA ada"},
    "user_data": "#!/bin/sh\n",
    "vendor_data2": {"cloud-init": "#cloud-config\n"},
    "meta": {"role": "web"},
}
HTML = {"body": "<html>Log in</html>", "headers": {"Content-Type": "text/html"}}


def datasource(root: Any, platform: OpenStack, **options: Any) -> OpenStackDatasource:
    values = dict({"endpoint": platform.endpoint, "request_timeout_s": 60.0}, **options)
    return OpenStackDatasource(System(str(root), ScriptedClock()), values)


def asked(platform: OpenStack) -> Sequence[str]:
    return [record["path"] for record in platform.requests]


def test_the_whole_vm_with_few_requests(tmp_path: Any) -> None:
    with OpenStack(VM) as platform:
        source = datasource(tmp_path, platform)
        assert source.instance_id(Dmi()) == "" and source.is_this_platform(Dmi()) is None
        assert source.ask_instance_id() == (UUID, ())
        instance, warnings = source.fetch(UUID)
        assert warnings == () and instance.hostnames == ("vm1", "vm1.novalocal")
        assert base64.b64decode(instance.user_data) == b"#!/bin/sh\n"
        assert base64.b64decode(instance.vendor_data) == b"#cloud-config\n"
        assert [key.text for key in instance.public_keys] == ["ssh-ed25519 AAAA ada"]
        assert instance.subplatform == "metadata (http://%s)" % platform.endpoint
        assert "random_seed" not in instance.raw["meta_data"]
        base = "/openstack/2020-10-14/"
        assert asked(platform) == [
            "/openstack",
            base + "meta_data.json",
            base + "user_data",
            base + "vendor_data.json",
            base + "vendor_data2.json",
            base + "network_data.json",
        ]
        # The next one reads all of it anew.
        assert source.fetch(UUID)[0]._replace(raw={}) == instance._replace(raw={})


def test_an_old_cloud_has_less(tmp_path: Any) -> None:
    with OpenStack(dict(VM, user_data=""), versions=("2012-08-10",)) as platform:
        instance, warnings = datasource(tmp_path, platform).fetch(UUID)
    assert (instance.user_data, instance.vendor_data, warnings) == ("", "", ())
    assert asked(platform)[1:] == [
        "/openstack/2012-08-10/" + name for name in ("meta_data.json", "user_data")
    ]


@pytest.mark.parametrize(
    "faults, told",
    [
        ({"versions": [{"status": 404}]}, ""),
        ({"versions": [HTML]}, ""),
        ({"versions": [{"status": 503, "repeat": "forever"}]}, ""),
        ({"versions": [{"redirect": "/openstack/", "repeat": "forever"}]}, ""),
        ({"meta_data.json": [{"status": 404}]}, ""),  # listed, and missing: latest has it
        ({"meta_data.json": [{"status": 404}] * 4}, ""),  # a port that Neutron does not know yet
        ({"meta_data.json": [{"status": 503}, {"status": 500}, {"reset": True}]}, ""),
        ({"meta_data.json": [{"body": "{"}]}, ""),
        ({"user_data": [{"status": 401}]}, "user_data is not used: metadata service denies"),
        (
            {"user_data": [{"redirect": "http://192.0.2.1/", "repeat": "forever"}]},
            "user_data is not used: answer is a",
        ),
        ({"vendor_data.json": [{"status": 404}]}, ""),
        ({"vendor_data.json": [{"body": "<html>"}]}, "vendor_data.json is not used: json"),
        ({"network_data.json": [dict(HTML, repeat="forever")]}, "metadata answer is a web page"),
        ({"network_data.json": [{"status": 500, "repeat": "forever"}]}, "network_data.json is not"),
        ({"user_data": [{"endless_mb": 6, "repeat": "forever"}]}, "user_data is not used"),
    ],
)
def test_what_a_vm_can_do_without(tmp_path: Any, faults: Dict[str, Any], told: str) -> None:
    with OpenStack(VM, faults) as platform:
        instance, warnings = datasource(tmp_path, platform).fetch(UUID)
    assert instance.vm_id == UUID and instance.public_keys
    assert [told in text for text in warnings] == [True] * bool(told), warnings


def test_what_is_seldom_needed_holds_up_no_boot_for_long(tmp_path: Any) -> None:
    with OpenStack(VM, {"vendor_data2.json": [{"status": 500, "repeat": "forever"}]}) as platform:
        source = datasource(tmp_path, platform)
        _, warnings = source.fetch(UUID)
    assert "vendor_data2.json is not used" in warnings[0]
    assert sum(source.system.clock.sleeps) <= 30.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "faults, told",
    [
        ({"meta_data.json": [{"status": 401}]}, "metadata service denies access .*status=401"),
        (
            {"meta_data.json": [{"status": 404, "repeat": "forever"}]},
            "metadata service has no such value .*/latest/",
        ),
        ({"meta_data.json": [HTML]}, "metadata answer is a web page"),
        ({"versions": [HTML], "meta_data.json": [HTML]}, "web page .*/latest/meta_data.json"),
        (
            {"meta_data.json": [{"redirect": "http://192.0.2.1/", "repeat": "forever"}]},
            "answer is a redirect",
        ),
        ({"meta_data.json": [{"body": "<html>", "repeat": "forever"}]}, "document is not json"),
        ({"meta_data.json": [{"body": "{}", "repeat": "forever"}]}, "name no instance"),
        ({"meta_data.json": [{"status": 503, "repeat": "forever"}]}, "service is not ready"),
        ({"meta_data.json": [{"endless_mb": 3, "repeat": "forever"}]}, "answer is too large"),
    ],
)
def test_without_metadata_there_is_no_instance(
    tmp_path: Any, faults: Dict[str, Any], told: str
) -> None:
    for _ in range(5):
        with OpenStack(VM, faults) as platform:
            with pytest.raises(LightinitError) as caught:
                datasource(tmp_path, platform).ask_instance_id()
        if caught.value.reason != "request timed out":  # the last attempt has little time
            break
    assert re.search(told, str(caught.value)) and caught.value.details["hint"]


def test_a_service_that_hangs_is_given_up(tmp_path: Any) -> None:
    hangs = [{"hang_s": 30, "repeat": "forever"}]
    faults = {"versions": hangs, "meta_data.json": hangs}
    with OpenStack(VM, faults) as platform:
        source = datasource(tmp_path, platform, fetch_timeout_s=1.0, request_timeout_s=0.5)
        with pytest.raises(LightinitError, match="request timed out"):
            source.fetch(UUID)


def test_a_machine_with_its_own_dmi_asks_the_network(tmp_path: Any) -> None:
    other = {"versions": [{"body": "1.0\n2009-04-04\nlatest-not\n"}]}
    with OpenStack(VM, other) as platform:
        source = datasource(tmp_path, platform)
        with pytest.raises(LightinitError, match="metadata service is not openstack's"):
            source.confirm_platform(Network())
        source.confirm_platform(Network())  # the next answer is a good one
    with OpenStack(VM, {"versions": [{"status": 404}, HTML]}) as platform:
        source = datasource(tmp_path, platform)
        source.confirm_platform(Network())
        source.confirm_platform(Network())


def test_signs(tmp_path: Any) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    (folder / "product_name").write_text("Laptop\n")
    assert find_sign(Evidence(System(str(tmp_path))), {}).found is False
    (folder / "product_name").write_text("OpenStack Nova\n")
    evidence = Evidence(System(str(tmp_path)))
    assert find_sign(evidence, {}) == (True, "product name OpenStack Nova in DMI")
    with OpenStack(VM) as platform:
        assert datasource(tmp_path, platform).is_this_platform(evidence.dmi) is True


def test_the_emulator_is_as_nova_is() -> None:
    import urllib.error
    import urllib.request

    def get(path: str, method: str = "GET") -> Any:
        request = urllib.request.Request("http://%s%s" % (platform.endpoint, path), method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code

    with OpenStack(VM) as platform:
        assert get("/openstack/").split("\n")[-1] == "latest"
        assert "user_data" in get("/openstack/latest").split("\n")
        assert json.loads(get("/openstack/latest/meta_data.json"))["uuid"] == UUID
        assert "random_seed" not in json.loads(get("/openstack/2012-08-10/meta_data.json"))
        assert get("/2009-04-04/meta-data/public-keys/0/openssh-key") == "ssh-ed25519 AAAA ada"
        assert get("/latest/meta-data/public-keys/") == "0=mykey"
        for path in ("/openstack/1999-01-01", "/openstack/latest/x", "/openstack/content/", "/x"):
            assert get(path) == 404
        assert get("/openstack/latest/user_data", "POST") == 405
        platform.become(dict(VM, uuid="other"))
        assert json.loads(get("/openstack/latest/meta_data.json"))["uuid"] == "other"


def test_files_that_come_late_or_never_end_with_the_time_for_all(tmp_path: Any) -> None:
    system = System(str(tmp_path), ScriptedClock())

    class Slow:
        comes = False

        def get(self, path: str, limit_bytes: int, deadline_s: float) -> bytes:
            system.clock.sleep(9.0 if self.comes else deadline_s)
            if not self.comes:
                raise ProvisioningError("metadata service is not ready")
            return b""

    slow: Any = Slow()
    for slow.comes, took_s, left_out in ((False, 120.0 + 10.0, 98), (True, 189.0, 79)):
        began_s = system.clock.monotonic()
        reading = MetadataReading(system, slow, {"fetch_timeout_s": 120.0})
        found = reading.read_files(["file%d" % number for number in range(100)])
        assert len(found) == slow.comes * 21 and system.clock.monotonic() - began_s == took_s
        assert "%d more files are not asked for" % left_out in reading.warnings[-1]
