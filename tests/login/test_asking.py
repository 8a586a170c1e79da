"""sshd is asked once, and once more if anything changes on which its answer depends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, List, Sequence

import pytest

from lightinit.host.command import Completed
from lightinit.host.ssh.sshd import Sshd
from lightinit.host.system import READ_LIMIT_BYTES
from lightinit.login import answers, asking
from tests.lib.stand_in import StandIn

CONFIG = "Include /etc/ssh/sshd_config.d/*.conf\nHostKey /etc/keys/mine\n"
SAYS, SAYS_NOTHING = Completed(0, "usepam yes\n", ""), Completed(255, "", "no hostkeys available")


def machine(folder: Path, ended: Completed = SAYS) -> StandIn:
    system = StandIn(folder, ["sshd"], ended)
    put(system, "/etc/ssh/sshd_config", CONFIG)
    put(system, "/etc/ssh/sshd_config.d/10.conf", "UsePAM yes\n")
    put(system, "/run/sshd/.keep", "")
    put(system, "/var/run/sshd/.keep", "")
    return system


def put(system: Any, name: str, text: str) -> None:
    path = Path(system.root + name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def options(system: StandIn) -> List[str]:
    """How sshd was started."""
    return [run.split()[1] for run in system.runs]


def ask_all(system: StandIn) -> None:
    assert asking.ask(system, Sshd(), "bob").effective.words("usepam") == ["yes"]
    assert asking.find_fault(system, Sshd(), "bob") == ""


def test_one_answer_is_for_all(tmp_path: Path) -> None:
    system = machine(tmp_path)
    ask_all(system)
    ask_all(system)
    assert options(system) == ["-T"]
    asking.ask(system, Sshd(), "eve")
    assert options(system) == ["-T", "-T"], "another question"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/ssh/sshd_config",
        "/etc/ssh/sshd_config.d/10.conf",
        "/etc/ssh/sshd_config.d/20.conf",
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/keys/mine",
        "/etc/passwd",
        "/etc/default/ssh",
        "/etc/conf.d/sshd",
        "/etc/sysconfig/sshd",
        "/etc/crypto-policies/back-ends/opensshserver.config",
        "/sbin/sshd",
    ],
)
def test_a_change_makes_the_answer_old(tmp_path: Path, name: str) -> None:
    system = machine(tmp_path)
    ask_all(system)
    put(system, name, "PORT=1\n" + CONFIG)
    ask_all(system)
    assert options(system) == ["-T", "-T"]


PERSON, NOBODYS = "eve:x:1001:1001::/home/eve:/bin/sh\n", "sshd:x:110:65534::/run/sshd:/bin/false\n"


@pytest.mark.parametrize(
    "more, name, line, starts",
    [
        ("", "/etc/passwd", PERSON, 1),
        ("", "/etc/passwd", NOBODYS, 2),
        ("", "/etc/group", "wheel:x:10:eve\n", 1),
        ("Match User eve\nX11Forwarding no\n", "/etc/passwd", PERSON, 2),
        ("Match Group wheel\nX11Forwarding no\n", "/etc/group", "wheel:x:10:eve\n", 2),
        ('"Match" User eve\nX11Forwarding no\n', "/etc/passwd", PERSON, 2),
    ],
    ids=["person", "sshd's", "group", "match", "match group", "in quotes"],
)
def test_a_new_account_changes_the_answer_only_for_match_blocks(
    tmp_path: Path, more: str, name: str, line: str, starts: int
) -> None:
    """So sshd can be asked about the admin while useradd makes the account."""
    system = machine(tmp_path)
    put(system, "/etc/ssh/sshd_config", CONFIG + more)
    ask_all(system)
    put(system, name, line)
    ask_all(system)
    assert options(system) == ["-T"] * starts


class Slow(StandIn):
    """Its sshd answers when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ["sshd"], SAYS)
        self.may_answer, self.is_asked = threading.Event(), threading.Event()
        self.fails = False

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        self.is_asked.set()
        assert self.may_answer.wait(60)
        ended = super().run(argv, stdin, timeout_s)
        if self.fails:
            self.fails = False
            raise OSError("fork")
        return ended


@pytest.mark.parametrize("fails", [False, True])
def test_who_asks_what_is_asked_just_now_waits_for_that_answer(tmp_path: Path, fails: bool) -> None:
    system = Slow(tmp_path)
    put(system, "/etc/ssh/sshd_config", CONFIG)
    system.fails = fails
    answers.ask_beside(system, lambda: asking.ask(system, Sshd(), "bob"))
    assert system.is_asked.wait(60) and system.runs == []
    threading.Timer(0.1, system.may_answer.set).start()
    assert asking.ask(system, Sshd(), "bob").effective.words("usepam") == ["yes"]
    assert options(system) == ["-T"] * (1 + fails), "after an error it is asked again"


def test_what_was_asked_ahead_and_is_outrun_asks_nothing_more(tmp_path: Path) -> None:
    """The thread that asks ahead may stand still until the configuration has changed: then it would
    ask about one that is gone.
    """
    system, ends = Slow(tmp_path), threading.Event()
    put(system, "/etc/ssh/sshd_config", CONFIG)

    def ask_ahead() -> None:
        try:
            asking.ask(system, Sshd(), "bob")
            asking.ask(system, Sshd(), "eve")
        finally:
            ends.set()

    answers.ask_beside(system, ask_ahead)
    assert system.is_asked.wait(60)
    answers.stop_asking_beside(system)
    system.may_answer.set()
    assert ends.wait(60)
    assert options(system) == ["-T"], "nothing about eve"
    asking.ask(system, Sshd(), "bob")
    assert options(system) == ["-T"], "what was asked already counts"
    asking.ask(system, Sshd(), "eve")
    assert options(system) == ["-T", "-T"], "others may ask"


def test_without_an_answer_the_fault_is_asked_for_once(tmp_path: Path) -> None:
    system = machine(tmp_path, SAYS_NOTHING)
    for _ in range(2):
        assert asking.find_fault(system, Sshd(), "bob") == "no hostkeys available"
    assert options(system) == ["-T", "-t"]


@pytest.mark.parametrize(
    "program, made",
    [
        (b"\x7fELF\0/run/sshd\0/run/sshd.pid\0", True),
        (b"x" * (64 * 1024 - 5) + b"\0/run/sshd\0", True),
        (b"\x7fELF\0/run/sshd.pid\0/var/empty\0", False),
        (b"#!/bin/sh\nexec /opt/sshd /run/sshd\n", False),
    ],
    ids=["yes", "across two pieces", "another folder", "a wrapper"],
)
def test_the_folder_that_sshd_wants_is_made_first(
    tmp_path: Path, program: bytes, made: bool
) -> None:
    """/run/sshd: its own unit, which makes it, starts later. Without it the first -T would fail."""
    system = StandIn(tmp_path, ["sshd"], SAYS)
    put(system, "/etc/ssh/sshd_config", CONFIG)
    put(system, "/sbin/sshd", "")
    Path(system.root + "/sbin/sshd").write_bytes(program)
    asking.ask(system, Sshd(), "bob")
    assert system.is_dir("/run/sshd") == made
    assert not system.exists("/var/run/sshd")


def test_the_configuration_is_read_again_only_after_a_change(tmp_path: Path) -> None:
    """The login check and the modules ask for it some twenty times in a first boot."""
    system = Counting(tmp_path, ["sshd"], SAYS)
    put(system, "/etc/ssh/sshd_config", CONFIG)
    put(system, "/etc/ssh/sshd_config.d/10.conf", "UsePAM yes\n")
    assert read_count(system) == 2, "both files"

    def read_twice_at_once() -> List[int]:
        put(system, "/etc/ssh/sshd_config.d/10.conf", "UsePAM yes\n")
        return [read_count(system) for _ in range(2)]

    # A further change might not show. Where the machine is busy, it may not be just now any more.
    assert any(read_twice_at_once() == [2, 2] for _ in range(20)), "they were changed just now"
    time.sleep(0.1)
    assert [read_count(system) for _ in range(3)] == [2, 0, 0]
    put(system, "/etc/ssh/sshd_config.d/20.conf", "Port 2222\n")
    time.sleep(0.1)
    assert [read_count(system) for _ in range(2)] == [3, 0]
    assert asking.read_config(system, Sshd()).port == 2222
    put(system, "/etc/ssh/sshd_config.d/20.conf", "Port 2223\n")
    assert asking.read_config(system, Sshd()).port == 2223


def test_a_folder_that_is_a_pattern_is_read_each_time(tmp_path: Path) -> None:
    system = Counting(tmp_path, ["sshd"], SAYS)
    put(system, "/etc/ssh/sshd_config", "Include /etc/ssh/*/x.conf\n")
    put(system, "/etc/ssh/a/x.conf", "Port 2222\n")
    time.sleep(0.1)
    assert [read_count(system) for _ in range(2)] == [2, 2]


class Counting(StandIn):
    """Counts the files that are read."""

    count = 0

    def read(self, name: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        self.count += 1
        return super().read(name, limit_bytes)


def read_count(system: Counting) -> int:
    """How many files are read for the configuration."""
    system.count = 0
    asking.read_config(system, Sshd())
    return system.count


# Also below nohup(1), which lets it be ignored.
DIES_OF_HANGUP = """import signal, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)
print("ready", flush=True)
time.sleep(600)"""


@pytest.mark.parametrize("answers", [True, False])
def test_a_running_sshd_costs_no_further_start_if_it_has_answered(
    tmp_path: Path, answers: bool
) -> None:
    """It is reloaded after its host keys were made; who asks later has the same question."""
    system = machine(tmp_path, SAYS if answers else SAYS_NOTHING)
    program = subprocess.Popen([sys.executable, "-c", DIES_OF_HANGUP], stdout=subprocess.PIPE)
    assert program.stdout is not None and program.stdout.readline()
    try:
        put(system, "/run/sshd.pid", "%d\n" % program.pid)
        put(system, "/proc/%d/comm" % program.pid, "sshd\n")
        why = Sshd().reload(system, lambda: bool(asking.ask(system, Sshd(), "bob").effective))
        if answers:
            assert program.wait(60) == -signal.SIGHUP
            asking.ask(system, Sshd(), "bob")
        assert (why == "", options(system)) == (answers, ["-T"] if answers else ["-T", "-t"])
    finally:
        program.kill()
        program.communicate()
