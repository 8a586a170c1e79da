"""Finds signatures of file systems and the like on a disk or partition, and the labels of ext4 and
XFS.
"""

from __future__ import annotations

import struct
from typing import Callable, List, Tuple

from lightinit.model import NamedTuple

Read = Callable[[int, int], bytes]

HEAD_BYTES = 256 * 1024
# The kind, the offset of its magic bytes, and these bytes. If there are several possible offsets,
# there is a row for each.
MAGIC: Tuple[Tuple[str, int, bytes], ...] = (
    ("NTFS", 3, b"NTFS    "),
    ("exFAT", 3, b"EXFAT   "),
    ("FAT", 54, b"FAT1"),
    ("FAT", 82, b"FAT32"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("ReFS", 3, b"ReFS\0\0\0\0"),
    ("APFS", 32, b"NXSB"),
    ("ext4", 1080, b"\x53\xef"),
    ("XFS", 0, b"XFSB"),
    ("Btrfs", 65600, b"_BHRfS_M"),
    ("F2FS", 1024, b"\x10\x20\xf5\xf2"),
    ("ReiserFS", 65588, b"ReIsEr"),
    ("JFS", 32768, b"JFS1"),
    ("EROFS", 1024, b"\xe2\xe1\xf5\xe0"),
    ("squashfs", 0, b"hsqs"),
    ("ISO 9660", 32769, b"CD001"),
    ("UDF", 32769, b"BEA01"),
    ("UFS", 66908, b"\x19\x54\x01\x19"),
    ("LUKS", 0, b"LUKS\xba\xbe"),
    ("LUKS", 16384, b"SKUL\xba\xbe"),
    ("LVM", 0, b"LABELONE"),
    ("LVM", 512, b"LABELONE"),
    ("LVM", 1024, b"LABELONE"),
    ("LVM", 1536, b"LABELONE"),
    ("RAID", 0, b"\xfc\x4e\x2b\xa9"),
    ("RAID", 4096, b"\xfc\x4e\x2b\xa9"),
    ("swap", 4086, b"SWAPSPACE2"),
    ("swap", 4086, b"SWAP-SPACE"),
    ("swap", 65526, b"SWAPSPACE2"),
    ("bcache", 4120, bytes.fromhex("c68573f64e1a45ca8265f57f48ba6d81")),
    ("Bluestore", 0, b"bluestore block device"),
    ("VDO", 0, b"dmvdo001"),
    ("Stratis", 516, b"!Stra0tis"),
    ("ASM", 32, b"ORCLDISK"),
    ("ZFS", 131072, b"\x0c\xb1\xba\0\0\0\0\0"),
    ("ZFS", 131072, b"\0\0\0\0\0\xba\xb1\x0c"),
    ("GPT", 512, b"EFI PART"),
    ("GPT", 4096, b"EFI PART"),
)
# Where the superblock has the UUID of the file system.
UUID_AT = {"ext4": 1128, "XFS": 32, "Btrfs": 65568}


class Signature(NamedTuple):
    """A signature that was found.

    Attributes:
        kind: its name, as in ``MAGIC``.
        label: the label of an ext4 or XFS, else "".
        unfinished: whether it is an XFS whose mkfs was interrupted.
    """

    kind: str
    label: str = ""
    unfinished: bool = False


def find_signatures(read: Read, start_bytes: int, size_bytes: int) -> List[Signature]:
    """All known signatures on a disk or partition. Without any, it may still have data.

    Args:
        read: gives bytes of the disk: (offset, size).
        start_bytes: the offset at which the disk or partition begins.
        size_bytes: its size.
    """
    head = read(start_bytes, min(HEAD_BYTES, size_bytes))
    found: List[Signature] = []
    for kind, at, magic in MAGIC:
        if head[at : at + len(magic)] == magic and kind not in [each.kind for each in found]:
            found.append(_describe(kind, head))
    # Linux RAID 0.90 and 1.0 have their magic bytes near the end.
    for at in ((size_bytes // 512 - 16) // 8 * 8 * 512, size_bytes // 65536 * 65536 - 65536):
        if at > 0 and read(start_bytes + at, 4) == b"\xfc\x4e\x2b\xa9":
            found.append(Signature("RAID"))
    return found


def read_uuid(read: Read, start_bytes: int, kind: str) -> str:
    """The UUID of an ext4, XFS or Btrfs, as blkid prints it; "" for another kind.

    Args:
        read: gives bytes of the disk: (offset, size).
        start_bytes: the offset at which the file system begins.
        kind: as in :class:`Signature`.
    """
    at = UUID_AT.get(kind)
    if at is None:
        return ""
    digits = read(start_bytes + at, 16).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _describe(kind: str, head: bytes) -> Signature:
    if kind == "ext4":
        return Signature(kind, _text(head[1024 + 120 : 1024 + 136]))
    if kind == "XFS":
        return Signature(kind, _text(head[108:120]), struct.unpack_from("<B", head, 126)[0] != 0)
    return Signature(kind)


def _text(data: bytes) -> str:
    return data.split(b"\0")[0].decode("utf-8", "replace")
