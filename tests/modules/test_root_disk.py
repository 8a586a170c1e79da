"""The module root_disk where it has to leave a machine as it is; it grows real disks in
tests/real_tools.
"""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Sequence

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.command import Completed
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import root_disk
from tests.lib.stand_in import StandIn

DISK = "/sys/devices/block/sda"
FILES = {
    "/proc/self/mountinfo": "22 1 8:0 / / rw,relatime - ext4 /dev/root rw\n",
    DISK + "/dev": "8:0",
    DISK + "/size": "8192",
    DISK + "/ro": "0",
}


class Machine(StandIn):
    """One with a disk that has no partitions."""

    def __init__(
        self,
        root: Any,
        tools: Sequence[str] = ("resize2fs", "growpart"),
        ended: Optional[Completed] = None,
    ) -> None:
        super().__init__(root, tools, ended)
        for name, text in FILES.items():
            self.write(name, text.encode())
        self.link("/sys/dev/block/8:0", DISK)


def apply(system: System, **values: Any) -> Outcome:
    settings = root_disk.from_cloud_config(values) if values else {}
    return root_disk.apply(Instance("id"), system, settings)


def test_a_scratch_root_has_no_disk(tmp_path: Any) -> None:
    system = System(tmp_path)
    assert apply(system).skipped and system.skipped == ["the size of the root disk"]


@pytest.mark.parametrize(
    "mount, files, says",
    [
        ("0:30 / / rw - overlay overlay rw", {}, "a file system of type overlay is not grown"),
        ("0:30 / / rw - tmpfs none rw", {}, "type tmpfs"),
        ("0:30 / / rw - nfs4 server:/root rw", {}, "type nfs4"),
        ("8:0 / / ro - ext4 /dev/root rw", {}, "mounted read-only"),
        ("8:0 / / rw - ext4 /dev/root ro", {}, "mounted read-only"),
        ("8:0 / /mnt rw - ext4 /dev/root rw", {}, "nothing is mounted at /"),
        ("", {}, "nothing is mounted at /"),
        ("8:7 / / rw - ext4 /dev/root rw", {}, "does not say which device"),
        ("0:30 / / rw - btrfs /dev/root rw", {}, "does not say which device"),
        (
            "8:0 / / rw - ext4 /dev/root rw",
            {DISK + "/dm/uuid": "CRYPT-LUKS2-1"},
            "it is on device mapper (CRYPT)",
        ),
        (
            "8:0 / / rw - xfs /dev/root rw",
            {DISK + "/dm/uuid": "LVM-1"},
            "it is on device mapper (LVM), which is not grown",
        ),
        ("8:0 / / rw - xfs /dev/root rw", {DISK + "/md/level": "raid1"}, "it is on a RAID"),
        ("8:0 / / rw - xfs /dev/root rw", {DISK + "/ro": "1"}, "/dev/sda is read-only"),
    ],
)
def test_what_is_left_as_it_is(tmp_path: Any, mount: str, files: Dict[str, str], says: str) -> None:
    system = Machine(tmp_path)
    for name, text in dict(files, **{"/proc/self/mountinfo": "22 1 %s\n" % mount}).items():
        system.write(name, text.encode())
    outcome = apply(system)
    assert outcome.skipped and says in outcome.message and not outcome.warnings
    assert not system.runs


def test_on_a_whole_disk_only_the_file_system_is_grown(tmp_path: Any) -> None:
    system = Machine(tmp_path)
    assert apply(system) == Outcome("ext4 file system fills /dev/sda")
    assert system.runs == ["/sbin/resize2fs /dev/sda"]


@pytest.mark.parametrize(
    "kind, command", [("ext3", "/sbin/resize2fs /dev/sda"), ("xfs", "/sbin/xfs_growfs -d /")]
)
def test_each_file_system_has_its_tool(tmp_path: Any, kind: str, command: str) -> None:
    system = Machine(tmp_path, ("resize2fs", "xfs_growfs"))
    system.write("/proc/self/mountinfo", b"22 1 8:0 / / rw - %s /dev/root rw\n" % kind.encode())
    apply(system)
    assert system.runs == [command]


def test_without_its_tool_it_says_so(tmp_path: Any) -> None:
    system = Machine(tmp_path, ())
    assert (
        apply(system).message == "ext4 file system left as it is: resize2fs is missing (e2fsprogs)"
    )


def test_a_tool_that_fails_is_told_with_its_words(tmp_path: Any) -> None:
    system = Machine(tmp_path, ended=Completed(1, "", "resize2fs 1.47\nresize2fs: No space\n"))
    with pytest.raises(ProvisioningError, match="root file system cannot be grown") as caught:
        apply(system)
    assert caught.value.details["said"] == "resize2fs: No space"


def test_a_partition_whose_disk_cannot_be_read_is_told(tmp_path: Any) -> None:
    system = Machine(tmp_path)
    for name, text in (
        ("dev", "8:1"),
        ("partition", "1"),
        ("start", "2048"),
        ("size", "4096"),
    ):
        system.write("%s/sda1/%s" % (DISK, name), text.encode())
    system.link("/sys/dev/block/8:1", DISK + "/sda1")
    system.write("/proc/self/mountinfo", b"22 1 8:1 / / rw - ext4 /dev/root rw\n")
    with pytest.raises(ProvisioningError, match="disk cannot be read"):
        apply(system)
    assert not system.runs and not os.path.exists(system.root + "/dev")


def partition(tmp_path: Any) -> Machine:
    """A machine whose root is on a partition of a disk that cannot be read."""
    system = Machine(tmp_path)
    for name, text in (("dev", "8:1"), ("partition", "1"), ("start", "2048"), ("size", "4096")):
        system.write("%s/sda1/%s" % (DISK, name), text.encode())
    system.link("/sys/dev/block/8:1", DISK + "/sda1")
    system.write("/proc/self/mountinfo", b"22 1 8:1 / / rw - ext4 /dev/root rw\n")
    return system


@pytest.mark.parametrize("values", [{"growpart": {"mode": "off"}}, {}, {"growpart": {}}])
def test_an_image_that_does_not_want_its_partition_grown(tmp_path: Any, values: Any) -> None:
    """Its marker counts with and without a cloud-config. The file system still fills it."""
    system = partition(tmp_path)
    system.write("/etc/growroot-disabled", b"")
    assert apply(system, **values).message == "ext4 file system fills /dev/sda1"
    with pytest.raises(ProvisioningError, match="disk cannot be read"):
        apply(system, growpart={"ignore_growroot_disabled": True})


def test_nothing_is_grown_where_so_it_is_wished(tmp_path: Any) -> None:
    outcome = apply(partition(tmp_path), growpart={"mode": "off"}, resize_rootfs=False)
    assert outcome == Outcome("root disk left as it is: so it is wished", skipped=True)


def test_another_device_that_fails_is_a_warning(tmp_path: Any) -> None:
    outcome = apply(partition(tmp_path), growpart={"devices": ["/data", "/dev/sdb1"]})
    assert outcome.message == "ext4 file system fills /dev/sda1"
    why = " is not grown: it is neither a partition nor the mount point of one"
    assert outcome.warnings == ("/data" + why, "/dev/sdb1" + why)
