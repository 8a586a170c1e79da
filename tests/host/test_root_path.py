"""Paths below a root: links are resolved inside it, and loops of links end."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System


@pytest.mark.parametrize(
    "name, where",
    [
        ("/etc/hostname", "/etc/hostname"),
        ("//etc/./hostname", "/etc/hostname"),
        ("/../../etc/x", "/etc/x"),
        ("/etc/../var/x", "/var/x"),
        ("/absolute/x", "/var/lib/x"),
        ("/relative/x", "/var/lib/x"),
        ("/up/x", "/x"),
        ("/link", "/var/lib/file"),
        ("/", ""),
        ("/missing/deep/x", "/missing/deep/x"),
    ],
)
def test_links_are_looked_up_inside_the_root(tmp_path: Any, name: str, where: str) -> None:
    os.makedirs(str(tmp_path / "var/lib"))
    os.symlink("/var/lib", str(tmp_path / "absolute"))
    os.symlink("var/lib", str(tmp_path / "relative"))
    os.symlink("../../../../../..", str(tmp_path / "up"))
    os.symlink("/absolute/file", str(tmp_path / "link"))
    assert System(tmp_path).path(name).rstrip("/") == os.path.realpath(str(tmp_path)) + where


def test_the_last_link_need_not_be_followed(tmp_path: Any) -> None:
    os.symlink("/etc/x", str(tmp_path / "link"))
    assert (
        System(tmp_path).path("/link", follow_last=False)
        == os.path.realpath(str(tmp_path)) + "/link"
    )


@pytest.mark.parametrize("name", ["/a" * 101, "/" + "x" * 4095, "/" + "é" * 2048, "/a\0b"])
def test_a_path_that_no_file_can_have_is_refused_at_once(tmp_path: Any, name: str) -> None:
    with pytest.raises(ProvisioningError, match="path is not usable"):
        System(tmp_path).path(name)
    assert not System(tmp_path).exists(name) and System(tmp_path).path("/a" * 100)


def test_a_loop_of_links_ends(tmp_path: Any) -> None:
    os.symlink("/b", str(tmp_path / "a"))
    os.symlink("/a", str(tmp_path / "b"))
    with pytest.raises(ProvisioningError, match="too many symbolic links"):
        System(tmp_path).path("/a/x")
