"""A ``#cloud-config`` is a second source of settings for the modules: whole boots."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
HOME = "/var/lib/lightinit/instance"
KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjYgnKZG2uJTdsHHCdwBBGKVtdGxs2dXQ7vtLFoJ5tQ more@example"
)
DOCUMENT = (
    """#cloud-config
hostname: of-config
timezone: Europe/Berlin
ssh_authorized_keys: ['%s']
write_files:
- {path: /etc/first, content: one, permissions: '0600'}
- {path: /etc/first, content: two, append: true}
- {path: /srv/packed, encoding: b64, content: aGVsbG8K, owner: 'root:root'}
runcmd: [[touch, /ran]]
hostnam: x
snap: {commands: []}
"""
    % KEY
)


def boot(machine: Machine, platform: Platform, data: str, more: str = "") -> Any:
    machine.put(
        "/media/ovf-env.xml", make_ovf("azureuser", "web-1", custom_data=data.encode()).decode()
    )
    machine.lead_to(
        platform,
        "[azure]\nmedia = /media\nmedia_only_s = 0.2\n%s"
        "[module.write_files]\nfiles = /etc/first text=zero\n" % more,
    )
    zone = "/usr/share/zoneinfo/Europe/Berlin"
    machine.put(zone, "")
    Path(machine.root + zone).write_bytes(Path(zone).read_bytes())
    ended = machine.run("boot")
    assert ended.returncode == 0, ended.stderr
    assert platform.ready_count == 1
    return machine.json(HOME + "/result.json")


def test_each_module_takes_what_it_knows(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        result = boot(machine, platform, DOCUMENT)
    assert machine.read("/etc/hostname") == "of-config\n"
    assert os.readlink(machine.root + "/etc/localtime").endswith("/Europe/Berlin")
    # After the image's own list, which wrote it first.
    assert machine.read("/etc/first") == "onetwo"
    assert os.stat(machine.root + "/etc/first").st_mode & 0o777 == 0o644, (
        "as cloud-init: each entry sets it"
    )
    assert machine.read("/srv/packed") == "hello\n"
    keys = machine.read("/home/azureuser/.ssh/authorized_keys").splitlines()
    assert len(keys) == 2 and keys[1] == KEY, "the platform's key is there, too"
    assert result["warnings"] == [
        "cloud-config: custom data: line 10, hostnam: the key is unknown, and has no effect; did"
        " you mean `hostname`?",
        "cloud-config: custom data: line 11, snap: lightinit does not support this key; it has no"
        " effect; install and configure it by `packages`, `write_files` and `runcmd`",
    ]
    assert [step["name"] for step in result["steps"]].count("cloud-config") == 1


def test_what_is_not_to_be_executed_has_no_effect(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        result = boot(machine, platform, DOCUMENT, "[lightinit]\nuser_data = keep\n")
    assert (
        machine.read("/etc/hostname") == "lightinit-vm\n" and machine.read("/etc/first") == "zero\n"
    )
    assert result["warnings"] == [
        "custom_data: custom data kept and not run (#cloud-config): the settings say so"
        " (`user_data` of [lightinit])"
    ]


@pytest.mark.parametrize(
    "text, why",
    [
        ("hostname: [a\n", "line="),
        ("- a\n- b\n", "cloud-config has another shape"),
        ("\thostname: a\n", "line=2"),
    ],
)
def test_a_document_that_cannot_be_read_costs_only_itself(
    tmp_path: Path, text: str, why: str
) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        result = boot(machine, platform, "#cloud-config\n" + text)
    (warning,) = result["warnings"]
    assert warning.startswith("cloud-config: custom data has no effect: ") and why in warning
    assert (
        machine.read("/etc/hostname") == "lightinit-vm\n" and machine.read("/etc/first") == "zero\n"
    )


def test_a_boot_without_a_cloud_config_reads_no_yaml(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with Platform() as platform:
        result = boot(machine, platform, "#!/bin/sh\n")
    assert "cloud-config" not in [step["name"] for step in result["steps"]]
