"""List the block devices that may hold provisioning media. None of them is opened."""

from __future__ import annotations

import os
import re
import stat
from typing import List, NamedTuple, Tuple

from lightinit.digits import read_digits
from lightinit.host.disks import block
from lightinit.host.disks.block import BlockDevice
from lightinit.host.system import System

FIRST_DRIVE = "/dev/sr0"
# Azure's media are a few hundred kilobytes long. Of a larger disk only a read-only one is looked
# at: a disk with a user's data is not to be read, let alone mounted.
SMALL_BYTES = 256 * 1024 * 1024
OPTICAL_TYPE = "5"  # SCSI peripheral device type
MAX_DEVICES = 32


class Candidate(NamedTuple):
    """A place to look at.

    Attributes:
        path: as the VM sees it.
        first: whether it is a drive. Drives are looked at before the others, and again and again,
            since a medium may be inserted later.
        size: its size as text. A change shows that it holds another medium.
    """

    path: str
    first: bool
    size: str = ""


def candidates(system: System) -> List[Candidate]:
    """The block devices that may hold the media, optical drives first.

    The others are small or read-only disks and partitions. Last come loop devices of that kind,
    since a file may stand for the drive on a test bench. Other devices that are made of memory or
    of other devices (zram, device mapper) are left out. A /dev/sr0 that sysfs does not list is a
    drive that was given to a container.

    Args:
        system: the machine.
    """
    optical: List[Candidate] = []
    others: List[Candidate] = []
    loops: List[Candidate] = []
    for device in sorted(block.list_devices(system), key=_natural):
        is_loop = re.match(r"loop[0-9]+\Z", device.name) is not None
        if device.virtual and not is_loop:
            continue
        size = str(device.size_bytes)
        if device.scsi_type == OPTICAL_TYPE or re.match(r"sr[0-9]+\Z", device.name):
            optical.append(Candidate(device.node, True, size))
        elif not _may_hold_media(device):
            continue
        elif is_loop:
            loops.append(Candidate(device.node, False, size))
        else:
            others.append(Candidate(device.node, False, size))
    known = [each.path for each in optical]
    if FIRST_DRIVE not in known and _is_block_device(system.path(FIRST_DRIVE)):
        optical.append(Candidate(FIRST_DRIVE, True))
    return optical[:MAX_DEVICES] + others[:MAX_DEVICES] + loops[:MAX_DEVICES]


def _may_hold_media(device: BlockDevice) -> bool:
    if not device.size_bytes:
        return False
    return device.read_only or device.size_bytes <= SMALL_BYTES


def _is_block_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def _natural(device: BlockDevice) -> List[Tuple[int, str]]:
    """A key that sorts sr2 before sr10."""
    return [_natural_part(part) for part in re.split(r"([0-9]+)", device.name)]


def _natural_part(part: str) -> Tuple[int, str]:
    number = read_digits(part)
    if number is None:
        return -1, part
    return number, ""
