"""The login check between the config stage and the report: what the platform and `status` hear."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.files.former import FORMER
from tests.emulated.boots import reported
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

STATE = "/var/lib/lightinit/instance"
CLOSED = "/etc/nologin exists, so only root can log in"


def closed(tmp_path: Any) -> Machine:
    """R7: systemd/systemd#8232: the image has /etc/nologin, and PAM asks for it."""
    machine = Machine(tmp_path)
    machine.put("/etc/ssh/sshd_config", "UsePAM yes\n")
    machine.put("/etc/pam.d/sshd", "@include common-account\n")
    machine.put("/etc/pam.d/common-account", "account required pam_nologin.so\n")
    machine.put("/etc/nologin", "closed\n")
    return machine


def test_nobody_could_log_in_is_not_ready_and_the_next_boot_asks_again(tmp_path: Any) -> None:
    """R7: the key is in place all the same."""
    machine = closed(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 1 and "Traceback" not in ended.stderr
        (report,) = platform.final_reports
        for part in ("nobody could log in", "step=login", CLOSED):
            assert part in report["description"]
        assert machine.exists("/home/azureuser/.ssh/authorized_keys")
        errors = machine.json("/run/lightinit/status.json")["errors"]
        assert errors[0].startswith("login: nobody could log in") and len(errors) == 1
        os.unlink(machine.root + "/etc/nologin")
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["NotReady", "Ready"]
    names = [step["name"] for step in machine.json(STATE + "/result.json")["steps"]]
    assert names[-6:] == ["config", "sshd", "pam", "dropbear", "root", "final"]


@pytest.mark.parametrize("wish, warnings", [("warn", 1), ("no", 0)])
def test_the_setting_makes_it_a_warning_or_switches_it_off(
    tmp_path: Any, wish: str, warnings: int
) -> None:
    machine = closed(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, "[lightinit]\nlogin_check = %s\n" % wish)
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]
    found = machine.json("/run/lightinit/status.json")["warnings"]
    assert len([each for each in found if CLOSED in each]) == warnings


DENY = "/etc/pam.d/common-account"
PUT_BACK = "put back as before: /etc/pam.d/common-account, /etc/security/access.conf"


@needs_yaml
@pytest.mark.parametrize("is_open", [True, False])
def test_files_with_which_nobody_gets_in_are_put_back(tmp_path: Any, is_open: bool) -> None:
    """Only if that helps."""
    machine = closed(tmp_path)
    if is_open:
        os.unlink(machine.root + "/etc/nologin")
    os.chmod(machine.root + DENY, 0o600)
    document = "#cloud-config\nwrite_files:\n- {path: /etc/motd, content: hello}\n"
    for path in (DENY, "/etc/security/access.conf"):
        document += "- {path: %s, content: account required pam_deny.so}\n" % path
    machine.put(
        "/media/ovf-env.xml", make_ovf("azureuser", "w", custom_data=document.encode()).decode()
    )
    with Platform(instance={"compute": {"userData": ""}}) as platform:
        machine.lead_to(platform, "[azure]\nmedia = /media\nmedia_only_s = 0.2\n")
        assert machine.run("boot").returncode == (not is_open)
        assert reported(platform) == ["Ready" if is_open else "NotReady"]
    assert machine.read("/etc/motd") == "hello"
    if is_open:
        found = machine.json("/run/lightinit/status.json")["warnings"]
        assert [each for each in found if each.startswith("login: ") and PUT_BACK in each], found
        assert machine.read(DENY) == "account required pam_nologin.so\n"
        assert os.stat(machine.root + DENY).st_mode & 0o777 == 0o600
    else:
        assert "pam_deny" in machine.read(DENY)
    assert machine.exists("/etc/security/access.conf") is not is_open
    assert machine.exists(FORMER) is not is_open


def test_without_the_check_root_is_asked_about_all_the_same(tmp_path: Any) -> None:
    """R1: login_check is about logins; what the admin may do is told whatever it says."""
    machine = closed(tmp_path)
    os.unlink(machine.root + "/usr/bin/sudo")
    with Platform() as platform:
        machine.lead_to(platform, "[lightinit]\nlogin_check = no\n")
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]
    (warning,) = machine.json("/run/lightinit/status.json")["warnings"]
    assert "root: azureuser cannot become root: neither sudo nor doas is installed" in warning


def start(machine: Machine, name: str) -> None:
    """Let systemd start a server."""
    folder = machine.root + "/etc/systemd/system/multi-user.target.wants"
    os.makedirs(folder, exist_ok=True)
    os.symlink("/usr/lib/systemd/system/%s.service" % name, "%s/%s.service" % (folder, name))


@pytest.mark.parametrize(
    "started, shells, state, warnings",
    [
        (("ssh", "dropbear"), "/bin/sh\n", "Ready", 1),
        (("dropbear",), "/bin/sh\n", "Ready", 0),
        (("ssh",), "/bin/sh\n", "NotReady", 0),
        ((), "/bin/sh\n", "NotReady", 0),
    ],
)
def test_of_two_servers_one_is_enough(
    tmp_path: Any, started: Any, shells: str, state: str, warnings: int
) -> None:
    """R7 and R8: sshd lets nobody in; dropbear, if it is started, does."""
    machine = closed(tmp_path)
    machine.put("/usr/sbin/dropbear", "#!/bin/sh\n")
    os.chmod(machine.root + "/usr/sbin/dropbear", 0o755)
    machine.put("/etc/shells", shells + "/bin/bash\n")
    for name in started:
        start(machine, name)
    with Platform() as platform:
        machine.lead_to(platform)
        machine.run("boot")
        assert reported(platform) == [state]
    found = machine.json("/run/lightinit/status.json")["warnings"]
    assert len([each for each in found if "sshd lets nobody in: " + CLOSED in each]) == warnings


def test_what_is_doubtful_is_a_warning_that_stays(tmp_path: Any) -> None:
    machine = closed(tmp_path)
    machine.put("/etc/ssh/sshd_config", "# says nothing of PAM\n")
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]
        (warning,) = machine.json(STATE + "/result.json")["warnings"]
        assert CLOSED in warning and warning.startswith("pam: azureuser may not be able to log in")
        assert machine.run("module", "hostname", "--force").returncode == 0
        assert machine.json(STATE + "/result.json")["warnings"] == [warning]


def test_root_is_asked_about_in_a_boot_that_goes_on(tmp_path: Any) -> None:
    """R1: the module users is done; what is removed afterwards is told all the same, and once."""
    machine = closed(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 1
        os.unlink(machine.root + "/etc/nologin")
        os.unlink(machine.root + "/usr/bin/sudo")
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["NotReady", "Ready"]
    steps = {each["name"]: each for each in machine.json(STATE + "/result.json")["steps"]}
    assert "warnings" not in steps["users"]
    (warning,) = steps["root"]["warnings"]
    assert warning.startswith("azureuser cannot become root: neither sudo nor doas is installed")


def test_a_boot_that_has_failed_already_does_not_ask(tmp_path: Any) -> None:
    machine = closed(tmp_path)
    machine.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nazureuser:x:5:5::/home/azureuser:\n")
    with Platform() as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 1
        (report,) = platform.final_reports
        assert "user name belongs to a system account" in report["description"]
    kinds = [step["kind"] for step in machine.json(STATE + "/result.json")["steps"]]
    assert "check" not in kinds


def test_an_image_that_makes_no_account_is_not_asked(tmp_path: Any) -> None:
    machine = closed(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform, "[lightinit]\nmodules = hostname\n")
        assert machine.run("boot").returncode == 0
        assert reported(platform) == ["Ready"]


def test_the_final_stage_by_hand_asks_too(tmp_path: Any) -> None:
    machine = closed(tmp_path)
    with Platform() as platform:
        machine.lead_to(platform)
        for stage in ("local", "fetch", "config"):
            assert machine.run("stage", stage).returncode == 0
        assert machine.run("stage", "final").returncode == 1
        assert reported(platform) == ["NotReady"]
