"""Which disk is the resource disk, by a made-up /sys and /dev."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.host.disks.open_disk import (
    Device,
    Disk,
    count_direct_nvme,
    find_named_disk,
    find_resource_disk,
    holders,
    partitions,
)
from lightinit.host.system import System

GEN1_OS, GEN1_RESOURCE = (
    "{00000000-0000-8899-0000-000000000000}",
    "{00000000-0001-8899-0000-000000000000}",
)
GEN2, GEN2_DATA = "{f8b3781a-1e82-4818-a1c3-63d806ec15bb}", "{f8b3781b-1e82-4818-a1c3-63d806ec15bb}"


class Tree:
    """A scratch root with devices on the VMBus."""

    def __init__(self, root: Any) -> None:
        self.system = System(str(root))

    def put(self, path: str, text: str) -> None:
        real = self.system.root + path
        os.makedirs(os.path.dirname(real), exist_ok=True)
        with open(real, "w", encoding="utf-8") as handle:
            handle.write(text)

    def vmbus(self, device_id: str, disk: str, address: str = "0:0:0:0", kind: str = "0") -> "Tree":
        base = "/sys/bus/vmbus/devices/" + device_id.strip("{}")
        unit = "%s/host%s/target%s/%s" % (base, address[0], address.rpartition(":")[0], address)
        self.put(base + "/device_id", device_id + "\n")
        self.put(unit + "/type", kind + "\n")
        self.put("%s/block/%s/size" % (unit, disk), "1\n")
        return self

    def link(self, link: str, target: str) -> "Tree":
        real = self.system.root + link
        os.makedirs(os.path.dirname(real), exist_ok=True)
        self.put("/dev/" + os.path.basename(target), "")
        os.symlink(target, real)
        return self


def test_generation_1(tmp_path: Any) -> None:
    tree = (
        Tree(tmp_path)
        .vmbus(GEN1_OS, "sda")
        .vmbus(GEN1_RESOURCE, "sdb", "1:0:1:0")
        .vmbus(GEN2_DATA, "sdc", "3:0:0:1")
    )
    assert find_resource_disk(tree.system) == Disk("sdb")


def test_generation_2(tmp_path: Any) -> None:
    tree = (
        Tree(tmp_path)
        .vmbus(GEN2, "sdc")
        .vmbus(GEN2, "sda", "0:0:0:1")
        .vmbus(GEN2, "sr0", "0:0:0:2", "5")
    )
    tree.vmbus(GEN2_DATA, "sdb", "1:0:0:1")
    assert find_resource_disk(tree.system) == Disk("sda")
    assert find_resource_disk(tree.link("/dev/disk/azure/resource", "../../sda").system) == Disk(
        "sda"
    )


def test_a_size_without_one(tmp_path: Any) -> None:
    tree = (
        Tree(tmp_path)
        .vmbus(GEN2, "sda")
        .vmbus(GEN2, "sr0", "0:0:0:1", "5")
        .vmbus(GEN2_DATA, "sdb", "1:0:0:1")
    )
    assert find_resource_disk(tree.system) is None
    assert find_resource_disk(System(str(tmp_path / "empty"))) is None


def test_udev_alone(tmp_path: Any) -> None:
    tree = Tree(tmp_path).link("/dev/disk/cloud/azure_resource", "../../sdb")
    assert find_resource_disk(tree.system) == Disk("sdb")


def test_a_dangling_link_is_nothing(tmp_path: Any) -> None:
    os.makedirs(str(tmp_path / "dev/disk/azure"))
    os.symlink("../../sdx", str(tmp_path / "dev/disk/azure/resource"))
    assert find_resource_disk(System(str(tmp_path))) is None


@pytest.mark.parametrize("two", ["udev", "bus", "links"])
def test_no_agreement(tmp_path: Any, two: str) -> None:
    tree = Tree(tmp_path)
    if two == "udev":
        tree.vmbus(GEN2, "sda", "0:0:0:1").link("/dev/disk/azure/resource", "../../sdb")
    elif two == "bus":
        tree.vmbus(GEN2, "sda", "0:0:0:1").vmbus(GEN1_RESOURCE, "sdb", "1:0:1:0")
    else:
        tree.link("/dev/disk/azure/resource", "../../sdb").link(
            "/dev/disk/cloud/azure_resource", "../../sdc"
        )
    with pytest.raises(ProvisioningError, match="resource disk is ambiguous"):
        find_resource_disk(tree.system)


def test_local_nvme_disks_are_counted(tmp_path: Any) -> None:
    tree = Tree(tmp_path)
    models = (
        "MSFT NVMe Accelerator v1.0",
        "Microsoft NVMe Direct Disk v2",
        "Microsoft NVMe Direct Disk",
    )
    for number, model in enumerate(models):
        tree.put("/sys/class/block/nvme%dn1/device/model" % number, model + "   \n")
    assert count_direct_nvme(tree.system) == 2


def test_partitions_and_what_lies_upon_them(tmp_path: Any) -> None:
    tree = Tree(tmp_path)
    tree.put("/sys/class/block/nvme0n1/nvme0n1p2/partition", "2\n")
    tree.put("/sys/class/block/nvme0n1/queue/partition", "")
    tree.put("/sys/class/block/nvme0n1/nvme0n1p2/holders/dm-0/x", "")
    tree.put("/sys/class/block/nvme0n1/holders/md0/x", "")
    assert partitions(tree.system, Disk("nvme0n1")) == {2: "nvme0n1p2"}
    assert holders(tree.system, Disk("nvme0n1")) == ["dm-0", "md0"]


def test_a_path_that_is_no_disk(tmp_path: Any) -> None:
    tree = Tree(tmp_path)
    tree.put("/dev/file", "")
    assert find_named_disk(tree.system, "/dev/missing") is None
    for path in ("/dev/file", "/dev", "/dev/file/below"):
        with pytest.raises(ProvisioningError, match="device is not a disk"):
            find_named_disk(tree.system, path)


def test_reading_beyond_the_end(tmp_path: Any) -> None:
    tree = Tree(tmp_path)
    tree.put("/dev/sdb", "0123456789")
    tree.put("/sys/class/block/sdb/queue/logical_block_size", "4096\n")
    with Device(tree.system, Disk("sdb"), writable=True) as device:
        assert (device.size_bytes, device.sector_bytes, device.read(2, 3)) == (10, 4096, b"234")
        with pytest.raises(MalformedError, match="disk is too short"):
            device.read(8, 3)
        device.write(4, b"xyz")
        assert device.read(0, 10) == b"0123xyz789"
    with pytest.raises(ProvisioningError, match="resource disk cannot be used"):
        Device(tree.system, Disk("sdc"))
