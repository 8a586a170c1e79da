"""Run by test_root_disk_real.py in a mount namespace of its own: a disk in memory, made larger, and
the module on it.

The disk is a loop device. For the module's run a second process makes the disk's file system its /,
as pivot_root does at a boot, with this machine's programs mounted into it: so the module finds its
root as it does on a VM. Prints one JSON
document: what was seen. What it attaches it detaches, upon failure too.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import Any, Dict, List

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import root_disk
from tests.lib import loops
from tests.lib.scratch import HERE

MIB = 1024 * 1024
MEMORY, ROOT = "/mnt", "/mnt/root"
IMAGE = MEMORY + "/" + os.environ.get("LIGHTINIT_TEST_IMAGE", "root-disk.img")
MKFS = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
    "vfat": ["mkfs.vfat"],
}
CHECK = {
    "ext4": ["e2fsck", "-fn"],
    "xfs": ["xfs_repair", "-n"],
    "btrfs": ["btrfs", "check", "--readonly"],
}
BOOT_CODE = bytes(range(256)) + b"boot code"


def capabilities() -> List[str]:
    """The command that takes away what lightinit.service takes away."""
    unit = os.path.join(HERE, "systemd", "lightinit.service")
    with open(unit, encoding="utf-8") as handle:
        lines = [line for line in handle if line.startswith("CapabilityBoundingSet=~")]
    names = [
        name[len("CAP_") :].lower()
        for line in lines
        for name in line.strip().partition("~")[2].split()
    ]
    return ["setpriv", "--bounding-set", ",".join("-" + name for name in names)]


def must(*argv: str, stdin: str = "") -> str:
    ended = subprocess.run(
        argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    if ended.returncode:
        raise SystemExit("%s: %s" % (" ".join(argv), ended.stdout))
    return ended.stdout.strip()


def number(path: str) -> int:
    with open(path, encoding="ascii") as handle:
        return int(handle.read())


class Disk:
    """A disk with a table, or with none, and a file system as root; it is attached anew when it has
    become larger.
    """

    def __init__(self, wish: Dict[str, Any]) -> None:
        self.wish = wish
        self.device = ""

    def attach(self, mib: int) -> None:
        with open(IMAGE, "ab") as handle:
            handle.truncate(mib * MIB)
        more = ["--sector-size", str(self.wish["block"])] if self.wish.get("block") else []
        self.device = loops.attach(IMAGE, *more)

    def scan(self) -> None:
        """Have the kernel know the partitions, also a kernel that reads no such table by itself."""
        if self.wish["table"]:
            must("partx", "--update", self.device)

    def detach(self) -> None:
        if self.device:
            device, self.device = self.device, ""
            loops.detach(device)

    @property
    def root(self) -> str:
        return "%sp%d" % (self.device, self.wish["number"]) if self.wish["table"] else self.device

    def make(self) -> None:
        self.attach(self.wish["mib"])
        if self.wish["table"]:
            must("sfdisk", "--no-reread", "--force", self.device, stdin=self.wish["table"])
            self.scan()
            with open(self.device, "r+b") as handle:
                handle.write(BOOT_CODE)
        must(*MKFS[self.wish["kind"]], self.root)
        self.detach()
        self.attach(self.wish["new_mib"])
        self.scan()
        os.makedirs(ROOT, exist_ok=True)
        must("mount", self.root, ROOT)
        with open(ROOT + "/data", "wb") as handle:
            handle.write(b"precious" * 100000)

    def table(self) -> List[str]:
        """The partitions, without the device's name and without the size of the one that grows."""
        return [
            line.replace(self.device, "")
            for line in must("sfdisk", "--dump", self.device).split("\n")
            if not line.startswith(("device:", "last-lba:"))
        ]

    def facts(self) -> Dict[str, Any]:
        name = os.path.basename(self.root)
        found = {"fs_mib": os.statvfs(ROOT).f_blocks * os.statvfs(ROOT).f_frsize / MIB}
        if self.wish["table"]:
            folder = "/sys/block/%s/%s/" % (os.path.basename(self.device), name)
            found["partition_mib"] = number(folder + "size") * 512 / MIB
            found["table"] = self.table()  # type: ignore[assignment]
        return found


def become_root() -> None:
    """Let the disk's file system be /, with all that is in / now mounted into it."""
    must("mount", "--make-rprivate", "/")
    for name in os.listdir("/"):
        there = ROOT + "/" + name
        if os.path.islink("/" + name):
            os.symlink(os.readlink("/" + name), there)
        elif os.path.isdir("/" + name) and not os.path.lexists(there):
            os.mkdir(there)
            if "/" + name != MEMORY:
                must("mount", "--rbind", "/" + name, there)
    os.mkdir(ROOT + "/old")
    os.chdir(ROOT)
    must("pivot_root", ".", "old")
    os.chroot(".")
    os.chdir("/")
    must("umount", "--lazy", "/old")


def fill() -> None:
    """Leave not one block on the root file system, which has /tmp too."""
    must("umount", "--lazy", "/tmp")
    with open("/fill", "wb", buffering=0) as handle:
        for size in (MIB, 4096, 1):
            try:
                while handle.write(bytes(size)) == size:
                    os.fsync(handle.fileno())
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def can_write() -> bool:
    """Whether the root file system takes what a first boot writes."""
    try:
        with open("/after", "wb") as handle:
            handle.write(bytes(4 * MIB))
            os.fsync(handle.fileno())
    except OSError:
        return False
    return True


def apply(hidden: List[str], values: Dict[str, Any]) -> None:
    """In the second process: the module, twice, with these keys of a cloud-config."""
    become_root()
    full = "ROOM" in hidden
    if full:
        fill()
        assert not can_write()
    for name in hidden:
        for folder in ("/usr/sbin", "/usr/bin"):
            if os.path.isfile(os.path.join(folder, name)):
                must("mount", "--bind", "/dev/null", os.path.join(folder, name))
    said: List[Any] = []
    for _ in range(2):
        try:
            settings = root_disk.from_cloud_config(values) if values else {}
            outcome = root_disk.apply(Instance("real"), System("/"), settings)
            said.append(
                {
                    "message": outcome.message,
                    "warnings": outcome.warnings,
                    "skipped": outcome.skipped,
                }
            )
        except ProvisioningError as error:
            said.append({"error": str(error)})
    if full:
        said.append({"can_write": can_write()})
    print(json.dumps(said))


def run(wish: Dict[str, Any]) -> None:
    must("mount", "--make-rprivate", "/")
    must("mount", "-t", "tmpfs", "-o", "size=2g", "lightinit", MEMORY)
    disk = Disk(wish)
    try:
        disk.make()
        for command in wish.get("before", ()):
            must("sh", "-c", command.replace("DISK", disk.device))
        before = disk.facts()
        second = [
            "unshare",
            "--mount",
            sys.executable,
            "-B",
            __file__,
            "apply",
            json.dumps(wish["hidden"]),
            json.dumps(wish.get("values", {})).replace("PART", disk.root),
        ]
        ended = subprocess.run(
            capabilities() + second,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=100,
        )
        if ended.returncode:
            raise SystemExit(ended.stderr.decode())
        after = disk.facts()
        with open(ROOT + "/data", "rb") as handle:
            kept = handle.read() == b"precious" * 100000
        must("umount", ROOT)
        check = subprocess.run(
            CHECK[wish["kind"]] + [disk.root], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        verify = must("sfdisk", "--verify", disk.device) if wish["table"] else ""
        with open(disk.device, "rb") as handle:
            booted = handle.read(len(BOOT_CODE)) == BOOT_CODE
        print(
            json.dumps(
                {
                    "said": json.loads(ended.stdout.decode().strip().split("\n")[-1]),
                    "before": before,
                    "after": after,
                    "kept": kept,
                    "check": check.returncode,
                    "verify": verify,
                    "boot_code": booted,
                }
            )
        )
    finally:
        subprocess.run(["umount", "--lazy", ROOT], stderr=subprocess.DEVNULL)
        disk.detach()


if __name__ == "__main__":
    if sys.argv[1] == "apply":
        apply(json.loads(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        run(json.loads(sys.argv[2]))
