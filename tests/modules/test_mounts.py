"""The module mounts where it touches no device. It mounts real ones in tests/real_tools."""

from __future__ import annotations

import os
from typing import Any, List

import pytest

from lightinit.host.system import Completed, System
from lightinit.model import Instance, Outcome
from lightinit.modules import mounts
from tests.lib.stand_in import StandIn

ROOT = "UUID=1 / ext4 defaults 0 1\n"
MARK = " # lightinit mounts\n"


def apply(system: System, *lines: Any, **values: Any) -> Outcome:
    given = mounts.from_cloud_config(dict(values, mounts=list(lines)))
    return mounts.apply(Instance("id"), system, given)


def fstab(system: System) -> str:
    return system.read_text("/etc/fstab")


def scratch(tmp_path: Any, text: str = ROOT) -> System:
    system = System(tmp_path)
    system.write("/etc/fstab", text.encode())
    return system


@pytest.mark.parametrize(
    "line, expected",
    [
        (["sdc", "/data"], "/dev/sdc /data auto defaults,nofail 0 2"),
        (["xvdh", "/a", "ext4", "noatime", 0, 0], "/dev/xvdh /a ext4 noatime,nofail 0 0"),
        (["ephemeral0", "/mnt"], "/dev/disk/azure/resource /mnt auto defaults,nofail 0 2"),
        (["/dev/ephemeral0", "/mnt"], "/dev/disk/azure/resource /mnt auto defaults,nofail 0 2"),
        (["LABEL=my data", "/my data"], r"LABEL=my\040data /my\040data auto defaults,nofail 0 2"),
        (["UUID=1-2", "/data/"], "UUID=1-2 /data auto defaults,nofail 0 2"),
        (
            ["nas:/x", "/net", "nfs", "ro,fail,nobootwait"],
            "nas:/x /net nfs ro,nofail,_netdev 0 0",
        ),
        (
            ["//a.file.core.windows.net/b", "/b", "cifs", "credentials=/root/c"],
            "//a.file.core.windows.net/b /b cifs credentials=/root/c,nofail,_netdev 0 0",
        ),
        (["tmpfs", "/tmp", "tmpfs", "size=1G"], "tmpfs /tmp tmpfs size=1G,nofail 0 0"),
        (["/srv/a", "/srv/b", "none", "bind"], "/srv/a /srv/b none bind,nofail 0 0"),
        (["sdc2", "none", "swap", "sw", 0, 0], "/dev/sdc2 none swap sw,nofail 0 0"),
        (
            ["sdc", "/c", "auto", "noatime,x-systemd.requires=cloud-init.service,_netdev"],
            "/dev/sdc /c auto noatime,_netdev,nofail 0 2",
        ),
        (["data", "/data"], "/dev/disk/azure/scsi1/lun0 /data auto defaults,nofail 0 2"),
    ],
)
def test_a_line_of_fstab(tmp_path: Any, line: Any, expected: str) -> None:
    system = scratch(tmp_path)
    aliases = {"data": "/dev/disk/azure/scsi1/lun0"}
    assert apply(system, line, device_aliases=aliases).warnings == ()
    assert fstab(system) == ROOT + expected + MARK
    assert "mounting" in system.skipped


def test_systemd_waits_for_no_disk_for_long(tmp_path: Any) -> None:
    system = scratch(tmp_path)
    system.write("/usr/lib/systemd/systemd", b"")
    apply(system, ["sdc", "/a"], ["h:/x", "/b", "nfs"], ["sdd", "/c", "xfs", TIMEOUT + "9"])
    added = [line.split()[3] for line in fstab(system).split("\n")[1:4]]
    assert added == ["defaults,nofail," + TIMEOUT + "30s", NETWORK, TIMEOUT + "9,nofail"]


TIMEOUT, NETWORK = "x-systemd.device-timeout=", "defaults,nofail,_netdev"


@pytest.mark.parametrize(
    "line, why",
    [
        (["sdc", "/"], "it is not a plain absolute path"),
        (["sdc", "/etc"], "the system needs what is there"),
        (["sdc", "/etc/ssh"], "the system needs what is there"),
        (["sdc", "/usr"], "the system needs what is there"),
        (["sdc", "/usr/lib"], "the system needs what is in it"),
        (["sdc", "/boot"], "the system needs what is in it"),
        (["sdc", "/var/lib/lightinit/x"], "the system needs what is there"),
        (["sdc", "/dev/x"], "it is below /dev"),
        (["tmpfs", "/home", "tmpfs"], "homes in memory are gone after a restart"),
        (["none", "/home/ada/", "ramfs"], "homes in memory are gone after a restart"),
        (["sdc", "/data/\x07"], "not printable"),
        (["sdc", "/d" * 2000], "it has more than 200 bytes"),
        (["sdc", "/data", "ext4", "rw,#"], "characters that fstab cannot have"),
        (["sdc\x07", "/data"], "characters that fstab cannot have"),
        (["swap", "none", "swap", "sw"], "no device has this name on this platform"),
        (["ephemeral1", "/data"], "no device has this name on this platform"),
    ],
)
def test_what_gets_no_line(tmp_path: Any, line: Any, why: str) -> None:
    system = scratch(tmp_path)
    for folder in ("/boot/grub", "/usr/lib/x"):
        system.make_dir(folder)
    [warning] = apply(system, line).warnings
    assert why in warning and "is left out" in warning and warning.isprintable()
    assert fstab(system) == ROOT


def test_an_empty_boot_may_be_mounted(tmp_path: Any) -> None:
    system = scratch(tmp_path)
    system.make_dir("/boot")
    assert not apply(system, ["sdc", "/boot"]).warnings and " /boot " in fstab(system)


def test_an_entry_without_a_mount_point_removes_earlier_ones(tmp_path: Any) -> None:
    system = scratch(tmp_path)
    apply(system, ["sdc", "/a"], ["sdd", "/b"], ["sdc", None], ["sdc", "/c"])
    assert [line.split()[1] for line in fstab(system).split("\n")[1:3]] == ["/b", "/c"]


def test_our_lines_are_replaced_and_others_stay(tmp_path: Any) -> None:
    ephemeral = "LABEL=lightinit /mnt/resource ext4 nofail 0 2 # lightinit\n"
    old = "/dev/sdb1 /mnt auto defaults,nofail,comment=cloudconfig 0 2\n"
    system = scratch(tmp_path, "# mine\n" + old + ephemeral + ROOT.rstrip("\n"))
    apply(system, ["sdc", "/a"])
    assert fstab(system) == "# mine\n" + ephemeral + ROOT + A_LINE
    before = fstab(system)
    assert apply(system, ["sdc", "/a"]).warnings == () and fstab(system) == before
    apply(system, ["sdd", "/b"])
    assert fstab(system) == before.replace("/dev/sdc /a", "/dev/sdd /b")
    apply(system)
    assert fstab(system) == "# mine\n" + ephemeral + ROOT


A_LINE = "/dev/sdc /a auto defaults,nofail 0 2" + MARK


@pytest.mark.parametrize(
    "line, why",
    [
        (["/dev/sdz1", "/a"], "/etc/fstab has another line for this device"),
        (["sdc", "/data/"], "/etc/fstab mounts /dev/sdz1 there"),
        (["sdc", "/first"], "an earlier entry is mounted there"),
    ],
)
def test_what_the_image_mounts_stays(tmp_path: Any, line: Any, why: str) -> None:
    system = scratch(tmp_path, ROOT + "/dev/sdz1 /data ext4 defaults 0 2\n")
    [warning] = apply(system, ["sdd", "/first"], line).warnings
    assert why in warning and fstab(system).count("\n") == 3


def test_a_hundred_mounts(tmp_path: Any) -> None:
    system = scratch(tmp_path, "")
    lines = [["LABEL=d%d" % number, "/d/%d" % number] for number in range(100)]
    assert apply(system, *lines).message == "100 lines in /etc/fstab"
    assert fstab(system).count(MARK) == 100


def test_a_password_in_the_options_is_told_and_not_shown(tmp_path: Any) -> None:
    system = scratch(tmp_path)
    outcome = apply(system, ["//nas/x", "/x", "cifs", "username=a,password=geheim"])
    assert "everybody can read /etc/fstab" in outcome.warnings[0]
    assert "geheim" not in str(outcome) and "password=geheim" in fstab(system)


def test_fstab_that_is_another_programs(tmp_path: Any) -> None:
    system = StandIn(tmp_path, ("mount",))
    system.write("/nix/store/fstab", ROOT.encode())
    system.make_dir("/etc")
    os.symlink("/nix/store/fstab", str(tmp_path / "etc/fstab"))
    [warning] = apply(system, ["tmpfs", "/scratch", "tmpfs", "size=1M"]).warnings
    assert "the mounts are gone after a restart" in warning and "link out of /etc" in warning
    assert system.runs == ["/sbin/mount -t tmpfs -o size=1M tmpfs /scratch"]
    assert system.read_text("/nix/store/fstab") == ROOT


def test_a_link_inside_etc_stays_a_link(tmp_path: Any) -> None:
    system = System(tmp_path)
    system.write("/etc/mine/fstab", ROOT.encode())
    os.symlink("mine/fstab", str(tmp_path / "etc/fstab"))
    apply(system, ["sdc", "/a"])
    assert system.read_text("/etc/mine/fstab") == ROOT + A_LINE


def units(system: StandIn) -> List[str]:
    system.make_dir("/run/systemd/system")
    outcome = apply(
        system,
        ["tmpfs", "/scratch", "tmpfs"],
        ["nas:/x", "/net", "nfs"],
        ["sdq", "/gone"],
        ["LABEL=gone", "/gone2"],
        ["tmpfs", "/later", "tmpfs", "noauto"],
    )
    return [outcome.message, *outcome.warnings]


def test_systemd_mounts_by_its_units(tmp_path: Any) -> None:
    system = StandIn(tmp_path, ("systemctl", "mount", "mount.nfs", "findfs"))
    message, *warnings = units(system)
    assert message == "3 of 5 mounts are done"
    assert warnings == [
        "/gone is not mounted now: there is no such disk or partition",
        "/gone2 is not mounted now: there is no such disk or partition",
    ]
    assert [each for each in system.runs if "systemctl" in each] == [
        "/sbin/systemctl daemon-reload",
        "/sbin/systemctl start scratch.mount",
        "/sbin/systemctl start --no-block net.mount",
    ]
    assert "LABEL=gone /gone2 auto defaults,nofail 0 0 # lightinit mounts" in fstab(system)


def test_a_mount_that_fails_is_told(tmp_path: Any) -> None:
    system = StandIn(tmp_path, ("systemctl",), Completed(1, "", "a dependency failed\n"))
    apply(system)
    _, *warnings = units_that_fail(system)
    assert "/net is not mounted now: mount.nfs is missing: install nfs-common" in warnings[1]
    assert warnings[0] == "/scratch is not mounted now: a dependency failed"


def units_that_fail(system: StandIn) -> List[str]:
    system.write("/etc/fstab", b"")
    lines = (["tmpfs", "/scratch", "tmpfs"], ["nas:/x", "/net", "nfs"])
    # The lines are there, so that nothing but the mounts is tried.
    apply(system, *lines)
    system.make_dir("/run/systemd/system")
    outcome = apply(system, *lines)
    return [outcome.message, *outcome.warnings]


def test_without_systemd_a_share_is_mounted_from_fstab(tmp_path: Any) -> None:
    """So no password is among the arguments."""
    system = StandIn(tmp_path, ("mount", "mount.cifs"))
    apply(system, ["//nas/x", "/x", "cifs", "password=geheim"])
    assert system.runs == ["/sbin/mount /x"]


def test_a_home_that_its_account_makes_later(tmp_path: Any) -> None:
    system = StandIn(tmp_path, ("mount",))
    [warning] = apply(system, ["tmpfs", "/home/admin/data", "tmpfs"]).warnings
    assert "/home/admin comes with its account" in warning
    assert not system.exists("/home/admin") and " /home/admin/data " in fstab(system)


def test_what_a_mount_hides_is_told(tmp_path: Any) -> None:
    system = StandIn(tmp_path, ("mount",))
    system.write("/srv/x/old/file", b"")
    [warning] = apply(system, ["tmpfs", "/srv/x", "tmpfs"]).warnings
    assert warning == "what was in /srv/x is hidden by the mount"


def test_findmnts_complaints_are_told(tmp_path: Any) -> None:
    text = "/elsewhere\n   [E] not ours\n/data\n   [W] fine\n   [E] bad option\n"
    system = StandIn(tmp_path, ("mount", "findmnt"), Completed(0, text, ""))
    assert apply(system, ["tmpfs", "/data", "tmpfs"]).warnings == ("/etc/fstab: /data: bad option",)


def test_a_new_file_system_gets_its_label_and_what_is_in_it_keeps_its_own(tmp_path: Any) -> None:
    for tools in (("mount", "restorecon"), ("systemctl", "restorecon")):
        system = StandIn(tmp_path / tools[0], tools)
        system.write("/sys/fs/selinux/enforce", b"1")
        if tools[0] == "systemctl":
            system.make_dir("/run/systemd/system")
        apply(system, ["tmpfs", "/data", "tmpfs"])
        assert system.runs[-1] == "/sbin/restorecon /data"
