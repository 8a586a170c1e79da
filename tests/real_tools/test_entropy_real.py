"""The module entropy with a table in the place of ACPI's, and real devices, in a mount
namespace.
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

PROGRAM = os.path.join(HERE, "tests", "real_tools", "namespaced", "entropy.py")


def inside(scenario: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/entropy.py and give what it saw."""
    reason = why_not() or (
        "" if os.path.isdir("/sys/firmware") else "sysfs has no firmware folder here"
    )
    if reason and not IN_CI:
        pytest.skip(reason)
    assert not reason
    path = os.pathsep.join(
        [HERE] + [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    )
    ended = subprocess.run(
        ["unshare", "--mount", "--fork", sys.executable, "-B", PROGRAM, scenario],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=60,
        cwd=HERE,
        env=dict(os.environ, PYTHONPATH=path),
    )
    assert ended.returncode == 0, ended.stderr
    assert "ThisIsTheSecret" not in ended.stderr
    return dict(json.loads(ended.stdout))


def test_the_kernel_takes_the_bytes_and_uses_them_at_once() -> None:
    assert inside("device") == {
        "message": "52 bytes from the hypervisor mixed into the kernel's random numbers",
        "warnings": [],
        "skipped": False,
    }


def test_the_device_gets_the_table_and_no_more() -> None:
    seen = inside("terminal")
    assert seen["given"] == "OEM0".ljust(36, "-") + "ThisIsTheSecret!"
    assert seen["message"].endswith("which will use them at their next reseeding"), (
        "a terminal cannot be reseeded"
    )
    assert "ThisIsTheSecret" not in seen["message"] and seen["warnings"] == []


def test_without_a_table_nothing_is_said() -> None:
    assert inside("none") == {
        "message": "no random bytes from the hypervisor",
        "warnings": [],
        "skipped": True,
    }
