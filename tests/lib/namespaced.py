"""Runs the programs in tests/real_tools/namespaced, each in mount, UTS and process namespaces."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict

import pytest

from tests.lib.scratch import HERE
from tests.lib.unshared import IN_CI, why_not


def run_scenario(program: str, scenario: str, *tools: str, box: str = "") -> Dict[str, Any]:
    """Run one scenario of a program and give what it saw. Without what it needs, the test is
    skipped.

    Args:
        program: its path.
        scenario: its name.
        tools: the commands that it needs.
        box: a further argument.
    """
    reason = why_not(*tools)
    if reason and not IN_CI:
        pytest.skip(reason)
    assert not reason
    path = os.pathsep.join(
        [HERE] + [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    )
    namespaces = ["--mount", "--uts", "--pid", "--mount-proc", "--fork"]
    argv = [sys.executable, "-B", program, scenario, str(os.stat("/etc").st_dev), box]
    ended = subprocess.run(
        ["unshare"] + namespaces + argv,
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
