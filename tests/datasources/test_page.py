"""docs/datasources.md: its example provisions a machine, and reports to nobody."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict

import pytest

from tests.lib.scratch import HERE, Machine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE ada@desk"


def blocks(language: str) -> str:
    """The last code block of the page in this language."""
    with open(HERE + "/docs/datasources.md", encoding="utf-8") as handle:
        found = re.findall(
            r"^```%s\n(.*?)^```$" % language, handle.read(), re.MULTILINE | re.DOTALL
        )
    return str(found[-1])


@pytest.fixture
def machine(tmp_path: Any) -> Machine:
    """A scratch root that is not on Azure, with the texts of the page in their places."""
    made = Machine(
        tmp_path,
        without=["/sys/class/dmi/id/chassis_asset_tag", "/var/lib/dhcp/dhclient.eth0.leases"],
    )
    made.put("/sys/class/dmi/id/chassis_asset_tag", "desk\n")
    made.put("/site/mysite/__init__.py", "")
    made.put("/site/mysite/seed.py", blocks("python"))
    made.put("/etc/lightinit/conf.d/10-seed.conf", blocks("ini"))
    seed(made)
    return made


def seed(machine: Machine, **changes: Any) -> None:
    data: Dict[str, Any] = dict(json.loads(blocks("json")), keys=[KEY])
    machine.put("/etc/seed.json", json.dumps({**data, **changes}))


def boot(machine: Machine) -> Any:
    return machine.run("boot", env={"PYTHONPATH": machine.root + "/site"})


def instance(machine: Machine) -> str:
    return os.path.basename(os.readlink(machine.root + "/var/lib/lightinit/instance"))


def test_the_example_provisions_and_has_nobody_to_report_to(machine: Machine) -> None:
    ended = boot(machine)
    assert ended.returncode == 0, ended.stderr
    assert "nobody to report to" in ended.stderr and "Ready" not in ended.stderr
    assert "waiting for a DHCP lease" not in ended.stderr
    assert machine.read("/etc/hostname") == "desk\n" and "ada:" in machine.read("/etc/passwd")
    assert KEY in machine.read("/home/ada/.ssh/authorized_keys")
    result = machine.json("/var/lib/lightinit/instance/result.json")
    assert (result["reported"], result["errors"], result["instance"]) == ("", [], "desk-1")
    assert result["steps"][-1]["message"] == "nobody to report to"


def test_a_later_boot_does_nothing_unless_the_id_is_another(machine: Machine) -> None:
    assert boot(machine).returncode == 0
    machine.put("/proc/sys/kernel/random/boot_id", "22222222-2222-4222-8222-222222222222\n")
    ended = boot(machine)
    assert ended.returncode == 0 and "instance desk-1 is provisioned" in ended.stderr
    seed(machine, id="desk-2", hostname="other")
    ended = boot(machine)
    assert ended.returncode == 0 and instance(machine) == "desk-2"
    assert machine.read("/etc/hostname") == "other\n", "DMI is the same, the instance is not"


def test_a_machine_without_the_file_is_left_alone(machine: Machine) -> None:
    os.unlink(machine.root + "/etc/seed.json")
    ended = boot(machine)
    assert ended.returncode == 0 and "not on the datasource's platform" in ended.stderr
    assert machine.read("/etc/hostname") == "image\n"


def test_a_failure_is_an_error_and_runs_again(machine: Machine) -> None:
    seed(machine, user="")
    ended = boot(machine)
    assert ended.returncode == 1 and "seed names no user" in ended.stderr
    assert "there is nobody to report to" in ended.stderr
    result = machine.json("/var/lib/lightinit/instance/result.json")
    assert [line for line in result["errors"] if "seed names no user" in line]
    assert not [line for line in result["errors"] if "nobody" in line], "that only repeats it"
    seed(machine)
    assert boot(machine).returncode == 0
    assert "ada:" in machine.read("/etc/passwd")


@pytest.mark.parametrize("bad", ["../../../etc", "a/b", "-", "x" * 200])
def test_an_id_that_cannot_name_a_folder_is_an_error(machine: Machine, bad: str) -> None:
    seed(machine, id=bad)
    ended = boot(machine)
    assert ended.returncode == 1 and "instance id is not usable" in ended.stderr
    assert "bug" not in ended.stderr and "Traceback" not in ended.stderr


def test_no_id_at_all_is_an_error(machine: Machine) -> None:
    seed(machine, id="")
    ended = boot(machine)
    assert ended.returncode == 1 and "instance id is unknown" in ended.stderr


def test_single_stages_run_too(machine: Machine) -> None:
    env = {"PYTHONPATH": machine.root + "/site"}
    for stage in ("local", "fetch", "config", "final"):
        ended = machine.run("stage", stage, env=env)
        assert ended.returncode == 0, ended.stderr
    assert "ada:" in machine.read("/etc/passwd")
