"""Volumes by their labels, and the files of a volume or folder: on images and folders."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List

import pytest

from lightinit.errors import LightinitError
from lightinit.host.media.reading.listings import sees_links_alone
from lightinit.host.media.volumes import Volume, list_volumes, read_files, wait_for_udev
from lightinit.host.system import System
from tests.lib.scratch import ScriptedClock

NAMES = (
    "user-data",
    "meta-data",
    "network-config",
    "openstack/latest/meta_data.json",
    "openstack/latest/vendor_data.json",
    "openstack/latest/vendor_data2.json",
    "openstack/content/0000",
)
LIMIT_BYTES = 1000
# How an image is made of the folder "tree": its kind as list_volumes tells it, and the commands.
ISO = ["genisoimage", "-quiet", "-V", "cidata", "-o", "image"]
IMAGES: Dict[str, Any] = {
    "rock": ("iso9660", [[*ISO, "-R", "tree"]]),
    "joliet": ("iso9660", [[*ISO, "-J", "tree"]]),
    "plain": ("iso9660", [[*ISO, "-iso-level", "1", "tree"]]),
    "udf": ("iso9660", [[*ISO, "-udf", "-R", "-J", "tree"]]),
    "xorriso": (
        "iso9660",
        [
            [
                "xorriso",
                "-as",
                "mkisofs",
                "-quiet",
                "-V",
                "cidata",
                "-J",
                "-r",
                "-o",
                "image",
                "tree",
            ]
        ],
    ),
    "vfat": (
        "vfat",
        [
            ["mkfs.vfat", "-n", "CIDATA", "-C", "image", "4096"],
            ["mcopy", "-s", "-i", "image", "tree/user-data", "tree/meta-data", "tree/openstack"]
            + ["tree/network-config", "::/"],
        ],
    ),
    "ext4": ("ext4", [["mkfs.ext4", "-q", "-L", "cidata", "-d", "tree", "image", "4M"]]),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    found = tmp_path / "tree"
    for name in NAMES[:4] + NAMES[-2:]:
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).write_bytes(name.encode())
    (found / "meta-data").write_bytes(b"")
    return found


def need(*names: str) -> None:
    for name in names:
        if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            pytest.skip("needs %s" % name)


def run(folder: Path, commands: List[List[str]]) -> None:
    for argv in commands:
        need(argv[0])
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        subprocess.run(argv, cwd=str(folder), check=True, env=environment, capture_output=True)


def refusal(system: System, where: str, *names: str) -> str:
    with pytest.raises(LightinitError) as raised:
        read_files(system, where, names, LIMIT_BYTES)
    return str(raised.value)


@pytest.mark.parametrize("kind", sorted(IMAGES))
def test_each_kind_of_image(tmp_path: Path, tree: Path, kind: str) -> None:
    file_system, commands = IMAGES[kind]
    need("7z")
    run(tmp_path, commands)
    system = System(str(tmp_path))
    ((device, label, told),) = list_volumes(system, ["CiData"], ["/image", "/none", "/tree"])
    assert (device, label.lower(), told) == ("/image", "cidata", file_system)
    assert list_volumes(system, ["config-2"], ["/image"]) == []
    found = read_files(system, "/image", NAMES, LIMIT_BYTES)
    wanted = {name: name.encode() for name in NAMES[:4] + NAMES[-2:]}
    wanted["meta-data"] = b""
    if kind == "plain":  # both are cut to VENDOR_D.JSO, and the first name gets it
        wanted.pop("openstack/latest/vendor_data2.json")
        assert found.pop("openstack/latest/vendor_data.json")
    assert found == wanted


def test_a_seed_as_cloud_localds_makes_it(tmp_path: Path, tree: Path) -> None:
    need("7z")
    for options in ([], ["--filesystem=vfat"]):
        run(
            tmp_path,
            [
                [
                    "cloud-localds",
                    *options,
                    "image",
                    "tree/user-data",
                    "tree/openstack/latest/meta_data.json",
                ]
            ],
        )
        system = System(str(tmp_path))
        (volume,) = list_volumes(system, ["cidata"], ["/image"])
        found = read_files(system, volume.device, NAMES, LIMIT_BYTES)
        assert found == {"user-data": b"user-data", "meta-data": NAMES[3].encode()}


def test_files_that_bsdtar_takes_for_links_are_left_to_another_tool() -> None:
    """go-diskfs, with which Lima writes its seeds, gives all files the same serial number."""
    line = "-rw-r--r--  %d 0      0  %d Nov 27 07:49 %s\n"
    folder = "drwx------  2 0      0           0 Nov 27 07:49 .\n"
    for files, is_taken in (
        (((4, 0, "meta-data"), (4, 0, "user-data")), True),
        (((1, 0, "meta-data"), (1, 0, "user-data")), False),  # they are empty
        (((2, 0, "meta-data"), (1, 9, "user-data")), False),
        ((), False),
    ):
        assert sees_links_alone(folder + "".join(line % each for each in files)) is is_taken


def test_a_folder_and_its_links(tmp_path: Path, tree: Path) -> None:
    system = System(str(tmp_path))
    assert set(read_files(system, "/tree", NAMES, LIMIT_BYTES)) == set(NAMES) - {NAMES[4]}
    links = {
        "inside": "openstack/latest/../../user-data",
        "top": str(tree / "user-data"),
        "folder": "openstack/latest",
        "dangling": "nowhere",
        "up": "../secret",
        "absolute": "/etc/hostname",
        "round": "round",
    }
    (tmp_path / "secret").write_text("not in the folder")
    for name, target in links.items():
        (tree / name).symlink_to(target)
    found = read_files(system, "/tree", ["inside", "top", "folder/META_DATA.JSON", "dangling"], 99)
    assert list(found.values()) == [b"user-data", b"user-data", NAMES[3].encode()]
    assert "leads out of it (where=/tree, name=up, why=it leads to ../secret)" in refusal(
        system, "/tree", "user-data", "up"
    )
    assert "why=it leads to /etc/hostname" in refusal(system, "/tree", "absolute")
    assert "form a loop" in refusal(system, "/tree", "round")
    os.mkfifo(str(tree / "fifo"))
    assert "not a regular file (path=fifo" in refusal(system, "/tree", "fifo")
    assert "not a regular file" in refusal(system, "/tree", "openstack")


def test_what_cannot_be_read_is_named(tmp_path: Path, tree: Path) -> None:
    system = System(str(tmp_path))
    with open(str(tree / "user-data"), "wb") as handle:
        handle.truncate(100 * 1024 * 1024)
    assert "too large (where=/tree, name=user-data, limit_bytes=1000)" in refusal(
        system, "/tree", "meta-data", "user-data"
    )
    (tmp_path / "image").write_bytes(bytes(40000))
    assert "why=neither UDF, ISO 9660, FAT nor ext4 is on it" in refusal(system, "/image", "x")
    assert "why=No such file or directory" in refusal(system, "/none", "x")


def test_udev_is_waited_for_while_it_works(tmp_path: Path) -> None:
    class Udev(ScriptedClock):
        """A clock that ends udev's work after a second; 0: never."""

        ends_s = 0.0

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.ends_s and self.monotonic() >= self.ends_s and queue.exists():
                queue.unlink()

    queue = tmp_path / "run/udev/queue"
    queue.parent.mkdir(parents=True)
    clock = Udev()
    system = System(str(tmp_path), clock)
    began_s = clock.monotonic()
    assert not wait_for_udev(system) and clock.monotonic() == began_s
    queue.write_bytes(b"")
    assert wait_for_udev(system) and round(clock.monotonic() - began_s) == 5
    clock.ends_s = clock.monotonic() + 1.0
    assert wait_for_udev(system) and not queue.exists()
    assert clock.monotonic() - clock.ends_s < 0.2


def test_a_scratch_root_has_no_devices(tmp_path: Path) -> None:
    assert list_volumes(System(str(tmp_path)), ["cidata"]) == []
    assert Volume("/dev/sr0", "cidata", "iso9660").device == "/dev/sr0"
