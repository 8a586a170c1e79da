"""Finds the block device that a path names, also where udev has no rules for Azure's disks."""

from __future__ import annotations

import os
import stat
from typing import Iterator, List, Optional

from lightinit.digits import read_digits
from lightinit.host.disks import block, resource_disk
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System

# The SCSI controllers of a VM; data disks are on the second one (66-azure-storage.rules of
# WALinuxAgent).
CONTROLLERS = tuple("{f8b3781%s-1e82-4818-a1c3-63d806ec15bb}" % letter for letter in "abcd")
DATA_BUS = 1
# Remote disks of an NVMe VM: namespace 1 is the OS disk, the others are LUN + 2 (azure-nvme-id of
# https://github.com/Azure/azure-vm-utils).
REMOTE_NVME = "MSFT NVMe Accelerator"
FIRST_DATA_NAMESPACE = 2


def find_by_path(system: System, path: str) -> Optional[BlockDevice]:
    """The block device at ``path``, which may be a link; None if there is none."""
    try:
        status = os.stat(system.path(path))
    except OSError:
        return None
    if not stat.S_ISBLK(status.st_mode):
        return None
    return block.find_by_number(system, block.number_of(status.st_rdev))


def find_data_disk(system: System, lun: int, bus: Optional[int]) -> Optional[BlockDevice]:
    """Azure's disk at a logical unit number; None if there is none.

    Args:
        system: the machine.
        lun: the number.
        bus: the SCSI controller, 0 to 3; None: wherever data disks are.
    """
    scsi = bus
    if scsi is None:
        scsi = DATA_BUS
    names = list(_on_scsi(system, lun, scsi))
    if not names and bus in (None, DATA_BUS):
        names = list(_on_nvme(system, lun + FIRST_DATA_NAMESPACE))
    if len(names) != 1:
        return None
    return block.find_by_name(system, names[0])


def find_azure_disk(
    system: System, kind: str, lun: int, bus: Optional[int]
) -> Optional[BlockDevice]:
    """One of Azure's disks; None if there is none.

    Args:
        system: the machine.
        kind: ``os``, ``resource`` or ``data``.
        lun: the logical unit number of a data disk.
        bus: its SCSI controller, or None.

    Raises:
        ProvisioningError: the VMBus and udev name different resource disks.
    """
    if kind == "os":
        return find_os_disk(system)
    if kind == "resource":
        return resource_disk.find_resource_disk(system)
    return find_data_disk(system, lun, bus)


def find_disks_below(system: System, device: BlockDevice) -> List[BlockDevice]:
    """The disks on which a device is: its own, or those below LVM, RAID and dm-crypt."""
    if not device.mapped:
        return [device.disk or device]
    found: List[BlockDevice] = []
    for name in system.list_dir("%s/%s/slaves" % (block.BY_NAME, device.name)):
        below = block.find_by_name(system, name)
        if below is not None:
            found += find_disks_below(system, below)
    return found


def find_os_disk(system: System) -> Optional[BlockDevice]:
    """The disk that has the root file system; None if it is not on a plain disk."""
    device = block.find_by_number(system, block.number_of(os.stat(system.path("/")).st_dev))
    if device is None:
        return None
    return device.disk or device


def _on_scsi(system: System, lun: int, bus: int) -> Iterator[str]:
    for folder in system.glob(resource_disk.VMBUS + "/*"):
        if system.read_text(folder + "/device_id").strip().lower() != CONTROLLERS[bus]:
            continue
        for path in system.glob(folder + "/host*/target*/*:*:*:%d/block/*" % lun):
            yield os.path.basename(path)


def _on_nvme(system: System, namespace: int) -> Iterator[str]:
    for path in system.glob(block.BY_NAME + "/nvme*n*/nsid"):
        folder = os.path.dirname(path)
        model = system.read_text(folder + "/device/model")
        if model.startswith(REMOTE_NVME) and read_digits(system.read_text(path).strip()) == (
            namespace
        ):
            yield os.path.basename(folder)


def find_part(system: System, disk: BlockDevice, number: Optional[int]) -> Optional[BlockDevice]:
    """The partition ``number`` of a disk; without a number, the first one, or the disk itself if it
    has none. None if there is no such partition.
    """
    if disk.partition and number is not None:
        return None
    if disk.partition or number == 0:
        return disk
    found = block.partitions(system, disk)
    if number is None and not found:
        return disk
    return found.get(number or 1)
