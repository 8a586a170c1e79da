"""What must not cost a VM, with this machine's own tools.

Each test runs tests/real_tools/namespaced/comforts.py in mount and UTS namespaces of its own, on a
copy of /etc.
"""

from __future__ import annotations

import glob
from typing import Any, Dict

import pytest

from tests.lib.namespaced import run_scenario


def inside(scenario: str, *tools: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/comforts.py and give what it saw."""
    return run_scenario("comforts.py", scenario, *tools)


def test_a_daemon_that_useradds_hook_leaves_is_not_waited_for() -> None:
    """N9: the command has ended when its process has."""
    seen = inside("hook", "useradd")
    assert seen["outcome"][0].startswith("made user bob") and seen["account"] == "bob"
    assert seen["alive"]


@pytest.mark.parametrize("scenario", ["store", "sealed"])
def test_a_name_that_cannot_be_written_is_set_all_the_same(scenario: str) -> None:
    """N1: NixOS/nixpkgs#285464, and siblings: the live name is set; the rest is a warning."""
    seen = inside(scenario)
    assert seen["outcome"][0].startswith("host name is real-tools.example.org")
    assert seen["live"] == "real-tools.example.org" and seen["file"] == "image\n"
    hosts, name = seen["outcome"][1]
    assert hosts.startswith("/etc/hosts is left as it is: file cannot be written")
    assert name.startswith("/etc/hostname is left as it is: file cannot be written (Read-only file")


@pytest.mark.parametrize("scenario", ["profile", "unit", "runit", "openrc"])
def test_sshd_and_its_tools_are_found_outside_the_usual_folders(scenario: str) -> None:
    """N8: NixOS/nixpkgs#39523: in the system's profile, or where a service names sshd."""
    seen = inside(scenario, "sshd", "ssh-keygen")
    assert seen["new"], seen
    assert "SSH host keys made" in seen["outcome"][0]


def test_a_program_that_others_can_change_is_not_run_and_that_is_said() -> None:
    """N8: never skipped without a word."""
    seen = inside("others_may_write", "sshd", "ssh-keygen")
    assert not seen["new"]
    assert seen["outcome"][1][0].startswith("the SSH host keys are those of the image")


@pytest.mark.skipif(
    not glob.glob("/usr/lib/*/libnss_systemd.so.2"), reason="not installed here: libnss-systemd"
)
def test_accounts_of_userdb_count() -> None:
    """useradd sees them, lightinit's own editing of passwd did not: two accounts had one id. A
    group of the admin's name is the primary one, and a missing home is made.
    """
    seen = inside("userdb", "useradd")
    assert seen["taken"] == "keeper"
    assert (seen["bob"], seen["eve"]) == ("bob", "eve")
    assert seen["keeper"] == "user keeper was there already; added its home"
    assert seen["home"] == "keeper:keeper\nkeeper:keeper"
