"""Which datasource a machine gets, by what it shows: no device and no network is asked here."""

from __future__ import annotations

import json
from typing import Any, Dict, Tuple

import pytest

from lightinit.datasources import DATASOURCES
from lightinit.datasources.detect import AZURE, NOT_ASKED, detect
from lightinit.emulator import Platform
from lightinit.host.system import System
from tests.lib.scratch import UUID, Machine

DMI = "/sys/class/dmi/id/"
AZURES = {DMI + "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77\n"}
OTHERS = {DMI + "chassis_asset_tag": "No Asset Tag\n", DMI + "sys_vendor": "LENOVO\n"}
BY_LABEL = "/dev/disk/by-label/"


def look(tmp_path: Any, files: Dict[str, str], whole: bool = False) -> Any:
    system = System(str(tmp_path))
    for path, content in files.items():
        system.write(path, content.encode())
    return detect(system, {}, whole)


def test_azure_wins_and_what_else_is_seen_is_told(tmp_path: Any) -> None:
    seen = {BY_LABEL + "CIDATA": "", BY_LABEL + "root": "", "/proc/cmdline": "quiet ds=nocloud\n"}
    found = look(tmp_path, {**AZURES, **seen})
    assert (found.name, found.found) == (AZURE, True)
    assert found.ignored == ("a volume labelled CIDATA", "ds=nocloud on the kernel's command line")
    assert [name for name, _ in found.signs] == list(DATASOURCES)
    assert {sign.why for _, sign in found.signs[1:]} <= {NOT_ASKED}
    found = look(tmp_path, {}, whole=True)  # for people, all are asked
    assert found.name == AZURE and NOT_ASKED not in [sign.why for _, sign in found.signs]


def test_a_boot_on_azure_warns_of_a_stray_seed(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put(BY_LABEL + "CIDATA", "")
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        assert platform.ready_count == 1
    (warning,) = machine.json("/var/lib/lightinit/instance/result.json")["warnings"]
    assert "ignored, since this is a VM on Azure: a volume labelled CIDATA" in warning


@pytest.mark.parametrize(
    "files, expected",
    [
        (OTHERS, ("", False)),
        ({}, (AZURE, None)),  # only the network can tell
        ({DMI + "sys_vendor": "Microsoft Corporation\n"}, (AZURE, None)),
        ({**OTHERS, "/proc/cmdline": "ds=azure ds=unheard-of\n"}, ("", False)),
    ],
)
def test_other_machines(tmp_path: Any, files: Dict[str, str], expected: Tuple[str, Any]) -> None:
    found = look(tmp_path, files)
    assert (found.name, found.found) == expected
    assert found.why and found.ignored == ()


def test_a_machine_on_no_platform_is_left_alone(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    for path, content in OTHERS.items():
        machine.put(path, content)
    ended = machine.run("boot")
    assert ended.returncode == 0
    for name in DATASOURCES:
        assert name + ": " in ended.stderr
    assert not (tmp_path / "var/lib/lightinit").exists()
    shown = machine.run("datasources")
    assert shown.returncode == 1 and "no datasource: a boot does nothing" in shown.stdout
    machine.put("/etc/lightinit/conf.d/a.conf", "[lightinit]\ndatasource = azure\n")
    shown = machine.run("datasources")
    assert shown.returncode == 0 and "the settings name it: /etc/lightinit/conf.d" in shown.stdout
    machine.put("/etc/lightinit/conf.d/a.conf", "[lightinit]\nplatform_check = none\n")
    said = json.loads(machine.run("datasources", "--format", "json").stdout)
    assert said["taken"] == AZURE and said["datasources"][0]["found"] is False


def test_query_platform_says_why(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    folder = "/var/lib/lightinit/instances/%s/" % UUID
    machine.put(folder + "instance-public.json", '{"platform": "azure"}')
    signs = [{"name": "azure", "why": "its tag"}, {"name": "other", "why": "\x1b[2J"}, 1]
    machine.put(folder + "detection.json", json.dumps({"datasource": "azure", "signs": signs}))
    (tmp_path / "var/lib/lightinit/instance").symlink_to("instances/" + UUID)
    ended = machine.run("query", "platform")
    assert ended.stdout == "azure\n"
    assert ended.stderr.startswith("lightinit: taken azure: its tag\nlightinit: not taken other: ")
    assert "\x1b" not in ended.stderr
