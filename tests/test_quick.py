"""The quick "nothing to do" must agree with the slow one, and doubt must always lead to the slow one."""
from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from lightinit import __version__, quick, settings
from lightinit.formats.dmi import same_instance, swap_byte_order
from lightinit.host.system import System
from lightinit.registry import datasource_schema, module_schema
from tests.support import HERE, OTHER_UUID, UUID, Machine


@pytest.fixture
def machine(tmp_path: Any) -> Machine:
    """A machine that bears the stamp of a finished boot."""
    machine = Machine(tmp_path)
    machine.put("/etc/lightinit/lightinit.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/a.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/b.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/.hidden.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/readme", "\n")
    stamp(machine)
    return machine


def stamp(machine: Machine) -> None:
    """Leave the stamp that boot.keep_stamp would leave."""
    found = settings.load(System(machine.root), datasource_schema, module_schema)
    machine.put("/var/lib/lightinit/instances/%s/provisioned" % UUID,
                "instance=%s\nsettings=%s\nversion=%s\n" % (UUID, found.fingerprint, __version__))
    link = machine.root + "/var/lib/lightinit/instance"
    if not os.path.lexists(link):
        os.symlink("instances/" + UUID, link)


def test_a_stamped_instance_needs_nothing(machine: Machine) -> None:
    assert quick.provisioned(machine.root) == UUID


@pytest.mark.parametrize("shown", [UUID.upper(), swap_byte_order(UUID), swap_byte_order(UUID).upper()])
def test_the_same_instance_in_any_spelling(machine: Machine, shown: str) -> None:
    machine.put("/sys/class/dmi/id/product_uuid", shown + "\n")
    assert same_instance(shown, UUID)
    assert quick.provisioned(machine.root) == UUID


@pytest.mark.parametrize("shown", [OTHER_UUID, "", "garbage", UUID[:-1], UUID + "0"])
def test_another_instance_is_looked_at(machine: Machine, shown: str) -> None:
    machine.put("/sys/class/dmi/id/product_uuid", shown + "\n")
    assert quick.provisioned(machine.root) is None


@pytest.mark.parametrize("name", ["/etc/lightinit/lightinit.conf", "/etc/lightinit/conf.d/b.conf",
                                  "/etc/lightinit/conf.d/new.conf"])
def test_changed_settings_are_looked_at(machine: Machine, name: str) -> None:
    machine.put(name, "[network]\ngrace_s = 1\n")
    assert quick.provisioned(machine.root) is None
    stamp(machine)
    assert quick.provisioned(machine.root) == UUID


@pytest.mark.parametrize("text", ["", "instance=\n", "garbage", "\xff", "instance=%s\n" % UUID])
def test_a_damaged_stamp_is_none(machine: Machine, text: str) -> None:
    machine.put("/var/lib/lightinit/instances/%s/provisioned" % UUID, text)
    assert quick.provisioned(machine.root) is None


def test_another_version_looks_itself(machine: Machine) -> None:
    path = "/var/lib/lightinit/instances/%s/provisioned" % UUID
    machine.put(path, machine.read(path).replace("version=" + __version__, "version=0"))
    assert quick.provisioned(machine.root) is None


def test_without_dmi_nothing_is_sure(machine: Machine) -> None:
    os.unlink(machine.root + "/sys/class/dmi/id/product_uuid")
    assert quick.provisioned(machine.root) is None


@pytest.mark.parametrize("argv, root", [(["boot"], ""), (["boot", "--root", "/x/"], "/x"), (["--root", "/x", "boot"], "/x"),
                                        (["boot", "--force"], None), (["status"], None), ([], None)])
def test_only_a_plain_boot_is_quick(argv: Any, root: Any) -> None:
    assert quick.root_of(argv) == root


def test_the_file_runs_alone_and_imports_nothing(machine: Machine) -> None:
    code = "import sys; sys.argv = ['x', 'boot', '--root', %r]; before = set(sys.modules); " \
           "sys.path.insert(0, %r); from lightinit import quick; print(quick.provisioned(quick.root_of(sys.argv[1:]))); " \
           "print(sorted(set(sys.modules) - before))" % (machine.root, HERE)
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", code], stdout=subprocess.PIPE, check=True,
                           universal_newlines=True)
    instance, loaded = ended.stdout.splitlines()
    assert instance == UUID
    assert loaded == "['lightinit', 'lightinit.quick']"
    ended = subprocess.run([sys.executable, "-I", "-S", HERE + "/lightinit/__main__.py", "boot", "--root", machine.root],
                           stderr=subprocess.PIPE, check=True, universal_newlines=True)
    assert ended.stderr == "lightinit: instance %s is provisioned: nothing to do\n" % UUID
