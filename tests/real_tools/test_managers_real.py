"""The module packages with the real dnf, zypper and pacman, which Debian has too: in a root in
memory, with repositories made there, without a network. apk, xbps, emerge and opkg cannot be had
here: tests/modules/test_packages.py has how they are called.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.extracted import extracted_root
from tests.lib.namespaced import NETWORK, need_namespaces, run_program

pytestmark = pytest.mark.long
# What they need to run, to build what they install, and lightinit's Python.
PROGRAMS = (
    "dnf zypper pacman-package-manager createrepo-c rpm dash bash coreutils sed grep findutils"
    " diffutils base-files python3 tar gzip util-linux"
).split()


def inside(scenario: str) -> Dict[str, Any]:
    need_namespaces("mmdebstrap")
    root = extracted_root("trixie", PROGRAMS)
    return dict(run_program("managers.py", root, scenario, namespaces=NETWORK))


def check(seen: Dict[str, Any], name: str, word: str) -> None:
    assert seen["first"] == {
        "message": "2 of 3 packages installed with " + name,
        "warnings": ["package nosuch is not installed: " + word],
    }
    assert seen["again"] == {
        "message": "1 of 1 packages installed with " + name,
        "warnings": [],
    }
    assert seen["upgraded"]["message"] == "packages upgraded with " + name


def test_dnf() -> None:
    seen = inside("dnf")
    check(seen, "dnf", "No match for argument: nosuch")
    assert seen["pinned"] == "li-pinned-1.0-1.noarch", "not the newest"
    assert seen["state"] == "li-good-3.0-1.noarch"
    assert seen["upgraded"]["warnings"] == [], "needs-restarting has answered"


def test_zypper() -> None:
    seen = inside("zypper")
    check(seen, "zypper", "'nosuch' not found in package names. Trying capabilities.")
    assert seen["pinned"] == "li-pinned-1.0-1.noarch"
    assert seen["state"] == "li-good-3.0-1.noarch"
    assert seen["upgraded"]["warnings"] == [], "its needs-rebooting has answered"


def test_pacman() -> None:
    """Although a run before has left its lock."""
    seen = inside("pacman")
    check(seen, "pacman", "error: target not found: nosuch")
    assert seen["state"].split("\n") == ["li-good 3.0-1", "li-pinned 1.0-1"]
