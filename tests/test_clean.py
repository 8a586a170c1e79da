"""`lightinit clean` and its flags, by the real command on a scratch root."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional, Sequence

import pytest

from lightinit.commands import clean as command
from lightinit.commands.removal import image
from lightinit.commands.removal import users as user_removal
from lightinit.errors import ProvisioningError, RefusedError
from lightinit.host.accounts import privileges
from lightinit.host.command import Completed
from lightinit.host.system import System
from lightinit.modules import hostname
from tests.lib.files import put
from tests.lib.provisioned import ID, PASSWD, clean, provisioned, record
from tests.lib.scratch import OTHER_UUID, UUID, Machine


def test_nothing_else_goes_unless_it_is_asked_for(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "alice")
    machine.put("/etc/machine-id", ID)
    machine.put("/etc/ssh/ssh_host_rsa_key", "x")
    before = machine.tree()
    assert clean(machine) == [
        "note: the next boot provisions anew, and so it makes new SSH host keys",
        "removed /var/lib/lightinit/instances",
    ]
    after = machine.tree()
    assert {name for name in before if name not in after} == {
        "/var/lib/lightinit/instances/instance-0/instance.json"
    }
    assert clean(machine) == ["nothing to remove"]


@pytest.mark.parametrize(
    "flags, settings, said",
    [
        ((), "[module.ssh_host_keys]\nkeep_existing = yes\n", ""),
        ((), "[lightinit]\nmodules = users\n", ""),
        (("--ssh-host-keys",), "", ""),
        (
            ("--ssh-host-keys",),
            "[lightinit]\nmodules = users\n",
            (
                "note: lightinit would make no new SSH host keys: `modules =`"
                " (/etc/lightinit/lightinit.conf:2) does not list ssh_host_keys. sshd does not"
                " start without them"
            ),
        ),
    ],
)
def test_what_the_next_boot_makes_of_the_host_keys_is_told(
    tmp_path: Any, flags: Any, settings: str, said: str
) -> None:
    """Asked for in so many words, they go in any case."""
    machine = provisioned(tmp_path, "alice")
    machine.put("/etc/ssh/ssh_host_rsa_key", "x")
    machine.put("/etc/lightinit/lightinit.conf", settings)
    lines = clean(machine, *flags)
    assert [line for line in lines if line.startswith("note")] == ([said] if said else [])
    assert machine.exists("/etc/ssh/ssh_host_rsa_key") == (not flags)


def test_logs(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    names = ["/var/log/lightinit.log" + end for end in ("", ".1", ".2.gz", "-20260101")]
    for name in names + ["/var/log/lightinit.logbook", "/var/log/syslog"]:
        machine.put(name, "x")
    assert sorted(clean(machine, "--logs")) == sorted("removed " + name for name in names)
    assert machine.exists("/var/log/lightinit.logbook") and machine.exists("/var/log/syslog")


def test_ssh_host_keys(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    keys = [
        "ssh_host_%s_key%s" % (kind, end)
        for kind in ("rsa", "ed25519", "dsa")
        for end in ("", ".pub", "-cert.pub")
    ]
    for name in keys + [
        "sshd_config",
        "moduli",
        "ssh_config",
        ".lightinit-new/etc/ssh/ssh_host_rsa_key",
    ]:
        machine.put("/etc/ssh/" + name, "x")
    machine.put("/etc/.dropbear.lightinit-new/1234/key", "x")
    assert len(clean(machine, "--ssh-host-keys")) == 11
    assert not machine.exists("/etc/.dropbear.lightinit-new")
    assert sorted(os.listdir(machine.root + "/etc/ssh")) == ["moduli", "ssh_config", "sshd_config"]


@pytest.mark.parametrize("before", [ID, "uninitialized\n", None, "link"])
def test_the_machine_id_where_systemd_is(tmp_path: Any, before: Any) -> None:
    """Empty, not gone: without the file systemd would take the next boot for the very first."""
    machine = Machine(tmp_path)
    machine.put("/usr/lib/systemd/systemd", "")
    machine.put("/var/lib/dbus/machine-id", ID)
    if before == "link":
        os.symlink("/var/lib/dbus/machine-id", machine.root + "/etc/machine-id")
    elif before is not None:
        machine.put("/etc/machine-id", before)
    assert clean(machine, "--machine-id") == [
        "emptied /etc/machine-id",
        "removed /var/lib/dbus/machine-id",
    ]
    assert machine.read("/etc/machine-id") == "" and not os.path.islink(
        machine.root + "/etc/machine-id"
    )
    assert os.stat(machine.root + "/etc/machine-id").st_mode & 0o777 == 0o444
    assert not machine.exists("/var/lib/dbus/machine-id")
    assert clean(machine, "--machine-id") == ["nothing to remove"]


def test_dbuss_link_to_the_machine_id_stays(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/usr/lib/systemd/systemd", "")
    machine.put("/etc/machine-id", ID)
    os.makedirs(machine.root + "/var/lib/dbus")
    os.symlink("/etc/machine-id", machine.root + "/var/lib/dbus/machine-id")
    assert clean(machine, "--machine-id") == ["emptied /etc/machine-id"]
    assert machine.exists("/var/lib/dbus/machine-id")


def test_the_machine_id_without_systemd(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    machine.put("/etc/machine-id", ID)
    machine.put("/var/lib/dbus/machine-id", ID)
    assert len(clean(machine, "--machine-id")) == 2
    assert not machine.exists("/etc/machine-id") and not machine.exists("/var/lib/dbus/machine-id")


def test_users_of_every_instance_go_with_all_that_is_theirs(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "alice", "Bob.Smith")
    record(machine, UUID, "alice")
    record(machine, OTHER_UUID, None)
    said = clean(machine, "--user")
    assert said == [
        "removed the user alice, /home/alice, /var/mail/alice, its rights",
        "removed the user Bob.Smith, /home/Bob.Smith, /var/mail/Bob.Smith, its rights",
        "removed /var/lib/lightinit/instances",
    ]
    assert machine.read("/etc/passwd") == PASSWD
    assert machine.read("/etc/shadow") == "root:*:19000:0:99999:7:::\n"
    assert machine.read("/etc/group") == "root:x:0:\nadm:x:4:syslog\nsudo:x:27:\n"
    assert machine.read("/etc/gshadow") == "root:!:0:\nadm:!:4:syslog\nsudo:!:27:\n"
    assert machine.read("/etc/subuid") == ""
    assert os.listdir(machine.root + "/home") == [] and os.listdir(machine.root + "/var/mail") == []
    assert not machine.exists("/etc/sudoers.d/zz-lightinit-users")


def test_other_admins_keep_their_rights(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "alice")
    rule = "/etc/sudoers.d/zz-lightinit-users"
    machine.put(rule, machine.read(rule) + "ALICE ALL=(ALL:ALL) ALL\ncarol ALL=(ALL:ALL) ALL\n")
    machine.put("/etc/doas.conf", 'permit nopass "alice"\npermit "carol"\n')
    clean(machine, "--user")
    assert machine.read(rule).split("\n")[1:] == [
        "ALICE ALL=(ALL:ALL) ALL",
        "carol ALL=(ALL:ALL) ALL",
        "",
    ]
    assert machine.read("/etc/doas.conf") == 'permit "carol"\n'


def test_rights_go_from_every_place_where_they_may_be(tmp_path: Any) -> None:
    """R1, R2: the end of the main file, doas' last file, and the names of earlier versions."""
    machine = provisioned(tmp_path, "alice")
    main, rule = "root ALL=(ALL) ALL\n", "alice ALL=(ALL:ALL) NOPASSWD:ALL\n"
    machine.put("/etc/sudoers", main + rule)
    machine.put("/etc/sudoers.d/90-lightinit-users", rule)
    for name in ("90-lightinit", "zz-lightinit", "zzz"):
        machine.put("/etc/doas.d/%s.conf" % name, 'permit nopass "alice"\n')
    machine.put("/etc/doas.d/other", 'permit nopass "alice"\n')
    clean(machine, "--user")
    assert machine.read("/etc/sudoers") == main
    assert os.listdir(machine.root + "/etc/sudoers.d") == []
    assert os.listdir(machine.root + "/etc/doas.d") == ["other"]


def test_an_account_of_the_image_stays_without_its_rights(tmp_path: Any) -> None:
    """R10: an account for people with a low id."""
    machine = provisioned(tmp_path, "alice")
    machine.put("/etc/login.defs", "UID_MIN 50000000\n")
    assert "removed the rights of alice" in clean(machine, "--user")
    assert "alice:" in machine.read("/etc/passwd")
    assert not machine.exists("/etc/sudoers.d/zz-lightinit-users")


@pytest.mark.parametrize(
    "name, said",
    [
        ("root", "user name is not allowed"),
        ("mail", "the account mail stays: it is a system account (user id 8)"),
        ("../../etc", "user name is not allowed"),
        ("-rf", "user name is not allowed"),
        ("0", "user name is not allowed"),
        ("a\x1b[2Jb", "user name is not allowed"),
    ],
)
def test_accounts_that_must_not_go(tmp_path: Any, name: str, said: str) -> None:
    machine = provisioned(tmp_path, "alice")
    record(machine, "instance-0", name)
    before = machine.tree()
    lines = clean(machine, "--user")
    assert lines[0].startswith("note: " + said) and "\x1b" not in "".join(lines)
    assert lines[1:] == ["removed /var/lib/lightinit/instances"]
    after = machine.tree()
    assert {each for each in before if before[each] != after.get(each)} == {
        "/var/lib/lightinit/instances/instance-0/instance.json"
    }


@pytest.mark.parametrize(
    "home, why",
    [
        ("/", "it is not the account's own directory"),
        ("/home/../etc", "it is not the account's own directory"),
        ("/home/git", "it is the home of git too"),
        ("/home/link", "it is a link"),
        pytest.param(
            "/home/carol",
            "it belongs to the user id 1234",
            marks=pytest.mark.skipif(
                os.geteuid() != 0, reason="root is needed: files change owners"
            ),
        ),
    ],
)
def test_homes_that_must_not_go(tmp_path: Any, home: str, why: str) -> None:
    machine = provisioned(tmp_path, "alice")
    git = "git:x:1001:1001::/home/git/repositories:/bin/sh\n"
    machine.put("/etc/passwd", PASSWD + "alice:x:1000:1000::%s:/bin/sh\n" % home + git)
    machine.put("/home/git/repositories/config", "x")
    machine.put("/home/carol/x", "x")
    if os.geteuid() == 0:
        os.chown(machine.root + "/home/git", 1000, 1000)
    os.symlink("carol", machine.root + "/home/link")
    if os.geteuid() == 0:
        os.chown(machine.root + "/home/carol", 1234, 1234)
    lines = clean(machine, "--user")
    assert lines[0] == "note: the home of alice, %s, stays: %s" % (home, why)
    assert "alice" not in machine.read("/etc/passwd") and "git:x" in machine.read("/etc/passwd")
    for name in ("/home/git/repositories/config", "/home/carol/x", "/home/link", "/etc/passwd"):
        assert machine.exists(name)


def test_a_group_that_others_use_stays(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "alice")
    machine.put(
        "/etc/passwd", machine.read("/etc/passwd") + "carol:x:1007:1000::/home/carol:/bin/sh\n"
    )
    clean(machine, "--user")
    assert "alice:x:1000:\n" in machine.read("/etc/group") and "alice" not in machine.read(
        "/etc/passwd"
    )


def test_what_cannot_be_removed_is_told_and_does_not_stop_the_rest(tmp_path: Any) -> None:
    """The records stay too: a second run must still find the account."""
    machine = provisioned(tmp_path, "alice", "bob")
    machine.put("/etc/ssh/ssh_host_rsa_key", "x")
    rule = machine.root + "/etc/sudoers.d/zz-lightinit-users"
    os.unlink(rule)
    os.mkdir(rule)
    os.mkdir(machine.root + "/etc/subgid")  # the account files cannot all be edited
    ended = machine.run("clean", "--user", "--ssh-host-keys")
    assert ended.returncode == 1
    assert "users: " in ended.stderr
    assert not machine.exists("/etc/ssh/ssh_host_rsa_key") and machine.exists(
        "/var/lib/lightinit/instances"
    )
    os.rmdir(rule)
    ended = machine.run("clean", "--user")
    assert (
        ended.returncode == 1
        and "instances are kept until their accounts are gone (users=alice, bob)" in ended.stderr
    )
    assert machine.exists("/var/lib/lightinit/instances") and "alice" in machine.read("/etc/passwd")
    os.rmdir(machine.root + "/etc/subgid")
    assert clean(machine, "--user")[-1] == "removed /var/lib/lightinit/instances"
    assert machine.read("/etc/passwd") == PASSWD


def test_a_scratch_root_is_not_rebooted(tmp_path: Any) -> None:
    machine = provisioned(tmp_path, "alice")
    before = machine.tree()
    ended = machine.run("clean", "--reboot")
    assert ended.returncode == 64 and "a scratch root cannot be rebooted" in ended.stderr
    assert machine.tree() == before


class Reboots(System):
    """Says that it is live, has these tools and files, and keeps what is run."""

    def __init__(self, tools: List[str], files: List[str]) -> None:
        super().__init__("/")
        self.tools, self.files = tools, files
        self.runs: List[List[str]] = []

    def tool(self, name: str) -> Optional[str]:
        return "/sbin/" + name if name in self.tools else None

    def exists(self, name: str) -> bool:
        return name in self.files

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.runs.append(list(argv))
        return Completed(0, "", "")


def test_how_it_reboots() -> None:
    with_systemd = Reboots(["systemctl", "reboot"], ["/run/systemd/system"])
    command.check_reboot(with_systemd)
    command.reboot(with_systemd)
    assert with_systemd.runs == [["/sbin/systemctl", "reboot"]]
    without = Reboots(["systemctl", "reboot"], [])
    command.reboot(without)
    assert without.runs == [["/sbin/reboot"]]
    with pytest.raises(ProvisioningError, match="no command that reboots"):
        command.reboot(Reboots([], []))
    with pytest.raises(RefusedError):
        command.check_reboot(System("/tmp"))


def test_the_places_are_those_that_the_modules_write_to(tmp_path: Any) -> None:
    put(tmp_path, "/etc/doas.d/zzz.conf")
    assert [file.path for file in user_removal.rule_files(System(tmp_path))][:-2] == [
        "/etc/sudoers",
        privileges.SUDOERS_FILE,
        "/etc/sudoers.d/90-lightinit-users",
        "/etc/sudoers.d/zz-lightinit-cloud-config",
        privileges.DOAS_CONF,
        privileges.DOAS_FILE,
        "/etc/doas.d/90-lightinit.conf",
        "/etc/doas.d/zzz.conf",
    ]
    assert set(image.PLAIN_NAME_FILES) == {hostname.PLAIN_FILE, *hostname.OTHER_PLAIN_FILES}
    of_module: Dict[str, str] = {path: key for path, key, _ in hostname.ASSIGNMENT_FILES}
    assert dict(image.ASSIGNED_NAME_FILES) == of_module
    assert (image.HOSTS, image.HOSTS_LIMIT_BYTES) == (
        hostname.HOSTS,
        hostname.HOSTS_LIMIT_BYTES,
    )
