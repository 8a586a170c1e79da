"""The module ssh_password_login, on scratch roots: files alone. With a real sshd it is in
tests/real_tools.
"""

from __future__ import annotations

import os
import stat
import threading
from typing import Any, Dict, List, Optional

import pytest

from lightinit.host.command import Completed
from lightinit.host.system import System
from lightinit.model import Instance, Outcome, SshKey, User
from lightinit.modules import ssh_password_login
from tests.lib.stand_in import StandIn

MAIN, VENDORS, OURS = (
    "/etc/ssh/sshd_config",
    "/usr/etc/ssh/sshd_config",
    "/etc/ssh/sshd_config.d/00-lightinit.conf",
)
INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"
OFF = (
    "PasswordAuthentication no\nKbdInteractiveAuthentication no\nChallengeResponseAuthentication"
    " no\n"
)
ON = "PasswordAuthentication yes\n"


class Host:
    """A scratch root, and the module run on it."""

    def __init__(self, root: Any) -> None:
        self.root = str(root)
        self.system = System(self.root)

    def put(self, name: str, text: str, mode: int = 0o644) -> None:
        os.makedirs(os.path.dirname(self.root + name), exist_ok=True)
        with open(self.root + name, "w", encoding="latin-1", newline="") as handle:
            handle.write(text)
        os.chmod(self.root + name, mode)

    def get(self, name: str) -> Optional[str]:
        try:
            with open(self.root + name, encoding="latin-1", newline="") as handle:
                return handle.read()
        except FileNotFoundError:
            return None

    def rules(self, name: str) -> str:
        """What a file says, without comments."""
        return "".join(
            line for line in (self.get(name) or "").splitlines(True) if not line.startswith("#")
        )

    def apply(
        self, login: Optional[bool] = False, password: str = "", policy: str = "platform"
    ) -> Outcome:
        admin = User("bob", (SshKey("x"),), login, password)
        return ssh_password_login.apply(
            Instance("id", admin=admin), self.system, {"policy": policy}
        )

    def tree(self) -> Dict[str, Any]:
        return {
            os.path.join(folder, name): os.lstat(os.path.join(folder, name))
            for folder, _, names in os.walk(self.root)
            for name in names
        }


@pytest.fixture
def host(tmp_path: Any) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("login, rules", [(False, OFF), (True, ON)])
def test_a_drop_in_where_there_is_room_for_one(host: Host, login: bool, rules: str) -> None:
    text = "# the image's\n" + INCLUDE + "PasswordAuthentication yes\n"
    host.put(MAIN, text)
    outcome = host.apply(login)
    assert outcome == Outcome("password login %s: put into %s" % ("on" if login else "off", OURS))
    assert (host.rules(OURS), host.get(MAIN)) == (rules, text)
    assert stat.S_IMODE(os.stat(host.root + OURS).st_mode) == 0o644
    assert host.system.skipped[0] == "sshd's own check of its configuration"


@pytest.mark.parametrize(
    "text", ["", "Port 22\n", "#" + INCLUDE, "Match all\n" + INCLUDE, "# \xff\r\nPort 22\r\n"]
)
def test_else_the_main_file_and_its_lines_stay(host: Host, text: str) -> None:
    host.put(MAIN, text, 0o600)
    assert host.apply().message == "password login off: put into " + MAIN
    after = host.get(MAIN) or ""
    assert after.startswith("# BEGIN lightinit\n") and after.endswith("# END lightinit\n" + text)
    assert host.rules(MAIN).startswith(OFF) and host.get(OURS) is None
    assert stat.S_IMODE(os.stat(host.root + MAIN).st_mode) == 0o600


@pytest.mark.parametrize("text", [INCLUDE, "Port 22\n"])
def test_a_second_run_writes_nothing_and_another_policy_takes_the_firsts_place(
    host: Host, text: str
) -> None:
    host.put(MAIN, text)
    host.apply(False)
    before = host.tree()
    assert "was there already" in host.apply(False).message
    assert host.tree() == before
    host.apply(True)
    rules = host.rules(OURS) + host.rules(MAIN)
    assert rules.count("Authentication") == 1 and ON in rules


def test_a_main_file_that_gets_or_loses_its_include(host: Host) -> None:
    host.put(MAIN, "Port 22\n")
    host.apply()
    host.put(MAIN, (host.get(MAIN) or "") + INCLUDE)
    host.apply()
    assert (host.get(MAIN), host.rules(OURS)) == ("Port 22\n" + INCLUDE, OFF)
    host.put(MAIN, "Port 22\n")
    host.apply()
    assert host.get(OURS) is None and host.rules(MAIN) == OFF + "Port 22\n"


def test_a_vendors_file_is_left_alone(host: Host) -> None:
    host.put(VENDORS, "Port 22\n")
    host.apply()
    assert host.rules(MAIN) == OFF + "Include %s\n" % VENDORS and host.get(VENDORS) == "Port 22\n"
    before = host.tree()
    assert "was there already" in host.apply().message and host.tree() == before


def test_a_vendors_file_with_an_include(host: Host) -> None:
    host.put(VENDORS, INCLUDE + "PasswordAuthentication yes\n")
    host.apply()
    assert host.rules(OURS) == OFF and host.get(MAIN) is None


def test_a_match_that_says_otherwise_is_named(host: Host) -> None:
    host.put(MAIN, INCLUDE + "Match Address 10.0.0.0/8\nPasswordAuthentication yes\n")
    assert host.apply().warnings == (
        "sshd's configuration has another policy for logins that these match: Match Address"
        " 10.0.0.0/8",
    )
    assert not host.apply(True).warnings


@pytest.mark.parametrize(
    "how", [{"login": None}, {"policy": "keep"}, {"login": None, "password": "*"}]
)
def test_where_nothing_is_ordered_nothing_is_done(host: Host, how: Any) -> None:
    host.put(MAIN, INCLUDE)
    before = host.tree()
    assert host.apply(**how).skipped and host.tree() == before


def test_a_password_without_a_word_is_there_to_be_used(host: Host) -> None:
    host.put(MAIN, INCLUDE)
    host.apply(None, "secret")
    assert host.rules(OURS) == ON


def test_no_admin(host: Host) -> None:
    host.put(MAIN, INCLUDE)
    assert ssh_password_login.apply(Instance("id"), host.system, {"policy": "platform"}).skipped


def test_no_openssh(host: Host) -> None:
    assert host.apply() == Outcome("no OpenSSH server, so no password login over SSH", skipped=True)
    host.put("/usr/sbin/dropbear", "", 0o755)
    assert "start it with -s" in host.apply().warnings[0]
    assert not host.apply(True).warnings
    host.put("/etc/init.d/dropbear", ". /etc/default/dropbear\ndropbear $DROPBEAR_ARGS\n", 0o755)
    host.put("/etc/default/dropbear", "DROPBEAR_ARGS='-s -w'\n")
    assert not host.apply().warnings
    assert host.apply(True).warnings == (
        "dropbear takes no passwords: to allow them, start it without -s",
    )


@pytest.mark.parametrize("kind", ["directory", "large"])
def test_a_main_file_that_cannot_be_read_is_not_replaced(host: Host, kind: str) -> None:
    if kind == "directory":
        os.makedirs(host.root + MAIN)
    else:
        host.put(MAIN, "# x\n" * 300000)
    (warning,) = host.apply().warnings
    assert warning.startswith("sshd's configuration stays as the image has it: file cannot be read")
    assert "path=%s" % MAIN in warning
    assert host.get(OURS) is None


def test_a_second_file_that_cannot_be_written_undoes_the_first(host: Host) -> None:
    """The main file has its block by the time that the drop-in, here a folder, cannot be
    removed.
    """
    host.put(MAIN, "Port 22\n")
    os.makedirs(host.root + OURS)
    (warning,) = host.apply().warnings
    assert warning.startswith("sshd's configuration stays as the image has it: file cannot be")
    assert host.get(MAIN) == "Port 22\n"


class AskedAhead(StandIn):
    """Its sshd has no objections. Other threads than the first stand still after their first
    question until they may go on.
    """

    def __init__(self, folder: Any, config: str) -> None:
        super().__init__(folder, ["sshd"], Completed(0, "passwordauthentication no\n", ""))
        self.may_go_on, self.before = threading.Event(), set(threading.enumerate())
        for name, text in ((MAIN, config), ("/run/sshd/x", ""), ("/var/run/sshd/x", "")):
            self.put(name, text)

    def put(self, name: str, text: str) -> None:
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="ascii") as handle:
            handle.write(text)

    def file_status(self, name: str) -> os.stat_result:
        if self.runs and threading.current_thread() not in self.before:
            assert self.may_go_on.wait(60)
        return super().file_status(name)

    def let_go_on(self) -> None:
        """Returns when the other threads have ended."""
        self.may_go_on.set()
        for thread in set(threading.enumerate()) - self.before:
            thread.join(60)

    def asked(self) -> List[str]:
        """How sshd was started."""
        return [run.split()[1] for run in self.runs]


@pytest.mark.parametrize("config, asked_ahead", [(INCLUDE, 2), ("Match User bob\nPort 2\n", 0)])
@pytest.mark.parametrize("is_outrun", [False, True], ids=["in time", "outrun"])
def test_sshd_is_asked_ahead_and_not_again(
    tmp_path: Any, config: str, asked_ahead: int, is_outrun: bool
) -> None:
    """While useradd makes the account. Then only the new configuration is left to ask about. If the
    module has put that in place before the thread that asks ahead goes on, this asks no more.
    """
    system = AskedAhead(tmp_path, config)
    instance = Instance("id", admin=User("bob", (SshKey("x"),), False))
    ssh_password_login.foresee(instance, system, {"policy": "platform"})
    if not is_outrun:
        system.let_go_on()
        assert system.asked() == ["-T", "-t"][:asked_ahead]
    system.put("/etc/passwd", "bob:x:1000:1000::/home/bob:/bin/sh\n")
    ssh_password_login.apply(instance, system, {"policy": "platform"})
    system.let_go_on()
    assert system.asked() == ["-T", "-t", "-T"]


def test_nothing_is_asked_ahead_that_nobody_wants_to_know(tmp_path: Any) -> None:
    system = StandIn(tmp_path, ["sshd"])
    for login, policy in ((None, "platform"), (False, "keep")):
        instance = Instance("id", admin=User("bob", (), login))
        ssh_password_login.foresee(instance, system, {"policy": policy})
    ssh_password_login.foresee(Instance("id"), system, {"policy": "platform"})
    assert system.runs == []
