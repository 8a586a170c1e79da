"""Disks made of bytes, for tests: mostly zeros, so only what differs is kept."""

from __future__ import annotations

import lzma
import os
import struct
import uuid
import zlib
from typing import List, Sequence, Tuple

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
MIB = 1024 * 1024
RESERVED = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
BASIC = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"


def ntfs(name: str) -> bytes:
    """One of the volumes in tests/data."""
    with open(os.path.join(DATA, "ntfs-%s.xz" % name), "rb") as handle:
        return lzma.decompress(handle.read())


class Image:
    """A disk of zeros, ``size`` bytes long, with what was put onto it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pieces: List[Tuple[int, bytes]] = []

    def put(self, at: int, data: bytes) -> "Image":
        """Write; what is put later lies above."""
        self.pieces.append((at, data))
        return self

    def read(self, offset: int, size: int) -> bytes:
        """As a disk is read."""
        assert offset >= 0 and offset + size <= self.size, "beyond the end"
        found = bytearray(size)
        for at, data in self.pieces:
            begin, end = max(at, offset), min(at + len(data), offset + size)
            if begin < end:
                found[begin - offset : end - offset] = memoryview(data)[begin - at : end - at]
        return bytes(found)


def mbr(*entries: Tuple[int, int, int]) -> bytes:
    """A first sector with partitions: (type, first sector, sectors)."""
    table = b"".join(struct.pack("<B3xB3xII", 0, *entry) for entry in entries)
    return bytes(0x1BE) + table.ljust(64, b"\0") + b"\x55\xaa"


def gpt(entries: Sequence[Tuple[str, int, int]], sector_bytes: int = 512) -> bytes:
    """The beginning of a disk with a GPT: partitions as (type, first sector, last sector)."""
    table = b"".join(
        uuid.UUID(kind).bytes_le
        + uuid.uuid4().bytes_le
        + struct.pack("<QQ", first, last)
        + bytes(80)
        for kind, first, last in entries
    ).ljust(128 * 128, b"\0")
    header = b"EFI PART" + struct.pack(
        "<IIII QQQQ 16s QIII",
        0x10000,
        92,
        0,
        0,
        1,
        0,
        34,
        0,
        b"\1" * 16,
        2,
        128,
        128,
        zlib.crc32(table),
    )
    header = header[:16] + struct.pack("<I", zlib.crc32(header)) + header[20:]
    return (
        mbr((0xEE, 1, 0xFFFFFFFF)).ljust(sector_bytes, b"\0")
        + header.ljust(sector_bytes, b"\0")
        + table
    )


def ext4(label: str) -> bytes:
    """As much of an ext4 as tells it."""
    return (bytes(1080) + b"\x53\xef").ljust(1024 + 120, b"\0") + label.encode("ascii").ljust(
        16, b"\0"
    )


def xfs(label: str, unfinished: bool = False) -> bytes:
    """As much of a XFS as tells it."""
    return (
        b"XFSB".ljust(108, b"\0")
        + label.encode("ascii").ljust(12, b"\0")
        + bytes(6)
        + bytes((unfinished,))
    )
