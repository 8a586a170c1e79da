"""Which disk is the resource disk, by a made-up /sys and /dev."""

from __future__ import annotations

import os
from typing import Any, Optional

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.disks.resource_disk import (
    count_direct_nvme,
    find_named_disk,
    find_resource_disk,
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
        return self.sysfs(disk)

    def sysfs(self, disk: str) -> "Tree":
        self.put("/sys/class/block/%s/dev" % disk, "8:0\n")
        return self

    @property
    def resource_disk(self) -> Optional[str]:
        """The name of the disk that is found."""
        found = find_resource_disk(self.system)
        return None if found is None else found.name

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
    assert tree.resource_disk == "sdb"


def test_generation_2(tmp_path: Any) -> None:
    tree = (
        Tree(tmp_path)
        .vmbus(GEN2, "sdc")
        .vmbus(GEN2, "sda", "0:0:0:1")
        .vmbus(GEN2, "sr0", "0:0:0:2", "5")
    )
    tree.vmbus(GEN2_DATA, "sdb", "1:0:0:1")
    assert tree.resource_disk == "sda"
    assert tree.link("/dev/disk/azure/resource", "../../sda").resource_disk == "sda"


def test_a_size_without_one(tmp_path: Any) -> None:
    tree = (
        Tree(tmp_path)
        .vmbus(GEN2, "sda")
        .vmbus(GEN2, "sr0", "0:0:0:1", "5")
        .vmbus(GEN2_DATA, "sdb", "1:0:0:1")
    )
    assert tree.resource_disk is None
    assert find_resource_disk(System(str(tmp_path / "empty"))) is None


def test_udev_alone(tmp_path: Any) -> None:
    tree = Tree(tmp_path).link("/dev/disk/cloud/azure_resource", "../../sdb")
    assert tree.resource_disk is None, "the kernel does not know it"
    assert tree.sysfs("sdb").resource_disk == "sdb"


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


def test_a_path_that_is_no_disk(tmp_path: Any) -> None:
    tree = Tree(tmp_path)
    tree.put("/dev/file", "")
    assert find_named_disk(tree.system, "/dev/missing") is None
    for path in ("/dev/file", "/dev", "/dev/file/below"):
        with pytest.raises(ProvisioningError, match="device is not a disk"):
            find_named_disk(tree.system, path)


def test_a_named_disk_and_a_partition(tmp_path: Any) -> None:
    if os.geteuid():
        pytest.skip("root is needed to make device nodes")
    tree = Tree(tmp_path)
    tree.put("/sys/devices/x/block/sdb/dev", "8:16\n")
    tree.put("/sys/devices/x/block/sdb/sdb1/dev", "8:17\n")
    tree.put("/sys/devices/x/block/sdb/sdb1/partition", "1\n")
    tree.system.link("/sys/dev/block/8:16", "../../devices/x/block/sdb")
    tree.system.link("/sys/dev/block/8:17", "../../devices/x/block/sdb/sdb1")
    tree.system.make_dir("/dev")
    for name, minor in (("sdb", 16), ("sdb1", 17), ("sdz", 250)):
        os.mknod("%s/dev/%s" % (tree.system.root, name), 0o60600, os.makedev(8, minor))
    found = find_named_disk(tree.system, "/dev/sdb")
    assert found is not None and (found.name, found.number) == ("sdb", "8:16")
    for path in ("/dev/sdb1", "/dev/sdz"):
        with pytest.raises(ProvisioningError, match="name the whole disk, not a partition"):
            find_named_disk(tree.system, path)
