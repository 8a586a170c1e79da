"""Custom data and the key-value pool on the real paths, in a mount namespace with /var/lib, /run
and /tmp of its own.
"""

from __future__ import annotations

from typing import Any, Dict

import pytest

from tests.lib.namespaced import need_namespaces, run_program


def inside(options: str) -> Dict[str, Any]:
    """Run namespaced/custom_data.py, with these mount options, and give what it saw."""
    need_namespaces()
    return dict(run_program("custom_data.py", options))


@pytest.mark.parametrize("options", ["", ",noexec"])
def test_a_script_at_its_place(options: str) -> None:
    """Also where the file system lets nothing be executed; its interpreter then gets the argument
    of the first line.
    """
    seen = inside(options)
    assert (seen["message"], seen["warnings"]) == ("custom data executed", [])
    assert seen["kept"] == ["custom-data", "custom-data-script", "sem"]
    lines = [line.replace("custom data: ", "") for line in seen["lines"][1:-1]]
    assert lines[0] == "in /var/lib/lightinit/instances/real" and lines[2:] == ["mode 700", "later"]
    assert lines[1].startswith("options ") and "e" in lines[1][len("options ") :]
    assert seen["pool"] == [2560, "100644", 0]  # P9: two reports are one record
