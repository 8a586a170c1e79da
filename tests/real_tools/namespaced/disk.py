"""Run by test_disk_real.py in a mount namespace of its own: ephemeral_disk on loop devices, with
this machine's tools.

Prints one JSON document: what it saw. /etc, /mnt and /run are copies in memory here, the disks are
files on them, and the loop devices are given back at the end. Swap is never switched on: the tool
for that is a stand-in.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

from lightinit.errors import ProvisioningError
from lightinit.formats.disks import ntfs
from lightinit.host.command import Completed
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import ephemeral_disk
from lightinit.settings.shipped import SHIPPED
from tests.lib import loops
from tests.lib.netns import wait_until
from tests.real_tools.namespaced.accounts import seal

MIB = 1024 * 1024
BLOCK = 64 * 1024
PLACE = "/mnt/resource"
FSTAB = "UUID=1 / ext4 defaults 0 1\n"
SWAP_LOG = "/run/swap.log"
TABLES = {
    "mbr": "label: dos\nstart=128, type=7\n",
    "gpt": (
        "label: gpt\nfirst-lba: 34\nstart=34, size=32734,"
        " type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\nstart=32768,"
        " type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n"
    ),
    "two": "label: dos\nstart=128, size=100000, type=7\nstart=102400, type=7\n",
    "small": "label: dos\nstart=128, size=100000, type=7\n",
}
LOOPS: List[str] = []
LATE_LINK = "/run/late-disk"


def must(*argv: str, text: str = "") -> str:
    return (
        subprocess.run(
            argv,
            check=True,
            input=text.encode("utf-8"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        .stdout.decode("utf-8", "replace")
        .strip()
    )


def enter(outer_device: int) -> None:
    """Put a copy of /etc, and nothing, in the place of what is changed."""
    must("mount", "--make-rprivate", "/")
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/run")
    must("cp", "-a", "/etc", "/run/etc")
    must("mount", "--bind", "/run/etc", "/etc")
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/mnt")
    if os.stat("/etc").st_dev == outer_device or not os.path.ismount("/mnt"):
        sys.exit("this is the machine itself: nothing is done")
    with open("/run/swap", "w") as handle:
        handle.write('#!/bin/sh\necho $(basename $0) "$@" >>%s\n' % SWAP_LOG)
    os.chmod("/run/swap", 0o755)
    for name in ("swapon", "swapoff"):
        for folder in ("/usr/sbin", "/sbin", "/usr/bin", "/bin"):
            if os.path.exists("%s/%s" % (folder, name)) and not os.path.islink(
                "%s/%s" % (folder, name)
            ):
                must("mount", "--bind", "/run/swap", "%s/%s" % (folder, name))
    write("/etc/fstab", FSTAB)
    make_devices()
    seal()


def make_devices() -> None:
    """A /dev of its own, in which the disks of other tests do not appear: a mount by label would
    find theirs.
    """
    must("mkdir", "/run/dev")
    must("mount", "-t", "tmpfs", "-o", "mode=0755", "lightinit", "/run/dev")
    for name in ("null", "zero", "full", "random", "urandom", "fuse", "loop-control"):
        if os.path.exists("/dev/" + name):
            must("cp", "-a", "/dev/" + name, "/run/dev")
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink("/proc/self/" + target, "/run/dev/" + name)
    must("mount", "--move", "/run/dev", "/dev")


def give_back() -> None:
    """Detach all that is attached, also after an error with one of them."""
    with contextlib.ExitStack() as stack:
        for path in LOOPS:
            stack.callback(loops.detach, path)


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(text)


def read(path: str) -> str:
    with open(path, encoding="utf-8") as handle:
        return handle.read()


class Disk:
    """A loop device upon a file of zeros."""

    def __init__(self, table: str = "", size_mb: int = 400) -> None:
        self.file = "/run/disk%d" % len(LOOPS)
        with open(self.file, "wb") as handle:
            handle.truncate(size_mb * MIB)
        self.path = loops.attach(self.file)
        LOOPS.append(self.path)
        show_nodes(os.path.basename(self.path))  # those of another disk on this device go
        if table:
            must("sfdisk", "--quiet", self.path, text=TABLES[table])
            show_partitions(self.path)

    def part(self, number: int = 1) -> str:
        return "%sp%d" % (self.path, number)

    def hash(self, flush: bool = True) -> str:
        """Of every byte that is not zero and its place, by way of the file itself."""
        must("sync", self.file)
        if flush:
            must("blockdev", "--flushbufs", self.path)
        digest = hashlib.sha256()
        with open(self.file, "rb") as handle:
            for at in places_with_data(handle.fileno()):
                handle.seek(at)
                block = handle.read(BLOCK)
                if block.strip(b"\0"):
                    digest.update(b"%d:" % at + block)
        return digest.hexdigest()

    def bytes_at(self, at: int, size: int) -> bytes:
        must("blockdev", "--flushbufs", self.path)
        with open(self.file, "rb") as handle:
            handle.seek(at)
            return handle.read(size)

    def poke(self, at: int, data: bytes) -> None:
        with open(self.path, "r+b") as handle:
            handle.seek(at)
            handle.write(data)
        self.flush()

    def flush(self) -> None:
        """Have the kernel read the disk and its partitions anew."""
        must("blockdev", "--flushbufs", self.path)
        for name in os.listdir("/dev"):
            if ("/dev/" + name).startswith(self.path + "p"):
                must("blockdev", "--flushbufs", "/dev/" + name)


def places_with_data(descriptor: int) -> Iterator[int]:
    """Where a file's blocks lie of which anything was ever written."""
    at, size = 0, os.fstat(descriptor).st_size
    while at < size:
        try:
            data = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:  # nothing but holes up to the end
            return
        at = data - data % BLOCK
        yield at
        at += BLOCK


def show_partitions(path: str) -> None:
    """What kernels do by themselves that know tables; those that do not are told by way of
    BLKPG.
    """
    loops.drop_partitions(path)
    subprocess.run(
        ["partx", "--add", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    show_nodes(os.path.basename(path))


def show_nodes(disk: str) -> None:
    """Make the nodes of a disk's partitions, as the kernel does in the /dev of the machine."""
    known = "/sys/class/block/%s/" % disk
    parts = [name for name in os.listdir(known) if name.startswith(disk + "p")]
    for name in os.listdir("/dev"):
        if name.startswith(disk + "p"):
            os.unlink("/dev/" + name)
    for name in parts:
        major, minor = map(int, read("%s%s/dev" % (known, name)).split(":"))
        os.mknod("/dev/" + name, 0o600 | stat.S_IFBLK, os.makedev(major, minor))


class Host(System):
    """This machine, on which the kernel sees what sfdisk made."""

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        ended = super().run(argv, stdin, timeout_s)
        if argv[0].endswith("/sfdisk"):
            show_partitions(argv[-1])
        return ended


def apply(disk: Optional[Disk], system: Optional[System] = None, **settings: Any) -> List[Any]:
    """Run the module: [message, warnings], or [error]."""
    values = {setting.key: setting.default for setting in SHIPPED["ephemeral_disk"].settings}
    values.update(device=disk.path if disk else "auto")
    values.update(settings)
    try:
        outcome = ephemeral_disk.apply(Instance("real"), system or Host("/"), values)
    except ProvisioningError as error:
        return [str(error)]
    return [
        outcome.message.replace(disk.path, "DISK") if disk else outcome.message,
        list(outcome.warnings),
    ]


def ntfs_volume(
    part: str, label: str = "Temporary Storage", files: Sequence[str] = (ephemeral_disk.README,)
) -> None:
    must("mkfs.ntfs", "-Q", "-q", "-L", label, part)
    with_mount(part, lambda place: put(place, *files), "ntfs-3g")


def put(place: str, *names: str) -> None:
    for name in names:
        os.makedirs(os.path.dirname("%s/%s" % (place, name)), exist_ok=True)
        write("%s/%s" % (place, name), "data\n")


def with_mount(part: str, work: Callable[[str], Any], tool: str = "mount") -> Any:
    os.makedirs("/run/there", exist_ok=True)
    must(tool, part, "/run/there")
    try:
        return work("/run/there")
    finally:
        umount = ["umount", "/run/there"]
        wait_until(
            lambda: subprocess.run(umount, stderr=subprocess.DEVNULL).returncode == 0,
            60,
            "somebody holds /run/there",
        )
        must("sync")


def fresh(table: str = "mbr") -> Disk:
    disk = Disk(table)
    ntfs_volume(
        disk.part(2 if table == "gpt" else 1),
        files=(
            "DATALOSS_WARNING_README.txt",
            "System Volume Information/WPSettings.dat",
            "$RECYCLE.BIN/S-1-5-18/desktop.ini",
        ),
    )
    return disk


def seen(disk: Disk) -> Dict[str, Any]:
    """What there is once the disk is mounted."""
    probe = must("blkid", "-p", "-o", "export", disk.part())
    return {
        "fstab": read("/etc/fstab"),
        "files": sorted(os.listdir(PLACE)),
        "mount": must("findmnt", "-no", "SOURCE,FSTYPE", PLACE),
        "label": re.findall("LABEL=(.*)", probe),
        "table": must("sfdisk", "--dump", disk.path).split("\n")[-1],
        "mark": any(disk.bytes_at(32768, 512)),
        "mode": "%o" % os.stat(PLACE).st_mode,
    }


# -- scenarios
# --------------------------------------------------------------------------------------------------


def formatted(table: str, **settings: Any) -> Dict[str, Any]:
    """A disk of the platform's, from fresh to a second and third boot."""
    disk = Disk() if table == "blank" else fresh(table)
    found: Dict[str, Any] = {"first": apply(disk, **settings)}
    found.update(seen(disk))
    found["second"] = apply(disk, **settings)
    put(PLACE, "somebody/file")
    must("umount", PLACE)
    found["third"] = apply(disk, **settings)
    found["kept"] = read(PLACE + "/somebody/file")
    found["same"] = found["fstab"] == read("/etc/fstab")
    must("umount", PLACE)
    probe = ["fsck.ext4", "-fn"] if settings.get("filesystem") != "xfs" else ["xfs_repair", "-n"]
    found["fsck"] = subprocess.run(
        probe + [disk.part()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode
    return found


def make_ext4(disk: Disk, part: str) -> None:
    must("mkfs.ext4", "-q", part)
    with_mount(part, lambda place: put(place, "file"))


def make_luks(disk: Disk) -> None:
    disk.poke(64 * 1024, b"LUKS\xba\xbe\0\2" + os.urandom(4096))


USERS: Dict[str, Callable[[], Disk]] = {}


def users(make: Callable[[], Disk]) -> Callable[[], Disk]:
    USERS[make.__name__] = make
    return make


@users
def ntfs_with_a_file() -> Disk:
    disk = Disk("mbr")
    ntfs_volume(disk.part(), files=("DATALOSS_WARNING_README.txt", "thesis.doc"))
    return disk


@users
def ntfs_with_a_deep_file() -> Disk:
    disk = Disk("mbr")
    ntfs_volume(
        disk.part(), files=("DATALOSS_WARNING_README.txt", "$RECYCLE.BIN/S-1-5-21/$RABCDEF.doc")
    )
    return disk


@users
def ntfs_of_another_label() -> Disk:
    disk = Disk("mbr")
    ntfs_volume(disk.part(), "data", ())
    return disk


@users
def gpt_with_a_file() -> Disk:
    disk = Disk("gpt")
    ntfs_volume(disk.part(2), files=("thesis.doc",))
    return disk


@users
def ext4_on_a_partition() -> Disk:
    disk = Disk("mbr")
    make_ext4(disk, disk.part())
    return disk


@users
def ext4_on_the_disk() -> Disk:
    disk = Disk()
    make_ext4(disk, disk.path)
    return disk


@users
def xfs_on_a_partition() -> Disk:
    disk = Disk("mbr")
    must("mkfs.xfs", "-q", disk.part())
    return disk


@users
def btrfs_on_the_disk() -> Disk:
    disk = Disk()
    must("mkfs.btrfs", "-q", disk.path)
    return disk


@users
def luks_header() -> Disk:
    disk = Disk("mbr")
    make_luks(disk)
    return disk


@users
def swap_partition() -> Disk:
    disk = Disk("mbr")
    must("mkswap", disk.part())
    return disk


@users
def two_partitions() -> Disk:
    disk = Disk("two")
    ntfs_volume(disk.part())
    return disk


@users
def small_partition() -> Disk:
    disk = Disk("small")
    ntfs_volume(disk.part())
    return disk


@users
def garbage() -> Disk:
    disk = Disk()
    disk.poke(0, os.urandom(MIB))
    return disk


@users
def data_in_the_middle() -> Disk:
    disk = Disk()
    disk.poke(200 * MIB, os.urandom(3 * MIB))
    return disk


@users
def partition_without_file_system() -> Disk:
    return Disk("mbr")


@users
def damaged_ntfs() -> Disk:
    disk = Disk("mbr")
    ntfs_volume(disk.part())
    at = disk.bytes_at(64 * 1024, 512)
    disk.poke(64 * 1024 + int.from_bytes(at[0x30:0x38], "little") * 4096 + 5 * 1024, b"BAAD")
    return disk


def left_alone() -> Dict[str, Any]:
    """Whatever users have on it: not one byte changes, also where the mark of an attempt is on
    it.
    """
    found = {}
    for name, make in USERS.items():
        disk = make()
        before = disk.hash()
        answers = [
            apply(disk),
            apply(disk, format="never"),
            apply(disk, filesystem="xfs", swap_mb=8),
        ]
        found[name] = [
            answers,
            disk.hash() == before,
            read("/etc/fstab") == FSTAB,
            os.path.exists(PLACE),
        ]
        loops.detach(LOOPS.pop())
        os.unlink(disk.file)
    return found


def refusals() -> Dict[str, Any]:
    """A fresh disk that is not taken, for other reasons: it stays as it is."""
    disk = fresh()
    before, found = disk.hash(), {}
    found["never"] = apply(disk, format="never")
    os.makedirs(PLACE)
    write(PLACE + "/file", "")
    found["not empty"] = apply(disk)
    os.unlink(PLACE + "/file")
    must("mount", "-t", "tmpfs", "none", PLACE)
    found["mounted"] = apply(disk)
    must("umount", PLACE)
    os.symlink(PLACE, "/mnt/link")
    found["link"] = apply(disk, mount_point="/mnt/link/x")
    write("/etc/fstab", FSTAB + "/dev/sdz1 /mnt/resource xfs nofail 0 0\n")
    found["fstab"] = apply(disk)
    write("/etc/fstab", FSTAB)
    for place in ("/", "relative", "/mnt/../x", "/mnt/a\nb", "/proc/x", "/mnt/", "//"):
        found["place " + place] = apply(disk, mount_point=place)
    for options in ("a b", "", "x#y", "a\nb"):
        found["options " + options] = apply(disk, mount_options=options)
    found["partition"] = apply(disk, device=disk.part())
    found["file"] = apply(disk, device=disk.file)
    found["missing"] = apply(disk, device="/dev/there-is-none")
    found["auto"] = apply(None)
    for tool in ("mkfs.ext4", "mkfs.xfs"):
        for folder in ("/usr/sbin", "/sbin"):
            if os.path.exists("%s/%s" % (folder, tool)):
                must("mount", "--bind", "/dev/null", "%s/%s" % (folder, tool))
                break
    found["no mkfs"] = apply(disk)
    found["no mkfs.xfs"] = apply(disk, filesystem="xfs")
    return {"said": found, "same": disk.hash() == before, "fstab": read("/etc/fstab") == FSTAB}


def caches() -> Dict[str, Any]:
    """What the kernel remembers of the disk itself is old, or what was written to a partition is
    not on the disk yet.
    """
    found = {}
    disk = fresh()
    reader = os.open(disk.path, os.O_RDONLY)
    for at in range(0, 400 * MIB, MIB):
        os.pread(reader, MIB, at)
    make_ext4(disk, disk.part())
    before = disk.hash(flush=False)
    found["old"] = apply(disk) + [disk.hash() == before]
    os.close(reader)
    disk = fresh()
    writer = os.open(disk.part(), os.O_RDWR)
    os.pwrite(writer, b"a database of somebody's".ljust(4096, b"x"), 0)
    found["dirty"] = apply(disk)
    with open(disk.part(), "rb") as handle:
        found["dirty"].append(handle.read(10).decode("ascii", "replace"))
    os.close(writer)
    return found


class LateHost(Host):
    """This machine, where the last disk has its link only when udev has come to it."""

    def tool(self, name: str) -> Optional[str]:
        return "/usr/bin/udevadm" if name == "udevadm" else super().tool(name)

    def run(self, argv: Sequence[str], stdin: bytes = b"", timeout_s: float = 60.0) -> Completed:
        if argv[0] != "/usr/bin/udevadm":
            return super().run(argv, stdin, timeout_s)
        os.symlink(LOOPS[-1], LATE_LINK)
        return Completed(0, "", "")


def in_use() -> Dict[str, Any]:
    """Disks that somebody has: mounted, claimed, or formatted by us and then mounted elsewhere."""
    disk, found = Disk("mbr"), {}
    make_ext4(disk, disk.part())
    found["mounted"] = with_mount(disk.part(), lambda place: apply(disk))
    disk = fresh()
    holder = os.open(disk.part(), os.O_RDONLY | os.O_EXCL)
    before = disk.hash()
    found["claimed"] = apply(disk)
    os.close(holder)
    found["same"] = disk.hash() == before
    found["formatted"] = apply(disk)
    found["moved"] = apply(disk, mount_point="/mnt/other")
    found["fstab"] = read("/etc/fstab")
    must("umount", PLACE)
    found["then"] = apply(disk, mount_point="/mnt/other")
    must("umount", "/mnt/other")
    os.mkdir("/run/udev")
    write("/run/udev/control", "")
    found["late"] = apply(disk, LateHost("/"), device=LATE_LINK)
    must("umount", PLACE)
    os.unlink("/run/udev/control")
    found["gone"] = apply(disk, device="/dev/there-is-none")
    found["fstab gone"] = read("/etc/fstab")
    return found


class PowerCut:
    """Ends the process before its ``number``-th call that changes something outside it."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: Any, event: str, what: Any) -> None:
        if event == "c_call" and what.__name__ in (
            "pwrite",
            "fork_exec",
            "rename",
            "replace",
            "mkdir",
        ):
            self.left -= 1
            if not self.left:
                os._exit(9)


def crashes(table: str, filesystem: str) -> Dict[str, Any]:
    """A power cut before each write and each command: the next run completes it, whatever there
    was.
    """
    template = fresh(table) if table != "blank" else Disk()
    must("cp", "--sparse=always", template.file, "/run/template")
    results: List[Any] = []
    number = 0
    while True:
        number += 1
        must("cp", "--sparse=always", "/run/template", template.file)
        template.flush()
        show_partitions(template.path)
        write("/etc/fstab", FSTAB)
        child = os.fork()
        if not child:
            sys.setprofile(PowerCut(number))
            apply(template, filesystem=filesystem)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        show_partitions(template.path)  # as after the next start
        was_mounted = os.path.ismount(PLACE)
        again = apply(template, filesystem=filesystem)
        if len(again) == 1:
            return {"crashes": number, "results": results, "error": again}
        results.append([was_mounted, again, seen(template)])
        must("umount", PLACE)
        if status == 0:
            return {"crashes": number - 1, "results": results}


def unfinished() -> Dict[str, Any]:
    """What a mkfs leaves that is cut off."""
    found = {}
    disk = fresh()
    # mke2fs: the superblock comes last.
    apply(disk)
    must("umount", PLACE)
    disk.poke(32768, ephemeral_disk.MARK)
    disk.poke(64 * 1024, bytes(4096))
    found["ext4"] = apply(disk)
    must("umount", PLACE)
    disk.poke(32768, ephemeral_disk.MARK)
    found["only the mark left"] = apply(disk) + [any(disk.bytes_at(32768, 512))]
    must("umount", PLACE)
    # Without the mark nothing says that it is ours to format.
    disk.poke(64 * 1024, bytes(4096))
    before = disk.hash()
    found["no mark"] = apply(disk) + [disk.hash() == before]
    disk = Disk()
    apply(disk, filesystem="xfs")
    must("umount", PLACE)
    disk.poke(32768, ephemeral_disk.MARK)
    disk.poke(MIB + 126, b"\1")
    found["xfs"] = apply(disk, filesystem="xfs")
    return found


def swap() -> Dict[str, Any]:
    disk = fresh()
    found: Dict[str, Any] = {"first": apply(disk, swap_mb=32)}
    status = os.stat(PLACE + "/swapfile")
    found["file"] = [
        "%o" % status.st_mode,
        status.st_uid,
        status.st_size,
        status.st_blocks * 512 >= 32 * MIB,
    ]
    found["kind"] = must("blkid", "-p", "-o", "value", "-s", "TYPE", PLACE + "/swapfile")
    found["fstab"], found["log"] = read("/etc/fstab"), read(SWAP_LOG)
    found["larger"] = apply(disk, swap_mb=48) + [os.stat(PLACE + "/swapfile").st_size]
    found["too large"] = apply(disk, swap_mb=4000) + [
        read("/etc/fstab"),
        os.path.exists(PLACE + "/swapfile"),
    ]
    # A folder in which users may do as they like, and what they put there.
    os.chmod(PLACE, 0o777)
    found["open folder"] = apply(disk, swap_mb=8)
    os.chmod(PLACE, 0o1777)
    write("/run/target", "mine")
    os.symlink("/run/target", PLACE + "/swapfile")
    found["link"] = apply(disk, swap_mb=8) + [read("/run/target")]
    os.unlink(PLACE + "/swapfile")
    found["again"] = apply(disk, swap_mb=8)
    found["none"] = apply(disk) + [os.path.exists(PLACE + "/swapfile"), read("/etc/fstab")]
    must("umount", PLACE)
    for folder in ("/usr/sbin", "/sbin"):
        if os.path.exists(folder + "/mkswap"):
            must("mount", "--bind", "/dev/null", folder + "/mkswap")
            break
    found["no tool"] = apply(disk, swap_mb=8)
    return found


def systemd() -> Dict[str, Any]:
    """By units: the stand-in for systemctl starts a mount by what /etc/fstab says, as systemd
    does.
    """
    os.makedirs("/run/systemd/system")
    must("mount", "-t", "tmpfs", "none", "/usr/local/bin")
    target = next(
        (path for path in ("/usr/bin/systemctl", "/bin/systemctl") if os.path.isfile(path)),
        "/usr/local/bin/systemctl",
    )
    write(
        "/run/systemctl",
        '#!/bin/sh\necho "$@" >>/run/units.log\ncase $2 in *.mount) exec mount %s;; esac\n' % PLACE,
    )
    os.chmod("/run/systemctl", 0o755)
    if os.path.exists(target):
        must("mount", "--bind", "/run/systemctl", target)
    else:
        must("cp", "/run/systemctl", target)
    disk = fresh()
    found: Dict[str, Any] = {
        "first": apply(disk, swap_mb=16),
        "units": read("/run/units.log").split("\n"),
    }
    os.unlink("/run/units.log")
    found["second"] = apply(disk, swap_mb=16)
    found["again"] = read("/run/units.log").split("\n")
    must("umount", PLACE)
    write("/run/systemctl", "#!/bin/sh\necho a dependency failed >&2; exit 1\n")
    must(
        "sh",
        "-c",
        "test ! -e /usr/local/bin/systemctl || cp /run/systemctl /usr/local/bin/systemctl",
    )
    found["failed"] = apply(disk, swap_mb=16)
    return found


def survey() -> Dict[str, Any]:
    """What our reader sees on a volume that has been much used is what ntfs-3g sees."""
    disk = Disk("mbr")
    must("mkfs.ntfs", "-Q", "-q", disk.part())

    def use(place: str) -> List[List[Any]]:
        for number in range(600):
            put(place, "folder%d/sub/file with a rather long name %d ü" % (number % 7, number))
        for number in range(0, 600, 3):
            os.unlink(
                "%s/folder%d/sub/file with a rather long name %d ü" % (place, number % 7, number)
            )
        with open(place + "/big", "wb") as handle:
            handle.write(os.urandom(3 * MIB))
        os.link(place + "/big", place + "/big too")
        return [
            [os.path.relpath(os.path.join(folder, name), place), name in folders]
            for folder, folders, names in os.walk(place)
            for name in folders + names
        ]

    there = with_mount(disk.part(), use, "ntfs-3g")
    with open(disk.part(), "rb") as handle:

        def pread(at: int, size: int) -> bytes:
            handle.seek(at)
            return handle.read(size)

        volume = ntfs.survey(pread, 0, handle.seek(0, os.SEEK_END))
    ours = [["/".join(entry.path), entry.is_folder] for entry in volume.entries]
    return {
        "missing": [each for each in there if each not in ours and "big" not in each[0]],
        "more": [each for each in ours if each not in there],
        "count": len(ours),
        "big": [entry.size_bytes for entry in volume.entries if entry.path[0].startswith("big")],
    }


SCENARIOS: Dict[str, Callable[[], Dict[str, Any]]] = {
    "mbr": lambda: formatted("mbr"),
    "gpt": lambda: formatted("gpt"),
    "blank": lambda: formatted("blank"),
    "blank_xfs": lambda: formatted("blank", filesystem="xfs", mount_options="noatime"),
    "mbr_xfs": lambda: formatted("mbr", filesystem="xfs"),
    "crashes_mbr": lambda: crashes("mbr", "ext4"),
    "crashes_gpt": lambda: crashes("gpt", "ext4"),
    "crashes_blank": lambda: crashes("blank", "xfs"),
    "left_alone": left_alone,
    "refusals": refusals,
    "in_use": in_use,
    "caches": caches,
    "unfinished": unfinished,
    "swap": swap,
    "systemd": systemd,
    "survey": survey,
}


def main() -> None:
    enter(int(sys.argv[2]))
    try:
        found = SCENARIOS[sys.argv[1]]()
    finally:
        subprocess.run(["umount", PLACE], stderr=subprocess.DEVNULL)
        give_back()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
