"""The shells in /etc/shells."""

from __future__ import annotations

import os
from typing import Any, List, Optional

import pytest

from lightinit.host.accounts import shells
from lightinit.host.ssh.servers import find_server
from lightinit.host.system import System
from tests.lib.files import put


@pytest.mark.parametrize(
    "text, listed",
    [
        (None, ["/bin/sh", "/bin/csh"]),
        ("", []),
        ("/bin/sh\n/bin/bash", ["/bin/sh", "/bin/bash"]),
        ("# /bin/zsh\n  /bin/sh # the one\nsh\n\n/bin/ash\t\n", ["/bin/sh", "/bin/ash"]),
    ],
)
def test_what_dropbear_accepts(tmp_path: Any, text: Optional[str], listed: List[str]) -> None:
    """R8: mkj/dropbear#176."""
    system = System(tmp_path)
    put(tmp_path, "/usr/sbin/dropbear", mode=0o755)
    if text is not None:
        put(tmp_path, "/etc/shells", text.encode())
    server = find_server(system)
    assert shells.list_shells(system) == listed and server.name == "dropbear"
    assert [shell for shell in listed + ["/bin/fish"] if server.accepts_shell(system, shell)] == (
        listed
    )
    shells.add_shell(system, "/bin/fish")
    assert shells.list_shells(system) == listed + ["/bin/fish"]
    assert server.accepts_shell(system, "/bin/fish")


def test_a_list_that_cannot_be_read_is_none(tmp_path: Any) -> None:
    os.makedirs(str(tmp_path / "etc/shells"))
    assert shells.list_shells(System(tmp_path)) == shells.WITHOUT_FILE
