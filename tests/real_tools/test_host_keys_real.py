"""The module ssh_host_keys with this machine's own ssh-keygen and sshd, in namespaces, on a copy of
/etc in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict

import pytest

from tests.lib.scratch import HERE
from tests.lib.unshared import IN_CI, why_not

PROGRAM = os.path.join(HERE, "tests", "real_tools", "namespaced", "keys.py")


def inside(scenario: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/keys.py and give what it saw."""
    reason = why_not("sshd", "ssh-keygen", "ssh-keyscan", "ip")
    if reason and not IN_CI:
        pytest.skip(reason)
    assert not reason
    path = os.pathsep.join(
        [HERE] + [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    )
    ended = subprocess.run(
        [
            "unshare",
            "--mount",
            "--uts",
            "--net",
            "--pid",
            "--mount-proc",
            "--fork",
            sys.executable,
            "-B",
            PROGRAM,
            scenario,
            str(os.stat("/etc").st_dev),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=600,
        cwd=HERE,
        env=dict(os.environ, PYTHONPATH=path),
    )
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout.strip().split("\n")[-1]))


def test_fresh_keys_of_the_types_that_ssh_keygen_makes() -> None:
    seen = inside("fresh")
    assert seen["message"] == "%d SSH host keys made" % seen["count"] and seen["count"] >= 3
    assert seen["same_files"] and seen["all_new"] and seen["sshd"] == ""
    assert seen["told"] == seen["shown"], "the console shows what ssh asks about"
    assert (seen["modes"], seen["left"], seen["warnings"]) == (["600 root root"], [], [])


@pytest.mark.skipif(sys.version_info < (3, 8), reason="audit hooks came with Python 3.8")
def test_a_crash_at_any_point_lets_sshd_start() -> None:
    seen = inside("crash")
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
