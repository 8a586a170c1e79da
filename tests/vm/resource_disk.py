"""The platform's resource disk, as tests put it into a machine, and what must be so when lightinit
has made it fit for use.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import List

from tests.lib.scratch import MODULES
from tests.vm import disk
from tests.vm.facts import Facts
from tests.vm.scene import Checks

SWAP_MIB = 64
PLACE = "/mnt/resource"
README = "DATALOSS_WARNING_README.txt"
LABEL = "Temporary Storage"
WINDOWS_WORDS = "All of this will be lost.\n"
# Custom data come last, so that they find the disk.
SETTINGS = """[lightinit]
modules = %s ephemeral_disk custom_data
[module.ephemeral_disk]
device = /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_temp
swap_mb = %d
""" % (" ".join(name for name in MODULES if name != "custom_data"), SWAP_MIB)
QUESTIONS = {
    # Scripts run after Ready, in the background.
    "ran": "lightinit status --wait >/dev/null 2>&1; cat /root/ran",
    "root": "df -BM --output=size / | tail -n 1",
    "mounted": "findmnt -rn --mountpoint %s -o FSTYPE,SOURCE,LABEL" % PLACE,
    "on disk": "ls %s" % PLACE,
    "readme": "cat %s/%s" % (PLACE, README),
    "disk units": (
        "systemctl show -p ActiveState,Result --value mnt-resource.mount mnt-resource-swapfile.swap"
    ),
    "swaps": "tail -n +2 /proc/swaps",
    "fstab": "cat /etc/fstab",
}
SCSI_DISK = (
    "-device",
    "virtio-scsi-pci",
    "-device",
    "scsi-hd,drive=temp,serial=temp",
    "-drive",
    "if=none,id=temp,format=raw,file=%s",
)


def plugged_in(path: Path) -> List[str]:
    """QEMU's words for the resource disk."""
    return [word % path if "%s" in word else word for word in SCSI_DISK]


def lend(path: Path, **more: str) -> Path:
    """Make the disk at ``path`` as the platform hands it out, with ``more`` files (name -> text).

    Returns ``path``.
    """
    return disk.lend(path, LABEL, {README: WINDOWS_WORDS, **more})


def check_lent(checks: Checks, facts: Facts, kept: bool = False) -> None:
    """The resource disk is mounted on the host and swapped to; custom data have run once.

    Args:
        checks: where failures are noted.
        facts: of this boot.
        kept: whether what an earlier boot has written must be there.
    """
    checks.that(
        re.match("ext4 /dev/sd[a-z]1 lightinit$", facts["mounted"].text),
        "the resource disk is mounted",
        facts["mounted"],
    )
    wanted = {README, "swapfile", "lost+found"} | ({"kept"} if kept else set())
    checks.same(set(facts["on disk"].text.split()), wanted, "its files")
    checks.that(
        facts["readme"].text and WINDOWS_WORDS not in facts["readme"].text,
        "the file about the loss is ours",
        facts["readme"],
    )
    swaps = [line.split() for line in facts["swaps"].text.splitlines()]
    checks.that(
        [line[0] for line in swaps] == [PLACE + "/swapfile"]
        and (SWAP_MIB - 1) * 1024 <= int(swaps[0][2]) <= SWAP_MIB * 1024,
        "the swap file is in use",
        swaps,
    )
    checks.same(
        facts["disk units"].text.split(),
        ["success", "active"] * 2,
        "the units of the mount and the swap",
    )
    ours = [
        line.split()[1] for line in facts["fstab"].text.splitlines() if line.endswith("# lightinit")
    ]
    checks.same(ours, [PLACE, "none"], "our lines in /etc/fstab")
    checks.same(facts["ran"].text, "ran", "how often the custom data have run")
