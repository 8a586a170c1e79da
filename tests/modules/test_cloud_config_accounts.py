"""The accounts of a cloud-config on scratch roots, where the account files are edited."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from lightinit.commands.removal.changes import RemovalContext
from lightinit.commands.removal.users import plan_users, provisioned_users
from lightinit.errors import ProvisioningError
from lightinit.formats.cloud_config.readers.users import OF_A_USER
from lightinit.host.system import System
from lightinit.model import Instance, Outcome, SshKey, User
from lightinit.modules import ssh_authorized_keys, ssh_password_login, users
from lightinit.registry import load_settings
from lightinit.settings.shipped import SHIPPED
from lightinit.state import INSTANCES

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
OTHER_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjYgnKZG2uJTdsHHCdwBBGKVtdGxs2dXQ7vtLFoJ5tQ more@example"
)
HASH = "$6$salt$" + "x" * 86
RULES = "/etc/sudoers.d/zz-lightinit-cloud-config"
OF_ADMIN = "/etc/sudoers.d/zz-lightinit-users"
HOST = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nold:x:1500:1500::/home/old:/bin/sh\n",
    "/etc/group": "root:x:0:\nadm:x:4:\nsudo:x:27:\nusers:x:100:\nold:x:1500:\n",
    "/etc/shadow": "root:*:19000:0:99999:7:::\nold:%s:19000:0:99999:7:::\n" % HASH,
    "/etc/gshadow": "root:*::\nadm:*::\nsudo:*::\nusers:*::\nold:!::\n",
    "/etc/sudoers": "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
    "/etc/pam.d/sshd": "",
    "/usr/bin/sudo": "",
    "/bin/bash": "",
    "/bin/sh": "",
}
OF_MODULES = {users: "users", ssh_authorized_keys: "ssh_authorized_keys"}
OF_MODULES[ssh_password_login] = "ssh_password_login"


class Host:
    """A scratch root, on which the modules take a cloud-config."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        for name, text in HOST.items():
            self.put(name, text, 0o755 if "/bin/" in name else 0o644)
        self.admin = User("azureuser", (SshKey(KEY),), False)

    def put(self, name: str, text: str, mode: int = 0o644) -> None:
        os.makedirs(os.path.dirname(self.root + name), exist_ok=True)
        Path(self.root + name).write_text(text, encoding="utf-8")
        os.chmod(self.root + name, mode)

    def get(self, name: str) -> str:
        return Path(self.root + name).read_text(encoding="utf-8")

    def fields(self, name: str, of: str = "passwd") -> List[str]:
        lines = [line.split(":") for line in self.get("/etc/" + of).split("\n")]
        return next((line for line in lines if line[0] == name), [])

    def members(self, group: str) -> List[str]:
        return [each for each in self.fields(group, "group")[3].split(",") if each]

    def take(
        self, values: Dict[str, Any], module: Any = users, system: Optional[System] = None
    ) -> Outcome:
        found = SHIPPED[OF_MODULES[module]].settings
        settings = {setting.key: setting.default for setting in found}
        settings.update(module.from_cloud_config(values))
        self.system = system or System(self.root)
        return module.apply(Instance("id", admin=self.admin), self.system, settings)

    def warnings(self, module: Any = users, **values: Any) -> Tuple[str, ...]:
        return self.take(values, module).warnings


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_all_that_is_asked_for_is_made(host: Host) -> None:
    ada = {
        "name": "ada",
        "gecos": "Ada L.",
        "homedir": "/srv/people/ada",
        "primary_group": "staff",
        "groups": "adm, fresh",
        "shell": "/bin/sh",
        "uid": 2001,
        "expiredate": "2032-09-01",
        "inactive": "5",
        "lock_passwd": False,
        "passwd": HASH,
        "sudo": ["ALL=(ALL) NOPASSWD:ALL", "ALL=(root) /bin/ls"],
    }
    bot = {"name": "bot", "system": True}
    groups = ["extra", {"crew": ["ada", "azureuser"]}]
    outcome = host.take({"users": ["default", ada, bot], "groups": groups})
    assert outcome.warnings == ()
    assert host.fields("azureuser") and host.get(OF_ADMIN).endswith("NOPASSWD:ALL\n")
    uid, gid = host.fields("ada")[2:4]
    assert host.fields("ada")[4:] == ["Ada L.", "/srv/people/ada", "/bin/sh"]
    assert (uid, gid) == ("2001", host.fields("staff", "group")[2])
    assert host.fields("ada", "group") == [], "it has another primary group"
    assert host.members("adm") == ["azureuser", "ada"] and host.members("fresh") == ["ada"]
    assert host.members("crew") == ["ada", "azureuser"] and host.fields("extra", "group")
    assert host.fields("ada", "shadow")[1] == HASH
    assert host.fields("ada", "shadow")[6:8] == ["5", "22889"]
    assert os.path.isdir(host.root + "/srv/people/ada")
    assert 100 < int(host.fields("bot")[2]) < 1000 and host.fields("bot", "shadow")[1] == "*"
    assert not os.path.exists(host.root + "/home/bot")
    lines = host.get(RULES).split("\n")
    assert lines[1:] == ["ada ALL=(ALL) NOPASSWD:ALL", "ada ALL=(root) /bin/ls", ""]
    assert os.stat(host.root + RULES).st_mode & 0o777 == 0o440
    before = {path: host.get(path) for path in (*HOST, RULES)}
    assert host.take({"users": ["default", ada, bot], "groups": groups}).warnings == ()
    assert {path: host.get(path) for path in (*HOST, RULES)} == before, "nothing is done twice"


def test_the_platforms_admin_is_made_in_any_case(host: Host) -> None:
    (warning,) = host.warnings(users=["ada"])
    assert "`users` has no `default`; azureuser is made all the same" in warning
    assert host.fields("azureuser") and host.fields("ada")
    assert host.warnings(users=[{"name": "azureuser"}]) == ()


@pytest.mark.parametrize("home", ["/root", "/etc/x", "/tmp", "/srv/file", "/srv"])
def test_the_admin_has_no_home_in_a_folder_of_the_system(host: Host, home: str) -> None:
    """Where sshd would read no keys, or others'."""
    host.put("/srv/file", "")
    os.makedirs(host.root + "/root", exist_ok=True)
    (told,) = host.warnings(users=["default", {"name": "azureuser", "homedir": home}])
    assert "nobody could log in as azureuser with the home" in told
    assert host.fields("azureuser")[5] == "/home/azureuser"


def test_what_would_shut_the_admin_out_is_left_out(host: Host) -> None:
    host.admin = User("azureuser", (), True, "secret-Pass1")
    told = host.warnings(
        users=[
            {
                "name": "default",
                "shell": "/bin/missing",
                "no_create_home": True,
                "system": True,
                "lock_passwd": True,
                "expiredate": "2001-01-01",
                "gecos": "The Admin",
                "groups": ["users"],
            }
        ],
        chpasswd={"users": [{"name": "azureuser", "type": "RANDOM"}]},
    )
    fields, shadow = host.fields("azureuser"), host.fields("azureuser", "shadow")
    assert fields[4:] == ["The Admin", "/home/azureuser", "/bin/bash"] and shadow[7] == ""
    assert int(fields[2]) >= 1000 and os.path.isdir(host.root + "/home/azureuser")
    assert {"azureuser"} <= set(host.members("users")) & set(host.members("sudo"))
    for words in (
        "nobody could log in as azureuser with the shell /bin/missing",
        "`no_create_home` is left out",
        "`system` is left out",
        "`expiredate` of azureuser is past",
        "`lock_passwd` is left out",
        "azureuser gets no random password",
    ):
        assert [each for each in told if words in each], words
    assert len(told) == 6


def test_an_admin_who_is_not_to_be_root(host: Host) -> None:
    assert host.warnings(users=[{"name": "default", "sudo": None}]) == ()
    assert not os.path.exists(host.root + OF_ADMIN) and not os.path.exists(host.root + RULES)


def test_rules_of_the_admins_own_take_the_place_of_the_usual_one(host: Host) -> None:
    assert host.warnings(user={"name": "azureuser", "sudo": "ALL=(ALL) ALL"}) == ()
    assert host.get(RULES).endswith("azureuser ALL=(ALL) ALL\n")
    assert not os.path.exists(host.root + OF_ADMIN)
    # One that cannot be kept: the admin becomes root as without it.
    (warning,) = host.warnings(user={"name": "azureuser", "sudo": "ALL=(ALL) ALL : ((("})
    assert "a rule of azureuser for sudo is left out" in warning
    assert host.get(OF_ADMIN).endswith("azureuser ALL=(ALL:ALL) NOPASSWD:ALL\n")


def test_a_default_user_of_another_name_is_made_beside_the_admin(host: Host) -> None:
    values = {"user": {"name": "ada", "gecos": "A"}, "ssh_authorized_keys": [OTHER_KEY]}
    assert host.take(values).warnings == ()
    assert host.fields("azureuser") and host.fields("ada")[4] == "A"
    assert host.members("sudo") == ["azureuser", "ada"]
    assert "ada ALL=(ALL:ALL) NOPASSWD:ALL\n" in host.get(OF_ADMIN)
    assert host.take(values, ssh_authorized_keys).warnings == ()
    assert host.get("/home/azureuser/.ssh/authorized_keys").split("\n") == [KEY, ""]
    assert host.get("/home/ada/.ssh/authorized_keys").split("\n") == [KEY, OTHER_KEY, ""]


def test_generalize_removes_what_was_made_and_no_more(host: Host) -> None:
    host.take({"users": ["default", {"name": "ada", "sudo": "ALL=(ALL) ALL"}, "old"]})
    place = host.root + "/var/lib/lightinit/instance"
    os.makedirs(host.root + INSTANCES)
    os.rename(place, host.root + INSTANCES + "/one")
    system = System(host.root)
    assert provisioned_users(system) == ["ada"]
    (change,) = plan_users(RemovalContext(system, load_settings(system)))
    change.do()
    assert not host.fields("ada") and host.fields("old") and not os.path.exists(host.root + RULES)


class PowerCut(Exception):
    """Stands for the moment at which the power goes."""


class DyingSystem(System):
    """A machine whose power goes before the write with the given number."""

    def __init__(self, root: str, writes_left: int) -> None:
        super().__init__(root)
        self.writes_left = writes_left

    def write(self, *arguments: Any, **named: Any) -> None:
        if not self.writes_left:
            raise PowerCut
        self.writes_left -= 1
        super().write(*arguments, **named)


@pytest.mark.long
def test_after_a_power_cut_the_next_run_does_the_rest(tmp_path: Path) -> None:
    user = {"name": "ada", "passwd": HASH, "groups": ["adm", "fresh"], "sudo": "ALL=(ALL) ALL"}
    user.update(expiredate="2032-09-01", inactive="5")
    values: Dict[str, Any] = {"users": ["default", user], "groups": {"crew": ["ada"]}}
    paths = (*HOST, RULES, OF_ADMIN, "/home/ada", "/home/azureuser")
    whole = Host(tmp_path / "whole")
    whole.take(values)
    for writes in range(100):
        host = Host(tmp_path / str(writes))
        try:
            host.take(values, users, DyingSystem(host.root, writes))
        except PowerCut:
            host.take(values)
        else:
            break
        for path in paths:
            if os.path.isdir(whole.root + path):
                assert os.listdir(host.root + path) == os.listdir(whole.root + path)
            else:
                lines = [sorted(each.get(path).split("\n")) for each in (host, whole)]
                assert lines[0] == lines[1], (writes, path)
    assert 15 < writes < 100


# -- bad input: a word, and the rest is done
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user, words",
    [
        ({"name": "ada", "uid": 1500}, "the user id 1500 is in use, so ada gets another one"),
        ({"name": "ada", "uid": 0}, "the user id 0 is in use"),
        ({"name": "ada", "primary_group": "none", "create_groups": False}, "no group none, so ada"),
        ({"name": "ada", "shell": "/bin/zsh"}, "shell /bin/zsh of ada is not there"),
        ({"name": "ada", "selinux_user": "staff_u"}, "`selinux_user` has no effect"),
        ({"name": "ada", "passwd": HASH}, "the password of ada is locked, as `lock_passwd` says"),
        ({"name": "ada", "sudo": "x ((("}, "a rule of ada for sudo is left out"),
        ({"name": "ada", "sudo": "ALL=(ALL) ALL \\"}, "it ends in a backslash"),
        ({"name": "ada", "doas": "permit ada"}, "rules for doas are left out: it is not installed"),
        ({"name": "ada", "homedir": "/srv/file"}, "home is not a directory"),
    ],
)
def test_what_the_host_refuses(host: Host, user: Dict[str, Any], words: str) -> None:
    host.put("/srv/file", "")
    told = host.warnings(users=["default", user, "eve"])
    assert len(told) == 1 and words in told[0], told
    assert host.fields("azureuser") and host.fields("eve")
    assert bool(host.fields("ada")) == (user["name"] == "ada")
    assert "(((" not in (host.get(OF_ADMIN) + host.get("/etc/sudoers"))


def test_an_account_that_exists(host: Host) -> None:
    user = {
        "name": "old",
        "shell": "/bin/bash",
        "uid": 7,
        "groups": ["adm"],
        "homedir": "/home/old",
    }
    told = host.warnings(users=["default", user])
    assert told == (
        "old was there already, and keeps what it has: `uid`, `shell`; usermod can change that",
    )
    assert host.fields("old") == ["old", "x", "1500", "1500", "", "/home/old", "/bin/sh"]
    assert host.members("adm") == ["azureuser", "old"]
    assert host.fields("old", "shadow")[1] == "!" + HASH, "as cloud-init: `lock_passwd`"


def test_root_keeps_its_password_unless_it_is_said(host: Host) -> None:
    host.put("/etc/shadow", "root:%s:19000:0:99999:7:::\n" % HASH)
    assert host.warnings(users=["default", {"name": "root", "sudo": "ALL=(ALL) ALL"}]) == ()
    assert host.fields("root", "shadow")[1] == HASH
    assert host.warnings(users=["default", {"name": "root", "lock_passwd": True}]) == ()
    assert host.fields("root", "shadow")[1] == "!" + HASH


def test_a_folder_of_roots_is_given_to_nobody(host: Host) -> None:
    os.makedirs(host.root + "/srv/www")
    mode = os.stat(host.root + "/srv/www").st_mode
    assert host.warnings(users=["default", {"name": "ada", "homedir": "/srv/www"}]) == ()
    status = os.stat(host.root + "/srv/www")
    assert (status.st_mode, status.st_uid) == (mode, os.geteuid())


def test_a_failure_of_the_admin_costs_no_other_account(host: Host) -> None:
    host.put("/etc/passwd", HOST["/etc/passwd"] + "azureuser:x:7:7::/:/bin/sh\n")
    with pytest.raises(ProvisioningError, match="user name belongs to a system account"):
        host.take({"users": ["default", "ada"]})
    assert host.fields("ada")


def test_a_host_with_doas_alone(host: Host) -> None:
    for name in ("/usr/bin/sudo", "/etc/sudoers"):
        os.unlink(host.root + name)
    host.put("/usr/bin/doas", "", 0o755)
    told = host.warnings(
        users=[
            "default",
            {"name": "ada", "sudo": ["ALL=(ALL) NOPASSWD:ALL", "ALL=(root) /bin/ls"]},
            {"name": "eve", "doas": ["permit persist eve as root"]},
        ]
    )
    assert told == ("a rule of ada for sudo is left out: only doas is installed, write `doas`",)
    assert host.get("/etc/doas.conf").split("\n") == [
        'permit nopass "azureuser"',
        "permit persist eve as root",
        'permit nopass "ada"',
        "",
    ]


def test_rules_before_sudo_is_installed(host: Host) -> None:
    for name in ("/usr/bin/sudo", "/etc/sudoers"):
        os.unlink(host.root + name)
    told = host.warnings(users=["default", {"name": "ada", "sudo": "ALL=(ALL) NOPASSWD:ALL"}])
    assert told == ("sudo is not installed; when it is, it reads the rules in %s" % RULES,)
    assert host.get(RULES).endswith("\nada ALL=(ALL) NOPASSWD:ALL\n")


# -- passwords
# --------------------------------------------------------------------------------------------------


def test_hashes_and_their_end(host: Host) -> None:
    listed = [{"name": "old", "password": HASH + "y"}, {"name": "nobody-here", "password": HASH}]
    told = host.warnings(users=["default"], chpasswd={"users": listed})
    assert told == ("there is no account nobody-here for a password; name it in `users`",)
    assert host.fields("old", "shadow")[1:3] == [HASH + "y", "0"]
    host.warnings(chpasswd={"expire": False, "users": [{"name": "old", "password": HASH}]})
    assert host.fields("old", "shadow")[1] == HASH and host.fields("old", "shadow")[2] != "0"
    assert host.warnings(password=HASH) == ()
    assert host.fields("azureuser", "shadow")[1:3] == [HASH, "0"]


# -- keys, and login with a password
# --------------------------------------------------------------------------------------------------


def test_keys_of_each_account(host: Host) -> None:
    values: Dict[str, Any] = {
        "users": [
            {"name": "default", "ssh_authorized_keys": [OTHER_KEY]},
            {"name": "ada", "ssh_authorized_keys": ['command="/bin/ls" ' + KEY, "ssh-rsa broken"]},
            {"name": "old", "ssh_redirect_user": True},
            {"name": "bot", "no_create_home": True, "ssh_authorized_keys": [KEY]},
        ],
        "disable_root": True,
    }
    host.take(values)
    os.makedirs(host.root + "/root/.ssh", 0o700)
    host.put("/root/.ssh/authorized_keys", "# mine\n%s old comment\n" % KEY, 0o600)
    told = host.take(values, ssh_authorized_keys).warnings
    assert host.get("/home/azureuser/.ssh/authorized_keys").split("\n") == [KEY, OTHER_KEY, ""]
    assert host.get("/home/ada/.ssh/authorized_keys") == 'command="/bin/ls" %s\n' % KEY
    options = (
        "no-port-forwarding,no-agent-forwarding,no-X11-forwarding,command=\"echo 'Please login as"
        ' the user \\"azureuser\\" rather than the user \\"%s\\".\';echo;sleep 10;exit 142" '
    )
    assert host.get("/home/old/.ssh/authorized_keys") == options % "old" + KEY + "\n"
    assert host.get("/root/.ssh/authorized_keys") == "# mine\n" + options % "root" + KEY + "\n"
    assert len(told) == 1 and "keys of bot: home directory" in told[0]
    before = host.get("/root/.ssh/authorized_keys")
    host.take(values, ssh_authorized_keys)
    assert host.get("/root/.ssh/authorized_keys") == before


def test_root_with_keys_that_open_its_account(host: Host) -> None:
    values = {"disable_root": False, "ssh_authorized_keys": [OTHER_KEY]}
    host.take(values)
    os.makedirs(host.root + "/root")
    assert host.take(values, ssh_authorized_keys).warnings == ()
    assert host.get("/root/.ssh/authorized_keys").split("\n") == [KEY, OTHER_KEY, ""]


@pytest.mark.parametrize("more, expected", [([OTHER_KEY], [OTHER_KEY]), ([], [KEY])])
def test_without_the_platforms_keys(host: Host, more: List[str], expected: List[str]) -> None:
    values = {"allow_public_ssh_keys": False, "ssh_authorized_keys": more}
    host.take(values)
    told = host.take(values, ssh_authorized_keys).warnings
    assert host.get("/home/azureuser/.ssh/authorized_keys").split("\n")[:-1] == expected
    assert [("nobody could log in" in each) for each in told] == [True] * (not more)


@pytest.mark.parametrize(
    "pwauth, admin, answer",
    [
        (True, User("azureuser", (SshKey(KEY),), False), "yes"),
        (False, User("azureuser", (SshKey(KEY),), True, "secret-Pass1"), "no"),
        (False, User("azureuser", (), True, "secret-Pass1"), "yes"),
        ("unchanged", User("azureuser", (SshKey(KEY),), False), "no"),
    ],
)
def test_login_with_a_password(host: Host, pwauth: Any, admin: User, answer: str) -> None:
    host.admin = admin
    host.put("/usr/sbin/sshd", "", 0o755)
    host.put("/etc/ssh/sshd_config", "UsePAM yes\n")
    told = host.warnings(ssh_password_login, ssh_pwauth=pwauth)
    assert "PasswordAuthentication %s" % answer in host.get("/etc/ssh/sshd_config")
    assert bool(told) == (pwauth is False and not admin.ssh_keys)


NASTY: List[Any] = ["", "\ud800", "a:b", "x" * 3000, "/../", "-", 10**30, -1, True, [["x"]]]
NASTY += [{"a": 1}, "$6$a$b:0:0::::", "$6$salt$\ud800xxxxxxx", "\u00fc"]


@pytest.mark.long
def test_no_value_of_any_option_costs_the_admin(host: Host) -> None:
    """Whatever a reader lets through, the module does not raise, and the files stay whole."""
    listed: List[Any] = ["default", *NASTY]
    for number, key in enumerate(OF_A_USER):
        for at in range(3):
            value = NASTY[(3 * number + at) % len(NASTY)]
            user = {"name": "u%d-%d" % (number, at), "no_create_home": True, key: value}
            listed.append(user)
        listed.append({"name": "default", key: NASTY[number % len(NASTY)]})
    values: Dict[str, Any] = {
        "users": listed,
        "groups": [*NASTY, {"crew": NASTY}],
        "chpasswd": {"list": NASTY, "users": [{"name": each, "password": each} for each in NASTY]},
        "password": "\ud800",
        "ssh_authorized_keys": NASTY,
        "disable_root": False,
        "disable_root_opts": "\ud800",
    }
    for module in (users, ssh_authorized_keys, ssh_password_login):
        host.take(values, module)
    for name, count in (("passwd", 7), ("group", 4), ("shadow", 9), ("gshadow", 4)):
        lines = host.get("/etc/" + name).splitlines()
        assert {len(line.split(":")) for line in lines} == {count}, name
        assert len({line.split(":")[0] for line in lines}) == len(lines), name
    assert len(host.get("/etc/passwd").splitlines()) > 70
    assert KEY in host.get("/home/azureuser/.ssh/authorized_keys")
