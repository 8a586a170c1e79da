"""Reads the labels of file systems off their superblocks: ISO 9660 with Joliet, UDF, FAT and ext4.

udev's links in /dev/disk/by-label are not enough: many init systems start without udev.
"""

from __future__ import annotations

import os
import stat
import struct

from lightinit.host.media.reading.names import EXT, FAT, ISO, UDF

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, List, Tuple

    Read = Callable[[int, int], bytes]  # (offset, size)

HEAD_BYTES = 4096
# ECMA-119 6.2.1 and ECMA-167 2/8.3: descriptors of 2048 bytes begin at byte 32768.
SEQUENCE_BYTE, DESCRIPTOR_BYTES, DESCRIPTORS = 32768, 2048, 64
UDF_BLOCKS = (2048, 512, 1024, 4096)
JOLIET = (b"%/@", b"%/C", b"%/E")  # ECMA-119 8.5.6, the levels of UCS-2
MOST_FAT_ROOT_BYTES = 256 * 1024


def read_labels(path: str) -> List[Tuple[str, str]]:
    """The file systems on a block device or an image, each with one of its labels.

    Raises:
        OSError: it cannot be read.
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
        return []
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return find_labels(lambda offset, size: os.pread(descriptor, size, offset))
    finally:
        os.close(descriptor)


def find_labels(read: Read) -> List[Tuple[str, str]]:
    """As :func:`read_labels`, of what ``read`` gives. A file system without a label has ""."""
    head = read(0, HEAD_BYTES).ljust(HEAD_BYTES, b"\0")
    sequence = read(SEQUENCE_BYTE, DESCRIPTORS * DESCRIPTOR_BYTES)
    found = iso_labels(sequence)
    marks = {sequence[at + 1 : at + 6] for at in range(0, len(sequence), DESCRIPTOR_BYTES)}
    if marks & {b"NSR02", b"NSR03"}:
        found += [(UDF, label) for label in udf_labels(read) or [""]]
    if is_fat(head):
        found.append((FAT, fat_label(head, read)))
    if head[1080:1082] == b"\x53\xef":
        found.append((EXT, _trimmed(head[1144:1160].split(b"\0")[0].decode("utf-8", "replace"))))
    return found


def iso_labels(sequence: bytes) -> List[Tuple[str, str]]:
    """The labels in the volume descriptors of ISO 9660: that of the primary one, and Joliet's.

    Source: ECMA-119 8.4.7 and 8.5.6, the volume identifier at byte 40.
    """
    found = []
    for at in range(0, len(sequence) - DESCRIPTOR_BYTES + 1, DESCRIPTOR_BYTES):
        descriptor = sequence[at : at + DESCRIPTOR_BYTES]
        if descriptor[1:6] != b"CD001":
            continue
        label = descriptor[40:72]
        if descriptor[0] == 1:
            found.append((ISO, _trimmed(label.decode("utf-8", "replace"))))
        elif descriptor[0] == 2 and descriptor[88:91] in JOLIET:
            found.append((ISO, _trimmed(label.decode("utf-16-be", "replace"))))
    return found


def udf_labels(read: Read) -> List[str]:
    """The labels in the volume descriptors of UDF: of the logical volume, and of the primary one.

    Source: ECMA-167 3/10: the anchor (tag 2) in block 256 has the place of the others; the primary
    descriptor (tag 1) has its identifier at byte 24, the logical volume's (tag 6) at byte 84.
    """
    for block in UDF_BLOCKS:
        anchor = read(256 * block, 512)
        if len(anchor) < 24 or _tag(anchor) != 2 or _word(anchor, 12) != 256:
            continue
        size, start = _word(anchor, 16), _word(anchor, 20)
        sequence = read(start * block, min(size, DESCRIPTORS * block))
        found = {}
        for at in range(0, len(sequence) - 511, block):
            tag = _tag(sequence[at : at + 2])
            if tag == 1:
                found[1] = dstring(sequence[at + 24 : at + 56])
            elif tag == 6:
                found[0] = dstring(sequence[at + 84 : at + 212])
        return [found[key] for key in sorted(found)]
    return []


def dstring(field: bytes) -> str:
    """The text of a field of UDF: its first byte says how many bits a character has, its last byte
    how many bytes are used (ECMA-167 1/7.2.12).
    """
    if not field:
        return ""
    used = field[1 : max(1, field[-1])]
    if field[0] == 16:
        return _trimmed(used.decode("utf-16-be", "replace"))
    return _trimmed(used.decode("latin-1"))


def is_fat(head: bytes) -> bool:
    """Whether a boot sector is that of FAT. Other file systems and partition tables end with the
    same two bytes.
    """
    sector, cluster, reserved, tables = struct.unpack_from("<HBHB", head, 11)
    return (
        head[510:512] == b"\x55\xaa"
        and head[0] in (0xEB, 0xE9)
        and sector in (512, 1024, 2048, 4096)
        and cluster in (1, 2, 4, 8, 16, 32, 64, 128)
        and reserved > 0
        and tables in (1, 2)
    )


def fat_label(head: bytes, read: Read) -> str:
    """The label in the root directory of FAT; if it has none, that in the boot sector.

    Source: Microsoft's FAT specification 1.03. On FAT32 only the first cluster of the root
    directory is read, where mkfs puts the label.
    """
    sector, cluster, reserved, tables, entries = struct.unpack_from("<HBHBH", head, 11)
    short_table, long_table = struct.unpack_from("<H", head, 22)[0], _word(head, 36)
    start = (reserved + tables * (short_table or long_table)) * sector
    size, label_at = entries * 32, 43
    if not short_table:  # FAT32
        start += max(0, _word(head, 44) - 2) * cluster * sector
        size, label_at = cluster * sector, 71
    root = read(start, min(size, MOST_FAT_ROOT_BYTES))
    for at in range(0, len(root) - 31, 32):
        if root[at] == 0:
            break
        # The attribute of a label, and not that of a piece of a long name.
        if root[at] != 0xE5 and root[at + 11] & 0x3F in (0x08, 0x28):
            return _trimmed(root[at : at + 11].decode("cp437"))
    if head[label_at - 5] != 0x29 or head[label_at : label_at + 11] == b"NO NAME    ":
        return ""
    return _trimmed(head[label_at : label_at + 11].decode("cp437"))


def _tag(descriptor: bytes) -> int:
    return int.from_bytes(descriptor[:2], "little")


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _trimmed(text: str) -> str:
    return text.rstrip(" \0")
