"""Which SSH server a host has."""

from __future__ import annotations

import os
import re
from typing import Any, List

import pytest

from lightinit.host.ssh.server import LoginAttempt, Printed
from lightinit.host.ssh.servers import SERVERS, find_server, list_servers
from lightinit.host.system import System
from tests.lib.files import put

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
ORDERED_BEFORE = {
    "init/openrc/lightinit": r"^\tbefore (.*)$",
    "init/sysvinit/lightinit": r"^# X-Start-Before: +(.*)$",
    "systemd/lightinit-config.target": r"^Before=(.*)$",
}


@pytest.mark.parametrize(
    "there, names",
    [
        ([], []),
        (["/etc/ssh/sshd_config"], ["sshd"]),
        (["/usr/etc/ssh/sshd_config"], ["sshd"]),
        (["/usr/sbin/dropbear"], ["dropbear"]),
        (["/usr/sbin/dropbear", "/etc/ssh/sshd_config"], ["sshd", "dropbear"]),
    ],
)
def test_what_is_there(tmp_path: Any, there: List[str], names: List[str]) -> None:
    for name in there:
        put(tmp_path, name, mode=0o755)
    system = System(tmp_path)
    assert [server.name for server in list_servers(system)] == names
    assert find_server(system).name == (names + [""])[0]


def test_without_a_server_nothing_is_set_up(tmp_path: Any) -> None:
    system = System(tmp_path)
    server = find_server(system)
    assert not server.can_be_configured(system) and server.find_config(system) is None
    assert server.effective(system, LoginAttempt("bob", "192.0.2.1")) == Printed()
    assert server.find_fault(system) == ""
    assert server.reload(system) == server.keygen == ""
    assert not server.password_notes(False, "")


def test_dropbear_says_what_is_left_to_do(tmp_path: Any) -> None:
    put(tmp_path, "/usr/sbin/dropbear", mode=0o755)
    put(tmp_path, "/etc/dropbear/dropbear_rsa_host_key")
    put(tmp_path, "/etc/dropbear/initramfs/dropbear_rsa_host_key")
    system = System(tmp_path)
    server = find_server(system)
    assert "with -s" in server.password_notes(False, "")[0]
    assert "without -s" in server.password_notes(True, "Fs")[0]
    assert not server.password_notes(True, "g") and not server.password_notes(False, "s")
    assert server.foreign_host_keys(system) == ["/etc/dropbear/initramfs/dropbear_rsa_host_key"]
    assert "initramfs" in server.host_key_remedy() and not server.keygen


@pytest.mark.parametrize("path", sorted(ORDERED_BEFORE))
def test_every_init_system_starts_lightinit_before_every_server(path: str) -> None:
    with open(os.path.join(HERE, path), encoding="utf-8") as handle:
        match = re.search(ORDERED_BEFORE[path], handle.read(), re.MULTILINE)
    assert match is not None
    names = [name.replace(".service", "") for name in match.group(1).split()]
    assert set(names) >= {service for server in SERVERS for service in server.services}
