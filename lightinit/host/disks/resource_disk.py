"""Finds Azure's resource disk, or the disk that the settings name."""

from __future__ import annotations

import os
import stat
from typing import Iterator, Optional, Set

from lightinit.errors import ProvisioningError
from lightinit.host.disks import block
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System

VMBUS = "/sys/bus/vmbus/devices"
# https://github.com/Azure/azure-vm-utils udev/80-azure-disk.rules. Generation 1: the second disk of
# the first IDE channel. Generation 2: LUN 1 of the SCSI controller that has the OS disk as LUN 0;
# data disks have controllers of their own.
GENERATION_1_PREFIX = "{00000000-0001-"
GENERATION_2_CONTROLLER = "{f8b3781a-1e82-4818-a1c3-63d806ec15bb}"
RESOURCE_LUN = "1"
DISK_TYPE = "0"  # SCSI peripheral device type
UDEV_LINKS = ("/dev/disk/azure/resource", "/dev/disk/cloud/azure_resource")
DIRECT_NVME = "Microsoft NVMe Direct Disk"


def find_resource_disk(system: System) -> Optional[BlockDevice]:
    """The VM's resource disk (SCSI or IDE), or None if it has none.

    Raises:
        ProvisioningError: the VMBus and udev name different disks.
    """
    by_bus = set(_names_on_vmbus(system))
    by_udev = _names_of_links(system)
    names = by_bus or by_udev
    if len(names) > 1 or (by_udev and by_udev != names):
        raise ProvisioningError(
            "resource disk is ambiguous",
            vmbus=" ".join(sorted(by_bus)) or "none",
            udev=" ".join(sorted(by_udev)) or "none",
            hint="name it in the settings: device = /dev/…",
        )
    if not names:
        return None
    return block.find_by_name(system, names.pop())


def _names_of_links(system: System) -> Set[str]:
    names = set()
    for link in UDEV_LINKS:
        real = system.path(link)
        if os.path.exists(real) and os.path.basename(real) != os.path.basename(link):
            names.add(os.path.basename(real))
    return names


def _names_on_vmbus(system: System) -> Iterator[str]:
    for folder in system.glob(VMBUS + "/*"):
        device_id = system.read_text(folder + "/device_id").strip().lower()
        is_generation_2 = device_id == GENERATION_2_CONTROLLER
        if not is_generation_2 and not device_id.startswith(GENERATION_1_PREFIX):
            continue
        for path in system.glob(folder + "/host*/target*/*:*:*:*/block/*"):
            unit, _, name = path.rpartition("/block/")
            if is_generation_2 and unit.rpartition(":")[2] != RESOURCE_LUN:
                continue
            if system.read_text(unit + "/type", DISK_TYPE).strip() == DISK_TYPE:
                yield name


def count_direct_nvme(system: System) -> int:
    """The number of the VM's local NVMe disks."""
    return sum(
        system.read_text(path).startswith(DIRECT_NVME)
        for path in system.glob(block.BY_NAME + "/nvme*n*/device/model")
    )


def find_named_disk(system: System, path: str) -> Optional[BlockDevice]:
    """The whole disk at ``path``, a device node or a link to one; None if ``path`` does not exist.

    Raises:
        ProvisioningError: it is something other than a whole disk.
    """
    try:
        status = os.stat(system.path(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ProvisioningError(
            "device is not a disk", device=path, error=error.strerror or str(error)
        ) from error
    if not stat.S_ISBLK(status.st_mode):
        raise ProvisioningError("device is not a disk", device=path)
    found = block.find_by_number(system, block.number_of(status.st_rdev))
    if found is None or found.partition:
        raise ProvisioningError(
            "device is not a disk", device=path, hint="name the whole disk, not a partition"
        )
    return found
