"""The modules that run only where a cloud-config asks for them."""

from __future__ import annotations

from pathlib import Path

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
HOME = "/var/lib/lightinit/instance"
NAME = "tests.lib.asked_for"


def lead(machine: Machine, platform: Platform, data: bytes, key: str = "final_modules") -> None:
    machine.put("/media/ovf-env.xml", make_ovf("azureuser", "web-1", custom_data=data).decode())
    settings = "[azure]\nmedia = /media\nmedia_only_s = 0.2\n"
    settings += "[lightinit]\n"
    others = {"modules": "custom_data "}.get(key, "")
    machine.lead_to(platform, settings + "%s = %s%s\n" % (key, others, NAME))


def test_it_runs_once_where_it_is_asked_for(tmp_path: Path) -> None:
    for key in ("modules", "final_modules"):
        machine = Machine(tmp_path / key)
        with Platform() as platform:
            lead(machine, platform, b"#cloud-config\nsnap: text\n", key)
            assert machine.run("boot").returncode == 0
            assert machine.read("/asked") == "text\n"
            assert "nothing to do" in machine.run("boot").stderr
            assert machine.read("/asked") == "text\n" and platform.ready_count == 1


def test_elsewhere_it_does_not_exist(tmp_path: Path) -> None:
    for number, data in enumerate([b"", b"#cloud-config\nhostname: x\n", b"#!/bin/sh\ntrue\n"]):
        machine = Machine(tmp_path / str(number))
        with Platform() as platform:
            lead(machine, platform, data)
            ended = machine.run("boot")
            assert ended.returncode == 0 and NAME not in ended.stderr, ended.stderr
            assert not machine.exists("/asked") and not machine.exists(HOME + "/asked.json")
            assert machine.exists(HOME + "/provisioned"), "nothing is pending"


def test_a_boot_that_was_cut_off_still_knows_of_it(tmp_path: Path) -> None:
    """The next boot does not load the instance's data before it knows that something is pending."""
    machine = Machine(tmp_path)
    with Platform() as platform:
        lead(machine, platform, b"#cloud-config\nsnap: text\n")
        assert machine.run("boot").returncode == 0
        Path(machine.root + HOME + "/sem/module." + NAME).unlink()
        Path(machine.root + HOME + "/provisioned").unlink()
        assert machine.run("boot").returncode == 0
    assert machine.read("/asked") == "text\ntext\n"
