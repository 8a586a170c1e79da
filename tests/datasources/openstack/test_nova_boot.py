"""Whole boots with Nova's metadata, in a scratch root: from the service and from a config drive."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import pytest

from lightinit.emulator.host_side.images import make_iso9660, make_vfat, write_files, write_image
from lightinit.emulator.openstack.platform import OpenStack
from lightinit.emulator.openstack.tree import fill_in, make_tree
from tests.emulator.tools import need
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE ada@desk"
DMI = "/sys/class/dmi/id/"
UUID = "d8e02d56-2648-49a3-bf97-6be8f1204f38"
TOOLS: Dict[str, Tuple[str, ...]] = {
    "folder": (),
    "iso9660": ("genisoimage",),
    "vfat": ("mkfs.vfat", "mcopy"),
}
VM: Dict[str, Any] = {
    "uuid": UUID,
    "public_keys": {"mykey": KEY},
    "vendor_data2": {"cloud-init": "#cloud-config\nssh_deletekeys: false\n"},
    "user_data": "#cloud-config\nwrite_files:\n- path: /etc/from-user\n  content: hi\n",
    "files": {"/etc/from-nova": "hello\n"},
    "meta": {"role": "web"},
}


def a_machine(root: Any, product: str, settings: str, *without: str) -> Machine:
    made = Machine(root, without=[DMI + "chassis_asset_tag", *without])
    made.put(DMI + "chassis_asset_tag", "desk\n")
    made.put(DMI + "product_name", product + "\n")
    made.put(DMI + "product_uuid", UUID + "\n")
    made.put("/etc/lightinit/conf.d/10-nova.conf", "[lightinit]\ndefault_user = ada\n%s" % settings)
    return made


def boot(machine: Machine) -> str:
    ended = machine.run("boot")
    assert ended.returncode == 0, ended.stderr
    return str(ended.stderr)


def check(machine: Machine) -> None:
    assert machine.read("/etc/hostname").strip() == "vm1"
    assert KEY in machine.read("/home/ada/.ssh/authorized_keys")
    assert machine.read("/etc/from-user") == "hi"
    assert machine.json("/var/lib/lightinit/instance/result.json")["instance"] == UUID
    assert machine.run("query", "raw.meta_data.meta.role").stdout.strip() == "web"


def test_the_metadata_service_is_found_by_dmi(tmp_path: Any) -> None:
    with OpenStack(VM) as platform:
        settings = "[openstack]\nendpoint = %s\nrequest_timeout_s = 60\n" % platform.endpoint
        machine = a_machine(tmp_path, "OpenStack Nova", settings)
        said = boot(machine)
        assert "nobody to report to" in said and "metadata service 127.0.0.1" in said
        check(machine)
        # Only the service said which instance this is.
        assert "\ninstance: %s\n" % UUID in machine.run("status", "--long").stdout
        asked = len(platform.requests)
        assert "nothing to do" in boot(machine) and len(platform.requests) == asked
        # A copy of the disk is another VM.
        platform.become(dict(VM, uuid=UUID[:-1] + "9", hostname="copy"))
        machine.put(DMI + "product_uuid", UUID[:-1] + "9\n")
        boot(machine)
    assert machine.read("/etc/hostname").strip() == "copy"
    public = machine.read("/var/lib/lightinit/instance/instance-public.json")
    assert "random_seed" in public and "redacted" in public


def test_a_damaged_volume_loses_no_vm_that_has_the_service(tmp_path: Any) -> None:
    with OpenStack(VM) as platform:
        settings = "[openstack]\nendpoint = %s\nrequest_timeout_s = 60\n" % platform.endpoint
        machine = a_machine(tmp_path / "drive", "OpenStack Nova", settings)
        machine.put("/config-drive/openstack/latest/meta_data.json", "{")
        for _ in range(2):  # the second time, the instance is known, and its data are not
            assert machine.run("stage", "local").returncode == 0
        said = boot(machine)
        assert "openstack is used in place of configdrive: config drive is not usable" in said
        check(machine)
        assert "is provisioned" in boot(machine)
        shown = machine.json("/var/lib/lightinit/instance/detection.json")
        assert shown["datasource"] == "openstack" and "not usable" in shown["ignored"][0]
        # Without the service's sign, the drive alone counts, and its damage is the error.
        machine.put(DMI + "product_name", "Standard PC\n")
        machine.put(DMI + "chassis_asset_tag", "another\n")
        ended = machine.run("boot")
        assert ended.returncode == 1 and "config drive is not usable" in ended.stderr
        machine = a_machine(
            tmp_path / "seed", "OpenStack Nova", settings + "[nocloud]\nmedia = /seed.img\n"
        )
        machine.put("/seed.img", "no file system" * 9999)
        assert "openstack is used in place of nocloud: " in boot(machine)
        check(machine)
        # Whoever names the datasource gets no other.
        machine = a_machine(tmp_path / "named", "OpenStack Nova", settings)
        machine.put("/config-drive/openstack/latest/meta_data.json", "{")
        machine.put("/proc/cmdline", "ds=configdrive\n")
        assert machine.run("boot").returncode == 1


@pytest.mark.parametrize("kind", ["folder", "iso9660", "vfat"])
def test_a_config_drive_needs_no_network(tmp_path: Any, kind: str) -> None:
    need(*TOOLS[kind])
    files = make_tree(fill_in(dict(VM, admin_pass="hunter2")), is_drive=True)
    leases = "/var/lib/dhcp/dhclient.eth0.leases"
    media = "/seed" if kind == "folder" else "/seed.img"
    settings = "datasource = configdrive\n[configdrive]\nmedia = %s\n" % media
    machine = a_machine(tmp_path / "root", "Standard PC", settings, leases)
    if kind == "folder":
        write_files(machine.root + media, files)
    else:
        make = {"iso9660": make_iso9660, "vfat": make_vfat}[kind]
        write_image(
            machine.root + media, files, lambda image, content: make(image, content, "config-2")
        )
    said = boot(machine)
    assert "waiting for a DHCP lease" not in said and "nobody to report to" in said
    check(machine)
    assert machine.read("/etc/from-nova") == "hello\n"
    assert "hunter2" not in machine.read("/var/lib/lightinit/instance/instance.json")
    assert "is provisioned" in boot(machine)
