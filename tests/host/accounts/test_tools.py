"""The host's tools for accounts. Users made by real tools are in tests/real_tools."""

from __future__ import annotations

from typing import Any

from lightinit.host.accounts import tools
from lightinit.host.system import System
from tests.lib.files import put


def test_in_a_scratch_root_no_tool_is_run(tmp_path: Any) -> None:
    put(tmp_path, "/usr/sbin/useradd", b"#!/bin/sh\nexit 9\n", 0o755)
    system = System(tmp_path)
    assert tools.has_tool(system, "useradd")
    assert tools.add_user(system, tools.NewUser("bob", "/bin/sh")) is None
    assert not tools.add_to_groups(system, "bob", ["adm"])
    assert not tools.set_password_mark(system, "bob", "*")
