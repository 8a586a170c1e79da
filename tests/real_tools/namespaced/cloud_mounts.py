"""Run by test_cloud_mounts_real.py in a mount namespace of its own: the modules mounts, swap and
disk_setup on loop devices, with this machine's tools. Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Callable, Dict, List

from lightinit.errors import ProvisioningError
from lightinit.model import Instance
from lightinit.modules import mounts, swap
from tests.real_tools.namespaced.disk import LOOPS, MIB, Disk, Host, enter, must, read, write

PLACES = ("/mnt/part", "/mnt/xfs", "/mnt/btrfs", "/mnt/scratch")


def apply(module: Any, **values: Any) -> List[Any]:
    """Run a module with these keys of a cloud-config: its message and warnings."""
    outcome = module.apply(Instance("real"), Host("/"), module.from_cloud_config(values))
    return [outcome.message, list(outcome.warnings)]


def mounted() -> Dict[str, str]:
    found = {}
    for place in PLACES:
        told = subprocess.run(
            ["findmnt", "-no", "SOURCE,FSTYPE,OPTIONS", place],
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )
        if told.stdout:
            found[place] = told.stdout.strip()
    return found


def unmount() -> None:
    for place in PLACES:
        subprocess.run(["umount", place], stderr=subprocess.DEVNULL)


def without_names(value: Any, disks: List[Disk]) -> Any:
    text = json.dumps(value)
    for number, disk in enumerate(disks):
        text = text.replace(disk.path, "DISK%d" % number)
    return json.loads(text)


def mount_all() -> Dict[str, Any]:
    """Mounts of each kind, twice; then what other tools make of fstab."""
    part, xfs, btrfs, empty, swap = Disk("small"), Disk(), Disk(), Disk(), Disk()
    disks = [part, xfs, btrfs, empty, swap]
    must("mkfs.ext4", "-q", "-U", "11111111-2222-3333-4444-555555555555", part.part())
    must("mkfs.xfs", "-q", "-L", "wide data"[:4], xfs.path)
    must("mkfs.btrfs", "-q", btrfs.path)
    must("mkswap", swap.path)
    os.makedirs("/dev/disk/azure/scsi1")
    os.symlink(part.path, "/dev/disk/azure/scsi1/lun0")
    lines: List[Any] = [
        ["lun", "/mnt/part", "auto", "defaults,noexec"],
        ["LABEL=wide", "/mnt/xfs", "xfs", None, 0, 0],
        [btrfs.path, "/mnt/btrfs"],
        ["tmpfs", "/mnt/scratch", "tmpfs", "size=1M"],
        [empty.path, "/mnt/empty"],
        ["/dev/disk/azure/scsi1/lun7", "/mnt/gone"],
        ["UUID=9999", "/mnt/gone2"],
        [swap.path, "none", "swap", "sw"],
    ]
    given = {"mounts": lines, "device_aliases": {"lun": "/dev/disk/azure/scsi1/lun0"}}
    found: Dict[str, Any] = {"first": apply(mounts, **given), "mounts": mounted()}
    found["fstab"] = read("/etc/fstab")
    found["swaps"] = read("/run/swap.log")
    found["second"] = apply(mounts, **given)
    found["same"] = found["fstab"] == read("/etc/fstab")
    for tool in ("mount", "busybox mount"):
        unmount()
        # fstab as the next boot reads it; the root of this machine is not in it.
        text = found["fstab"].partition("\n")[2]
        if tool != "mount":  # where busybox is init, systemd is not installed
            text = text.replace(",x-systemd.device-timeout=30s", "")
        write("/etc/fstab", text)
        ended = subprocess.run(
            [*tool.split(), "-a"], stderr=subprocess.PIPE, universal_newlines=True
        )
        found[tool] = [ended.returncode, ended.stderr, mounted() == found["mounts"]]
    unmount()
    return dict(without_names(found, disks))


def swap_files() -> Dict[str, Any]:
    """A swap file on each kind of file system."""
    found: Dict[str, Any] = {}
    disks = []
    for kind, place in (("ext4", "/mnt/part"), ("xfs", "/mnt/xfs"), ("btrfs", "/mnt/btrfs")):
        disk = Disk()
        disks.append(disk)
        must("mkfs." + kind, "-q", disk.path)
        apply(mounts, mounts=[[disk.path, place]])
        path = place + "/deep/swap"
        said = apply(swap, swap={"filename": path, "size": "48M"})
        status = os.stat(path)
        flags = subprocess.run(
            ["lsattr", path], stdout=subprocess.PIPE, universal_newlines=True
        ).stdout.split(" ")[0]
        found[kind] = [
            said,
            "%o" % status.st_mode,
            status.st_size // MIB,
            status.st_blocks * 512 // MIB,
            must("blkid", "-p", "-o", "value", "-s", "TYPE", path),
            "C" in flags,
        ]
        with open("/run/swap.log") as handle:
            found[kind].append(handle.read().count("swapon " + path))
        try:
            found[kind + " full"] = apply(swap, swap={"filename": place + "/more", "size": "1G"})
        except ProvisioningError as error:
            found[kind + " full"] = [str(error), os.listdir(place)]
    found["fstab"] = [line for line in read("/etc/fstab").split("\n") if " swap " in line]
    return dict(without_names(found, disks))


SCENARIOS: Dict[str, Callable[[], Dict[str, Any]]] = {
    "mount_all": mount_all,
    "swap_files": swap_files,
}


def main() -> None:
    enter(int(sys.argv[2]))
    try:
        found = SCENARIOS[sys.argv[1]]()
    finally:
        unmount()
        for path in LOOPS:
            subprocess.run(
                ["partx", "--delete", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            subprocess.run(["losetup", "--detach", path])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
