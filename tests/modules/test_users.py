"""The module users, on scratch roots: there the account files themselves are edited."""

from __future__ import annotations

import os
import stat
from typing import Any, Dict, Optional

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.clock import Clock
from lightinit.host.system import System
from lightinit.model import Instance, Outcome, User
from lightinit.modules import users
from lightinit.settings.shipped import SHIPPED

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(
    not ROOT and not os.environ.get("CI"), reason="root is needed: files change owners"
)
DEFAULTS: Dict[str, Any] = {setting.key: setting.default for setting in SHIPPED["users"].settings}
UID = 1000 if ROOT else max(os.getuid(), 1000)
HOST = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\nadm:x:4:syslog\nsudo:x:27:\nusers:x:100:\n",
    "/etc/shadow": "root:*:19000:0:99999:7:::\n",
    "/etc/gshadow": "root:*::\nadm:*::syslog\nsudo:*::\n",
    "/etc/skel/.profile": "# profile\n",
    "/etc/sudoers": "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
    "/usr/bin/sudo": "",
    "/bin/bash": "",
    "/bin/sh": "",
    "/bin/fish": "",
}
SUDOERS = "/etc/sudoers.d/zz-lightinit-users"


class Host:
    """A scratch root with the files of a usual host, and the module run on it."""

    def __init__(self, root: Any, without: Any = (), **files: str) -> None:
        self.root = str(root)
        for name, text in HOST.items():
            if name not in without:
                self.put(name, text, 0o755 if "/bin/" in name else 0o644)

    def put(self, name: str, text: str, mode: int = 0o644) -> None:
        os.makedirs(os.path.dirname(self.root + name), exist_ok=True)
        with open(self.root + name, "w", encoding="utf-8") as handle:
            handle.write(text)
        os.chmod(self.root + name, mode)

    def get(self, name: str) -> str:
        with open(self.root + name, encoding="utf-8") as handle:
            return handle.read()

    def apply(
        self,
        name: str = "bob",
        password_login: Optional[bool] = False,
        password: str = "",
        **settings: Any,
    ) -> Outcome:
        self.system = System(self.root)
        instance = Instance(
            "id", admin=User(name, password_login=password_login, password=password)
        )
        return users.apply(instance, self.system, dict(DEFAULTS, **settings))

    def mode(self, name: str) -> int:
        return stat.S_IMODE(os.lstat(self.root + name).st_mode)

    def tree(self) -> Dict[str, Any]:
        found: Dict[str, Any] = {}
        for folder, folders, names in os.walk(self.root):
            for name in folders + names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                found[path] = (status.st_ino, status.st_mode, status.st_uid, status.st_size)
        return found


@pytest.fixture
def host(tmp_path: Any) -> Host:
    return Host(tmp_path)


# -- making
# --------------------------------------------------------------------------------------------------


def test_a_whole_account_is_made(host: Host) -> None:
    outcome = host.apply()
    assert (outcome.message, outcome.warnings) == ("made user bob", ())
    assert host.get("/etc/passwd") == HOST["/etc/passwd"] + "bob:x:1000:1000::/home/bob:/bin/bash\n"
    assert (
        host.get("/etc/group")
        == "root:x:0:\nadm:x:4:syslog,bob\nsudo:x:27:bob\nusers:x:100:\nbob:x:1000:\n"
    )
    assert host.get("/etc/gshadow") == "root:*::\nadm:*::syslog,bob\nsudo:*::bob\nbob:!::\n"
    assert host.get("/etc/shadow").split("\n")[1].startswith("bob:*:")
    assert host.get("/home/bob/.profile") == "# profile\n"
    assert host.mode("/home/bob") == 0o700
    assert host.get(SUDOERS).endswith("\nbob ALL=(ALL:ALL) NOPASSWD:ALL\n")
    assert host.mode(SUDOERS) == 0o440
    if ROOT:
        assert os.lstat(host.root + "/home/bob/.profile").st_uid == 1000
    else:
        assert host.system.skipped == ["ownership of files"]


def test_a_second_run_changes_nothing(host: Host) -> None:
    host.apply()
    # the account's uid is not ours, so its home seems to be somebody else's: that is not looked at
    if not ROOT:
        assert not host.system.can_own
    before = host.tree()
    assert host.apply().message == "user bob was there already"
    assert host.tree() == before


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


def test_whatever_a_crash_left_is_completed(tmp_path: Any) -> None:
    whole = Host(tmp_path / "whole")
    whole.apply()
    names = (
        "/etc/passwd",
        "/etc/group",
        "/etc/gshadow",
        "/etc/shadow",
        SUDOERS,
        "/home/bob/.profile",
    )
    cuts = 0
    for writes in range(50):
        host = Host(tmp_path / str(writes))
        instance = Instance("id", admin=User("bob", password_login=False))
        try:
            users.apply(instance, DyingSystem(host.root, writes), DEFAULTS)
        except PowerCut:
            cuts += 1
            if not os.path.exists(host.root + "/home/bob"):
                host.put("/home/.bob.lightinit-new/half", "")
        host.apply()
        for name in names:
            assert host.get(name) == whole.get(name), "%s after %d writes" % (name, writes)
        assert os.listdir(host.root + "/home") == ["bob"]
        if cuts <= writes:
            break
    assert cuts == 9, "as many as there are writes"


@pytest.mark.parametrize(
    "text, mode", [("UMASK 022\n", 0o755), ("UMASK 022\nHOME_MODE 0750\n", 0o750), ("", 0o700)]
)
def test_the_home_has_the_mode_that_the_host_wants(host: Host, text: str, mode: int) -> None:
    host.put("/etc/login.defs", text)
    host.apply()
    assert host.mode("/home/bob") == mode


def test_homes_skel_and_ids_are_where_the_host_wants_them(host: Host) -> None:
    host.put("/etc/default/useradd", "HOME=/users\nSKEL=/etc/skel2\nSHELL=/bin/zsh\n")
    host.put("/etc/login.defs", "UID_MIN 5000\nGID_MIN 6000\n")
    host.put("/etc/skel2/.zshrc", "")
    host.put("/bin/zsh", "", 0o755)
    host.apply()
    assert host.get("/etc/passwd").endswith("bob:x:5000:6000::/users/bob:/bin/zsh\n")
    assert os.listdir(host.root + "/users/bob") == [".zshrc"]


@pytest.mark.parametrize(
    "files, setting, shell, warns",
    [
        (("/bin/bash", "/bin/sh"), "", "/bin/bash", False),
        (("/bin/sh",), "", "/bin/sh", False),
        (("/bin/sh", "/bin/fish"), "/bin/fish", "/bin/fish", False),
        (("/bin/bash",), "/bin/fish", "/bin/bash", True),
    ],
)
def test_the_shell(tmp_path: Any, files: Any, setting: str, shell: str, warns: bool) -> None:
    host = Host(tmp_path, without=("/bin/bash", "/bin/sh", "/bin/fish"))
    host.put("/etc/default/useradd", "SHELL=/bin/sh\n")
    for name in files:
        host.put(name, "")
    outcome = host.apply(shell=setting)
    assert host.get("/etc/passwd").endswith(":%s\n" % shell)
    assert bool(outcome.warnings) is warns


def test_an_existing_group_of_the_name_becomes_the_primary_one(host: Host) -> None:
    host.put("/etc/group", HOST["/etc/group"] + "bob:x:777:\n")
    host.apply()
    assert "bob:x:1000:777:" in host.get("/etc/passwd")
    assert host.get("/etc/group").count("bob:x:") == 1


def test_the_password_of_a_removed_account_of_that_name_does_not_come_back(host: Host) -> None:
    host.put("/etc/shadow", HOST["/etc/shadow"] + "bob:$6$old$hash:1:0:99999:7:::\n")
    host.apply()
    assert "$6$" not in host.get("/etc/shadow") and "\nbob:*:" in host.get("/etc/shadow")


def test_a_bare_scratch_root_gets_all_its_files(tmp_path: Any) -> None:
    host = Host(tmp_path, without=list(HOST))
    outcome = host.apply()
    assert host.get("/etc/passwd") == "bob:x:1000:1000::/home/bob:/bin/sh\n"
    assert (host.mode("/etc/passwd"), host.mode("/etc/group"), host.mode("/etc/shadow")) == (
        0o644,
        0o644,
        0o640,
    )
    assert outcome.warnings == (), "the login check says that bob cannot become root"


def test_modes_and_foreign_lines_of_account_files_stay(host: Host) -> None:
    host.put("/etc/shadow", HOST["/etc/shadow"] + "+:::::::::\n", 0o000)
    if not ROOT:
        os.chmod(host.root + "/etc/shadow", 0o600)
    host.apply()
    assert host.mode("/etc/shadow") == (0o000 if ROOT else 0o600)
    lines = host.get("/etc/shadow").split("\n") if ROOT else []
    assert not ROOT or (lines[1].startswith("bob:") and lines[2] == "+:::::::::")


# -- what was there already
# --------------------------------------------------------------------------------------------

BOB = "bob:x:%d:%d:Bob:/home/bob:/bin/fish\n" % (UID, UID)


def with_bob(host: Host, password: str = "$6$x$y", line: str = BOB) -> None:
    host.put("/etc/passwd", HOST["/etc/passwd"] + line)
    host.put("/etc/group", HOST["/etc/group"] + "bob:x:%d:\n" % UID)
    host.put("/etc/shadow", HOST["/etc/shadow"] + "bob:%s:1:0:99999:7:::\n" % password)


def test_an_account_that_exists_keeps_what_it_has(host: Host) -> None:
    with_bob(host)
    host.put("/home/bob/mine", "x")
    os.chmod(host.root + "/home/bob", 0o711)
    if ROOT:
        os.chown(host.root + "/home/bob", UID, UID)
    outcome = host.apply()
    assert outcome.message == "user bob was there already; added group adm, group sudo, sudo rule"
    assert host.get("/etc/passwd") == HOST["/etc/passwd"] + BOB
    assert "bob:$6$x$y:1:" in host.get("/etc/shadow")
    assert os.listdir(host.root + "/home/bob") == ["mine"] and host.mode("/home/bob") == 0o711


@pytest.mark.parametrize(
    "before, after",
    [
        ("!", "*"),
        ("!!", "*"),
        ("!*", "*"),
        ("*", "*"),
        ("!$6$x$y", "!$6$x$y"),
        ("$6$x$y", "$6$x$y"),
        ("", ""),
    ],
)
def test_a_password_that_was_never_set_does_not_lock_the_account(
    host: Host, before: str, after: str
) -> None:
    with_bob(host, before)
    host.apply()
    assert "bob:%s:1:" % after in host.get("/etc/shadow")


def test_what_is_missing_is_added(host: Host) -> None:
    host.put("/etc/passwd", HOST["/etc/passwd"] + BOB)
    outcome = host.apply()
    assert "bob:x:%d:" % UID in host.get("/etc/group")
    assert "\nbob:*:" in host.get("/etc/shadow")
    assert host.get("/home/bob/.profile")
    assert "its primary group, its line in shadow, its home" in outcome.message


def test_a_password_in_passwd_itself_stays_there(host: Host) -> None:
    host.put("/etc/passwd", HOST["/etc/passwd"] + BOB.replace(":x:", ":$6$x$y:", 1))
    host.apply()
    assert "bob" not in host.get("/etc/shadow") and "bob:$6$x$y:" in host.get("/etc/passwd")


@needs_root
def test_a_shared_folder_of_roots_is_not_given_away(host: Host) -> None:
    with_bob(host, line=BOB.replace("/home/bob", "/srv/data"))
    host.put("/srv/data/x", "")
    host.apply()
    assert os.lstat(host.root + "/srv/data").st_uid == 0


@needs_root
def test_a_home_that_useradd_left_half_made_is_given_to_its_user(host: Host) -> None:
    with_bob(host)
    os.makedirs(host.root + "/home/bob")
    host.apply()
    assert os.lstat(host.root + "/home/bob").st_uid == UID


@needs_root
def test_a_home_of_somebody_elses_is_an_error(host: Host) -> None:
    os.makedirs(host.root + "/home/bob")
    os.chown(host.root + "/home/bob", 5555, 5555)
    with pytest.raises(ProvisioningError, match="home belongs to another user"):
        host.apply()


@needs_root
def test_a_home_that_a_removed_account_left_is_said_with_what_to_do(host: Host) -> None:
    os.makedirs(host.root + "/home/bob")
    os.chown(host.root + "/home/bob", 5555, 5555)
    with pytest.raises(ProvisioningError) as caught:
        host.apply()
    assert "remove it" in caught.value.details["hint"]
    os.chown(host.root + "/home/bob", 1000, 1000)
    assert host.apply().message.startswith("user bob was there already"), (
        "after doing so it goes on"
    )


@pytest.mark.parametrize(
    "password, day, after",
    [
        ("!", "0", "%d"),
        ("*", "0", "%d"),
        ("*", "", ""),
        ("*", "5", "5"),
        ("$6$x$y", "0", "0"),
    ],
)
def test_nobody_must_change_a_password_that_is_not_there(
    host: Host, password: str, day: str, after: str
) -> None:
    with_bob(host)
    host.put("/etc/shadow", HOST["/etc/shadow"] + "bob:%s:%s:0:99999:7:::\n" % (password, day))
    host.apply()
    field = host.get("/etc/shadow").split("\n")[1].split(":")[2]
    assert int(field) > 19000 if after == "%d" else field == after


class EarlyClock(Clock):
    """A clock that starts in 1970, as on a machine without one."""

    def time(self) -> float:
        return 12.0


def test_a_clock_in_1970_asks_for_no_new_password(host: Host) -> None:
    with_bob(host, "!")
    host.put("/etc/shadow", HOST["/etc/shadow"] + "bob:!:0:0:99999:7:::\n")
    users.apply(Instance("id", admin=User("bob")), System(host.root, EarlyClock()), DEFAULTS)
    users.apply(Instance("id", admin=User("eve")), System(host.root, EarlyClock()), DEFAULTS)
    assert (
        host.get("/etc/shadow")
        == HOST["/etc/shadow"] + "bob:*::0:99999:7:::\neve:*::0:99999:7:::\n"
    )


@pytest.mark.parametrize("name", ["/etc/passwd", "/etc/group"])
def test_a_long_account_file_leads_to_no_id_twice(host: Host, name: str) -> None:
    many = "".join(
        "u%d:x:%d:100::/home/u%d:/bin/sh\n" % (number, number, number)
        for number in range(1000, 40000)
    )
    host.put(name, HOST[name] + many)
    host.apply()
    line = [line for line in host.get(name).split("\n") if line.startswith("bob:")]
    assert [int(each.split(":")[2]) for each in line] == [40000]


@pytest.mark.parametrize("name", ["/etc/passwd", "/etc/group", "/etc/shadow"])
def test_an_account_file_that_cannot_be_read_changes_nothing(host: Host, name: str) -> None:
    os.unlink(host.root + name)
    os.mkdir(host.root + name)
    before = host.get("/etc/gshadow")
    with pytest.raises(ProvisioningError) as caught:
        host.apply()
    assert (caught.value.reason, caught.value.details["path"]) == (
        "account file cannot be read",
        name,
    )
    assert host.get("/etc/gshadow") == before or name == "/etc/shadow"


def test_defaults_that_are_no_paths_are_passed_over(host: Host) -> None:
    host.put("/etc/default/useradd", "HOME=homes\nSKEL=.\nSHELL=sh\n")
    host.apply()
    assert host.get("/etc/passwd").endswith(":/home/bob:/bin/bash\n")
    assert os.listdir(host.root + "/home/bob") == [".profile"]


@pytest.mark.parametrize("name", ["root", "", "a:b", "-x", "x" * 33, "12", "a b", "a\nb", "../x"])
def test_a_name_that_may_not_be_used_changes_nothing(host: Host, name: str) -> None:
    before = host.tree()
    with pytest.raises(ProvisioningError, match="user name is not allowed"):
        host.apply(name)
    assert host.tree() == before


@pytest.mark.parametrize(
    "name, reason",
    [
        ("toor", "user name belongs to root"),
        ("daemon", "user name belongs to an account that cannot log in"),
        ("sync", "user name belongs to an account that cannot log in"),
        ("svc", "user name belongs to a system account"),
        ("noshell", "shell of the account is missing"),
        ("top", "home of the account cannot be used"),
        ("empty", "home of the account cannot be used"),
        ("relative", "home of the account cannot be used"),
    ],
)
def test_an_account_that_cannot_be_the_admin(host: Host, name: str, reason: str) -> None:
    host.put(
        "/etc/passwd",
        HOST["/etc/passwd"] + "toor:x:0:0::/root:/bin/sh\nsync:x:4:65534::/bin:/bin/sync\n"
        "svc:x:999:999::/srv/svc:/bin/sh\nnoshell:x:1000:1000::/home/noshell:/bin/zsh-missing\n"
        "top:x:1001:1001::/:/bin/sh\nempty:x:1002:1002:::/bin/sh\n"
        "relative:x:1003:1003::home/x:/bin/sh\n",
    )
    before = host.tree()
    with pytest.raises(ProvisioningError, match=reason):
        host.apply(name)
    assert host.tree() == before


def test_no_admin(host: Host) -> None:
    before = host.tree()
    outcome = users.apply(Instance("id"), System(host.root), DEFAULTS)
    assert outcome.skipped and outcome.warnings == ("the platform names no admin user",)
    assert host.tree() == before


# -- the password
# --------------------------------------------------------------------------------------------------


def test_in_a_scratch_root_the_password_is_left_out_and_that_is_said(host: Host) -> None:
    host.apply(password="secret")
    assert "the password of bob" in host.system.skipped
    assert "\nbob:*:" in host.get("/etc/shadow") and "secret" not in "".join(host.system.skipped)
    # By hand, after Ready: what was never set there is not missed.
    later = Instance("id", admin=User("bob", password_login=True, had_password=True))
    outcome = users.apply(later, System(host.root), DEFAULTS)
    assert outcome.message.startswith("user bob was there already")


@pytest.mark.parametrize("password", ["", "REDACTED", "*"])
def test_no_password_is_nothing_to_leave_out(host: Host, password: str) -> None:
    host.apply(password=password)
    assert "the password of bob" not in host.system.skipped


def test_a_password_that_is_not_allowed_fails_after_the_rest_is_done(host: Host) -> None:
    with pytest.raises(ProvisioningError) as caught:
        host.apply(password_login=True, password="s3cret\nroot:pwned")
    assert caught.value.reason == "password is not allowed" and "s3cret" not in str(caught.value)
    assert "\nbob:*:" in host.get("/etc/shadow")
    assert host.get(SUDOERS).endswith("\nbob ALL=(ALL:ALL) NOPASSWD:ALL\n"), (
        "a key still makes an admin"
    )


# -- privileges
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "login, setting, rule",
    [
        (False, "auto", "NOPASSWD:ALL"),
        (None, "auto", "NOPASSWD:ALL"),
        (True, "auto", "ALL"),
        (True, "nopasswd", "NOPASSWD:ALL"),
        (False, "password", "ALL"),
    ],
)
def test_sudo_asks_for_a_password_only_where_there_is_one(
    host: Host, login: Any, setting: str, rule: str
) -> None:
    with_bob(host)
    assert not host.apply(password_login=login, privileges=setting).warnings
    assert host.get(SUDOERS).endswith("\nbob ALL=(ALL:ALL) %s\n" % rule)


def test_where_sudo_asks_it_asks_for_the_admins_own_password(host: Host) -> None:
    with_bob(host)
    host.apply(password_login=True)
    own = "Defaults:bob !targetpw, !rootpw, !runaspw\nbob ALL=(ALL:ALL) ALL\n"
    assert host.get(SUDOERS).endswith("\n" + own)
    before = host.tree()
    assert (
        host.apply(password_login=True).message == "user bob was there already"
        and host.tree() == before
    )
    host.apply("ann")
    assert own + "ann" in host.get(SUDOERS)
    host.apply()
    assert "Defaults" not in host.get(SUDOERS)


@pytest.mark.parametrize("password", ["*", "!", "!!", "*LK*", "", "!$6$x$y", "x", None])
def test_without_a_usable_password_sudo_asks_for_none(host: Host, password: Optional[str]) -> None:
    if password is not None:
        with_bob(host, password)
    assert not host.apply(password_login=True).warnings
    assert host.get(SUDOERS).endswith("\nbob ALL=(ALL:ALL) NOPASSWD:ALL\n")


def test_a_password_in_passwd_itself_counts(host: Host) -> None:
    host.put("/etc/passwd", HOST["/etc/passwd"] + BOB.replace(":x:", ":$6$x$y:", 1))
    host.apply(password_login=True)
    assert host.get(SUDOERS).endswith("\nbob ALL=(ALL:ALL) ALL\n")


def test_a_password_that_the_settings_want_is_asked_for_also_if_nobody_has_it(host: Host) -> None:
    host.apply(password_login=True, privileges="password")
    assert host.get(SUDOERS).endswith("\nbob ALL=(ALL:ALL) ALL\n")


def test_no_privileges_when_the_settings_say_so(host: Host) -> None:
    host.apply(privileges="none", groups=())
    assert not os.path.exists(host.root + SUDOERS)
    assert host.get("/etc/group") == HOST["/etc/group"] + "bob:x:1000:\n"


def test_the_next_instance_keeps_the_rule_of_an_admin_who_is_still_there(host: Host) -> None:
    host.apply("ann")
    host.apply("bob")
    assert [line.split()[0] for line in host.get(SUDOERS).split("\n")[1:-1]] == ["ann", "bob"]


def test_a_sudoers_file_that_does_not_include_the_folder_is_mended(host: Host) -> None:
    host.put("/etc/sudoers", "root ALL=(ALL) ALL", 0o440)
    outcome = host.apply()
    assert host.get("/etc/sudoers") == "root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n"
    assert host.mode("/etc/sudoers") == 0o440
    assert "did not include" in outcome.warnings[0]
    assert not host.apply().warnings


def test_sudo_without_its_file_is_said(tmp_path: Any) -> None:
    host = Host(tmp_path, without=("/etc/sudoers",))
    assert "no sudoers file" in host.apply().warnings[0]
    host.put("/usr/etc/sudoers", "@includedir /etc/sudoers.d\n")
    assert not host.apply().warnings


@pytest.mark.parametrize(
    "tools, files, written",
    [
        (("sudo",), ("/etc/sudoers", "/etc/doas.conf"), SUDOERS),
        (("sudo", "doas"), ("/etc/sudoers", "/etc/doas.conf"), SUDOERS),
        (("sudo", "doas"), ("/etc/doas.conf",), "/etc/doas.conf"),
        (("doas",), ("/etc/sudoers", "/etc/doas.conf"), "/etc/doas.conf"),
        (("doas",), ("/etc/sudoers",), "/etc/doas.conf"),
        ((), ("/etc/sudoers", "/etc/doas.conf"), SUDOERS),
        ((), ("/etc/doas.conf",), "/etc/doas.conf"),
    ],
)
def test_the_program_decides_and_not_the_files_that_one_left(
    tmp_path: Any, tools: Any, files: Any, written: str
) -> None:
    host = Host(tmp_path, without=("/etc/sudoers", "/usr/bin/sudo"))
    for tool in tools:
        host.put("/usr/bin/" + tool, "", 0o755)
    there = {"/etc/sudoers": HOST["/etc/sudoers"], "/etc/doas.conf": "permit :wheel\n"}
    for name in files:
        host.put(name, there[name])
    assert host.apply().warnings == ()
    assert "bob" in host.get(written)
    for name in (SUDOERS, "/etc/doas.conf"):
        assert (
            name == written or not os.path.exists(host.root + name) or host.get(name) == there[name]
        )


@pytest.mark.parametrize("size", [2 * 1024 * 1024, None])
def test_rules_that_cannot_be_read_are_not_replaced(tmp_path: Any, size: Any) -> None:
    host = Host(tmp_path, without=("/etc/sudoers", "/usr/bin/sudo"))
    host.put("/usr/bin/doas", "", 0o755)
    if size:
        host.put("/etc/doas.conf", "#" * size)
    else:
        os.mkdir(host.root + "/etc/doas.conf")
    with pytest.raises(ProvisioningError) as caught:
        host.apply()
    assert (caught.value.reason, caught.value.details["path"]) == (
        "privilege rules cannot be read",
        "/etc/doas.conf",
    )
    assert not size or host.get("/etc/doas.conf") == "#" * size


@pytest.mark.parametrize("folder", [True, False])
def test_doas_where_there_is_no_sudo(tmp_path: Any, folder: bool) -> None:
    host = Host(tmp_path, without=("/etc/sudoers", "/usr/bin/sudo"))
    host.put("/usr/bin/doas", "", 0o755)
    host.put("/etc/doas.conf", "permit :wheel\n", 0o640)
    if folder:
        os.mkdir(host.root + "/etc/doas.d")
    assert not host.apply().warnings
    # Which of these doas reads depends on how it was made.
    if folder:
        assert host.get("/etc/doas.d/zz-lightinit.conf") == 'permit nopass "bob"\n'
    assert host.get("/etc/doas.conf") == 'permit :wheel\npermit nopass "bob"\n'
    assert host.mode("/etc/doas.conf") == 0o640


@pytest.mark.parametrize(
    "text, mode, said",
    [("", 0o755, ""), ("", 0o644, "is no program"), (None, 0, "does not exist")],
)
def test_a_shell_that_cannot_be_run_is_not_taken(
    host: Host, text: Any, mode: int, said: str
) -> None:
    """R8, siblings"""
    if text is not None:
        host.put("/opt/shell", text, mode)
    warnings = host.apply(shell="/opt/shell").warnings
    assert [said in each for each in warnings] == ([True] if said else [])
    taken = host.get("/etc/passwd").rstrip("\n").rsplit(":", 1)[1]
    assert (taken == "/opt/shell") == (not said)


@pytest.mark.parametrize(
    "shell", ["/bin/true", "/usr/bin/git-shell", "/usr/lib/openssh/sftp-server", "/dev/null"]
)
def test_an_account_for_files_alone_is_not_the_admins(host: Host, shell: str) -> None:
    """R10, siblings: it would get its key, and nobody a shell."""
    host.put(shell, "", 0o755)
    host.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nbob:x:1001:1001::/home/bob:%s\n" % shell)
    with pytest.raises(ProvisioningError) as caught:
        host.apply()
    assert caught.value.reason == "user name belongs to an account that cannot log in"
