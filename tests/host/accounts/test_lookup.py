"""What the host knows about an account besides its files."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.host.accounts import lookup
from lightinit.host.system import System
from tests.lib.files import put


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
    assert lookup.can_be_shell(System(tmp_path), "/usr/bin/zsh") is yes


def test_on_a_live_machine_a_shell_has_to_be_there() -> None:
    assert lookup.can_be_shell(System("/"), "/bin/sh")
    assert not lookup.can_be_shell(System("/"), "/bin/zsh-missing") and not lookup.can_be_shell(
        System("/"), "/bin"
    )


def test_in_a_scratch_root_nss_is_not_asked(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert lookup.look_up_elsewhere(system, "root") is None
    assert lookup.list_groups_of(system, "root", 0) == ()
    assert not lookup.has_user_id(system, 0) and not lookup.has_group_id(system, 0)
    assert not lookup.has_group(system, "root")


def test_nss_knows_root() -> None:
    found = lookup.look_up_elsewhere(System("/"), "root")
    assert found is not None and found[:2] == (0, 0)
    assert lookup.look_up_elsewhere(System("/"), "no-such-user") is None
    assert "root" in lookup.list_groups_of(System("/"), "root", 0)
    for has in (lookup.has_user_id, lookup.has_group_id):
        assert has(System("/"), 0) and not has(System("/"), 2**31 - 17)
    assert lookup.has_group(System("/"), "root")
    assert not lookup.has_group(System("/"), "no-such-group")


@pytest.mark.parametrize(
    "home, homes, yes",
    [
        ("/home/core", "/home", True),
        ("/home/core/", "/home", True),
        ("/data/people/core", "/data/people/", True),
        ("/var/lib/core", "/home", False),
        ("/home/nobody", "/home", False),
        ("/home", "/home", False),
        ("/home/../var/lib/core", "/home", False),
    ],
)
def test_a_home_among_those_of_people(tmp_path: Any, home: str, homes: str, yes: bool) -> None:
    """R10: the account core of Flatcar, uid 500."""
    for each in ("/home/core/.profile", "/data/people/core/.profile", "/var/lib/core/x"):
        put(tmp_path, each)
    uid = os.getuid()
    assert lookup.is_home_of_person(System(tmp_path), homes, home, uid) is yes
    if uid == 0:
        assert not lookup.is_home_of_person(System(tmp_path), homes, home, 500)
