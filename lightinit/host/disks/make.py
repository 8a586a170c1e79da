"""Make one partition and a file system on a disk, in steps of which each may be the last.

Before anything is overwritten, a mark is put on the disk itself; while that is there, the next run
knows the disk again and begins anew. It decides nothing: what is called from here is called only
for a disk without anybody's data.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import List

from lightinit.errors import ProvisioningError
from lightinit.host.disks.open_disk import Device, Disk, node_of, partitions
from lightinit.host.system import System

LOG = logging.getLogger("lightinit.disk_format")
MIB = 1024 * 1024
FORMAT_LIMIT_S = 300.0
TABLE_LIMIT_S = 60.0
NODE_LIMIT_S = 15.0
SETTLE_LIMIT_S = 15.0
TABLES = {
    "mbr": "label: dos\nstart=%d, type=83\n",
    "gpt": "label: gpt\nstart=%d, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4\n",
}


@dataclass(frozen=True)
class Job:
    """What is to be made.

    Attributes:
        filesystem: ``ext4`` or ``xfs``.
        label: of the file system; it comes last, so whatever has it is complete.
        mark_at, mark: the mark, and where it goes.
        number, start: the partition that there is, if it is to stay or lose its content; 0: none.
        table: the new partition table, ``mbr`` or ``gpt``; "": the partition stays.
    """

    filesystem: str
    label: str
    mark_at: int
    mark: bytes
    number: int = 0
    start: int = 0
    table: str = ""


def tools_for(system: System, filesystem: str, table: str) -> List[str]:
    """The names of the tools that are needed and missing."""
    needed = ["mkfs." + filesystem] + (["sfdisk"] if table else [])
    return [name for name in needed if system.tool(name) is None]


def make_filesystem(system: System, disk: Disk, device: Device, job: Job) -> str:
    """Make the partition, if need be, and the file system.

    The mark stays, for the caller to take away when he has seen it complete.

    Args:
        system: the machine.
        disk: which one.
        device: the same, open for writing.
        job: what is to be made.

    Returns:
        The partition's name.

    Raises:
        ProvisioningError: a tool failed; the next run begins anew.
    """
    device.write(job.mark_at, job.mark)
    number = job.number or 1
    if job.start:
        # No tool finds the old file system any more, and so none asks whether it may be
        # overwritten.
        device.write(job.start, bytes(MIB))
    if job.table:
        device.write(job.mark_at + len(job.mark), bytes(2 * MIB - job.mark_at - len(job.mark)))
        number = 1
        _run(
            system,
            ["sfdisk", "--quiet", "--wipe", "always", "--wipe-partitions", "always", disk.path],
            (TABLES[job.table] % (MIB // device.sector_bytes)).encode("ascii"),
            TABLE_LIMIT_S,
        )
    name = _wait_for_partition(system, disk, number)
    if job.table:
        device.write(MIB, bytes(MIB))
    if job.filesystem == "ext4":
        _run(
            system,
            ["mkfs.ext4", "-q", "-L", job.label, "-E", "nodiscard", node_of(name)],
            b"",
            FORMAT_LIMIT_S,
        )
    else:
        _run(system, ["mkfs.xfs", "-q", "-K", "-L", job.label, node_of(name)], b"", FORMAT_LIMIT_S)
    device.forget()
    return name


def settle(system: System) -> None:
    """Wait, not for long, until udev has seen what there is now."""
    udevadm = system.tool("udevadm")
    if udevadm is not None and system.exists("/run/udev/control"):
        try:
            system.run(
                [udevadm, "settle", "--timeout=%d" % SETTLE_LIMIT_S], timeout_s=SETTLE_LIMIT_S + 5
            )
        except ProvisioningError as error:
            LOG.debug("udev: %s", error)


def _run(system: System, argv: List[str], stdin: bytes, limit_s: float) -> None:
    tool = system.tool(argv[0])
    if tool is None:
        raise ProvisioningError(
            "tool for the resource disk is missing", tool=argv[0], hint="install it in the image"
        )
    ended = system.run([tool] + argv[1:], stdin, limit_s)
    if not ended.ok:
        raise ProvisioningError(
            "resource disk could not be formatted",
            command=argv[0],
            status=ended.returncode,
            said=ended.last_words,
            hint="the next boot tries again",
        )


def _wait_for_partition(system: System, disk: Disk, number: int) -> str:
    deadline_s = system.clock.monotonic() + NODE_LIMIT_S
    while True:
        name = partitions(system, disk).get(number)
        if name is not None and os.path.exists(system.path(node_of(name))):
            return name
        if system.clock.monotonic() > deadline_s:
            raise ProvisioningError(
                "resource disk could not be formatted",
                partition=number,
                said="the kernel does not show the partition",
                hint="the next boot tries again",
            )
        system.clock.sleep(0.1)
