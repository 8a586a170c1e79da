"""Lists the block devices that may hold provisioning media, without opening them."""

from __future__ import annotations

import os
import re
import stat
from typing import List, Tuple

from lightinit.digits import read_digits
from lightinit.host.disks import block
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System
from lightinit.model import NamedTuple

FIRST_DRIVE = "/dev/sr0"
# Azure's media have a few hundred kilobytes.
SMALL_BYTES = 256 * 1024 * 1024
OPTICAL_TYPE = "5"  # SCSI peripheral device type
MAX_DEVICES = 32


class Candidate(NamedTuple):
    """A device, image or folder to search.

    Attributes:
        path: as the VM sees it.
        first: whether it is an optical drive. Drives are searched before other devices, and
            repeatedly, since a medium may be inserted later.
        size: its size as text. If it changes, there is another medium.
    """

    path: str
    first: bool
    size: str = ""


def candidates(system: System) -> List[Candidate]:
    """The block devices that may hold the media, optical drives first.

    The media are on a drive that the platform attaches. A user who can only attach a data disk, or
    write to one, must not be able to make an account. So these do not count: data disks,
    partitions, and virtual devices that consist of a file, memory or other devices (loop, zram,
    device mapper). Besides optical drives, these count: small whole disks that are removable, and
    small virtio disks that are read-only for the VM. A /dev/sr0 that sysfs does not list is a drive
    that was passed to a container.

    Args:
        system: the machine.

    Source: WALinuxAgent's pattern for the drive: sr, hd, cdrom, cd, and vd on hosts without SCSI.
    """
    optical: List[Candidate] = []
    others: List[Candidate] = []
    for device in sorted(block.list_devices(system), key=natural):
        size = str(device.size_bytes)
        if device.virtual:
            continue
        if device.scsi_type == OPTICAL_TYPE or re.match(r"sr[0-9]+\Z", device.name):
            optical.append(Candidate(device.node, True, size))
        elif _may_hold_media(device):
            others.append(Candidate(device.node, False, size))
    known = [each.path for each in optical]
    if FIRST_DRIVE not in known and _is_block_device(system.path(FIRST_DRIVE)):
        optical.append(Candidate(FIRST_DRIVE, True))
    return optical[:MAX_DEVICES] + others[:MAX_DEVICES]


def _may_hold_media(device: BlockDevice) -> bool:
    if device.disk is not None or not 0 < device.size_bytes <= SMALL_BYTES:
        return False
    is_virtio = re.match(r"vd[b-z]\Z", device.name) is not None
    return device.removable or (is_virtio and device.read_only)


def _is_block_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def natural(device: BlockDevice) -> List[Tuple[int, str]]:
    """A key that sorts sr2 before sr10."""
    return [_natural_part(part) for part in re.split(r"([0-9]+)", device.name)]


def _natural_part(part: str) -> Tuple[int, str]:
    number = read_digits(part)
    if number is None:
        return -1, part
    return number, ""
