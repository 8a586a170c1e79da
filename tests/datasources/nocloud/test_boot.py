"""Whole boots from a NoCloud seed, in a scratch root."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

FOLDER = "/var/lib/cloud/seed/nocloud"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE ada@desk"
USER_DATA = "#cloud-config\nusers:\n- name: ada\n  ssh_authorized_keys: [%s]\n" % KEY


@pytest.fixture
def desk(tmp_path: Any) -> Machine:
    """A machine that is not on Azure and has no lease, with a seed."""
    made = Machine(
        tmp_path,
        without=["/sys/class/dmi/id/chassis_asset_tag", "/var/lib/dhcp/dhclient.eth0.leases"],
    )
    made.put("/sys/class/dmi/id/chassis_asset_tag", "desk\n")
    made.put("/etc/lightinit/conf.d/10-desk.conf", "[lightinit]\ndatasource = nocloud\n")
    seed(made, "desk-1", USER_DATA)
    return made


def seed(machine: Machine, instance_id: str, user_data: str) -> None:
    machine.put(FOLDER + "/meta-data", "instance-id: %s\nlocal-hostname: desk\n" % instance_id)
    machine.put(FOLDER + "/user-data", user_data)


def boot(machine: Machine) -> str:
    ended = machine.run("boot")
    assert ended.returncode == 0, ended.stderr
    return str(ended.stderr)


@needs_yaml
def test_a_seed_gives_a_login_and_later_boots_do_nothing(desk: Machine) -> None:
    said = boot(desk)
    assert "nobody to report to" in said and "waiting for a DHCP lease" not in said
    assert desk.read("/etc/hostname") == "desk\n"
    assert KEY in desk.read("/home/ada/.ssh/authorized_keys")
    assert desk.json("/var/lib/lightinit/instance/result.json")["instance"] == "desk-1"
    assert "instance desk-1 is provisioned: nothing to do" in boot(desk)
    seed(desk, "desk-1", "#!/bin/sh\n")
    said = boot(desk)
    assert "user-data have changed, but not its instance-id" in said and "nothing to do" in said


def test_an_id_that_is_new_at_each_boot_is_told(desk: Machine) -> None:
    seed(desk, "desk-1", "#!/bin/sh\n")
    assert "the instance-id was" not in boot(desk)
    seed(desk, "desk-2", "#!/bin/sh\n")
    assert "the instance-id was desk-1 before" in boot(desk)
    desk.put("/sys/class/dmi/id/product_uuid", "d1e0a7b4-93c2-4b55-8a11-77f0c2a4e6d8\n")
    seed(desk, "desk-3", "#!/bin/sh\n")
    assert "the instance-id was" not in boot(desk), "a copy of the disk is another machine"
    seed(desk, "desk-1", "#!/bin/sh\n")
    said = boot(desk)
    assert "desk-1 is the current one again" in said and "nothing to do" in said
    assert desk.json("/var/lib/lightinit/instance/result.json")["instance"] == "desk-1"
    assert "current one again" not in boot(desk)


def test_a_seed_that_is_detached_leaves_the_machine_as_it_is(desk: Machine) -> None:
    seed(desk, "desk-1", "#!/bin/sh\n")
    boot(desk)
    for name in ("meta-data", "user-data"):
        os.unlink("%s%s/%s" % (desk.root, FOLDER, name))
    said = boot(desk)
    assert "no NoCloud seed" in said or "nothing to do" in said
    desk.put("/proc/cmdline", "ro ds=nocloud\n")
    assert "instance desk-1 is provisioned: nothing to do" in boot(desk)
    desk.put("/proc/cmdline", "ro\n")
    desk.put("/etc/hostname", "image\n")
    for name in ("module.hostname", "stage.config", "stage.final"):
        os.unlink("%s/var/lib/lightinit/instance/sem/%s" % (desk.root, name))
    os.unlink(desk.root + "/etc/lightinit/conf.d/10-desk.conf")
    boot(desk)
    assert desk.read("/etc/hostname") == "desk\n", "what the first boot left undone is done"
    assert desk.read("/etc/hostname") == "desk\n"


def test_an_id_that_is_a_uuid_is_not_dmis(desk: Machine) -> None:
    """Tools often give a seed a random one, and the command must not take it for another VM's."""
    seed(desk, "312eed6a-2832-d4fe-4864-6ec7f561fec6", "#!/bin/sh\n")
    boot(desk)
    assert "done" in desk.run("status").stdout
