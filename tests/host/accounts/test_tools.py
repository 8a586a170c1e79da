"""Account files under their lock, and homes. Users made by real tools are in tests/real_tools."""

from __future__ import annotations

import fcntl
import os
import stat
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.accounts import files, tools
from lightinit.host.clock import Clock
from lightinit.host.system import System

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(
    not ROOT and not os.environ.get("CI"), reason="needs root: files change owners"
)
BOOT_S = 1700000000.0
BOB = (4321, 4321) if ROOT else (os.getuid(), os.getgid())


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


def put(root: Any, name: str, data: bytes = b"x", mode: int = 0o644) -> str:
    path = str(root) + name
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as handle:
        handle.write(data)
    os.chmod(path, mode)
    return path


def get(path: str) -> bytes:
    with open(path, "rb") as handle:
        return handle.read()


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


# -- files and the lock
# ------------------------------------------------------------------------------------------------


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


# -- locks that a crash left
# ---------------------------------------------------------------------------------------------


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


# -- homes
# --------------------------------------------------------------------------------------------------


def make(root: Any, adopt: bool = False, mode: int = 0o750) -> bool:
    return tools.make_home(System(root), "/home/bob", BOB, mode, "/etc/skel", adopt)


def test_a_home_comes_from_skel_with_its_links_and_modes(tmp_path: Any) -> None:
    put(tmp_path, "/etc/skel/.profile", b"p", 0o644)
    put(tmp_path, "/etc/skel/.config/deep/run", b"r", 0o755)
    put(tmp_path, "/etc/shadow", b"secret", 0o600)
    os.symlink("/etc/shadow", str(tmp_path) + "/etc/skel/link")
    os.mkfifo(str(tmp_path) + "/etc/skel/fifo")
    assert make(tmp_path)
    home = str(tmp_path) + "/home/bob"
    assert sorted(os.listdir(home)) == [".config", ".profile", "link"]
    assert (mode_of(home), mode_of(home + "/.profile"), mode_of(home + "/.config/deep/run")) == (
        0o750,
        0o644,
        0o755,
    )
    assert os.readlink(home + "/link") == "/etc/shadow"
    for folder, folders, names in os.walk(home):
        for name in [""] + folders + names:
            assert os.lstat(os.path.join(folder, name)).st_uid == BOB[0]
    assert os.lstat(str(tmp_path) + "/etc/shadow").st_uid == os.geteuid(), (
        "a link in skel gives nothing away"
    )
    assert os.listdir(str(tmp_path) + "/home") == ["bob"]
    assert not make(tmp_path), "the second time there is nothing to do"


def test_what_a_crash_left_is_made_anew(tmp_path: Any) -> None:
    put(tmp_path, "/home/.bob.lightinit-new/half", b"")
    put(tmp_path, "/etc/skel/.profile", b"p")
    assert make(tmp_path)
    assert os.listdir(str(tmp_path) + "/home") == ["bob"]
    assert os.listdir(str(tmp_path) + "/home/bob") == [".profile"]


def test_a_home_without_skel(tmp_path: Any) -> None:
    assert make(tmp_path)
    assert os.listdir(str(tmp_path) + "/home/bob") == []


def test_a_home_that_is_a_file(tmp_path: Any) -> None:
    put(tmp_path, "/home/bob")
    with pytest.raises(ProvisioningError, match="home is not a directory"):
        make(tmp_path)


@needs_root
@pytest.mark.parametrize("adopt", [True, False])
def test_a_home_of_roots_is_given_only_when_asked(tmp_path: Any, adopt: bool) -> None:
    content = put(tmp_path, "/home/bob/content")
    assert make(tmp_path, adopt) is adopt
    assert os.lstat(str(tmp_path) + "/home/bob").st_uid == (BOB[0] if adopt else 0)
    assert os.lstat(content).st_uid == 0


@needs_root
def test_a_home_of_somebody_elses(tmp_path: Any) -> None:
    put(tmp_path, "/home/bob/content")
    os.chown(str(tmp_path) + "/home/bob", 5555, 5555)
    with pytest.raises(ProvisioningError, match="home belongs to another user") as caught:
        make(tmp_path, adopt=True)
    assert caught.value.details["uid"] == "5555"
    assert (
        "remove it" in caught.value.details["hint"] and "chown -R" in caught.value.details["hint"]
    )
    assert os.lstat(str(tmp_path) + "/home/bob").st_uid == 5555


@pytest.mark.parametrize("home", ["", "home/bob", "."])
def test_a_home_that_is_not_absolute(tmp_path: Any, home: str) -> None:
    with pytest.raises(ProvisioningError, match="home cannot be made"):
        tools.make_home(System(tmp_path), home, BOB, 0o700, "/etc/skel", False)
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize(
    "mode, sh_mode, yes",
    [
        (0o755, 0o755, True),
        (0o755, None, True),
        (None, 0o755, False),
        (0o644, 0o755, False),
        (None, None, True),
    ],
)
def test_a_shell_that_is_there(tmp_path: Any, mode: Any, sh_mode: Any, yes: bool) -> None:
    if mode:
        put(tmp_path, "/usr/bin/zsh", b"", mode)
    if sh_mode:
        put(tmp_path, "/bin/sh", b"", sh_mode)
    assert tools.can_be_shell(System(tmp_path), "/usr/bin/zsh") is yes


def test_on_a_live_machine_a_shell_has_to_be_there() -> None:
    assert tools.can_be_shell(System("/"), "/bin/sh")
    assert not tools.can_be_shell(System("/"), "/bin/zsh-missing") and not tools.can_be_shell(
        System("/"), "/bin"
    )


def test_in_a_scratch_root_no_tool_is_run(tmp_path: Any) -> None:
    put(tmp_path, "/usr/sbin/useradd", b"#!/bin/sh\nexit 9\n", 0o755)
    system = System(tmp_path)
    assert tools.has_tool(system, "useradd")
    assert tools.add_user(system, tools.NewUser("bob", "/bin/sh")) is None
    assert not tools.add_to_groups(system, "bob", ["adm"])
    assert not tools.set_password_mark(system, "bob", "*")
    assert tools.look_up_elsewhere(system, "root") is None
