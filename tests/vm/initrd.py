"""A small initial RAM disk: busybox, the modules of QEMU's disk and NIC, and a script that mounts
the root and hands over to its init.

It takes the place of initramfs-tools', which runs udev and fsck on the emulated processor. It knows
nothing of QEMU.
"""

from __future__ import annotations

import itertools
import lzma
import re
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

# The disk's driver and the NIC's, and file systems; a kernel may have some of it built in.
MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "crc32c_generic", "ext4", "overlay")
APPLETS = ("sh", "mount", "umount", "insmod", "sleep", "switch_root", "[")
FOLDERS = ("bin", "dev", "modules", "proc", "root", "sys")
# By this word on the console a test knows that the kernel is past what may hang.
ROOT_IS_MOUNTED = "initrd: the root is mounted"
INIT = """#!/bin/sh
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
%s
until [ -b /dev/vda ]; do sleep 0.05; done
mount -t ext4 -o rw /dev/vda /root
umount /proc
umount /sys
mount -o move /dev /root/dev
echo "%s"
exec switch_root /root /sbin/init
"""


def make_initrd(modules: Path, busybox: bytes) -> bytes:
    """A cpio archive for the kernel, not compressed.

    Args:
        modules: the kernel's folder in /lib/modules, with modules.dep.
        busybox: the program, statically linked.
    """
    files: Dict[str, bytes] = {"bin/busybox": busybox}
    lines: List[str] = []
    for path in _in_order((modules / "modules.dep").read_text()):
        name = "modules/" + re.sub(r"\.ko.*", ".ko", Path(path).name)
        content = (modules / path).read_bytes()
        files[name] = lzma.decompress(content) if path.endswith(".xz") else content
        lines.append("insmod /" + name)
    files["init"] = (INIT % ("\n".join(lines), ROOT_IS_MOUNTED)).encode()
    numbers = itertools.count(1)
    entries = [
        *(_entry(numbers, folder, 0o40755) for folder in FOLDERS),
        _entry(numbers, "dev/console", 0o20600, device=(5, 1)),
        *(_entry(numbers, "bin/" + each, 0o120777, b"busybox") for each in APPLETS),
        *(_entry(numbers, name, 0o100755, content) for name, content in files.items()),
        _entry(numbers, "TRAILER!!!", 0),
    ]
    return b"".join(entries)


def _in_order(dependencies: str) -> List[str]:
    """The paths of MODULES and of what they need, by modules.dep, each after what it needs."""
    needs = {}
    for line in dependencies.splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {re.sub(r"\.ko.*", "", Path(path).name).replace("-", "_"): path for path in needs}
    order: List[str] = []
    for name in MODULES:
        path = by_name.get(name, "")
        wanted = [*reversed(needs[path]), path] if path else []  # built in, otherwise
        order += [each for each in wanted if each not in order]
    return order


def _entry(
    numbers: Iterator[int],
    name: str,
    mode: int,
    content: bytes = b"",
    device: Tuple[int, int] = (0, 0),
) -> bytes:
    """One file in cpio's "newc" format: a header of hexadecimal fields, the name, the content; name
    and content are each filled up to 4 bytes.
    """
    path = name.encode() + b"\0"
    fields = (next(numbers), mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + path
    return _filled(header) + _filled(content)


def _filled(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
