"""An /etc/ssh in which lightinit cannot read all, or write nothing: this machine's sshd says what
is in force, and nobody's VM is lost for it (tests/real_tools/namespaced/ssh_folder.py).
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.namespaced import NETWORK, run_scenario
from tests.real_tools.namespaced.ssh_folder import CASES

pytestmark = pytest.mark.long

STAYS = "sshd's configuration stays as the image has it: file cannot be "
STILL = "sshd still accepts a password for bob: "


def seen_by(*names: str) -> Dict[str, Any]:
    tools = ("sshd", "ssh", "ssh-keygen", "setsid", "ip", "useradd")
    return run_scenario("ssh_folder.py", "cases", *tools, box="|".join(names), namespaces=NETWORK)


def test_a_configuration_that_is_too_large_or_in_many_files() -> None:
    """R3, R4: sshd -T is the truth. Only what it refuses is NotReady."""
    names = [name for name in CASES if not name.startswith("read-only")]
    for name, seen in seen_by(*names).items():
        is_shut = name == "large, and nobody gets in"
        assert seen["in"] != is_shut and bool(seen["said"][0]) == is_shut, name
        assert seen["ssh_host_keys"] == ["3 SSH host keys made", []], name
        message, warnings = seen["ssh_password_login"]
        if name == "large, passwords":
            assert warnings[0].startswith(STAYS + "read") and warnings[1].startswith(STILL)
        else:
            assert warnings == [] and message.startswith("password login off: "), name


def test_a_folder_that_cannot_be_written() -> None:
    """N8: each VM has the image's host keys, which is told; without any, nobody gets in."""
    names = [name for name in CASES if name.startswith("read-only")]
    seen = seen_by(*names)
    reason, said = seen.pop("read-only, without host keys")["ssh_host_keys"]
    assert reason == "directory cannot be made" and "Read-only file system" in said
    for name, found in seen.items():
        assert found["in"] and found["said"] == ["", []], name
        message, (warning,) = found["ssh_host_keys"]
        assert message == "SSH host keys left as they are", name
        assert "are those of the image (ssh_host_" in warning and "Read-only" in warning, name
    assert seen["read-only"]["ssh_password_login"][1] == []
    warnings = seen["read-only, passwords"]["ssh_password_login"][1]
    assert warnings[0].startswith(STAYS + "written") and warnings[1].startswith(STILL)
