"""Runs the programs in tests/real_tools/namespaced, each in namespaces of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, Sequence

import pytest

from tests.lib.scratch import HERE
from tests.lib.unshared import IN_CI, why_not

FOLDER = os.path.join(HERE, "tests", "real_tools", "namespaced")
MOUNT = ("--mount", "--fork")
HOST = ("--mount", "--uts", "--pid", "--mount-proc", "--fork")
NETWORK = ("--net",) + HOST
LIMIT_S = 600.0


def need_namespaces(*tools: str, reason: str = "") -> None:
    """Skip the test where this machine cannot run it; in CI, fail.

    Args:
        tools: the commands that it needs.
        reason: why it cannot run for another reason; "" if there is none.
    """
    reason = why_not(*tools) or reason
    if reason and not IN_CI:
        pytest.skip(reason)
    assert not reason


def need_loop_devices(*tools: str) -> None:
    """As :func:`need_namespaces`, for tests that make disks."""
    there = os.path.exists("/dev/loop-control")
    need_namespaces(*tools, reason="" if there else "there are no loop devices here")


def run_program(
    program: str,
    *arguments: str,
    namespaces: Sequence[str] = MOUNT,
    before: Sequence[str] = (),
    secret: str = "",
    **environment: str,
) -> Any:
    """Run a program of this folder in new namespaces; returns the JSON of its last line.

    Args:
        program: the name of its file.
        arguments: of the program.
        namespaces: options of unshare.
        before: a command in front of it.
        secret: what it must not print on standard error.
        environment: further variables.
    """
    path = os.pathsep.join(
        [HERE] + [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    )
    python = [sys.executable, "-B", os.path.join(FOLDER, program)]
    ended = subprocess.run(
        ["unshare", *namespaces, *before, *python, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=LIMIT_S,
        cwd=HERE,
        env=dict(os.environ, PYTHONPATH=path, **environment),
    )
    assert ended.returncode == 0, ended.stderr
    assert not secret or secret not in ended.stderr
    return json.loads(ended.stdout.strip().split("\n")[-1])


def run_scenario(
    program: str,
    scenario: str,
    *tools: str,
    box: str = "",
    namespaces: Sequence[str] = HOST,
    before: Sequence[str] = (),
) -> Dict[str, Any]:
    """Run one scenario of a program that works on a copy of /etc, and return what it saw.

    Args:
        program: the name of its file.
        scenario: the scenario's name.
        tools: the commands that it needs; without them, the test is skipped.
        box: a further argument.
        namespaces, before: see :func:`run_program`.
    """
    need_namespaces(*tools)
    # By this number the program sees that /etc is a copy.
    device = str(os.stat("/etc").st_dev)
    return dict(run_program(program, scenario, device, box, namespaces=namespaces, before=before))
