"""The quick "nothing to do" must agree with the slow one, and doubt must always lead to the slow
one.

There are two quick ones: quick.py, and the shell script that init systems ask first. Both are asked
the same here.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from typing import Any, List, Optional

import pytest

from lightinit import __version__, quick
from lightinit.datasources.anchors import describe
from lightinit.datasources.base import Anchor, Datasource
from lightinit.formats.instance_id import swap_byte_order
from lightinit.host.system import System
from lightinit.registry import datasource_schema, module_schema
from lightinit.settings import files as settings_files
from lightinit.stamp import file_lines
from tests.lib.scratch import HERE, OTHER_UUID, UUID, Machine

STAMP = "/var/lib/lightinit/instances/%s/provisioned" % UUID
SHELLS = [
    shell
    for shell in (["/bin/sh"], ["bash", "--posix"], ["dash"], ["busybox", "ash"])
    if shutil.which(shell[0])
]


def boot_command(machine: Machine) -> List[str]:
    """As the init systems start it."""
    program = HERE + "/lightinit/__main__.py"
    return [sys.executable, "-I", "-S", program, "boot", "--root", machine.root]


@pytest.fixture
def machine(tmp_path: Any) -> Machine:
    """A machine that bears the stamp of a finished boot."""
    machine = Machine(tmp_path)
    machine.put("/etc/lightinit/lightinit.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/a.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/b.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/.hidden.conf", "[network]\n")
    machine.put("/etc/lightinit/conf.d/readme", "\n")
    machine.put("/run/udev/control", "")
    stamp(machine)
    return machine


def stamp(machine: Machine, shown: str = UUID) -> None:
    """Leave the stamp that stamp.keep_stamp would leave."""
    found = settings_files.load(System(machine.root), datasource_schema, module_schema)
    files = "".join(line + "\n" for line in file_lines(found))
    machine.put(
        STAMP,
        "instance=%s\nuuid=%s\nversion=%s\n%s" % (UUID, shown, __version__, files),
    )
    link = machine.root + "/var/lib/lightinit/instance"
    if not os.path.lexists(link):
        os.symlink("instances/" + UUID, link)


def answers(machine: Machine) -> List[Optional[str]]:
    """What both say: quick.py, and the shell script under each shell that is here."""
    found = [quick.provisioned(machine.root)]
    for shell in SHELLS:
        ended = subprocess.run(
            shell + [HERE + "/init/check", machine.root],
            stdout=subprocess.PIPE,
            check=False,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        assert ended.returncode in (0, 1) and ended.stdout == ""
        assert bool(ended.stderr) is bool(ended.returncode)
        found.append(
            ended.stderr.partition("instance ")[2].partition(" ")[0] if ended.returncode else None
        )
    return found


def nothing_to_do(machine: Machine) -> bool:
    """Whether there is nothing to do; fails when they do not agree."""
    (answer,) = set(answers(machine))
    assert answer in (None, UUID)
    return answer is not None


def test_a_stamped_instance_needs_nothing(machine: Machine) -> None:
    assert answers(machine) == [UUID] * (len(SHELLS) + 1)


def test_the_uuid_may_be_shown_in_any_spelling(machine: Machine) -> None:
    for shown in (UUID.upper(), swap_byte_order(UUID)):
        machine.put("/sys/class/dmi/id/product_uuid", shown + "\n")
        assert not nothing_to_do(machine)  # a new kernel: the slow one knows, and stamps anew
        stamp(machine, shown)
        assert nothing_to_do(machine)


@pytest.mark.parametrize("shown", [OTHER_UUID, "", "garbage", UUID[:-1], UUID + "0"])
def test_another_instance_is_looked_at(machine: Machine, shown: str) -> None:
    machine.put("/sys/class/dmi/id/product_uuid", shown + "\n")
    assert not nothing_to_do(machine)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/lightinit/lightinit.conf",
        "/etc/lightinit/conf.d/b.conf",
        "/etc/lightinit/conf.d/new.conf",
    ],
)
def test_changed_settings_are_looked_at(machine: Machine, name: str) -> None:
    machine.put(name, "[network]\ngrace_s = 1\n")
    assert not nothing_to_do(machine)
    stamp(machine)
    assert nothing_to_do(machine)


def test_a_folder_with_another_inode_is_no_change(machine: Machine) -> None:
    """An overlay without xino gives folders other inodes after each restart."""
    for folder in ("/etc/lightinit/conf.d", "/etc/lightinit"):
        old = machine.root + folder
        os.rename(old, old + ".old")
        os.mkdir(old)
        for name in os.listdir(old + ".old"):
            os.rename("%s.old/%s" % (old, name), "%s/%s" % (old, name))
        os.rmdir(old + ".old")
    assert nothing_to_do(machine)


def test_a_folder_of_hooks_for_each_boot_is_looked_at(machine: Machine) -> None:
    machine.put("/etc/lightinit/hooks.d/per-instance/10-a", "")
    assert nothing_to_do(machine)
    machine.put("/etc/lightinit/hooks.d/per-boot/10-a", "")
    assert not nothing_to_do(machine)


def test_a_file_that_goes_is_seen(machine: Machine) -> None:
    os.unlink(machine.root + "/etc/lightinit/conf.d/b.conf")
    assert not nothing_to_do(machine)


def test_settings_that_appear_are_seen(machine: Machine) -> None:
    shutil.rmtree(machine.root + "/etc/lightinit")
    stamp(machine)
    assert nothing_to_do(machine)
    machine.put("/etc/lightinit/lightinit.conf", "")
    assert not nothing_to_do(machine)


def test_only_the_content_counts(machine: Machine) -> None:
    """A clock or a package may give any time, a file system any inode."""
    path = machine.root + "/etc/lightinit/lightinit.conf"
    before = os.stat(path)
    for when_s in (1.0, 4e9):
        os.utime(path, (when_s, when_s))
        assert nothing_to_do(machine)
    with open(path, "r+b") as handle:
        handle.write(b"[Network]\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = os.stat(path)
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    )
    assert not nothing_to_do(machine)


@pytest.mark.parametrize("kind", ["a folder", "a fifo", "too large"])
def test_what_is_no_settings_file_is_looked_at(machine: Machine, kind: str) -> None:
    """Neither of the two waits for a FIFO or takes such a thing for known."""
    path = machine.root + "/etc/lightinit/conf.d/b.conf"
    os.unlink(path)
    if kind == "a folder":
        os.mkdir(path)
    elif kind == "a fifo":
        os.mkfifo(path)
    else:
        machine.put("/etc/lightinit/conf.d/b.conf", "#" * (settings_files.LIMIT_BYTES + 1))
    assert not nothing_to_do(machine)
    stamp(machine)
    assert "file=? conf.d/b.conf\n" in machine.read(STAMP)
    assert not nothing_to_do(machine)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "instance=\n",
        "garbage",
        "\xff",
        "instance=%s\n" % UUID,
        "instance=%s\nuuid=%s\n" % (UUID, UUID),
        "instance=%s\nuuid=\nversion=%s\n" % (UUID, __version__),
        "file=\n",
        "=\n=\n",
    ],
)
def test_a_damaged_stamp_is_none(machine: Machine, text: str) -> None:
    machine.put(STAMP, text)
    assert not nothing_to_do(machine)


def test_without_the_stamp_nothing_is_sure(machine: Machine) -> None:
    os.unlink(machine.root + STAMP)
    assert not nothing_to_do(machine)


def test_another_version_looks_itself(machine: Machine) -> None:
    machine.put(STAMP, machine.read(STAMP).replace("version=" + __version__, "version=0"))
    assert not nothing_to_do(machine)


def test_the_script_is_of_the_same_version() -> None:
    with open(HERE + "/init/check", encoding="utf-8") as handle:
        assert "\nversion=%s # " % __version__ in handle.read()


def test_without_dmi_nothing_is_sure(machine: Machine) -> None:
    os.unlink(machine.root + "/sys/class/dmi/id/product_uuid")
    assert not nothing_to_do(machine)


def test_a_line_without_an_end_counts(machine: Machine) -> None:
    machine.put("/sys/class/dmi/id/product_uuid", UUID)
    assert nothing_to_do(machine)


# -- the script alone: what the unit's conditions or lightinit itself would find out
# ------------------------------------


def check(machine: Machine) -> str:
    """Why there is nothing to do, "" when there is; the shells must agree."""
    said = set()
    for shell in SHELLS:
        ended = subprocess.run(
            shell + [HERE + "/init/check", machine.root],
            stdout=subprocess.PIPE,
            check=False,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        assert ended.returncode == (1 if ended.stderr else 0)
        said.add(ended.stderr)
    (answer,) = said
    return answer


@pytest.fixture
def fresh(machine: Machine) -> Machine:
    """A machine that has not been provisioned."""
    os.unlink(machine.root + STAMP)
    return machine


def test_a_machine_that_is_not_azure_has_nothing_to_do(fresh: Machine) -> None:
    assert check(fresh) == ""
    fresh.put("/sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")
    assert "not an Azure VM" in check(fresh)


@pytest.mark.parametrize(
    "line",
    ["platform_check = none", "  platform_check=none", "datasource = mysite.Cloud", "seedfrom=/x"],
)
def test_settings_may_say_that_dmi_does_not_count(fresh: Machine, line: str) -> None:
    fresh.put("/sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")
    fresh.put("/etc/lightinit/conf.d/a.conf", "[lightinit]\n# platform_check = none\n")
    assert "not an Azure VM" in check(fresh)
    fresh.put("/etc/lightinit/conf.d/a.conf", "[lightinit]\n%s\n" % line)
    assert check(fresh) == ""


def test_the_shipped_settings_leave_dmi_to_decide(fresh: Machine) -> None:
    with open(HERE + "/etc/lightinit.conf", encoding="utf-8") as handle:
        fresh.put("/etc/lightinit/lightinit.conf", handle.read())
    fresh.put("/sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")
    assert "not an Azure VM" in check(fresh)


def test_it_can_be_switched_off(fresh: Machine) -> None:
    fresh.put("/proc/cmdline", "root=/dev/sda1 xlightinit=disabled lightinit=disabledx\n")
    assert check(fresh) == ""
    fresh.put("/proc/cmdline", "root=/dev/sda1 lightinit=disabled quiet\n")
    assert "kernel's command line" in check(fresh)
    fresh.put("/proc/cmdline", "\n")
    fresh.put("/etc/lightinit/disabled", "")
    assert "/etc/lightinit/disabled" in check(fresh)


def test_a_container_whose_first_process_says_so_is_left_alone(fresh: Machine) -> None:
    fresh.put("/proc/1/environ", "HOME=/\0notcontainer=lxc\0container=\0")
    assert check(fresh) == ""
    fresh.put("/proc/1/environ", "HOME=/\0container=lxc\0TERM=linux\0")
    assert "container" in check(fresh)


@pytest.mark.parametrize("init", ["systemd", "another"])
def test_the_script_starts_one_program(machine: Machine, tmp_path_factory: Any, init: str) -> None:
    """Where cksum is the only one, it still finds that nothing is to do."""
    tools = tmp_path_factory.mktemp("tools")
    os.symlink(str(shutil.which("cksum")), str(tools / "cksum"))
    if init == "systemd":
        os.makedirs(machine.root + "/run/systemd/system")
    machine.put("/proc/1/environ", "HOME=/\0TERM=linux\0PATH=/sbin:/bin\0")
    for shell in SHELLS:
        ended = subprocess.run(
            [str(shutil.which(shell[0]))] + shell[1:] + [HERE + "/init/check", machine.root],
            env={"PATH": str(tools)},
            check=False,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        assert ended.returncode == 1
        assert ended.stderr == "lightinit: nothing to do: instance %s is provisioned\n" % UUID


def test_firmware_that_leaves_the_tag_empty_is_not_azures(fresh: Machine) -> None:
    fresh.put("/sys/class/dmi/id/chassis_asset_tag", "\n")
    assert "not an Azure VM" in check(fresh)
    assert fresh.run("boot").returncode == 0
    assert fresh.run("status").returncode == 3
    fresh.put("/sys/class/dmi/id/chassis_asset_tag", "")  # what a file is that could not be read
    assert check(fresh) == ""


def test_without_a_tag_the_vendor_tells(fresh: Machine) -> None:
    os.unlink(fresh.root + "/sys/class/dmi/id/chassis_asset_tag")
    assert check(fresh) == ""
    fresh.put("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation\n")
    assert check(fresh) == ""
    fresh.put("/sys/class/dmi/id/sys_vendor", "QEMU\n")
    assert "not an Azure VM" in check(fresh)
    ended = fresh.run("boot")
    assert ended.returncode == 0 and "not an Azure VM" in ended.stderr


def test_whatever_may_be_a_sign_of_another_platform_is_pythons_to_judge(fresh: Machine) -> None:
    fresh.put("/sys/class/dmi/id/chassis_asset_tag", "No Asset Tag\n")
    for path, content in (
        ("/proc/cmdline", "quiet ds=nocloud;s=http://seed/\n"),
        ("/proc/cmdline", 'quiet "ds=nocloud;s=http://seed/"\n'),
        ("/sys/class/dmi/id/product_name", "OpenStack Nova\n"),
        ("/sys/class/dmi/id/product_uuid", "EC2F5B0A-0000-4000-8000-000000000000\n"),
        ("/sys/class/dmi/id/product_serial", "ds=nocloud;h=web\n"),
        ("/sys/class/dmi/id/product_uuid", "45e12aec-dcd1-b213-94a0-01234567890a\n"),
        ("/sys/hypervisor/uuid", "ec2e1916-9099-7caf-fd21-012345abcdef\n"),
        ("/sys/class/dmi/id/chassis_asset_tag", "OpenTelekomCloud\n"),
        ("/run/credentials/@system/lightinit.user-data", "#!/bin/sh\n"),
        ("/var/lib/lightinit/instance/instance.json", "{}"),  # its first boot has not ended
        ("/sys/firmware/dmi/entries/11-0/raw", "io.systemd.credential:lightinit.user-data=x"),
        ("/var/lib/cloud/seed/nocloud/meta-data", "{}\n"),
        ("/dev/disk/by-label/CIDATA", ""),
        ("/run/udev/queue", ""),  # links to volumes may still come
    ):
        assert "nothing shows another platform" in check(fresh)
        kept = fresh.root + path
        was = fresh.read(path) if os.path.exists(kept) else None
        fresh.put(path, content)
        assert check(fresh) == "", path
        if was is not None:
            fresh.put(path, was)
        elif "seed" in path:
            shutil.rmtree(fresh.root + "/var/lib/cloud")
        else:
            os.unlink(kept)
    os.unlink(fresh.root + "/run/udev/control")
    assert check(fresh) == ""  # no udev, so no links


def test_what_names_the_instance_may_be_elsewhere(machine: Machine) -> None:
    """Then DMI's product_uuid does not count: on a desk it is often the same for all VMs."""
    meta = "/var/lib/cloud/seed/nocloud/meta-data"
    machine.put(meta, "instance-id: one\n")
    machine.put("/dev/sr0", "")
    for link in ("by-label/cidata", "by-uuid/2026-11-26-12-00-00-00"):
        os.makedirs(machine.root + "/dev/disk/" + os.path.dirname(link), exist_ok=True)
        os.symlink("../../sr0", machine.root + "/dev/disk/" + link)
    anchors = [Anchor("file", meta), Anchor("volume", "cidata"), Anchor("file", "/absent")]
    anchors.append(Anchor("file", "/dev/disk/by-label/CIDATA"))
    machine.put("/run/udev/control", "")

    class Seeded(Datasource):
        def anchors(self) -> Any:
            return tuple(anchors)

    lines = describe(System(machine.root), Seeded(System(machine.root), {}))
    assert [line.split("=")[0] for line in lines] == ["anchor", "volume"] + ["anchor"] * 3
    kept = machine.read(STAMP).replace("uuid=%s\n" % UUID, "".join(map("%s\n".__mod__, lines)))
    machine.put(STAMP, kept)
    for path, content in (
        (meta, "instance-id: two\n"),
        ("/sys/class/dmi/id/chassis_asset_tag", "another\n"),
        ("/absent", ""),
        ("/dev/disk/by-label/CIDATA", ""),
        ("/run/udev/queue", ""),  # a link may still come
    ):
        assert set(answers(machine)) == {UUID}
        was = machine.read(path) if os.path.exists(machine.root + path) else ""
        machine.put(path, content)
        assert set(answers(machine)) == {None}, path
        if not was:
            os.unlink(machine.root + path)
        else:
            machine.put(path, was)
    machine.put("/sys/class/dmi/id/product_uuid", OTHER_UUID + "\n")
    assert set(answers(machine)) == {UUID}
    os.unlink(machine.root + "/run/udev/control")  # nobody would make a link
    assert set(answers(machine)) == {None}
    machine.put("/run/udev/control", "")
    machine.put("/dev/sr1", "")
    os.unlink(machine.root + "/dev/disk/by-label/cidata")
    assert set(answers(machine)) == {None}
    os.symlink("../../sr1", machine.root + "/dev/disk/by-label/cidata")
    assert set(answers(machine)) == {None}
    anchors.append(Anchor("volume", "cidata"))  # another one, which has no such id
    assert describe(System(machine.root), Seeded(System(machine.root), {})) == []


@pytest.mark.parametrize("sign", ["/run/systemd/container", "/run/.containerenv", "/.dockerenv"])
def test_a_container_is_left_alone(fresh: Machine, sign: str) -> None:
    fresh.put(sign, "")
    assert "container" in check(fresh)


@pytest.mark.parametrize(
    "argv, root",
    [
        (["boot"], ""),
        (["boot", "--background"], ""),
        (["boot", "--root", "/x/"], "/x"),
        (["--root", "/x", "boot"], "/x"),
        (["boot", "--force"], None),
        (["status"], None),
        ([], None),
    ],
)
def test_only_a_plain_boot_is_quick(argv: Any, root: Any) -> None:
    assert quick.root_of(argv) == root


def test_the_file_runs_alone_and_imports_next_to_nothing(machine: Machine) -> None:
    code = (
        "import sys; sys.argv = ['x', 'boot', '--root', %r]; before = set(sys.modules);"
        " sys.path.insert(0, %r); from lightinit import quick;"
        " print(quick.provisioned(quick.root_of(sys.argv[1:]))); print(sorted(set(sys.modules) -"
        " before))" % (machine.root, HERE)
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        stdout=subprocess.PIPE,
        check=True,
        universal_newlines=True,
    )
    instance, loaded = ended.stdout.splitlines()
    assert instance == UUID
    assert loaded.replace("'binascii', ", "") == "['lightinit', 'lightinit.quick']"
    ended = subprocess.run(
        boot_command(machine),
        stderr=subprocess.PIPE,
        check=True,
        universal_newlines=True,
    )
    assert ended.stderr == "lightinit: instance %s is provisioned: nothing to do\n" % UUID


def test_its_line_waits_for_nobody(machine: Machine) -> None:
    """S6: nobody reads the console, and it is full."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, b"x" * 1000):
            pass
    os.set_blocking(writing, True)
    subprocess.run(
        boot_command(machine),
        stderr=writing,
        timeout=300,
        check=True,
    )
    assert os.get_blocking(writing)
    os.close(reading)
    os.close(writing)
