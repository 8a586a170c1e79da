"""What comes after a first boot that went wrong in part, and after an upgrade: nothing is lost,
nothing is done twice.
"""

from __future__ import annotations

import json
import os
from typing import Any

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.scratch import Machine

HOME = "/var/lib/lightinit/instance"
DOWN = {
    "name": "down",
    "description": "IMDS is down, and no report arrives.",
    "listen_after_s": {"imds": "forever"},
    "health": [{"status": 500, "repeat": "forever"}],
    "progress": [{"status": 500, "repeat": "forever"}],
}
IMDS_DOWN = {
    "name": "imds-down",
    "description": "IMDS is down.",
    "listen_after_s": {"imds": "forever"},
}
MEDIA = "[azure]\nmedia = /media\nmedia_only_s = 0.2\n"


def reboot(machine: Machine, number: int) -> None:
    """Another boot: another boot id, and an empty /run."""
    machine.put("/proc/sys/kernel/random/boot_id", "%08d-2222-4222-8222-222222222222\n" % number)
    for folder, _, names in os.walk(machine.root + "/run"):
        for name in names:
            os.unlink(os.path.join(folder, name))


def test_a_report_that_did_not_arrive_is_made_good_without_the_media(tmp_path: Any) -> None:
    """They are ejected before the report, so a VM on which only that failed has all it needs, and
    must not ask again.
    """
    machine = Machine(tmp_path)
    machine.put(
        "/media/ovf-env.xml",
        make_ovf(user_name="alice", host_name="web-1", password="Passw0rd!x").decode(),
    )
    with Platform(scenario=DOWN) as platform:
        machine.lead_to(platform, MEDIA)
        assert machine.run("boot").returncode == 1
        assert not machine.exists(HOME + "/sem/stage.final") and machine.exists(
            HOME + "/sem/module.users"
        )
    os.unlink(machine.root + "/media/ovf-env.xml")
    reboot(machine, 2)
    with Platform(scenario=IMDS_DOWN) as platform:
        machine.lead_to(platform, MEDIA)
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        assert [report["state"] for report in platform.final_reports] == ["Ready"]


def test_a_password_that_a_power_cut_has_taken_is_read_again(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put(
        "/media/ovf-env.xml",
        make_ovf(user_name="alice", host_name="web-1", password="Passw0rd!x").decode(),
    )
    with Platform(scenario=IMDS_DOWN) as platform:
        machine.lead_to(platform, MEDIA)
        for name in ("local", "fetch"):
            assert machine.run("stage", name).returncode == 0
        assert json.loads(machine.read("/run/lightinit/secrets.json"))["password"] == "Passw0rd!x"
        reboot(machine, 2)
        # By hand nothing is done without it: the account would be made, and marked as done.
        ended = machine.run("module", "users")
        assert ended.returncode == 3 and "lightinit boot" in ended.stderr
        ended = machine.run("boot")
        assert ended.returncode == 0 and "provisioning media: /media" in ended.stderr, ended.stderr
        assert not machine.exists("/run/lightinit/secrets.json")
        assert platform.ready_count == 1


def test_an_upgrade_that_comes_with_more_modules_changes_nothing(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n")
    with Platform() as platform:
        # The release before: it knew four modules, by default.
        machine.lead_to(
            platform, "[lightinit]\nmodules = hostname ssh_host_keys users ssh_authorized_keys\n"
        )
        assert machine.run("boot").returncode == 0
        machine.lead_to(platform)
        reboot(machine, 2)
        before = machine.tree()
        ended = machine.run("boot")
        assert ended.returncode == 0 and "nothing to do" in ended.stderr, ended.stderr
        changed = {name for name, text in machine.tree().items() if before.get(name) != text}
        assert all(
            name.startswith(("/run/", "/var/log/")) or name.endswith("/provisioned")
            for name in changed
        ), changed
        # Who names one in the settings wants it.
        machine.lead_to(
            platform,
            "[lightinit]\nmodules = hostname users ssh_authorized_keys ssh_password_login\n",
        )
        assert machine.run("boot").returncode == 0
        assert machine.exists("/etc/ssh/sshd_config.d/00-lightinit.conf")


def test_a_module_that_fails_by_hand_does_not_keep_later_boots_at_work(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        passwd = machine.read("/etc/passwd")
        os.unlink(machine.root + "/etc/passwd")
        os.mkdir(machine.root + "/etc/passwd")
        assert machine.run("module", "users", "--force").returncode == 1
        reboot(machine, 2)
        assert machine.run("boot").returncode == 1
        os.rmdir(machine.root + "/etc/passwd")
        machine.put("/etc/passwd", passwd)
        reboot(machine, 3)
        assert machine.run("boot").returncode == 0
        assert machine.exists(HOME + "/provisioned"), "the next boot costs nothing"
        assert platform.ready_count == 1


def test_a_private_key_that_was_not_written_is_not_lost_without_a_word(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(certificates="auto") as platform:
        machine.put("/full", "")
        machine.lead_to(
            platform, "[azure]\ncertificates = all\n[module.certificates]\nfolder = /full/x\n"
        )
        ended = machine.run("boot")
        assert ended.returncode == 0 and platform.ready_count == 1
        machine.lead_to(platform, "[azure]\ncertificates = all\n")
        reboot(machine, 2)
        machine.run("boot")
        status = machine.run("status", "--long")
        assert status.returncode == 2 and "private key is no longer at hand" in status.stdout, (
            status.stdout
        )
        assert machine.run("stage", "fetch", "--force").returncode == 0
        assert machine.run("module", "certificates", "--force").returncode == 0
        assert machine.exists("%s/certificates/%s.prv" % (HOME, platform.thumbprints[0]))
