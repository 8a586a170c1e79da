"""Whether only root can change a place."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.host.files.trusted_place import find_weak_folder
from lightinit.host.system import System

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(
    not ROOT and not os.environ.get("CI"), reason="needs root: files change owners"
)


def look(root: Any, folder: str = "/srv/app", **options: bool) -> Any:
    system = System(root)
    return find_weak_folder(system, system.path(folder), **options)


@pytest.fixture
def app(tmp_path: Any) -> str:
    """A scratch root with /srv/app, both root's alone."""
    os.chmod(str(tmp_path), 0o755)
    path = str(tmp_path) + "/srv/app"
    os.makedirs(path, 0o755)
    return path


def test_a_place_of_roots(tmp_path: Any, app: str) -> None:
    assert look(tmp_path) is None
    assert look(tmp_path, "/") is None


def test_what_is_missing_ends_the_search(tmp_path: Any, app: str) -> None:
    assert look(tmp_path, "/srv/none/deep") is None


@pytest.mark.parametrize(
    "mode, sticky_is_safe, is_weak",
    [
        (0o777, False, True),
        (0o777, True, True),
        (0o1777, False, True),
        (0o1777, True, False),
    ],
)
def test_a_folder_for_everybody(
    tmp_path: Any, app: str, mode: int, sticky_is_safe: bool, is_weak: bool
) -> None:
    os.chmod(app, mode)
    weak = look(tmp_path, sticky_is_safe=sticky_is_safe)
    assert (weak is not None) is is_weak
    if weak is not None:
        assert (weak.path, weak.mode, weak.foreign) == ("/srv/app", mode, False)


@needs_root
def test_the_first_one_from_the_root_down_is_told(tmp_path: Any, app: str) -> None:
    os.chmod(app, 0o777)
    os.chown(os.path.dirname(app), 4321, 0)
    weak = look(tmp_path)
    assert (weak.path, weak.uid, weak.foreign) == ("/srv", 4321, True)


@needs_root
@pytest.mark.parametrize("gid, is_weak", [(0, False), (4321, True)])
def test_roots_group_may_write(tmp_path: Any, app: str, gid: int, is_weak: bool) -> None:
    os.chown(app, 0, gid)
    os.chmod(app, 0o1775)
    assert (look(tmp_path, sticky_is_safe=True) is not None) is is_weak


def test_links_on_the_way_are_resolved(tmp_path: Any, app: str) -> None:
    os.chmod(app, 0o777)
    os.symlink("/srv", str(tmp_path) + "/link")
    weak = look(tmp_path, "/link/app")
    assert weak is not None and weak.path == "/srv/app"
