"""Secrets stay secret: none of them in a log, on the console, in a file that others can read, in a
report.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from typing import Any

from lightinit.emulator import Platform
from tests.lib.scratch import Machine

SECRET = "Xy7-this-is-secret"
ENCODED = base64.b64encode(SECRET.encode()).decode()
INSTANCE = {
    "compute": {
        "userData": ENCODED,
        "customData": ENCODED,
        "osProfile": {"adminPassword": SECRET, "adminUsername": "alice", "computerName": "web-1"},
        "tagsList": [{"name": "db_password", "value": SECRET}, {"name": "team", "value": "blue"}],
    }
}


def holders(machine: Machine) -> Any:
    """The files below the root that hold the secret, plain or encoded, with their modes."""
    return {
        name: stat.S_IMODE(os.stat(machine.root + name).st_mode)
        for name, text in machine.tree().items()
        if (SECRET in text or ENCODED in text) and not os.path.islink(machine.root + name)
    }


def test_only_files_of_roots_have_it(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform, "[lightinit]\nlog_level = debug\n")
        ended = machine.run("boot")
        assert ended.returncode == 0
        found = holders(machine)
        assert sorted(os.path.basename(name) for name in found) == ["instance.json", "user-data"]
        assert set(found.values()) == {0o600}
        assert (
            SECRET not in ended.stderr + ended.stdout and ENCODED not in ended.stderr + ended.stdout
        )
        sent = json.dumps(platform.requests)
        assert SECRET not in sent and ENCODED not in sent
    plain = machine.run("query").stdout
    assert SECRET not in plain and ENCODED not in plain
    assert "redacted for non-root user" in plain
    assert '"team": "blue"' in plain
    assert ENCODED in machine.run("query", "--secrets", "user_data").stdout


def test_a_failure_does_not_carry_it_to_the_platform(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    broken = dict(INSTANCE["compute"], publicKeys=[{"keyData": "ssh-rsa " + ENCODED, "path": ""}])
    with Platform(instance={"compute": broken}) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 1
        (report,) = platform.final_reports
        assert report["state"] == "NotReady" and report["accepted"]
        assert SECRET not in json.dumps(report) and ENCODED not in json.dumps(report)
