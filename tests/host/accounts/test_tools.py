"""The host's tools for accounts. Users made by real tools are in tests/real_tools."""

from __future__ import annotations

from typing import Any, Sequence

from lightinit.host.accounts import tools
from lightinit.host.accounts.removal import remove_user
from lightinit.host.command import Completed
from lightinit.host.system import System
from tests.lib.files import put
from tests.lib.stand_in import StandIn


def test_in_a_scratch_root_no_tool_is_run(tmp_path: Any) -> None:
    put(tmp_path, "/usr/sbin/useradd", b"#!/bin/sh\nexit 9\n", 0o755)
    system = System(tmp_path)
    assert tools.has_tool(system, "useradd")
    assert tools.add_user(system, tools.NewUser("bob", "/bin/sh")) is None
    assert not tools.add_to_groups(system, "bob", ["adm"])
    assert not tools.set_password_mark(system, "bob", "*")


class BusyboxHost(StandIn):
    """Its adduser and addgroup are busybox's, and fail."""

    def __init__(self, root: Any) -> None:
        super().__init__(root, ("adduser", "addgroup", "deluser"), Completed(1, "", "adduser: no"))

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        if argv[1:] == ["--help"]:
            return Completed(0, "", "BusyBox v1.36.1 () multi-call binary.")
        return super().run(argv, stdin, timeout_s)


def test_busyboxs_tools_that_cannot_leave_it_to_the_caller(tmp_path: Any) -> None:
    """They were built without an option, or refuse the name: the account files are edited."""
    host = BusyboxHost(tmp_path)
    assert tools.add_user(host, tools.NewUser("bob", "/bin/sh", group="bob")) is None
    assert not tools.add_to_groups(host, "bob", ["wheel", "video"])
    assert remove_user(host, "bob") is None
    assert host.runs == [
        "/sbin/adduser -D -H -s /bin/sh -g  -G bob bob",
        "/sbin/addgroup bob wheel",
        "/sbin/addgroup bob video",
        "/sbin/deluser bob",
    ]
    host.ended = Completed(0, "", "")
    assert tools.add_user(host, tools.NewUser("bob", "/bin/sh")) == "adduser"
    assert tools.add_to_groups(host, "bob", ["wheel"]) and remove_user(host, "bob") == "deluser"
