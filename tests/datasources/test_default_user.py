"""A platform that names no admin: the settings' default user, and what a cloud-config makes of
that.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Sequence

import pytest

from lightinit.model import NamedTuple
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine
from tests.lib.seeded import ENVIRONMENT, seeded_machine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE of-platform"
OTHER = KEY.replace("of-platform", "of-document").replace("AxZuE", "AxZuF")
DEBIAN = "default_user = debian\n"
UNUSED = "the platform's ssh keys (1) open no account"
NOBODY = "nobody may be able to log in"
NO_KEY = "nobody gives an ssh key for the default user"
TOLD_AWAY = "login as the user \\"
NONE_NAMED = "the platform names no admin"


class Case(NamedTuple):
    """One boot.

    Attributes:
        settings: of [lightinit].
        document: a cloud-config, without its first line.
        made: the accounts beside root, each with the ends of its keys.
        warnings: a beginning or a part of each.
        root: a part of root's keys; "" if root has no file.
        keys: of the platform.
    """

    settings: str
    document: str
    made: Dict[str, Sequence[str]]
    warnings: Sequence[str] = ()
    root: str = ""
    keys: Sequence[str] = (KEY,)


CASES: Dict[str, Case] = {
    "settings alone": Case(DEBIAN, "", {"debian": ["of-platform"]}),
    "default among users": Case(
        DEBIAN,
        "users: [default, {name: ada, ssh_authorized_keys: ['%s']}]" % OTHER,
        {"debian": ["of-platform"], "ada": ["of-document"]},
    ),
    "no default among users": Case(
        DEBIAN,
        "users: [{name: ada, ssh_authorized_keys: ['%s']}]" % OTHER,
        {"ada": ["of-document"]},
        [UNUSED],
    ),
    "another name": Case(DEBIAN, "user: ada", {"ada": ["of-platform"]}),
    "a name without settings": Case("", "user: ada", {"ada": ["of-platform"]}),
    # As Proxmox VE and oVirt give it; disable_root does not shut out the one who was named.
    "root by name": Case(
        DEBIAN, "user: root\npassword: x\ndisable_root: true", {}, root="ssh-ed25519"
    ),
    # As Multipass gives it.
    "an operator's name": Case(
        DEBIAN,
        "users: [default]\nsystem_info: {default_user: {name: ubuntu, lock_passwd: false}}",
        {"ubuntu": ["of-platform"]},
    ),
    "keys of the document": Case(
        DEBIAN,
        "ssh_authorized_keys: ['%s']" % OTHER,
        {"debian": ["of-platform", "of-document"]},
    ),
    "root told away": Case(
        DEBIAN, "disable_root: true", {"debian": ["of-platform"]}, root=TOLD_AWAY
    ),
    "root open, nobody else": Case("", "disable_root: false", {}, [NONE_NAMED], root="of-platform"),
    "nothing at all": Case("", "", {}, [NONE_NAMED, NOBODY], keys=()),
    "default without settings": Case("", "users: [default]", {}, [NONE_NAMED, NOBODY, UNUSED]),
    "no key": Case(DEBIAN, "", {"debian": []}, [NO_KEY], keys=()),
    "a password": Case(
        "",
        "user: ada\npassword: secret-of-ada\nchpasswd: {expire: false}",
        {"ada": []},
        [NO_KEY],
        keys=(),
    ),
}


def keys_in(machine: Machine, home: str) -> List[str]:
    path = home + "/.ssh/authorized_keys"
    if not machine.exists(path):
        return []
    return [line.split()[-1] for line in machine.read(path).splitlines() if line[:1] != "#"]


@needs_yaml
@pytest.mark.parametrize("name", CASES)
def test_who_is_made_and_who_may_come_in(tmp_path: Any, name: str) -> None:
    case = CASES[name]
    document = "#cloud-config\n" + case.document if case.document else ""
    machine = seeded_machine(tmp_path, case.settings, keys=case.keys, user_data=document)
    os.mkdir(machine.root + "/root")
    ended = machine.run("boot", env=ENVIRONMENT)
    assert ended.returncode == 0, ended.stderr
    passwd = [line.split(":")[0] for line in machine.read("/etc/passwd").splitlines()]
    assert {each: keys_in(machine, "/home/" + each) for each in passwd if each != "root"} == {
        each: list(keys) for each, keys in case.made.items()
    }
    result = machine.json("/var/lib/lightinit/instance/result.json")
    told = [each for each in result["warnings"] if "scratch root" not in each]
    assert len(told) == len(case.warnings), told
    assert all(any(part in each for each in told) for part in case.warnings), told
    roots = machine.root + "/root/.ssh/authorized_keys"
    assert os.path.exists(roots) == bool(case.root)
    if case.root:
        line = machine.read("/root/.ssh/authorized_keys").splitlines()[-1]
        assert case.root in line and line.startswith("ssh-") is (case.root != TOLD_AWAY)
    assert result["steps"][-1]["message"] == "nobody to report to"


def test_the_default_user_gets_what_the_settings_say(tmp_path: Any) -> None:
    machine = seeded_machine(
        tmp_path,
        DEBIAN + "[module.users]\nshell = /bin/sh\ngroups = adm\nprivileges = password\n",
        keys=[KEY],
    )
    machine.put("/bin/sh", "")
    os.chmod(machine.root + "/bin/sh", 0o755)
    ended = machine.run("boot", env=ENVIRONMENT)
    assert ended.returncode == 0, ended.stderr
    (line,) = [each for each in machine.read("/etc/passwd").splitlines() if "debian" in each]
    assert line.endswith("/home/debian:/bin/sh")
    assert "adm:x:4:debian" in machine.read("/etc/group")
    assert "sudo:x:27:\n" in machine.read("/etc/group")
    (rule,) = [name for name in machine.tree() if name.startswith("/etc/sudoers.d/")]
    assert "debian ALL=(ALL:ALL) ALL\n" in machine.read(rule)
    assert machine.json("/var/lib/lightinit/instance/instance.json")["admin"]["is_default"]


def test_an_admin_of_the_platform_goes_before_the_settings(tmp_path: Any) -> None:
    machine = seeded_machine(tmp_path, DEBIAN, keys=[KEY], admin="grace")
    assert machine.run("boot", env=ENVIRONMENT).returncode == 0
    assert "grace:" in machine.read("/etc/passwd") and "debian" not in machine.read("/etc/passwd")


@pytest.mark.parametrize(("keys", "exit_code"), [([KEY], 1), ([], 0)])
def test_the_login_check_fails_only_where_a_login_was_asked_for(
    tmp_path: Any, keys: Sequence[str], exit_code: int
) -> None:
    """With nobody to report to, the login is checked all the same."""
    machine = seeded_machine(tmp_path, DEBIAN, keys=keys)
    machine.put("/etc/ssh/sshd_config", "UsePAM yes\n")
    machine.put("/etc/pam.d/sshd", "account required pam_nologin.so\n")
    machine.put("/etc/nologin", "closed\n")
    ended = machine.run("boot", env=ENVIRONMENT)
    assert ended.returncode == exit_code and "Traceback" not in ended.stderr, ended.stderr
    result = machine.json("/var/lib/lightinit/instance/result.json")
    (told,) = [each for each in result["errors"] + result["warnings"] if "login: " in each]
    assert "nobody could log in (user=debian, why=" in told
    assert result["reported"] == "" and result["steps"][-1]["name"] == "final"
