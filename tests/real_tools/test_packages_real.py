"""The module packages with this machine's apt and dpkg, on a root whose changes are in memory."""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from tests.lib.namespaced import NETWORK, need_namespaces, run_program

pytestmark = pytest.mark.long
TOOLS = ("apt-get", "dpkg", "dpkg-deb", "dpkg-scanpackages", "dpkg-query")
DONE = {"message": "1 of 1 packages installed with apt-get", "warnings": []}


def inside(scenario: str, *tools: str) -> Dict[str, Any]:
    need_namespaces(*TOOLS, *tools, reason="" if os.path.isdir("/srv") else "there is no /srv")
    return dict(run_program("packages.py", scenario, namespaces=NETWORK, secret="geheim"))


def test_what_can_be_installed_is() -> None:
    """Although one does not exist, and the script of one fails. No script waits for an answer."""
    seen = inside("installs")
    assert seen["first"]["message"] == "3 of 5 packages installed with apt-get"
    missing, broken = seen["first"]["warnings"]
    assert missing == "package nosuch is not installed: E: Unable to locate package nosuch"
    assert broken.startswith(
        "package li-broken is not installed: dpkg: error processing package li-broken"
    )
    assert broken.endswith("subprocess returned error exit status 3")
    assert seen["states"][:2] == ["installed 1.0", "installed 1.0"], "the version that is wanted"
    assert seen["states"][3] == "installed 1.0"
    assert seen["again"] == DONE


def test_an_upgrade_asks_for_a_restart() -> None:
    seen = inside("upgrades")
    assert seen["first"] == DONE
    assert seen["state"] == "installed 2.0" and seen["wish"] == "reboot"


def test_what_was_cut_off_is_completed() -> None:
    seen = inside("interrupted")
    assert seen == {"before": "unpacked 1.0", "seen": DONE, "cut": "installed 1.0"}


def test_locks_are_waited_for() -> None:
    assert inside("locked") == {"seen": DONE, "ended": 0}


def test_a_script_that_hangs_is_killed_and_completed_later() -> None:
    seen = inside("hangs", "pgrep")
    assert seen["hung"] and not seen["left"], "nothing of it goes on"
    assert seen["first"]["warnings"] == [
        "package li-hangs is not installed: apt-get took too long, and was killed"
    ]
    assert seen["again"]["warnings"] == [] and seen["state"] == "installed 1.0"


def test_a_signal_ends_the_manager_and_the_next_run_does_the_rest() -> None:
    seen = inside("stopped", "pgrep")
    assert seen == {"seen": 143, "left": "", "again": DONE, "state": "installed 1.0"}


def test_a_full_disk_costs_only_what_has_no_room() -> None:
    seen = inside("full")
    (warning,) = seen["seen"]["warnings"]
    assert warning.startswith("package li-big is not installed: dpkg: error processing archive")
    assert "No space left on device" in warning and seen["good"] == "installed 1.0"


def test_without_a_network_the_next_boot_tries_again() -> None:
    error = inside("offline")["error"]
    assert error.startswith("packages cannot be installed (manager=apt-get, why=E: Failed to fetch")
    assert "geheim" not in error


def test_what_apt_cannot_read_is_put_back() -> None:
    seen = inside("refused")
    assert seen["seen"]["message"] == DONE["message"], "apt works"
    configuration, source = seen["seen"]["warnings"]
    assert "94lightinit-config is not changed, since apt cannot read its" in configuration
    assert "z-bad.list is not changed" in source and "Malformed entry 1 in list file" in source
    assert seen["lists"] == ["own.list"] and seen["configuration"] == []


def test_debconf_has_the_answer() -> None:
    assert inside("answers", "debconf-set-selections") == {"seen": DONE, "answer": "forty-two\n"}


def test_a_signed_repository_is_trusted_by_its_key() -> None:
    seen = inside("signed", "gpg")
    assert "is not signed" in seen["without"]["error"] or "NO_PUBKEY" in seen["without"]["error"]
    assert seen["seen"] == DONE
