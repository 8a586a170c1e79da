"""Labels in superblocks that are made here byte by byte, whole and damaged."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import pytest

from lightinit.host.media.reading.labels import find_labels
from lightinit.host.media.reading.names import find_entry
from lightinit.host.media.volumes import find_devices
from lightinit.host.system import System
from tests.lib.sysfs import Sysfs

SIZE_BYTES = 1024 * 1024


def put(image: bytearray, at: int, data: bytes) -> None:
    image[at : at + len(data)] = data


def iso(image: bytearray) -> None:
    put(image, 32768, b"\1CD001\1")
    put(image, 32768 + 40, b"CIDATA".ljust(32))
    put(image, 34816, b"\2CD001\1")
    put(image, 34816 + 40, "cidata".encode("utf-16-be").ljust(32, b"\0"))
    put(image, 34816 + 88, b"%/E")
    put(image, 36864, b"\2CD001\1")  # not Joliet: another character set
    put(image, 36864 + 40, b"OTHER")


def udf(block: int) -> Callable[[bytearray], None]:
    def write(image: bytearray) -> None:
        put(image, 32768 + 2048, b"\0NSR03\1")
        anchor = struct.pack("<HHIIIII", 2, 0, 0, 0, 256, 16 * block, 32)
        put(image, 256 * block, anchor)
        put(image, 32 * block, b"\1\0")
        put(image, 32 * block + 24, b"\x08primary".ljust(31, b"\0") + b"\x08")
        put(image, 33 * block, b"\6\0")
        name = b"\x10" + "config-2".encode("utf-16-be")
        put(image, 33 * block + 84, name.ljust(127, b"\0") + bytes([len(name)]))

    return write


def fat(long: bool, in_root: bytes) -> Callable[[bytearray], None]:
    def write(image: bytearray) -> None:
        put(
            image,
            0,
            b"\xeb\x3c\x90mkfs.fat" + struct.pack("<HBHBH", 512, 1, 4, 2, 0 if long else 64),
        )
        put(image, 510, b"\x55\xaa")
        put(image, 22, struct.pack("<H", 0 if long else 8))
        put(image, 36, struct.pack("<I", 8))
        put(image, 44, struct.pack("<I", 2))
        put(image, 66 if long else 38, b"\x29")
        put(image, 71 if long else 43, b"BOOT       ")
        root = (4 + 2 * 8) * 512
        put(image, root, b"\xe5GONE      \x08".ljust(32, b"\0"))
        put(image, root + 32, b"Au\0s\0e\0\x0f".ljust(32, b"\0"))
        put(image, root + 43, b"\x0f")
        put(image, root + 64, in_root)

    return write


def ext(image: bytearray) -> None:
    put(image, 1080, b"\x53\xef")
    put(image, 1144, b"cidata\0rest")


KINDS: Dict[str, Tuple[Callable[[bytearray], None], List[Tuple[str, str]]]] = {
    "nothing": (lambda image: None, []),
    "iso": (iso, [("iso9660", "CIDATA"), ("iso9660", "cidata")]),
    "udf": (udf(2048), [("udf", "config-2"), ("udf", "primary")]),
    "udf without its anchor": (
        lambda image: put(image, 32768 + 2048, b"\0NSR02\1"),
        [("udf", "")],
    ),
    "udf on a disk": (udf(512), [("udf", "config-2"), ("udf", "primary")]),
    "fat16": (fat(False, b"CIDATA     \x08".ljust(32, b"\0")), [("vfat", "CIDATA")]),
    "fat32": (fat(True, b"CIDATA     \x28".ljust(32, b"\0")), [("vfat", "CIDATA")]),
    "fat16 without a label in its root": (fat(False, b""), [("vfat", "BOOT")]),
    "fat32 without a label in its root": (fat(True, b""), [("vfat", "BOOT")]),
    "ext4": (ext, [("ext4", "cidata")]),
}


def labels(image: bytes) -> List[Tuple[str, str]]:
    return find_labels(lambda offset, size: image[offset : offset + size])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_labels(kind: str) -> None:
    write, wanted = KINDS[kind]
    image = bytearray(SIZE_BYTES)
    write(image)
    assert labels(bytes(image)) == wanted
    chance = random.Random(kind)
    places = [at for at in range(SIZE_BYTES) if image[at]] or [0]
    for _ in range(300):  # damaged, it has other labels or none
        damaged = bytearray(image)
        for _ in range(3):
            damaged[chance.choice(places)] = chance.randrange(256)
        del damaged[chance.choice([1, 100, 512, 32800, 40000, SIZE_BYTES]) :]
        assert all(len(label) <= 128 for _, label in labels(bytes(damaged)))


@pytest.mark.parametrize(
    "entries, name, found, when_cut",
    [
        (["USER-DATA", "user-data"], "user-data", "user-data", "user-data"),
        (["USER-DATA"], "user-data", "USER-DATA", "USER-DATA"),
        (["USER_DATA.;1"], "user-data", "USER_DATA.;1", "USER_DATA.;1"),
        (["USER_DAT.;1"], "user-data", None, "USER_DAT.;1"),
        (["user-dat"], "user-data", None, "user-dat"),
        (["USER_DAT", "USER_DATA"], "user-data", "USER_DATA", "USER_DATA"),
        (["META_DAT.JSO;1"], "meta_data.json", None, "META_DAT.JSO;1"),
        (["META_DAT"], "meta_data.json", None, None),
        (["user-data.txt", "user"], "user-data", None, None),
    ],
)
def test_spellings_of_a_name(
    entries: List[str], name: str, found: object, when_cut: object
) -> None:
    assert find_entry(entries, name, False) == found
    assert find_entry(entries, name, True) == when_cut


def test_devices_that_may_have_a_volume(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    for name in ("vdb", "vda", "sda", "sdb10", "sdb2", "nvme0n1"):
        sysfs.add(name, 2048)
    sysfs.add("sr1", 0, kind="5")
    sysfs.add("sr0", 100, kind="5")
    for name in ("loop0", "zram0", "dm-0"):
        sysfs.add(name, 2048, virtual=True)
    sysfs.add("sdz", 0)
    sysfs.add("fd0", 2880)
    found = [each.path for each in find_devices(System(str(tmp_path)))]
    names = ["sr0", "sr1", "nvme0n1", "sda", "sdb2", "sdb10", "vda", "vdb"]
    assert found == ["/dev/" + name for name in names]
