"""Which datasource a machine gets, by what it shows: no device and no network is asked here."""

from __future__ import annotations

import json
import subprocess
from typing import Any, Dict, Tuple

import pytest

from lightinit.datasources import DATASOURCES
from lightinit.datasources.detect import ACPI, AZURE, BOARD, NOT_ASKED, detect, warn_of_azure
from lightinit.emulator import Platform
from lightinit.host.system import System
from tests.lib.scratch import HERE, UUID, Machine

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


def test_a_board_without_dmi_is_no_vm_on_azure(tmp_path: Any) -> None:
    for number, (files, expected) in enumerate(
        (
            ({BOARD: "raspberrypi,4-model-b\0"}, ("", False)),
            ({BOARD: "x", "/proc/cmdline": "ds=nocloud\n"}, ("nocloud", True)),
            ({BOARD: "x", ACPI + "/tables/DSDT": ""}, (AZURE, None)),
            ({BOARD: "x", DMI + "sys_vendor": "Microsoft Corporation\n"}, (AZURE, None)),
            ({DMI + "sys_vendor": "\n"}, (AZURE, None)),
            ({}, (AZURE, None)),
        )
    ):
        root = tmp_path / str(number)
        found = detect(a_machine(root, {}, files), {})
        assert (found.name, found.found) == expected
        assert has_nothing_to_do(root) is (expected == ("", False))


def test_settings_that_name_another_platform_on_azure_are_told(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/lightinit/conf.d/a.conf", "[lightinit]\ndatasource = configdrive\n")
    machine.put("/config-drive/openstack/latest/meta_data.json", '{"uuid": "%s"}' % UUID)
    ended = machine.run("boot")
    assert ended.returncode == 0 and "Azure gets no report" in ended.stderr, ended.stderr
    assert warn_of_azure(System(str(tmp_path)), AZURE) == ""
    machine.put(DMI + "chassis_asset_tag", "another\n")
    assert warn_of_azure(System(str(tmp_path)), "configdrive") == ""


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
    machine.put("/etc/lightinit/conf.d/a.conf", "[lightinit]\ndatasource = opnstack\n")
    shown = machine.run("datasources")
    assert shown.returncode == 1 and "no datasource: a boot does nothing" in shown.stdout
    for said in (shown.stdout, machine.run("boot").stderr):
        assert "a.conf:2: unknown datasource (name=opnstack, nearest=openstack)" in said
    machine.put("/etc/lightinit/conf.d/a.conf", "[lightinit]\ndatasource = Azure\n")
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


def a_machine(root: Any, fields: Dict[str, str], files: Dict[str, str]) -> System:
    """A machine whose udev has nothing left to do, with these fields of DMI and these files."""
    system = System(str(root))
    files = {"/run/udev/control": "", "/proc/cmdline": "quiet\n", **files}
    files.update({DMI + name: value + "\n" for name, value in fields.items()})
    for path, content in files.items():
        system.write(path, content.encode())
    return system


def has_nothing_to_do(root: Any) -> bool:
    """Whether the script without Python ends the boot."""
    script = ["sh", HERE + "/init/check", str(root)]
    ended = subprocess.run(script, stderr=subprocess.PIPE, check=False)
    assert ended.returncode in (0, 1) and bool(ended.stderr) is (ended.returncode == 1)
    return ended.returncode == 1


NONE: Dict[str, str] = {}
EC2_UUID = "ec2e1916-9099-7caf-fd21-012345abcdef"
XENS = {"sys_vendor": "Xen", "product_name": "HVM domU"}
META_DATA = "openstack/latest/meta_data.json"
UDEV, VFAT = "/run/udev/data/", "S:disk/by-id/x\nE:ID_FS_TYPE=vfat\nE:ID_FS_USAGE=filesystem\n"
# What each machine shows besides OTHERS, and the datasource that it gets. "" with a dash: none, and
# only Python can tell.
MACHINES: Tuple[Tuple[str, Dict[str, str], Dict[str, str], str], ...] = (
    ("laptop", {"product_serial": "PF2X"}, NONE, ""),
    ("hyper-v", {"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "5821-33"}, NONE, ""),
    ("hyper-v empty", {"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": ""}, NONE, ""),
    ("vmware", {"sys_vendor": "VMware, Inc.", "product_serial": "VMware-42 2e ec"}, NONE, ""),
    ("gce", {"sys_vendor": "Google", "product_serial": "GoogleCloud-AB"}, NONE, ""),
    ("virtualbox", {"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"}, NONE, ""),
    ("alibaba", {"sys_vendor": "Alibaba Cloud", "product_name": "Alibaba Cloud ECS"}, NONE, ""),
    ("oracle", {"chassis_asset_tag": "OracleCloud.com"}, NONE, ""),
    ("exoscale", {"product_name": "Exoscale Compute Platform"}, NONE, ""),
    ("cloudstack", {"product_name": "CloudStack KVM Hypervisor"}, NONE, ""),
    ("eucalyptus", {"sys_vendor": "Eucalyptus"}, NONE, ""),
    ("brightbox?", {"product_serial": "a.brightbox.com.evil"}, NONE, ""),
    ("xen", {}, {"/sys/hypervisor/uuid": "00000000-0000-0000-0000-000000000000\n"}, ""),
    ("words", {}, {"/proc/cmdline": "fds=3 adds=nocloud\n"}, ""),
    ("no drive", {}, {"/config-drive/x": ""}, ""),
    ("dell's uuid", {"product_uuid": EC2_UUID}, NONE, "-"),
    ("vendor alone", {"sys_vendor": "OpenStack Foundation"}, NONE, "-"),
    ("amazon's other", {"sys_vendor": "Amazon"}, NONE, "-"),
    ("unknown word", {}, {"/proc/cmdline": "ds=aws\n"}, "-"),
    ("nova", {"product_name": "OpenStack Nova"}, NONE, "openstack"),
    ("rdo", {"sys_vendor": "RDO", "product_name": "OpenStack Compute"}, NONE, "openstack"),
    ("telekom", {"chassis_asset_tag": "OpenTelekomCloud"}, NONE, "openstack"),
    ("sap", {"chassis_asset_tag": " SAP CCloud VM "}, NONE, "openstack"),
    ("huawei", {"chassis_asset_tag": "HUAWEICLOUD"}, NONE, "openstack"),
    ("samsung", {"chassis_asset_tag": "Samsung Cloud Platform"}, NONE, "openstack"),
    ("nitro", {"sys_vendor": "Amazon EC2", "chassis_asset_tag": "Amazon EC2"}, NONE, "ec2"),
    ("xen", {**XENS, "product_uuid": EC2_UUID.upper(), "product_serial": EC2_UUID}, NONE, "ec2"),
    (
        "swapped",
        {
            "product_uuid": "45e12aec-dcd1-b213-94ed-012345abcdef",
            "product_serial": "EC2AE145-D1DC-13B2-94ED-012345ABCDEF",
        },
        NONE,
        "ec2",
    ),
    ("xen pv", {}, {"/sys/hypervisor/uuid": EC2_UUID + "\n"}, "ec2"),
    ("brightbox", {"product_serial": "srv-1.gb1.brightbox.com"}, NONE, "ec2"),
    ("zstack", {"chassis_asset_tag": "8a.zstack.io"}, NONE, "ec2"),
    ("e24", {"sys_vendor": "e24cloud"}, NONE, "ec2"),
    ("osc", {"sys_vendor": "3DS Outscale", "product_name": "3DS Outscale VM"}, NONE, "ec2"),
    # udev does not know a label that only the boot sector of a FAT has.
    ("uefi", {}, {UDEV + "b8:1": VFAT + "E:ID_PART_ENTRY_NUMBER=1\n", UDEV + "b8:0": ""}, ""),
    ("stick", {}, {UDEV + "b8:16": VFAT + "E:ID_FS_LABEL=PHOTOS\n"}, ""),
    ("xen orchestra", {"sys_vendor": "Xen"}, {UDEV + "b202:16": VFAT, UDEV + "n2": ""}, "-"),
    ("word", {}, {"/proc/cmdline": "ds=nocloud-net;s=http://seed/\n"}, "nocloud"),
    ("quoted", {}, {"/proc/cmdline": 'quiet "ds=nocloud;s=http://seed/"\n'}, "nocloud"),
    ("quoted", {}, {"/proc/cmdline": 'quiet "ds=OpenStack"\n'}, "openstack"),
    ("tab", {}, {"/proc/cmdline": "quiet\tds=Ec2\n"}, "ec2"),
    ("ci.ds", {}, {"/proc/cmdline": "ci.ds=ConfigDrive\n"}, "configdrive"),
    ("ci.datasource", {}, {"/proc/cmdline": "ci.datasource=OpenStack\n"}, "openstack"),
    ("serial", {"product_serial": "ds=nocloud;h=web"}, NONE, "nocloud"),
    ("drive", {}, {"/config-drive/" + META_DATA: "{}"}, "configdrive"),
    ("drive", {}, {"/var/lib/cloud/seed/config_drive/" + META_DATA: "{}"}, "configdrive"),
    ("both", {"product_name": "OpenStack Nova"}, {"/config-drive/" + META_DATA: ""}, "configdrive"),
    ("misspelt", {"sys_vendor": "Amazon EC2"}, {"/proc/cmdline": "ds=nocluod\n"}, "ec2"),
)


def test_python_and_the_script_see_the_same_on_each_machine(tmp_path: Any) -> None:
    for number, (name, fields, files, taken) in enumerate(MACHINES):
        root = tmp_path / str(number)
        shown = {"chassis_asset_tag": "No Asset Tag", "sys_vendor": "QEMU", **fields}
        found = detect(a_machine(root, shown, files), {})
        assert (found.name, found.found) == (taken.strip("-"), bool(taken.strip("-"))), name
        assert has_nothing_to_do(root) is (taken == ""), name
        # With Azure's tag it is a VM on Azure, whatever else it shows.
        fields = dict(fields, chassis_asset_tag=AZURES[DMI + "chassis_asset_tag"].strip())
        found = detect(a_machine(tmp_path / ("azure%d" % number), fields, files), {})
        assert (found.name, found.found) == (AZURE, True), name
