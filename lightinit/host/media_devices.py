"""Where the provisioning media may be: block devices as the kernel lists them. It opens none of them."""
from __future__ import annotations

import os
import re
from typing import List, NamedTuple, Tuple

from lightinit.host.system import System

BLOCK = "/sys/class/block"
SECTOR_BYTES = 512  # the unit of `size`, whatever the device's own
# Azure's media are a few hundred kilobytes long. What is larger is looked at only if nobody can write to it: a disk with
# a user's data is not to be read, let alone mounted.
SMALL_BYTES = 256 * 1024 * 1024
OPTICAL_TYPE = "5"  # SCSI peripheral device type
MAX_DEVICES = 32


class Candidate(NamedTuple):
    """A place to look at.

    Attributes:
        path: as the VM sees it.
        first: whether it is looked at before the others and again and again, since media can come into it later.
        size: by which it is seen that it holds something else now.
    """

    path: str
    first: bool
    size: str = ""


def candidates(system: System) -> List[Candidate]:
    """The block devices on which the media may be, optical drives first.

    The others are small or read-only disks and partitions. Left out is what is made of files, memory or other devices
    (loop, zram, device mapper): the platform hands out no such thing.

    Args:
        system: the machine.
    """
    optical, others = [], []
    for name in sorted(system.list_dir(BLOCK), key=_natural):
        folder = "%s/%s" % (BLOCK, name)
        if "/devices/virtual/block/" in os.path.realpath(system.path(folder)):
            continue
        size = system.read_text(folder + "/size").strip()
        path = "/dev/" + name.replace("!", "/")
        if system.read_text(folder + "/device/type").strip() == OPTICAL_TYPE or re.match(r"sr[0-9]+\Z", name):
            optical.append(Candidate(path, True, size))
        elif _is_small(size) or (size not in ("", "0") and system.read_text(folder + "/ro").strip() == "1"):
            others.append(Candidate(path, False, size))
    return optical[:MAX_DEVICES] + others[:MAX_DEVICES]


def _is_small(size: str) -> bool:
    return size.isdigit() and 0 < int(size) * SECTOR_BYTES <= SMALL_BYTES


def _natural(name: str) -> List[Tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name)]
