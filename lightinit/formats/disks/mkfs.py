"""The commands that make file systems: which tool, which package, which options."""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

from lightinit.model import NamedTuple


class FileSystemMaker(NamedTuple):
    """How a file system is made.

    Attributes:
        package: the usual name of the package that has the tool.
        label: the option for the label.
        label_limit: the most bytes of a label; 0 if it is not known.
        options: what stops questions and the discarding of all blocks, which can take minutes.
        signature: its kind in lightinit/formats/disks/signatures.py, or "".
    """

    package: str
    label: str = "-L"
    label_limit: int = 0
    options: Tuple[str, ...] = ()
    signature: str = ""


_EXT = FileSystemMaker("e2fsprogs", "-L", 16, ("-q", "-F", "-E", "nodiscard"), "ext4")
_FAT = FileSystemMaker("dosfstools", "-n", 11, (), "FAT")
MAKERS = {
    "ext2": _EXT,
    "ext3": _EXT,
    "ext4": _EXT,
    "xfs": FileSystemMaker("xfsprogs", "-L", 12, ("-q", "-f", "-K"), "XFS"),
    "btrfs": FileSystemMaker("btrfs-progs", "-L", 255, ("-q", "-f", "-K"), "Btrfs"),
    "swap": FileSystemMaker("util-linux", "-L", 15, ("-f",), "swap"),
    "vfat": _FAT,
    "fat": _FAT,
    "exfat": FileSystemMaker("exfatprogs", "-L", 15, (), "exFAT"),
    "ntfs": FileSystemMaker("ntfs-3g", "-L", 32, ("-Q", "-q", "-F"), "NTFS"),
    "f2fs": FileSystemMaker("f2fs-tools", "-l", 512, ("-q", "-f"), "F2FS"),
    "jfs": FileSystemMaker("jfsutils", "-L", 16, ("-q",), "JFS"),
}
UNKNOWN = FileSystemMaker("the package of this file system")
# What a file system is called in a cloud-config, and in signatures.py.
SIGNATURES = {
    **{name: maker.signature for name, maker in MAKERS.items()},
    "reiserfs": "ReiserFS",
    "zfs": "ZFS",
    "luks": "LUKS",
    "crypto_luks": "LUKS",
}


def tool_names(kind: str) -> Tuple[str, ...]:
    """The tools that may make it, the best one first: ``mkfs.ext4``; ``mkswap``."""
    if kind == "swap":
        return ("mkswap",)
    return ("mkfs." + kind, "mk" + kind)


def why_not(kind: str, label: str) -> str:
    """Why no such file system can be made; "" if it can.

    Args:
        kind: its type.
        label: its label, or "".
    """
    if not re.match(r"[a-z0-9][a-z0-9_.+-]{0,30}\Z", kind):
        return "`filesystem` is not the name of one"
    limit = MAKERS.get(kind, UNKNOWN).label_limit
    length = len(label.encode("utf-8", "surrogateescape"))
    if limit and length > limit:
        return "the label has %d bytes, and a label of %s at most %d" % (length, kind, limit)
    if label.startswith("-") or not label.isprintable():
        return "the label begins with a hyphen, or has characters that are not printable"
    return ""


def make_command(tool: str, kind: str, label: str, options: Sequence[str], node: str) -> List[str]:
    """The command.

    Args:
        tool: the path of the tool.
        kind: the type of the file system.
        label: its label, or "".
        options: what the user adds.
        node: the device.
    """
    maker = MAKERS.get(kind, UNKNOWN)
    ours = list(maker.options)
    if "-E" in ours and any(each.startswith("-E") for each in options):
        del ours[ours.index("-E") :]
    named = [maker.label, label] if label else []
    return [tool, *ours, *named, *options, node]


def fill_in(text: str, label: str, kind: str, node: str) -> str:
    """A word of a user's command, with ``%(label)s``, ``%(filesystem)s`` and ``%(device)s``."""
    values = {"%(label)s": label, "%(filesystem)s": kind, "%(device)s": node, "%%": "%"}
    pattern = "|".join(re.escape(each) for each in values)
    return re.sub(pattern, lambda found: values[found.group()], text)
