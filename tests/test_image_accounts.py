"""S2: accounts in copies of the account files, what people plant in /tmp and homes, and a cut."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any, List

import pytest

from lightinit.commands import generalize
from lightinit.commands.removal.changes import carry_out
from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.registry import load_settings
from tests.lib.provisioned import provisioned
from tests.lib.scratch import HERE, Machine

HASH = "$6$salt$" + "a" * 86
SHADOW = "root:*:19000:0:99999:7:::\nalice:%s:19000:0:99999:7:::\n" % HASH
GROUP = "root:x:0:\nadm:x:4:syslog,alice\nalice:x:1000:\n"
GSHADOW = "root:!::\nadm:!:alice:syslog,alice\nalice:!::\n"
COPIES = {
    "/etc/shadow-": SHADOW,
    "/etc/shadow.bak": SHADOW,
    "/etc/shadow.orig": SHADOW,
    "/etc/shadow~": SHADOW,
    "/etc/shadow+": SHADOW,
    "/etc/shadow.rpmsave": SHADOW,
    "/etc/shadow.edit": SHADOW,
    "/etc/nshadow": SHADOW,
    "/etc/.shadow.swp": SHADOW,
    "/etc/passwd-": "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n",
    "/etc/group-": GROUP,
    "/etc/group.dpkg-old": GROUP,
    "/etc/gshadow-": GSHADOW,
    "/etc/subuid-": "alice:100000:65536\n1000:1:1\n",
    "/etc/subgid-": "alice:100000:65536\n",
    "/etc/security/opasswd": "alice:1000:1:%s\n" % HASH,
    "/var/backups/shadow.bak": SHADOW,
    "/var/backups/group.bak": GROUP,
}


def with_copies(root: Any) -> Machine:
    machine = provisioned(root, "alice")
    for path, text in COPIES.items():
        machine.put(path, text)
        os.chmod(machine.root + path, 0o640)
    return machine


def naming(machine: Machine) -> List[str]:
    """The files of accounts that name alice, or have her hash."""
    return sorted(
        path
        for path, text in machine.tree().items()
        if path.startswith(("/etc/", "/var/backups")) and ("alice" in text or HASH in text)
    )


def test_clean_takes_the_account_out_of_every_copy(tmp_path: Any) -> None:
    machine = with_copies(tmp_path)
    machine.put("/etc/shadow.lock", "1\n")
    os.symlink("shadow.bak", machine.root + "/etc/shadow.link")
    assert machine.run("clean", "--user", timeout_s=600.0).returncode == 0
    assert naming(machine) == []
    assert machine.read("/etc/shadow.orig") == "root:*:19000:0:99999:7:::\n"
    assert machine.read("/etc/gshadow-") == "root:!::\nadm:!::syslog\n"
    assert os.stat(machine.root + "/etc/shadow.orig").st_mode & 0o777 == 0o640
    assert machine.exists("/etc/shadow.lock") and os.path.islink(machine.root + "/etc/shadow.link")


def test_after_a_cut_the_next_run_finds_what_is_left(tmp_path: Any) -> None:
    """The account is gone, its lines in copies are not: the records still name it."""
    machine = with_copies(tmp_path)
    system = System(machine.root)
    for path in ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid"):
        kept = [line for line in machine.read(path).split("\n") if not line.startswith("alice:")]
        machine.put(path, "\n".join(kept).replace("alice", ""))
    context, planned = generalize.plan(system, True, load_settings(system))
    assert context.going_users == ["alice"]
    assert carry_out(planned, lambda line: None) == []
    assert naming(machine) == []
    assert generalize.plan(system, True, load_settings(system))[1] == []


def test_every_cut_leaves_a_machine_that_can_be_generalized(tmp_path: Any) -> None:
    """Whatever number of changes was made before a cut, the next run does the rest."""
    whole = with_copies(tmp_path / "whole")
    system = System(whole.root)
    context, planned = generalize.plan(system, True, load_settings(system))
    carry_out(planned, lambda line: None)
    end = whole.tree()
    count = sum(len(each.changes) for each in planned)
    assert count > 5
    for cut in range(count):
        machine = with_copies(tmp_path / str(cut))
        system = System(machine.root)
        first = generalize.plan(system, True, load_settings(system))[1]
        for change in [change for each in first for change in each.changes][:cut]:
            change.do()
        carry_out(generalize.plan(system, True, load_settings(system))[1], lambda line: None)
        assert machine.tree() == end, cut


def test_rules_of_other_agents_go_and_other_rules_are_noted(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "alice")
    cloud, waagent = "/etc/sudoers.d/90-cloud-init-users", "/etc/sudoers.d/waagent"
    rule = "alice ALL=(ALL) NOPASSWD:ALL\n"
    machine.put(cloud, "# Created by cloud-init\n\n# User rules for alice\n" + rule)
    machine.put(waagent, rule + "carol ALL=(ALL) ALL\n")
    machine.put("/etc/sudoers.d/mine", "Defaults:alice !authenticate\n")
    machine.put("/etc/ssh/sshd_config", "AllowUsers bob alice\n# not alice2\n")
    system = System(machine.root)
    context, planned = generalize.plan(system, True, load_settings(system))
    assert carry_out(planned, lambda line: None) == []
    assert not machine.exists(cloud) and machine.read(waagent) == "carol ALL=(ALL) ALL\n"
    said = [note.text for note in context.notes if note.step == "users"]
    assert len(said) == 1 and said[0].startswith(
        "/etc/sudoers.d/mine, /etc/ssh/sshd_config still names the account alice: "
    )


@pytest.mark.parametrize(
    "path, text",
    [
        ("/etc/crontab", "0 4 * * * alice /home/alice/job\n"),
        ("/etc/aliases", "root: alice\n"),
        (
            "/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf",
            "[Service]\nExecStart=-/sbin/agetty --autologin alice %I\n",
        ),
        ("/etc/polkit-1/localauthority/50-local.d/a.pkla", "Identity=unix-user:alice\n"),
        ("/etc/sssd/sssd.conf", "simple_allow_users = bob, alice\n"),
    ],
)
def test_what_else_names_the_account_is_noted(tmp_path: Any, path: str, text: str) -> None:
    machine = provisioned(tmp_path, "alice")
    machine.put(path, text)
    system = System(machine.root)
    context, planned = generalize.plan(system, True, load_settings(system))
    assert carry_out(planned, lambda line: None) == []
    said = [note.text for note in context.notes if note.step == "users"]
    assert len(said) == 1 and said[0].startswith(path + " still names the account alice: ")
    assert machine.read(path) == text


@pytest.mark.parametrize(
    "path", ["/var/spool/fcron/alice", "/var/spool/fcron/alice.orig", "/var/spool/incron/alice"]
)
def test_jobs_of_other_daemons_go_with_the_account(tmp_path: Any, path: str) -> None:
    machine = provisioned(tmp_path, "alice")
    machine.put(path, "x")
    system = System(machine.root)
    carry_out(generalize.plan(system, True, load_settings(system))[1], lambda line: None)
    assert not machine.exists(path)


def test_keys_outside_the_home_go(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "alice")
    machine.put("/etc/ssh/sshd_config", "AuthorizedKeysFile /etc/ssh/keys/%u /etc/ssh/all\n")
    machine.put("/etc/ssh/keys/alice", "x")
    machine.put("/etc/ssh/keys/bob", "x")
    machine.put("/etc/ssh/all", "x")
    system = System(machine.root)
    carry_out(generalize.plan(system, True, load_settings(system))[1], lambda line: None)
    assert os.listdir(machine.root + "/etc/ssh/keys") == ["bob"] and machine.exists("/etc/ssh/all")


def test_planted_links_lead_nowhere(tmp_path: Any) -> None:
    """In /tmp, in a home, among logs and copies: the link goes or stays, its target stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("alice:x\n")
    machine = provisioned(tmp_path / "root", "alice")
    os.makedirs(machine.root + "/tmp/deep")
    os.makedirs(machine.root + "/var/log")
    for path in ("/tmp/a", "/tmp/deep/b", "/home/alice/c", "/etc/shadow.d", "/var/mail/carol"):
        os.symlink(str(outside), machine.root + path)
    for path in ("/tmp/file", "/etc/shadow.bak", "/var/log/wtmp", "/var/log/syslog"):
        os.symlink(str(outside / "kept"), machine.root + path)
    system = System(machine.root)
    failed = carry_out(generalize.plan(system, True, load_settings(system))[1], lambda line: None)
    assert failed == []
    assert (outside / "kept").read_text() == "alice:x\n"
    assert os.listdir(machine.root + "/tmp") == [] and not machine.exists("/home/alice")


def test_a_second_name_of_a_file_keeps_its_content(tmp_path: Any) -> None:
    from lightinit.commands.removal.changes import empty_file

    machine = Machine(tmp_path)
    machine.put("/etc/precious", "x")
    os.makedirs(machine.root + "/var/log")
    os.link(machine.root + "/etc/precious", machine.root + "/var/log/syslog")
    with pytest.raises(ProvisioningError, match="file cannot be emptied"):
        empty_file(System(machine.root), "/var/log/syslog")
    assert machine.read("/etc/precious") == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="root is needed to become another user")
def test_an_ordinary_user_sees_the_plan_and_that_it_is_not_whole() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's folders are for their user alone
        os.chmod(folder, 0o755)
        check_plan_of_an_ordinary_user(provisioned(folder, "alice"))


def check_plan_of_an_ordinary_user(machine: Machine) -> None:
    record = "/var/lib/lightinit/instances/instance-0/instance.json"
    os.chmod(machine.root + record, 0o600)
    os.chmod(machine.root + "/etc/shadow", 0o600)
    before = machine.tree()
    code = (
        "import os, sys; sys.path.insert(0, %r)\n"
        "import lightinit.cli, lightinit.grammar, lightinit.registry\n"
        "from lightinit.commands import generalize\n"
        "from lightinit.host.system import System\n"
        "generalize.read_table(); lightinit.registry.load_settings(System(%r))\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(lightinit.cli.main(['--root', %r, 'generalize', '--user', '--dry-run']))"
        % (HERE, machine.root, machine.root)
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        cwd="/",
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "would be removed  host name          set the host name in /etc/hostname" in ended.stdout
    assert (
        "noted             permission         what only root can read is not in this plan, such as"
        " /etc/shadow" in ended.stdout.splitlines()
    )
    assert machine.tree() == before
