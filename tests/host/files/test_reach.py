"""Whether a user reaches a file, and which folders are opened for that."""

from __future__ import annotations

import os
import stat
from typing import Any, Optional

import pytest

from lightinit.host.files.reach import Reader, find_barrier, open_way
from lightinit.host.system import System

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="root is needed: files change owners"
)
BOB = Reader(4321, (4321, 50))
FILE = "/srv/keys/of/bob"


@pytest.fixture
def system(tmp_path: Any) -> System:
    os.makedirs(str(tmp_path) + os.path.dirname(FILE), 0o755)
    with open(str(tmp_path) + FILE, "w", encoding="utf-8") as handle:
        handle.write("ssh-x AAAA\n")
    for name in ("/srv", "/srv/keys", "/srv/keys/of"):
        os.chmod(str(tmp_path) + name, 0o755)
    os.chmod(str(tmp_path) + FILE, 0o644)
    return System(str(tmp_path))


def change(system: System, name: str, mode: int, uid: int = 0, gid: int = 0) -> None:
    os.chown(system.root + name, uid, gid)
    os.chmod(system.root + name, mode)


@needs_root
@pytest.mark.parametrize(
    "name, mode, uid, gid, path",
    [
        (FILE, 0o644, 0, 0, None),
        (FILE, 0o600, 4321, 0, None),
        (FILE, 0o600, 0, 0, FILE),
        (FILE, 0o640, 0, 50, None),
        (FILE, 0o644, 77, 0, FILE),
        (FILE, 0o664, 0, 0, FILE),
        ("/srv/keys", 0o700, 0, 0, "/srv/keys"),
        ("/srv/keys", 0o711, 0, 0, None),
        ("/srv/keys", 0o750, 0, 50, None),
        ("/srv/keys", 0o705, 0, 50, "/srv/keys"),
        ("/srv/keys", 0o677, 4321, 0, "/srv/keys"),
        ("/srv", 0o1777, 0, 0, "/srv"),
    ],
)
def test_what_keeps_a_user_out(
    system: System, name: str, mode: int, uid: int, gid: int, path: Optional[str]
) -> None:
    """R4: canonical/cloud-init#3417"""
    change(system, name, mode, uid, gid)
    found = find_barrier(system, FILE, BOB, "/home/bob", strict=True)
    assert (found and found.path) == path and (found is None or found.certain)


@needs_root
def test_strictness_ends_at_the_home_and_can_be_off(system: System) -> None:
    change(system, "/srv", 0o777)
    assert find_barrier(system, FILE, BOB, "/srv/keys", strict=True) is None
    assert find_barrier(system, FILE, BOB, "/home", strict=False) is None


@needs_root
def test_the_way_of_a_link_and_of_its_target_count(system: System) -> None:
    os.makedirs(system.root + "/etc/ssh", 0o755)
    os.symlink("/srv/keys", system.root + "/etc/ssh/keys")
    path = "/etc/ssh/keys/of/bob"
    assert find_barrier(system, path, BOB, "/home", strict=True) is None
    change(system, "/srv", 0o700)
    found = find_barrier(system, path, BOB, "/home", strict=True)
    assert found is not None and found.path == "/srv"


def test_a_file_that_is_missing(system: System) -> None:
    found = find_barrier(system, "/srv/none/such", BOB, "/home", strict=True)
    assert found is not None and found.missing


@needs_root
@pytest.mark.parametrize("inside", ["key", "secret", "unread secret", "folder", "fifo", "home"])
def test_a_folder_is_opened_if_nothing_but_keys_can_be_read_there(
    system: System, inside: str
) -> None:
    """R4"""
    change(system, "/srv/keys", 0o700)
    other = system.root + "/srv/keys/other"
    if inside == "fifo":
        os.mkfifo(other)
    elif inside == "folder":
        os.makedirs(other + "/deep")
        with open(other + "/deep/notes", "w", encoding="utf-8") as handle:
            handle.write("a secret\n")
    else:
        with open(other, "w", encoding="utf-8") as handle:
            handle.write("ssh-x AAAA\n" if inside in ("key", "home") else "a secret\n")
        os.chmod(other, 0o600 if inside == "unread secret" else 0o644)
    homes = ["/srv/keys"] if inside == "home" else []
    changed = open_way(system, FILE, BOB, lambda data: b"ssh-x" in data, homes)
    opened = inside in ("key", "unread secret")
    assert bool(changed) == opened
    mode = stat.S_IMODE(os.stat(system.root + "/srv/keys").st_mode)
    assert mode == (0o711 if opened else 0o700)
    assert (find_barrier(system, FILE, BOB, "/home", strict=True) is None) == opened
