"""Account files under their lock, and locks that a crash has left."""

from __future__ import annotations

import fcntl
import os
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files
from lightinit.host.clock import Clock
from lightinit.host.system import System
from tests.lib.files import get, mode_of, put

ROOT = os.geteuid() == 0
BOOT_S = 1700000000.0


class SleeplessClock(Clock):
    """Time that passes only by being slept."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s

    def time(self) -> float:
        return BOOT_S + 100.0


def test_an_account_file_keeps_its_mode_owner_and_odd_bytes(tmp_path: Any) -> None:
    path = put(tmp_path, "/etc/shadow", b"j\xf6rg:*:1\n", 0o640)
    if ROOT:
        os.chown(path, 0, 42)
    assert files.edit_account_file(System(tmp_path), "/etc/shadow", lambda text: text + "bob:*:1\n")
    assert get(path) == b"j\xf6rg:*:1\nbob:*:1\n"
    assert mode_of(path) == 0o640
    assert not ROOT or os.lstat(path).st_gid == 42


def test_an_unchanged_account_file_is_not_written(tmp_path: Any) -> None:
    path = put(tmp_path, "/etc/passwd")
    before = os.lstat(path).st_ino
    assert not files.edit_account_file(System(tmp_path), "/etc/passwd", lambda text: text)
    assert os.lstat(path).st_ino == before


def test_a_missing_account_file(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert not files.edit_account_file(system, "/etc/gshadow", lambda text: "x\n")
    assert not system.exists("/etc/gshadow")
    assert files.edit_account_file(system, "/etc/shadow", lambda text: "x\n", 0o640)
    assert mode_of(str(tmp_path) + "/etc/shadow") == 0o640


def test_an_account_file_that_is_a_directory(tmp_path: Any) -> None:
    (tmp_path / "etc" / "passwd").mkdir(parents=True)
    with pytest.raises(ProvisioningError, match="account file cannot be read"):
        files.edit_account_file(System(tmp_path), "/etc/passwd", lambda text: "x")


@pytest.mark.parametrize("size", [17 * 1024 * 1024, None])
def test_an_account_file_that_cannot_be_read_is_never_taken_for_empty(
    tmp_path: Any, size: Any
) -> None:
    (tmp_path / "etc").mkdir()
    if size:
        put(tmp_path, "/etc/passwd", b"\n" * size)
    else:
        os.mkfifo(str(tmp_path) + "/etc/passwd")
    for act in (
        lambda: files.read_account_file(System(tmp_path), "/etc/passwd"),
        lambda: files.edit_account_file(System(tmp_path), "/etc/passwd", lambda text: "x"),
    ):
        with pytest.raises(ProvisioningError) as caught:
            act()
        assert (
            caught.value.reason == "account file cannot be read"
            and caught.value.details["path"] == "/etc/passwd"
        )


def test_a_missing_or_a_long_account_file(tmp_path: Any) -> None:
    assert files.read_account_file(System(tmp_path), "/etc/passwd") == ""
    put(tmp_path, "/etc/passwd", b"x" * (2 * 1024 * 1024))
    assert len(files.read_account_file(System(tmp_path), "/etc/passwd")) == 2 * 1024 * 1024


def put_lock(root: Any, name: str, data: bytes, age_s: float) -> None:
    path = put(root, name, data, 0o600)
    os.utime(path, (0, BOOT_S + 100.0 - age_s))


@pytest.mark.parametrize(
    "name, data, age_s, stale",
    [
        (
            "/etc/passwd.lock",
            b"1\0",
            50.0,
            True,
        ),  # names a process of this boot that is none of the tools
        ("/etc/passwd.lock", b"77\0", 50.0, False),
        ("/etc/shadow.lock", b"77\n", 50.0, False),
        (
            "/etc/passwd.lock",
            b"77\0",
            101.0,
            True,
        ),  # older than this boot: another process has the number now
        ("/etc/group.lock", b"99", 50.0, True),
        ("/etc/gshadow.lock", b"", 50.0, False),  # names nobody, and a tool is at work
        ("/etc/subuid.lock", b"", 101.0, True),
        ("/etc/passwd.lock", b"99", -3e8, True),  # made while the clock was another
        ("/etc/passwd+", b"root:x:0:0::/:\n", 50.0, False),
        ("/etc/passwd+", b"root:x:0:0::/:\n", 101.0, True),
    ],
)
def test_only_a_stale_lock_is_removed(
    tmp_path: Any, name: str, data: bytes, age_s: float, stale: bool
) -> None:
    put(tmp_path, "/proc/uptime", b"100.00 99.00\n")
    put(tmp_path, "/proc/1/comm", b"systemd\n")
    put(tmp_path, "/proc/77/comm", b"useradd\n")
    put_lock(tmp_path, name, data, age_s)
    system = System(tmp_path, SleeplessClock())
    assert files.clear_stale_locks(system) == ([name] if stale else [])
    assert os.path.lexists(str(tmp_path) + name) is not stale


def test_without_any_tool_at_work_a_lock_that_names_nobody_is_stale(tmp_path: Any) -> None:
    put(tmp_path, "/proc/1/comm", b"systemd\n")
    put_lock(tmp_path, "/etc/passwd.lock", b"", 50.0)
    put_lock(tmp_path, "/etc/group+", b"x", 50.0)
    (tmp_path / "etc" / "shadow.lock").mkdir()
    system = System(tmp_path, SleeplessClock())
    assert files.clear_stale_locks(system) == ["/etc/passwd.lock", "/etc/group+"]
    assert files.clear_stale_locks(system) == []


def test_no_lock_at_all_takes_no_lock(tmp_path: Any) -> None:
    (tmp_path / "etc").mkdir()
    assert files.clear_stale_locks(System(tmp_path)) == []
    assert os.listdir(str(tmp_path) + "/etc") == []


def test_the_lock_is_the_one_of_lckpwdf(tmp_path: Any) -> None:
    system = System(tmp_path)
    with files.lock_accounts(system):
        path = system.path("/etc/.pwd.lock")
        assert mode_of(path) == 0o600
        child = os.fork()
        if not child:
            with open(path, "r+b") as handle:
                try:
                    fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    os._exit(7)
            os._exit(0)
        assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 7
    with files.lock_accounts(system):
        pass


def test_a_lock_that_is_never_given_up_ends_in_an_error(tmp_path: Any) -> None:
    path = put(tmp_path, "/etc/.pwd.lock", b"")
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        with open(path, "r+b") as handle:
            fcntl.lockf(handle, fcntl.LOCK_EX)
            os.write(ready[1], b"x")
            os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    clock = SleeplessClock()
    try:
        with pytest.raises(ProvisioningError, match="account files are locked"):
            with files.lock_accounts(System(tmp_path, clock)):
                pass
        assert 15 <= clock.now_s < 16
    finally:
        os.write(done[1], b"x")
        os.waitpid(child, 0)
