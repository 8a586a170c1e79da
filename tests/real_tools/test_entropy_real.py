"""The module entropy with a table in the place of ACPI's, and real devices, in a mount
namespace.
"""

from __future__ import annotations

import os
from typing import Any, Dict

from tests.lib.namespaced import need_namespaces, run_program


def inside(scenario: str) -> Dict[str, Any]:
    """Run one scenario of namespaced/entropy.py and give what it saw."""
    there = os.path.isdir("/sys/firmware")
    need_namespaces(reason="" if there else "sysfs has no firmware folder here")
    return dict(run_program("entropy.py", scenario, secret="ThisIsTheSecret"))


def test_the_kernel_takes_the_bytes_and_uses_them_at_once() -> None:
    assert inside("device") == {
        "message": "52 bytes from the hypervisor mixed into the kernel's random numbers",
        "warnings": [],
        "skipped": False,
    }


def test_the_device_gets_the_table_and_no_more() -> None:
    seen = inside("terminal")
    assert seen["given"] == "OEM0".ljust(36, "-") + "ThisIsTheSecret!"
    assert seen["message"].endswith("will be used at the next reseeding"), (
        "a terminal cannot be reseeded"
    )
    assert "ThisIsTheSecret" not in seen["message"] and seen["warnings"] == []


def test_without_a_table_nothing_is_said() -> None:
    assert inside("none") == {
        "message": "no random bytes from the hypervisor",
        "warnings": [],
        "skipped": True,
    }
