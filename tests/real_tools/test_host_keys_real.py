"""The module ssh_host_keys with this machine's own ssh-keygen and sshd, in namespaces, on a copy of
/etc in memory.
"""

from __future__ import annotations

import sys
from typing import Any, Dict

import pytest

from tests.lib.namespaced import NETWORK, run_scenario


def inside(scenario: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/keys.py and give what it saw."""
    tools = ("sshd", "ssh-keygen", "ssh-keyscan", "ip")
    return run_scenario("keys.py", scenario, *tools, namespaces=NETWORK)


@pytest.mark.parametrize("scenario", ["fresh", "begun"])
def test_fresh_keys_of_the_types_that_ssh_keygen_makes(scenario: str) -> None:
    seen = inside(scenario)
    assert seen["message"] == "%d SSH host keys made" % seen["count"] and seen["count"] >= 3
    assert seen["same_files"] and seen["all_new"] and seen["sshd"] == ""
    assert seen["told"] == seen["shown"], "the console shows what ssh asks about"
    assert (seen["modes"], seen["left"], seen["warnings"]) == (["600 root root"], [], [])
    if scenario == "begun":
        # One for each type, side by side, and no other one.
        starts = [each.rpartition("/etc/ssh/")[0] or each for each in seen["starts"]]
        assert starts == ["-A -f ", "-q -t ecdsa", "-q -t rsa"]
        assert set(seen["comments"].split()) == {"root@named-later"}


@pytest.mark.skipif(sys.version_info < (3, 8), reason="audit hooks came with Python 3.8")
@pytest.mark.parametrize(
    "scenario", ["crash", pytest.param("crash_of_begun", marks=pytest.mark.long)]
)
def test_a_crash_at_any_point_lets_sshd_start(scenario: str) -> None:
    seen = inside(scenario)
    assert seen["wrong"] == [] and seen["ended"] == 0 and seen["count"] > 20
    assert seen["left"] == []


def test_a_sshd_that_runs_takes_the_new_keys() -> None:
    seen = inside("reload")
    assert seen["first"] and seen["second"] and seen["warnings"] == [] and seen["runs"]
    assert seen["told"] == "1", (
        "the second time its configuration was faulty, and it would have ended"
    )
    assert "sshd uses the old host keys until it is restarted" in seen["faulty"][0]


def test_a_key_that_sshd_uses_and_ssh_keygen_does_not_make() -> None:
    seen = inside("used")
    assert seen["same"] and seen["sshd"] == "" and seen["message"].endswith(", 1 kept")
    assert "/etc/ssh/ssh_host_web_key (not made anew)" in seen["warnings"][0]
    assert seen["said"] == "sshd has no host key" and "no hostkeys available" in seen["without"]
