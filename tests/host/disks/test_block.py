"""Block devices as sysfs tells of them, in a scratch root laid out as Linux does; real ones are in
tests/real_tools.
"""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.disks.block import Device, find_btrfs_devices, find_device, read_head
from lightinit.host.system import System

DISK = "/sys/devices/vmbus/host0/block/sda"
FILES = {
    DISK + "/dev": "8:0",
    DISK + "/size": "62914560",
    DISK + "/ro": "0",
    DISK + "/uevent": "MAJOR=8\nMINOR=0\nDEVNAME=sda\n",
    DISK + "/queue/logical_block_size": "4096",
    DISK + "/sda1/dev": "8:1",
    DISK + "/sda1/size": "4192256",
    DISK + "/sda1/start": "2048",
    DISK + "/sda1/ro": "1",
    DISK + "/sda1/partition": "1",
    DISK + "/sda1/uevent": "DEVNAME=sda1\nDEVTYPE=partition\n",
}
LINKS = {
    "8:0": "../../devices/vmbus/host0/block/sda",
    "8:1": "../../devices/vmbus/host0/block/sda/sda1",
}


def machine(root: Any, more: Dict[str, str], **links: str) -> System:
    system = System(root)
    for name, text in dict(FILES, **more).items():
        system.write(name, text.encode() + b"\n")
    for number, target in dict(LINKS, **links).items():
        system.link("/sys/dev/block/" + number, target)
    return system


def test_a_disk_and_its_partition(tmp_path: Any) -> None:
    system = machine(tmp_path, {})
    disk = Device("8:0", "/dev/sda", 62914560, 4096)
    assert find_device(system, "8:0") == disk
    assert find_device(system, "8:1") == Device(
        "8:1", "/dev/sda1", 4192256, 512, 1, 2048, disk, "", True
    )


@pytest.mark.parametrize("number", ["8:2", "0:45", ""])
def test_what_is_no_block_device(tmp_path: Any, number: str) -> None:
    assert find_device(machine(tmp_path, {}), number) is None


@pytest.mark.parametrize(
    "file, text, mapped",
    [
        ("dm/uuid", "LVM-abcdef", "device mapper (LVM)"),
        ("dm/uuid", "CRYPT-LUKS2-1234", "device mapper (CRYPT)"),
        ("dm/uuid", "", "device mapper"),
        ("md/level", "raid1", "a RAID"),
    ],
)
def test_mapped_devices_are_told(tmp_path: Any, file: str, text: str, mapped: str) -> None:
    folder = "/sys/devices/virtual/block/x0"
    system = machine(
        tmp_path,
        {folder + "/size": "8", folder + "/dev": "253:0", "%s/%s" % (folder, file): text},
        **{"253:0": "../../devices/virtual/block/x0"},
    )
    found = find_device(system, "253:0")
    assert found and found.mapped == mapped


def test_a_name_with_a_folder_in_it(tmp_path: Any) -> None:
    folder = "/sys/devices/pci/block/cciss!c0d0"
    system = machine(
        tmp_path,
        {folder + "/uevent": "DEVNAME=cciss/c0d0", folder + "/size": "8"},
        **{"104:0": "../../devices/pci/block/cciss!c0d0"},
    )
    found = find_device(system, "104:0")
    assert found and found.node == "/dev/cciss/c0d0"


def test_a_partition_whose_disk_is_not_there(tmp_path: Any) -> None:
    system = machine(tmp_path, {})
    system.remove(DISK + "/dev")
    assert find_device(system, "8:1") is None


def test_what_is_no_btrfs_has_no_devices_of_it(tmp_path: Any) -> None:
    assert (
        find_btrfs_devices(System(tmp_path), "/") == []
        and find_btrfs_devices(System(tmp_path), "/none") == []
    )


@pytest.mark.parametrize("node", ["nothing", "file", "another device"])
def test_a_node_that_is_not_the_devices_own_is_not_read(tmp_path: Any, node: str) -> None:
    system = System(tmp_path)
    system.make_dir("/dev")
    if node == "file":
        system.write("/dev/sda", bytes(4096))
    elif node == "another device":
        if os.geteuid() and not os.environ.get("CI"):
            pytest.skip("needs root: makes a device node")
        os.mknod(system.root + "/dev/sda", 0o60600, os.makedev(7, 0))
    with pytest.raises(ProvisioningError, match="disk cannot be read"):
        read_head(system, Device("8:0", "/dev/sda", 8), 512)
