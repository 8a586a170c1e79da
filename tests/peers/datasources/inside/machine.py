"""A machine as a datasource finds it: DMI, files of the image, a drive."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
from typing import Any, Dict

DRIVE = "/dev/sr0"
# The machine's own DMI, whatever this host has.
SYSFS = """set -e
mount --bind /sys/class /mnt
mount -t tmpfs none /sys/class
mkdir -p /sys/class/net /sys/class/block /sys/class/dmi/id
mount --bind /mnt/net /sys/class/net
mount --bind /mnt/block /sys/class/block
umount /mnt
"""


def arrange(data: bytes) -> None:
    """Make this machine what the test says.

    Args:
        data: JSON: ``dmi``, name -> value; ``files``, path -> content in base64; ``drive``, the
            numbers of the device that is in the drive, ``major:minor``, or "".
    """
    wanted: Dict[str, Any] = json.loads(data)
    subprocess.run(["sh", "-c", SYSFS], check=True)
    for name, value in wanted["dmi"].items():
        write("/sys/class/dmi/id/" + name, value.encode("ascii") + b"\n")
    for path, content in wanted["files"].items():
        write(path, base64.b64decode(content))
    if wanted["drive"]:
        major, minor = map(int, wanted["drive"].split(":"))
        os.mknod(DRIVE, 0o600 | stat.S_IFBLK, os.makedev(major, minor))
        os.mknod("/dev/fuse", 0o600 | stat.S_IFCHR, os.makedev(10, 229))


def write(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(content)
