"""`lightinit query userdata` and `lightinit status --long` after a boot with user data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.mime_document import multipart
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
WITHOUT_MORE = {"compute": {"userData": ""}}
DATA = multipart(
    "cloud-config:a.yaml timezone: Nowhere/SECRET\nfinal_message: SECRET\nwrite_file: SECRET\n",
    "x-shellscript:b.sh #!/bin/sh\necho SECRET\n",
)


def test_parts_kinds_and_how_each_ended(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=WITHOUT_MORE) as platform:
        machine.put("/media/ovf-env.xml", make_ovf("azureuser", "web-1", custom_data=DATA).decode())
        machine.lead_to(platform, "[azure]\nmedia = /media\nmedia_only_s = 0.2\n")
        assert machine.run("boot").returncode == 0
    asked = machine.run("query", "userdata")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines() == [
        "custom data: MIME, %d bytes" % len(DATA),
        "  part 1 (a.yaml): #cloud-config, 66 bytes",
        "    timezone: failed (timezone)",
        "    final_message: done (final_message)",
        "    write_file: no effect",
        "    line 3, write_file: the key is unknown, and has no effect; did you mean"
        " `write_files`?",
        "  part 2 (b.sh): script, 22 bytes: not executed",
    ]
    assert asked.stdout in machine.run("status", "--long").stdout
    found = json.loads(machine.run("status", "--long", "--format", "json").stdout)
    found = found["user_data"]
    assert found[0]["parts"][0]["keys"]["timezone"] == "failed (timezone)"


@pytest.mark.long
def test_without_user_data_there_is_nothing_to_tell(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert machine.run("query", "userdata").returncode == 3
    with Platform(instance=WITHOUT_MORE) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
    assert machine.run("query", "userdata").stdout == "no custom data or user data\n"
    assert "data:" not in machine.run("status", "--long").stdout
