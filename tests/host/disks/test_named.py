"""Azure's disks, where udev has no rules for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightinit.host.disks import named
from lightinit.host.system import System
from tests.lib.sysfs import Sysfs

BUS = "sys/bus/vmbus/devices/"
OS, DATA, MORE = (
    "{f8b3781%s-1e82-4818-a1c3-63d806ec15bb}\n" % letter for letter in ("a", "b", "c")
)


@pytest.fixture
def system(tmp_path: Path) -> System:
    disks = Sysfs(tmp_path)
    for number, (device_id, lun, name) in enumerate(
        [(OS, 0, "sda"), (OS, 1, "sdb"), (DATA, 0, "sdc"), (DATA, 5, "sdd"), (MORE, 0, "sde")]
    ):
        folder = tmp_path / BUS / str(number)
        (folder / ("host0/target0:0:0/0:0:0:%d/block/%s" % (lun, name))).mkdir(parents=True)
        (folder / "device_id").write_text(device_id)
        disks.add(name, 4096)
    for name, nsid, model in [
        ("nvme0n1", 1, "MSFT NVMe Accelerator v1.0"),
        ("nvme0n3", 3, "MSFT NVMe Accelerator v1.0"),
        ("nvme1n1", 3, "Microsoft NVMe Direct Disk v2"),
    ]:
        disks.add(name, 4096)
        folder = tmp_path / "sys/class/block" / name
        (folder / "nsid").write_text("%d\n" % nsid)
        (folder / "device/model").write_text(model + "\n")
    return System(str(tmp_path))


@pytest.mark.parametrize(
    "lun, bus, name",
    [
        (0, 1, "sdc"),
        (5, 1, "sdd"),
        (5, None, "sdd"),
        (0, 0, "sda"),
        (0, 2, "sde"),
        (1, None, "nvme0n3"),
        (9, None, ""),
        (1, 2, ""),
    ],
)
def test_a_disk_by_its_lun(system: System, lun: int, bus: int, name: str) -> None:
    found = named.find_azure_disk(system, "data", lun, bus)
    assert (found.name if found else "") == name


def test_the_resource_disk(system: System) -> None:
    found = named.find_azure_disk(system, "resource", 0, None)
    assert found is not None and found.name == "sdb"
