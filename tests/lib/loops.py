"""Loop devices of this machine. Other tests, and other runs of them, take and give back theirs at
the same time.

A test takes one here and nowhere else (tests/test_busy_machine.py): a device may have partitions
of somebody's disk before, which hide its volume from blkid; another test may take the same one at
the same moment; and udev looks at each partition that appears, so it cannot go at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import subprocess
import time
from typing import Iterator, List

LOOP_CTL_GET_FREE = 0x4C82  # linux/loop.h
MAJOR = 7
LIMIT_S = 60.0
PAUSE_S = 0.05


def attach(image: str, *options: str) -> str:
    """Give a file a loop device, without partitions.

    Args:
        image: the file.
        options: further ones of losetup.

    Returns:
        The device's path. In a /dev without devtmpfs its node is made.

    Raises:
        AssertionError: there was none within LIMIT_S.
    """
    deadline_s = time.monotonic() + LIMIT_S
    while True:
        with open("/dev/loop-control", "rb") as control:
            number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
        device = "/dev/loop%d" % number
        if not os.path.exists(device):
            with contextlib.suppress(FileExistsError):
                os.mknod(device, 0o600 | stat.S_IFBLK, os.makedev(MAJOR, number))
        ended = subprocess.run(
            ["losetup", *options, device, image],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
        if ended.returncode == 0:
            drop_partitions(device)
            return device
        # Another test has taken it since.
        assert time.monotonic() < deadline_s, "no loop device for %s: %s" % (image, ended.stdout)
        time.sleep(PAUSE_S)


def detach(device: str) -> None:
    """Give a loop device back, without partitions. What else holds it may do so for a while: the
    device is free when that ends.
    """
    try:
        drop_partitions(device)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@contextlib.contextmanager
def loop(image: str, *options: str) -> Iterator[str]:
    """The device of a file for as long as the ``with`` block lasts; see :func:`attach`."""
    device = attach(image, *options)
    try:
        yield device
    finally:
        detach(device)


def partitions(device: str) -> List[str]:
    """The names of the partitions that the kernel knows of a loop device."""
    name = os.path.basename(device)
    return [each for each in os.listdir("/sys/class/block/" + name) if each.startswith(name + "p")]


def drop_partitions(device: str) -> None:
    """Have the kernel forget the partitions, but for those that are mounted here.

    Raises:
        AssertionError: somebody held one for longer than LIMIT_S.
    """
    deadline_s = time.monotonic() + LIMIT_S
    while not all(map(_is_mounted, partitions(device))):
        subprocess.run(["partx", "--delete", device], stderr=subprocess.DEVNULL)
        if all(map(_is_mounted, partitions(device))):
            return
        assert time.monotonic() < deadline_s, "partitions are in use: %s" % partitions(device)
        time.sleep(PAUSE_S)


def _is_mounted(partition: str) -> bool:
    try:
        with open("/sys/class/block/%s/dev" % partition, encoding="ascii") as handle:
            number = handle.read().strip()
    except FileNotFoundError:  # it has just gone
        return True
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as handle:
        return any(line.split()[2] == number for line in handle)
