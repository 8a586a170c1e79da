"""A file in the home of a user who may be an enemy. Runs as root (all of it) and as anybody (what
needs no chown).
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import threading
from typing import Any, Callable, List, Set

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.files.in_home import (
    Owner,
    edit_private_file,
    find_trusted_base,
    read_private_file,
)
from lightinit.host.system import System

AT_FDCWD, RENAME_EXCHANGE = -100, 2
ROOT = os.geteuid() == 0
BOB = Owner(4321, 4321) if ROOT else Owner(os.getuid(), os.getgid())
PARTS = (".ssh", "authorized_keys")
needs_root = pytest.mark.skipif(
    not ROOT and not os.environ.get("CI"), reason="root is needed: files change owners"
)


def add(line: bytes = b"new\n") -> Callable[[bytes], bytes]:
    return lambda before: before if line in before else before + line


class Home:
    """A scratch root with bob's home, and a secret outside it."""

    def __init__(self, root: Any) -> None:
        self.top = str(root)
        self.system = System(self.top)
        self.home = self.make("home/bob", 0o700)
        self.ssh = self.home + "/.ssh"
        self.keys = self.ssh + "/authorized_keys"
        os.makedirs(self.top + "/etc")
        self.secret = self.top + "/etc/shadow"
        self.put(self.secret, b"secret", 0o600, uid=0)

    def make(self, name: str, mode: int, uid: int = BOB.uid) -> str:
        path = self.top + "/" + name
        os.makedirs(path)
        os.chmod(path, mode)
        self.give(path, uid)
        return path

    def put(self, path: str, data: bytes, mode: int = 0o600, uid: int = BOB.uid) -> None:
        with open(path, "wb") as handle:
            handle.write(data)
        os.chmod(path, mode)
        self.give(path, uid)

    @staticmethod
    def give(path: str, uid: int) -> None:
        if ROOT:
            os.chown(path, uid, uid)

    def edit(self, edit: Callable[[bytes], bytes] = add()) -> bool:
        return edit_private_file(self.system, "/home/bob", PARTS, BOB, edit)

    def refused(self, why: str) -> None:
        """The change is refused, with the reason, and nothing anywhere is touched."""
        before = self.tree()
        with pytest.raises(ProvisioningError) as caught:
            self.edit()
        assert caught.value.reason == "file in a home is not safe to change"
        assert why in caught.value.details["why"]
        assert self.tree() == before

    def tree(self) -> List[Any]:
        found = []
        for folder, folders, names in os.walk(self.top):
            for name in folders + names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                found.append(
                    (path, status.st_mode, status.st_uid, status.st_ino, status.st_mtime_ns)
                )
        with open(self.secret, "rb") as handle:
            return sorted(found) + [handle.read()]


@pytest.fixture
def bob(tmp_path: Any) -> Home:
    return Home(tmp_path)


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def owner_of(path: str) -> Owner:
    status = os.lstat(path)
    return Owner(status.st_uid, status.st_gid)


# -- what should happen
# ------------------------------------------------------------------------------------------------


def test_folder_and_file_are_made_for_the_user_alone(bob: Home) -> None:
    old = os.umask(0)
    try:
        assert bob.edit()
    finally:
        os.umask(old)
    assert (mode_of(bob.ssh), mode_of(bob.keys)) == (0o700, 0o600)
    assert owner_of(bob.ssh) == owner_of(bob.keys) == BOB
    assert os.listdir(bob.home) == [".ssh"] and os.listdir(bob.ssh) == ["authorized_keys"]
    assert read_private_file(bob.system, "/home/bob", PARTS, BOB) == b"new\n"


def test_an_unchanged_file_is_not_written(bob: Home) -> None:
    bob.edit()
    before = bob.tree()
    assert not bob.edit()
    assert bob.tree() == before


def test_nothing_to_write_makes_no_file(bob: Home) -> None:
    assert not bob.edit(lambda before: before)
    assert not os.path.lexists(bob.keys)


@pytest.mark.parametrize(
    "mode, after", [(0o600, 0o600), (0o400, 0o400), (0o644, 0o644), (0o664, 0o644), (0o666, 0o644)]
)
def test_a_stricter_mode_stays_and_a_lax_one_is_mended(bob: Home, mode: int, after: int) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.keys, b"old\n", mode)
    assert bob.edit()
    assert mode_of(bob.keys) == after


def test_a_lax_mode_is_mended_even_when_the_content_stays(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o777)
    bob.put(bob.keys, b"new\n", 0o666)
    os.chmod(bob.home, 0o775)
    assert not bob.edit()
    assert (mode_of(bob.home), mode_of(bob.ssh), mode_of(bob.keys)) == (0o755, 0o755, 0o644)


@pytest.mark.parametrize("left", ["file", "link"])
def test_what_a_crash_or_an_enemy_left_under_the_scratch_name_is_removed(
    bob: Home, left: str
) -> None:
    bob.make("home/bob/.ssh", 0o700)
    scratch = bob.ssh + "/.authorized_keys.lightinit-new"
    if left == "file":
        bob.put(scratch, b"half")
    else:
        os.symlink(bob.secret, scratch)
    assert bob.edit()
    assert os.listdir(bob.ssh) == ["authorized_keys"]
    with open(bob.secret, "rb") as handle:
        assert handle.read() == b"secret"


def test_a_folder_that_a_crash_left_half_made_is_made_anew(bob: Home) -> None:
    bob.make("home/bob/..ssh.lightinit-new", 0o700, uid=0)
    assert bob.edit()
    assert os.listdir(bob.home) == [".ssh"]


@needs_root
def test_an_empty_folder_of_roots_is_given_to_the_user(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700, uid=0)
    assert bob.edit()
    assert owner_of(bob.ssh) == owner_of(bob.keys) == BOB


@needs_root
def test_below_a_folder_of_roots_the_file_is_roots_and_readable(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o755, uid=0)
    assert bob.edit()
    assert owner_of(bob.ssh) == owner_of(bob.keys) == Owner(0, 0)
    assert mode_of(bob.keys) == 0o644


@needs_root
def test_a_readable_file_of_roots_stays_roots(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.keys, b"old\n", 0o644, uid=0)
    assert bob.edit()
    assert owner_of(bob.keys) == Owner(0, 0)


def test_a_full_disk_leaves_the_old_file(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.keys, b"old\n")
    if ROOT:
        # What cannot be unlinked stands for what cannot be made.
        os.mkdir(bob.ssh + "/.authorized_keys.lightinit-new")
    else:
        os.chmod(bob.ssh, 0o500)
    try:
        with pytest.raises(ProvisioningError, match="file in a home cannot be written"):
            bob.edit()
    finally:
        os.chmod(bob.ssh, 0o700)
    assert read_private_file(bob.system, "/home/bob", PARTS, BOB) == b"old\n"


def test_an_edit_that_fails_leaves_the_old_file(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.keys, b"old\n")

    def fail(before: bytes) -> bytes:
        raise ValueError(before)

    before = bob.tree()
    with pytest.raises(ValueError):
        bob.edit(fail)
    assert bob.tree() == before


# -- what must not happen
# ----------------------------------------------------------------------------------------------


def test_a_link_to_a_secret(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    os.symlink(bob.secret, bob.keys)
    bob.refused("symbolic link")


def test_a_dangling_link(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    os.symlink(bob.top + "/etc/new", bob.keys)
    bob.refused("symbolic link")
    assert not os.path.lexists(bob.top + "/etc/new")


def test_a_link_within_the_home(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.home + "/mine", b"old\n")
    os.symlink("../mine", bob.keys)
    bob.refused("symbolic link")


def test_a_folder_that_is_a_link(bob: Home) -> None:
    os.symlink(bob.top + "/etc", bob.ssh)
    bob.refused("link, or not a directory")


def test_a_folder_that_is_a_dangling_link(bob: Home) -> None:
    os.symlink(bob.top + "/etc/ssh", bob.ssh)
    bob.refused("link, or not a directory")


def test_a_folder_that_is_a_file(bob: Home) -> None:
    bob.put(bob.ssh, b"")
    bob.refused("link, or not a directory")


def test_a_directory_in_the_files_place(bob: Home) -> None:
    bob.make("home/bob/.ssh/authorized_keys", 0o700)
    bob.give(bob.ssh, BOB.uid)
    bob.refused("directory")


def test_a_fifo_does_not_block(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    os.mkfifo(bob.keys)
    watchdog = threading.Timer(120, lambda: os._exit(9))
    watchdog.start()
    try:
        bob.refused("FIFO")
    finally:
        watchdog.cancel()


def test_a_socket(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    here = os.getcwd()
    os.chdir(bob.ssh)  # a socket's path must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("authorized_keys")
    finally:
        os.chdir(here)
    bob.refused("socket")


def test_a_hard_link(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.home + "/other", b"x")
    os.link(bob.home + "/other", bob.keys)
    bob.refused("hard link")


@needs_root
def test_a_hard_link_to_a_secret(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    os.link(bob.secret, bob.keys)
    bob.refused("hard link")


@needs_root
def test_a_secret_of_roots_that_was_moved_there(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.keys, b"secret of root's", 0o600, uid=0)
    bob.refused("the user may not read it")


@needs_root
def test_a_folder_of_roots_with_a_secret_in_it(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700, uid=0)
    bob.put(bob.ssh + "/secret", b"x", uid=0)
    bob.refused("the user may not enter it")


@needs_root
@pytest.mark.parametrize("what", ["home/bob/.ssh", "home/bob"])
def test_a_folder_of_somebody_elses(bob: Home, what: str) -> None:
    if what != "home/bob":
        bob.make(what, 0o755)
    bob.give(bob.top + "/" + what, 5555)
    bob.refused("another user")


@needs_root
def test_a_file_of_somebody_elses(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.keys, b"x", 0o644, uid=5555)
    bob.refused("another user")


@needs_root
def test_a_folder_of_roots_that_all_may_write_to_is_not_changed(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o1777, uid=0)
    bob.refused("others may write to it")


def test_a_file_that_is_too_large(bob: Home) -> None:
    bob.make("home/bob/.ssh", 0o700)
    bob.put(bob.keys, b"#" * (1024 * 1024 + 1))
    bob.refused("larger than")


@pytest.mark.parametrize("parts", [(), ("..", "x"), (".", "x"), ("a/b",), ("",), ("a", "..")])
def test_a_path_that_is_not_plain(bob: Home, parts: Any) -> None:
    with pytest.raises(ProvisioningError, match="file in a home is not safe to change"):
        edit_private_file(bob.system, "/home/bob", parts, BOB, add())


@pytest.mark.parametrize("base", ["", ".", "home/bob"])
def test_a_base_that_is_not_absolute_is_never_looked_up(bob: Home, base: str) -> None:
    before = bob.tree()
    for act in (
        lambda: edit_private_file(bob.system, base, PARTS, BOB, add()),
        lambda: read_private_file(bob.system, base, PARTS, BOB),
        lambda: find_trusted_base(bob.system, base),
    ):
        with pytest.raises(ProvisioningError, match="not plain"):
            act()
    assert bob.tree() == before


def test_a_home_that_is_missing(bob: Home) -> None:
    with pytest.raises(ProvisioningError, match="home directory is missing"):
        edit_private_file(bob.system, "/home/eve", PARTS, BOB, add())


def test_reading_is_under_the_same_rules(bob: Home) -> None:
    assert read_private_file(bob.system, "/home/bob", PARTS, BOB) == b""
    bob.make("home/bob/.ssh", 0o700)
    assert read_private_file(bob.system, "/home/bob", PARTS, BOB) == b""
    os.symlink(bob.secret, bob.keys)
    with pytest.raises(ProvisioningError, match="file in a home is not safe to change"):
        read_private_file(bob.system, "/home/bob", PARTS, BOB)


@needs_root
def test_an_enemy_that_swaps_the_folder_all_the_time_gains_nothing(bob: Home) -> None:
    """While root writes, the user replaces .ssh by a link to /etc and back, as fast as a thread
    can.
    """
    bob.make("home/bob/.ssh", 0o700)
    os.symlink(bob.top + "/etc", bob.home + "/link")
    stop = threading.Event()
    swaps = []
    libc = ctypes.CDLL(None, use_errno=True)
    names = bob.ssh.encode(), (bob.home + "/link").encode()

    def swap() -> None:
        while not stop.is_set():
            swaps.append(libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE))

    enemy = threading.Thread(target=swap)
    enemy.start()
    outcomes: Set[Any] = set()
    try:
        number = 0
        # Both sides of the swap should be met; which one is, and when, is the scheduler's affair.
        while number < 400 or (len(outcomes) < 2 and number < 20000):
            number += 1
            try:
                outcomes.add(bob.edit(add(b"%d\n" % number)))
            except ProvisioningError as error:
                outcomes.add(error.details.get("why"))
    finally:
        stop.set()
        enemy.join()
    assert set(swaps) == {0} and outcomes
    assert os.listdir(bob.top + "/etc") == ["shadow"]


# -- outside a home
# --------------------------------------------------------------------------------------------------


def test_a_path_outside_the_homes_is_split_where_trust_ends(bob: Home) -> None:
    bob.make("etc/ssh", 0o755, uid=0)
    assert find_trusted_base(bob.system, "/etc/ssh/keys/bob") == ("/etc/ssh", ("keys", "bob"))
    bob.make("tmp", 0o1777, uid=0)
    assert find_trusted_base(bob.system, "/tmp/keys/bob") == ("/tmp", ("keys", "bob"))
    os.symlink("/etc", bob.home + "/etc")
    if ROOT:
        assert find_trusted_base(bob.system, "/home/bob/etc/x") == ("/home/bob", ("etc", "x"))


@needs_root
def test_a_folder_for_all_is_refused_and_left_as_it_is(bob: Home) -> None:
    bob.make("tmp", 0o1777, uid=0)
    base, parts = find_trusted_base(bob.system, "/tmp/keys/bob")
    with pytest.raises(ProvisioningError, match="file in a home is not safe to change"):
        edit_private_file(bob.system, base, parts, BOB, add())
    assert mode_of(bob.top + "/tmp") == 0o1777 and not os.listdir(bob.top + "/tmp")


@needs_root
def test_a_file_outside_the_homes_is_roots(bob: Home) -> None:
    bob.make("etc/ssh", 0o755, uid=0)
    base, parts = find_trusted_base(bob.system, "/etc/ssh/keys/bob")
    assert edit_private_file(bob.system, base, parts, BOB, add())
    assert (mode_of(bob.top + "/etc/ssh/keys"), mode_of(bob.top + "/etc/ssh/keys/bob")) == (
        0o755,
        0o644,
    )
    assert owner_of(bob.top + "/etc/ssh/keys/bob") == Owner(0, 0)
