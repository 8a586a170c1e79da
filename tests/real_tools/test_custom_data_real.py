"""Custom data and the key-value pool on the real paths, in a mount namespace with /var/lib, /run
and /tmp of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict

import pytest

from tests.lib.netns import need
from tests.lib.scratch import HERE

PROGRAM = os.path.join(HERE, "tests", "real_tools", "namespaced", "custom_data.py")


def inside(options: str) -> Dict[str, Any]:
    need()
    ended = subprocess.run(
        ["unshare", "--mount", "--fork", sys.executable, "-B", PROGRAM, options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        timeout=600,
        cwd="/",
        env=dict(os.environ, PYTHONPATH=HERE),
    )
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


@pytest.mark.parametrize("options", ["", ",noexec"])
def test_a_script_at_its_place(options: str) -> None:
    """Also where the file system lets nothing be executed; its interpreter then gets the argument
    of the first line.
    """
    seen = inside(options)
    assert (seen["message"], seen["warnings"]) == ("custom data kept and executed", [])
    assert seen["kept"] == ["custom-data", "custom-data-script", "sem"]
    lines = [line.replace("custom data: ", "") for line in seen["lines"]]
    assert lines[0] == "in /var/lib/lightinit/instances/real" and lines[2:] == ["mode 700", "later"]
    assert lines[1].startswith("options ") and "e" in lines[1][len("options ") :]
    assert seen["pool"] == [2560, "100644", 0]  # P9: two reports are one record
