"""The setting ``user_data``, and ``execute``, which it has replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, List

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

HOME = "/var/lib/lightinit/instance"
CONFIG = b"#cloud-config\nhostname: given\nruncmd: [echo a-secret-word]\n"
REPLACED = "it still counts, and is replaced by `user_data` of [lightinit]: run, keep or none"


def boot(machine: Machine, more: str, data: bytes = CONFIG) -> Any:
    machine.put("/media/ovf-env.xml", make_ovf("azureuser", "web-1", custom_data=data).decode())
    with Platform(instance={"compute": {"userData": ""}}) as platform:
        machine.lead_to(platform, "[azure]\nmedia = /media\nmedia_only_s = 0.2\n" + more)
        ended = machine.run("boot")
        assert ended.returncode == 0 and platform.ready_count == 1, ended.stderr
    os.unlink(machine.root + "/media/ovf-env.xml")
    return machine.json(HOME + "/result.json")


def modules(result: Any) -> List[str]:
    return [step["name"] for step in result["steps"] if step["kind"] == "module"]


@needs_yaml
def test_by_default_user_data_take_effect(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    result = boot(machine, "")
    assert machine.read("/etc/hostname") == "given\n" and result["warnings"] == []
    assert modules(result)[-2:] == ["custom_data", "scripts"]
    assert result["steps"][-2]["name"] == "final", "scripts come after Ready"
    assert "echo a-secret-word" in machine.read(HOME + "/runcmd-script")
    assert machine.exists(HOME + "/provisioned"), "later boots are free"


@needs_yaml
def test_before_ready_has_scripts_hold_up_the_report(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    result = boot(machine, "[lightinit]\nbefore_ready = yes\n")
    names = [step["name"] for step in result["steps"]]
    assert names.index("scripts") < names.index("config")


def test_none_leaves_no_trace(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    result = boot(machine, "[lightinit]\nuser_data = none\nlog_level = debug\n")
    assert machine.read("/etc/hostname") != "given\n" and "scripts" not in modules(result)
    encoded = "I2Nsb3VkLWNvbmZpZ"
    for name, text in machine.tree().items():
        assert encoded not in text and "a-secret-word" not in text, name


@needs_yaml
@pytest.mark.parametrize(
    "execute, effect",
    [("none", False), ("user_data", False), ("custom_data", True), ("both", True)],
)
def test_an_image_with_the_old_key_still_boots(tmp_path: Path, execute: str, effect: bool) -> None:
    machine = Machine(tmp_path)
    result = boot(machine, "[module.custom_data]\nexecute = %s\n" % execute)
    assert (machine.read("/etc/hostname") == "given\n") is effect
    assert ("scripts" in modules(result)) is effect
    (told,) = [each for each in result["warnings"] if each.startswith("settings: ")]
    assert told.endswith("[module.custom_data] execute = %s: %s" % (execute, REPLACED))


@needs_yaml
@pytest.mark.parametrize(
    "settings, using",
    [
        ("[lightinit]\nuser_data = no\n", "keep"),
        ("[lightinit]\nuser_data = run\nuser_data = KEEP\n", "keep"),
        ("[module.custom_data]\nexecute = no\n", "none"),
    ],
)
def test_a_value_that_cannot_be_read_runs_nothing(
    tmp_path: Path, settings: str, using: str
) -> None:
    """Who sets the key may want that nothing runs; what has run cannot be taken back."""
    machine = Machine(tmp_path)
    result = boot(machine, settings)
    assert machine.read("/etc/hostname") != "given\n" and "scripts" not in modules(result)
    assert any(each.endswith("; using " + using) for each in result["warnings"])
    assert any(each.startswith("custom_data: custom data kept") for each in result["warnings"])


@pytest.mark.parametrize("data", [b'{"app": 1}\n', b"\x7fELF\x00\x01" * 5000, b"#!"], ids=len)
def test_data_for_a_program_of_the_image_are_no_matter(tmp_path: Path, data: bytes) -> None:
    """They are kept, and the boot is as without them; only `#!` alone is a script, which names no
    program.
    """
    machine = Machine(tmp_path)
    result = boot(machine, "", data)
    is_script = data == b"#!"
    assert ("scripts" in modules(result)) is is_script
    assert ["interpreter" in each for each in result["warnings"]] == [True] * is_script
    assert Path(machine.root + HOME + "/custom-data").read_bytes() == data
