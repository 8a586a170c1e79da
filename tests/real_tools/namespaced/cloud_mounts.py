"""Run by test_cloud_mounts_real.py in a mount namespace of its own: the modules mounts, swap and
disk_setup on loop devices, with this machine's tools. Prints one JSON document: what it saw.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any, Callable, Dict, List

from lightinit.errors import ProvisioningError
from lightinit.model import Instance
from lightinit.modules import disk_setup, mounts, swap
from tests.real_tools.namespaced.disk import (
    MIB,
    Disk,
    Host,
    enter,
    fresh,
    give_back,
    must,
    put,
    read,
    show_partitions,
    with_mount,
    write,
)

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


def table_of(disk: Disk) -> List[str]:
    """The label, then start (MiB), size (MiB) and type of each partition."""
    lines = must("sfdisk", "--dump", disk.path).split("\n")
    found = [line for line in lines if line.startswith("label:")]
    for line in lines:
        fields = dict(re.findall(r"(start|size|type)= *([0-9A-Fa-f-]+)", line))
        if "start" in fields:
            start, size = int(fields["start"]) // 2048, int(fields["size"]) // 2048
            found.append("%d %d %s" % (start, size, fields["type"]))
    return found


def probe(node: str) -> List[str]:
    told = subprocess.run(
        ["blkid", "-p", "-o", "export", node], stdout=subprocess.PIPE, universal_newlines=True
    ).stdout
    return sorted(re.findall("^((?:TYPE|LABEL)=.*)$", told, re.MULTILINE))


def prepared() -> Dict[str, Any]:
    """An empty disk becomes two partitions with a file system and swap; a second run finds them."""
    disk, raw = Disk(), Disk()
    given: Dict[str, Any] = {
        "device_aliases": {"data": disk.path},
        "disk_setup": {"data": {"table_type": "gpt", "layout": [50, [50, 82]]}},
        "fs_setup": [
            {"device": "data.1", "filesystem": "ext4", "label": "data", "extra_opts": ["-m", "0"]},
            {"device": "data", "partition": 2, "filesystem": "swap", "label": "s"},
            {"device": raw.path, "filesystem": "xfs", "partition": "none", "label": "raw"},
        ],
        "mounts": [["data.1", "/mnt/part"]],
    }
    found: Dict[str, Any] = {"first": apply(disk_setup, **given), "table": table_of(disk)}
    found["probes"] = [probe(each) for each in (disk.part(1), disk.part(2), raw.path)]
    found["mounted"] = apply(mounts, **given)
    put("/mnt/part", "file")
    found["second"] = apply(disk_setup, **given)
    found["kept"] = os.listdir("/mnt/part")
    given["disk_setup"]["data"].update(overwrite=True, layout=[100])
    found["mounted, overwrite"] = apply(disk_setup, disk_setup=given["disk_setup"], **alias(disk))
    found["same"] = table_of(disk) == found["table"]
    return dict(without_names(found, [disk, raw]))


def alias(disk: Disk) -> Dict[str, Any]:
    return {"device_aliases": {"data": disk.path}}


def used_disks() -> Dict[str, Disk]:
    """Disks with data of several kinds."""
    whole, part, raw, lvm, gpt, bios = Disk(), Disk("mbr"), Disk(), Disk(), Disk(), Disk()
    must("mkfs.ext4", "-q", whole.path)
    must("mkfs.xfs", "-q", "-f", part.part())
    raw.poke(200 * MIB, b"a database")
    raw.poke(0, b"a database")
    lvm.poke(512, b"LABELONE")
    must("sfdisk", "--quiet", gpt.path, text="label: gpt\nsize=100MiB\n")
    gpt.poke(1024, b"damage")
    must("sfdisk", "--quiet", bios.path, text="label: gpt\nsize=100MiB\n")
    show_partitions(bios.path)
    bios.poke(MIB + 5 * MIB, b"a boot loader")
    return {"whole": whole, "part": part, "raw": raw, "lvm": lvm, "gpt": gpt, "bios": bios}


WISHES: Dict[str, Callable[[str], Dict[str, Any]]] = {
    "table": lambda path: {"disk_setup": {path: {"layout": True, "table_type": "mbr"}}},
    "remove": lambda path: {"disk_setup": {path: {"layout": "remove"}}},
    "any": lambda path: {"fs_setup": [{"device": path, "filesystem": "btrfs"}]},
    "none": lambda path: {
        "fs_setup": [{"device": path, "filesystem": "ext4", "partition": "none", "label": "x"}]
    },
    "one": lambda path: {"fs_setup": [{"device": path, "filesystem": "btrfs", "partition": 1}]},
    "replace": lambda path: {
        "fs_setup": [{"device": path, "filesystem": "btrfs", "replace_fs": "xfs"}]
    },
    "command": lambda path: {
        "fs_setup": [{"device": path, "partition": "none", "cmd": "echo mine >%(device)s"}]
    },
}


def data_stay() -> Dict[str, Any]:
    """Without `overwrite`, each wish on each disk that has data."""
    found: Dict[str, Any] = {}
    for name, disk in used_disks().items():
        before = disk.hash()
        for wish, make in WISHES.items():
            said = apply(disk_setup, **make(disk.path))
            found["%s %s" % (name, wish)] = [said, disk.hash() == before]
    return found


def overwritten() -> Dict[str, Any]:
    """With `overwrite`, what is there is lost, and old file systems do not appear in it."""
    found: Dict[str, Any] = {}
    for name, disk in used_disks().items():
        section = {"layout": [50, 50], "table_type": "gpt", "overwrite": True}
        if name == "part":
            section = {"layout": [60, 40], "table_type": "mbr", "overwrite": True}
        said = apply(disk_setup, disk_setup={disk.path: section})
        again = apply(
            disk_setup,
            disk_setup={disk.path: section},
            fs_setup=[{"device": disk.path + ".1", "filesystem": "ext4", "overwrite": True}],
        )
        probes = [probe(disk.part(1)), probe(disk.part(2))]
        gone = apply(disk_setup, disk_setup={disk.path: {"layout": "remove", "overwrite": True}})
        last = subprocess.run(["blkid", "-p", disk.path], stdout=subprocess.PIPE).stdout.decode()
        found[name] = without_names([said, again, probes, gone, last], [disk])
    return found


def commands() -> Dict[str, Any]:
    """What cannot be made is told; a user's own command is run."""
    first, second = Disk(), Disk("small")
    fs: Dict[str, Any] = {"device": first.path, "partition": "none"}
    found: Dict[str, Any] = {}
    wrong: Dict[str, Dict[str, Any]] = {
        "label": {"filesystem": "xfs", "label": "longer-than-twelve"},
        "tool": {"filesystem": "reiserfs"},
        "name": {"filesystem": "../ext4"},
        "gone": {"device": "/dev/disk/azure/scsi1/lun9", "filesystem": "ext4"},
        "number": {"partition": 7, "filesystem": "ext4"},
        "fails": {"cmd": "echo no such thing >&2; exit 3"},
        "options": {"filesystem": "ext4", "extra_opts": ["--nonsense"]},
    }
    for name, more in wrong.items():
        found[name] = apply(disk_setup, fs_setup=[dict(fs, **more)])
    found["five"] = apply(
        disk_setup, disk_setup={first.path: {"layout": [20] * 5, "table_type": "mbr"}}
    )
    found["type"] = apply(
        disk_setup, disk_setup={first.path: {"layout": [[100, "zz"]], "table_type": "gpt"}}
    )
    found["partition"] = apply(disk_setup, disk_setup={second.part(): {"layout": True}})
    found["untouched"] = first.hash() == Disk().hash()
    text = "mkfs.ext4 -q -L %(label)s %(device)s"
    found["text"] = apply(disk_setup, fs_setup=[dict(fs, cmd=text, label="a")])
    found["text made"] = probe(first.path)
    words = ["mkfs.%(filesystem)s", "-q", "-L", "%(label)s", "%(device)s"]
    wish = {"device": second.path, "partition": 1, "filesystem": "ext4", "label": "two words"}
    found["words"] = apply(disk_setup, fs_setup=[dict(wish, cmd=words)])
    found["words made"] = probe(second.part())
    return dict(without_names(found, [first, second]))


def resource() -> Dict[str, Any]:
    """The resource disk with the platform's NTFS, as Azure's users prepare it; and one with a file
    of somebody's on it.
    """
    found: Dict[str, Any] = {}
    given = {
        "disk_setup": {"ephemeral0": {"table_type": "gpt", "layout": [100]}},
        "fs_setup": [{"device": "ephemeral0.1", "filesystem": "ext4"}],
        "mounts": [["ephemeral0.1", "/mnt/part"]],
    }
    os.makedirs("/dev/disk/azure")
    for name in ("fresh", "used"):
        disk = fresh()
        if name == "used":
            with_mount(disk.part(), lambda place: put(place, "mine"), "ntfs-3g")
        if os.path.lexists("/dev/disk/azure/resource"):
            os.unlink("/dev/disk/azure/resource")
        os.symlink(disk.path, "/dev/disk/azure/resource")
        before = disk.hash()
        only = apply(mounts, mounts=[["ephemeral0", "/mnt/part"]])
        said = [only, apply(disk_setup, **given), apply(mounts, **given)]
        kind = mounted().get("/mnt/part", "").split()[1:2]
        found[name] = without_names([said, kind, disk.hash() == before], [disk])
        unmount()
    return found


SCENARIOS: Dict[str, Callable[[], Dict[str, Any]]] = {
    each.__name__: each
    for each in (
        mount_all,
        swap_files,
        prepared,
        data_stay,
        overwritten,
        commands,
        resource,
    )
}


def main() -> None:
    enter(int(sys.argv[2]))
    try:
        found = SCENARIOS[sys.argv[1]]()
    finally:
        unmount()
        give_back()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
