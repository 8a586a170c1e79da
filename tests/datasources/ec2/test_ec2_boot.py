"""Whole boots on EC2, in a scratch root."""

from __future__ import annotations

from typing import Any

from lightinit.emulator.ec2.platform import Ec2
from lightinit.emulator.ec2.tree import KEY, META_DATA
from tests.lib.scratch import Machine

DMI = "/sys/class/dmi/id/"
SETTINGS = """[lightinit]
default_user = ada
[ec2]
endpoint = %s
fetch_timeout_s = %s
request_timeout_s = 60
retry_first_s = 0.1
"""


def a_machine(root: Any, platform: Ec2, tag: str, timeout_s: float = 120.0) -> Machine:
    made = Machine(root, without=[DMI + "chassis_asset_tag"])
    made.put(DMI + "chassis_asset_tag", "Amazon EC2\n")
    made.put(DMI + "sys_vendor", "Amazon EC2\n")
    made.put(DMI + "product_uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n")
    made.put(DMI + "board_asset_tag", tag + "\n")
    made.put("/etc/lightinit/conf.d/10-ec2.conf", SETTINGS % (platform.endpoint, timeout_s))
    return made


def boot(machine: Machine) -> str:
    ended = machine.run("boot")
    assert ended.returncode == 0, ended.stderr
    return str(ended.stderr)


def test_a_vm_is_found_by_its_dmi_and_its_keys_are_the_default_users(tmp_path: Any) -> None:
    with Ec2({"user-data": "#!/bin/sh\n"}, expire_after=5) as platform:
        machine = a_machine(tmp_path, platform, META_DATA["instance-id"])
        said = boot(machine)
        asked = len(platform.requests)
        assert "nothing to do" in boot(machine) and len(platform.requests) == asked
    assert "nobody to report to" in said and "metadata service 127.0.0.1" in said
    assert machine.read("/etc/hostname").strip() == META_DATA["local-hostname"].partition(".")[0]
    assert machine.read("/home/ada/.ssh/authorized_keys").strip().endswith(KEY)
    record = machine.json("/var/lib/lightinit/instance/result.json")
    assert record["instance"] == META_DATA["instance-id"]
    # Later boots do not even start Python for it.
    assert DMI + "product_uuid" in machine.read("/var/lib/lightinit/instance/provisioned")
    shown = machine.run("query", "raw.meta_data.block-device-mapping.ebs2")
    assert shown.stdout.strip() == "sdb", shown.stderr


def test_without_a_tag_the_service_names_the_instance_and_a_clone_begins_anew(
    tmp_path: Any,
) -> None:
    with Ec2() as platform:
        machine = a_machine(tmp_path, platform, "")
        boot(machine)
        asked = len(platform.requests)
        # Later boots know by product_uuid that nothing has changed.
        assert "nothing to do" in boot(machine) and len(platform.requests) == asked
        platform.become({"meta-data": {"instance-id": "i-0fedcba987654321f"}})
        machine.put(DMI + "product_uuid", "ec2aaaaa-9099-7caf-fd21-012345abcdef\n")
        boot(machine)
    record = machine.json("/var/lib/lightinit/instance/result.json")
    assert record["instance"] == "i-0fedcba987654321f"


def test_a_service_without_tokens_fails_the_boot_with_what_to_do(tmp_path: Any) -> None:
    with Ec2(tokens="none") as platform:
        machine = a_machine(tmp_path, platform, META_DATA["instance-id"])
        ended = machine.run("boot")
        assert ended.returncode == 1 and "set imdsv1 = yes in [ec2]" in ended.stderr
        machine.put("/etc/lightinit/conf.d/20-old.conf", "[ec2]\nimdsv1 = yes\n")
        said = boot(machine)
    assert "asked without one" in said
    assert KEY in machine.read("/home/ada/.ssh/authorized_keys")
