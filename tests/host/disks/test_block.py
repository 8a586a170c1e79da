"""Block devices as sysfs shows them, in a scratch root laid out as Linux does.

Real ones are in tests/real_tools.
"""

from __future__ import annotations

import os
from typing import Any, Dict

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.disks.block import (
    BlockDevice,
    find_btrfs_devices,
    find_by_name,
    find_by_number,
    holders,
    list_devices,
    partitions,
    read_bytes,
)
from lightinit.host.system import System

DISK = "/sys/devices/vmbus/host0/block/sda"
FILES = {
    DISK + "/dev": "8:0",
    DISK + "/size": "62914560",
    DISK + "/ro": "0",
    DISK + "/queue/logical_block_size": "4096",
    DISK + "/sda1/dev": "8:1",
    DISK + "/sda1/size": "4192256",
    DISK + "/sda1/start": "2048",
    DISK + "/sda1/ro": "1",
    DISK + "/sda1/partition": "1",
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
        system.link("/sys/class/block/" + os.path.basename(target), target)
    return system


SDA = BlockDevice("sda", "8:0", 62914560 * 512, 4096)
SDA1 = BlockDevice("sda1", "8:1", 4192256 * 512, 4096, 1, 2048 * 512, SDA, "", True)


def test_a_disk_and_its_partition(tmp_path: Any) -> None:
    system = machine(tmp_path, {})
    assert find_by_number(system, "8:0") == find_by_name(system, "sda") == SDA
    assert find_by_number(system, "8:1") == find_by_name(system, "sda1") == SDA1
    assert (SDA.node, SDA1.node) == ("/dev/sda", "/dev/sda1")
    assert list_devices(system) == [SDA, SDA1]
    assert partitions(system, SDA) == {1: SDA1}


def test_drives_and_virtual_devices_are_told(tmp_path: Any) -> None:
    drive, loop = "/sys/devices/pci0/block/sr0", "/sys/devices/virtual/block/loop0"
    system = machine(
        tmp_path,
        {drive + "/dev": "11:0", drive + "/device/type": "5", loop + "/dev": "7:0"},
        **{"11:0": "../../devices/pci0/block/sr0", "7:0": "../../devices/virtual/block/loop0"},
    )
    seen = {each.name: (each.scsi_type, each.virtual) for each in list_devices(system)}
    assert seen == {
        "sr0": ("5", False),
        "loop0": ("", True),
        "sda": ("", False),
        "sda1": ("", False),
    }


def test_what_uses_a_disk_and_its_partitions(tmp_path: Any) -> None:
    more = {DISK + "/holders/md0/x": "", DISK + "/sda1/holders/dm-0/x": ""}
    assert holders(machine(tmp_path, more), SDA) == ["dm-0", "md0"]
    assert holders(machine(tmp_path / "none", {}), SDA) == []


@pytest.mark.parametrize("number", ["8:2", "0:45", ""])
def test_what_is_no_block_device(tmp_path: Any, number: str) -> None:
    assert find_by_number(machine(tmp_path, {}), number) is None
    assert find_by_name(machine(tmp_path, {}), "sdz") is None


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
    found = find_by_number(system, "253:0")
    assert found and found.mapped == mapped


def test_a_name_with_a_folder_in_it(tmp_path: Any) -> None:
    folder = "/sys/devices/pci/block/cciss!c0d0"
    system = machine(
        tmp_path,
        {folder + "/dev": "104:0", folder + "/size": "8"},
        **{"104:0": "../../devices/pci/block/cciss!c0d0"},
    )
    found = find_by_number(system, "104:0")
    assert found and found.node == "/dev/cciss/c0d0"


def test_a_partition_whose_disk_is_not_there(tmp_path: Any) -> None:
    system = machine(tmp_path, {})
    system.remove(DISK + "/dev")
    assert find_by_number(system, "8:1") is None


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
            pytest.skip("root is needed to make device nodes")
        os.mknod(system.root + "/dev/sda", 0o60600, os.makedev(7, 0))
    with pytest.raises(ProvisioningError, match="disk cannot be read"):
        read_bytes(system, SDA, 0, 512)
