"""Homes, in scratch roots. Users made by real tools are in tests/real_tools."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.accounts.homes import make_home
from lightinit.host.files.access import Access
from lightinit.host.system import System
from tests.lib.files import mode_of, put

ROOT = os.geteuid() == 0

needs_root = pytest.mark.skipif(
    not ROOT and not os.environ.get("CI"), reason="root is needed: files change owners"
)

BOB = (4321, 4321) if ROOT else (os.getuid(), os.getgid())


def make(root: Any, adopt: bool = False, mode: int = 0o750) -> bool:
    return make_home(System(root), "/home/bob", Access(mode, *BOB), "/etc/skel", adopt)


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
        make_home(System(tmp_path), home, Access(0o700, *BOB), "/etc/skel", False)
    assert os.listdir(str(tmp_path)) == []
