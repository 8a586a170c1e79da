"""Where the provisioning media may be: block devices as the kernel lists them. It opens none of
them.
"""

from __future__ import annotations

import os
import re
import stat
from typing import List, NamedTuple, Tuple

from lightinit.host.system import System

BLOCK = "/sys/class/block"
FIRST_DRIVE = "/dev/sr0"
SECTOR_BYTES = 512  # the unit of `size`, whatever the device's own
# Azure's media are a few hundred kilobytes long. What is larger is looked at only if nobody can
# write to it: a disk with a user's data is not to be read, let alone mounted.
SMALL_BYTES = 256 * 1024 * 1024
OPTICAL_TYPE = "5"  # SCSI peripheral device type
MAX_DEVICES = 32


class Candidate(NamedTuple):
    """A place to look at.

    Attributes:
        path: as the VM sees it.
        first: whether it is looked at before the others and again and again, since media can come
            into it later.
        size: by which it is seen that it holds something else now.
    """

    path: str
    first: bool
    size: str = ""


def candidates(system: System) -> List[Candidate]:
    """The block devices on which the media may be, optical drives first.

    The others are small or read-only disks and partitions, and, last, loop devices of that kind: on
    a test bench a file may stand for the drive. Left out is what else is made of memory or other
    devices (zram, device mapper). A /dev/sr0 that sysfs does not list counts as a drive: in a
    container that is how one is given.

    Args:
        system: the machine.
    """
    optical: List[Candidate] = []
    others: List[Candidate] = []
    loops: List[Candidate] = []
    for name in sorted(system.list_dir(BLOCK), key=_natural):
        folder = "%s/%s" % (BLOCK, name)
        is_loop = re.match(r"loop[0-9]+\Z", name) is not None
        if "/devices/virtual/block/" in os.path.realpath(system.path(folder)) and not is_loop:
            continue
        size = system.read_text(folder + "/size").strip()
        path = "/dev/" + name.replace("!", "/")
        if system.read_text(folder + "/device/type").strip() == OPTICAL_TYPE or re.match(
            r"sr[0-9]+\Z", name
        ):
            optical.append(Candidate(path, True, size))
        elif _is_small(size) or (
            size not in ("", "0") and system.read_text(folder + "/ro").strip() == "1"
        ):
            (loops if is_loop else others).append(Candidate(path, False, size))
    if FIRST_DRIVE not in [each.path for each in optical] and _is_block_device(
        system.path(FIRST_DRIVE)
    ):
        optical.append(Candidate(FIRST_DRIVE, True))
    return optical[:MAX_DEVICES] + others[:MAX_DEVICES] + loops[:MAX_DEVICES]


def _is_block_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def _is_small(size: str) -> bool:
    return size.isdigit() and 0 < int(size) * SECTOR_BYTES <= SMALL_BYTES


def _natural(name: str) -> List[Tuple[int, str]]:
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)
    ]
