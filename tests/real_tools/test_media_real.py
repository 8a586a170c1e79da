"""Provisioning media on real block devices, read with real tools, and a disk that really hangs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from lightinit.host.media import devices
from lightinit.host.media.devices import Candidate
from lightinit.host.media.reading import document
from lightinit.host.media.reading.answers import Nothing
from lightinit.host.media.search import MediaSearch, eject
from lightinit.host.system import System
from tests.lib.hanging_disk import HangingDisk
from tests.lib.loops import loop
from tests.lib.namespaced import run_program
from tests.lib.netns import need
from tests.lib.scratch import HERE
from tests.real_tools import media_images

FOLDER = os.path.join(HERE, "tests", "real_tools")
DOCUMENT = b"<Environment>the document</Environment>\n"
DEADLINE_S = 120
NAMES = ("ovf-env.xml",)


@pytest.fixture(scope="module")
def images(tmp_path_factory: Any) -> Dict[str, str]:
    need("genisoimage", "losetup", "7z", "grub-fstest", "bsdtar")
    return media_images.build(str(tmp_path_factory.mktemp("images")), DOCUMENT)


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """What hangs here fails, instead of going on for ever."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(3 * DEADLINE_S)
    yield
    signal.alarm(0)


def inside(scenario: str, *arguments: str) -> Any:
    """Run one scenario of namespaced/media.py and give what it saw."""
    namespaces = ("--mount", "--propagation", "shared")
    return run_program("media.py", scenario, *arguments, namespaces=namespaces)


def test_a_mount_is_private_and_harmless_and_goes_with_a_reader_that_is_killed(
    tmp_path: Path,
) -> None:
    need("mkfs.ext4", "losetup")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "OVF-ENV.XML").write_bytes(DOCUMENT)
    image = str(tmp_path / "ext4.img")
    subprocess.run(["mkfs.ext4", "-q", "-d", str(tmp_path / "tree"), image, "4M"], check=True)
    with loop(image, "--read-only") as device:
        seen = inside("mounted", device)
    point, rest = seen["said"].split(" ", 1)
    assert "the document" in rest and device in rest
    options = re.search(r" %s (\S+) " % point, rest)
    assert options is not None and {"ro", "nosuid", "nodev", "noexec"} <= set(
        options.group(1).split(",")
    )
    assert seen["busy"] and seen["shared"], "or nothing was tested"
    assert seen["during"] and seen["after"] and seen["free"]


def test_each_tool_reads_what_it_is_said_to_read(images: Dict[str, str]) -> None:
    kinds = ("bridge", "azure", "udf", "rock", "joliet", "plain", "relaxed")
    with contextlib.ExitStack() as stack:
        places = {kind: stack.enter_context(loop(images[kind], "--read-only")) for kind in kinds}
        seen = inside("by_tools", *places.values(), *(images[kind] for kind in kinds))
    assert seen["missing"] == []
    text = DOCUMENT.decode()
    for kind in kinds:
        for place in (places[kind], images[kind]):
            for tool in ("7z", "7zz", "grub-fstest"):
                system = "udf" if kind in ("bridge", "azure", "udf") else "iso9660"
                assert seen[tool][place] == ["read by %s as %s" % (tool, system), text], kind
            if kind in ("azure", "udf"):
                assert seen["bsdtar"][place][0] == "nothing"
            else:
                assert seen["bsdtar"][place] == ["read by bsdtar as iso9660", text], kind
            assert seen["none"][place][0] == "nothing"
            assert "no tool that reads" in seen["none"][place][1]


@pytest.mark.parametrize("kind", ["deep", "other"])
def test_a_document_is_at_the_top_or_nowhere(images: Dict[str, str], kind: str) -> None:
    with pytest.raises(Nothing, match="found no ovf-env.xml"):
        document.look(images[kind], NAMES, 1000, False)


def test_a_document_that_is_too_large_is_not_read_whole(images: Dict[str, str]) -> None:
    for kind in ("udf", "rock"):
        assert document.look(images[kind], NAMES, len(DOCUMENT), False)[0] == DOCUMENT
        with pytest.raises(Nothing, match="larger than"):
            document.look(images[kind], NAMES, len(DOCUMENT) - 1, False)


def test_a_damaged_image_gives_no_document_or_the_document(
    images: Dict[str, str], tmp_path: Path
) -> None:
    with open(images["azure"], "rb") as handle:
        data = handle.read()
    for length in (0, 30000, 33000, 40000, 300000, len(data) // 2, len(data) - 400000):
        cut = tmp_path / "cut.img"
        cut.write_bytes(data[:length])
        try:
            found, _ = document.look(str(cut), NAMES, 1000, False)
        except Nothing:
            continue
        assert found == DOCUMENT


def test_a_device_is_read_and_is_no_drive_to_eject(images: Dict[str, str]) -> None:
    with loop(images["azure"], "--read-only") as device:
        search = MediaSearch(System("/"), NAMES, lambda data: data == DOCUMENT, device)
        search.start()
        medium = search.result(DEADLINE_S)
        search.stop()
        assert medium is not None and medium.data == DOCUMENT and not medium.optical
        assert eject(System("/"), medium) == "%s is not an optical drive" % device


def test_loop_devices_are_not_looked_at_unless_the_settings_name_one(
    images: Dict[str, str],
) -> None:
    """S1: whoever can write to a file must not be able to make an account."""
    with loop(images["azure"], "--read-only") as device:
        assert device not in [each.path for each in devices.candidates(System("/"))]


def test_a_drive_that_sysfs_does_not_list(images: Dict[str, str], tmp_path: Path) -> None:
    """As a container is given one."""
    (tmp_path / "dev").mkdir()
    with loop(images["azure"], "--read-only") as device:
        os.mknod(str(tmp_path / "dev/sr0"), 0o600 | stat.S_IFBLK, os.stat(device).st_rdev)
        found = devices.candidates(System(str(tmp_path)))
        assert [(each.path, each.first) for each in found] == [("/dev/sr0", True)]
        search = MediaSearch(
            System(str(tmp_path)), NAMES, lambda data: data == DOCUMENT, find=lambda: found
        )
        search.start()
        medium = search.result(DEADLINE_S)
        search.stop()
        assert medium is not None and medium.device == "/dev/sr0"
    (tmp_path / "dev/sr0").unlink()
    (tmp_path / "dev/sr0").write_bytes(b"no device")
    assert devices.candidates(System(str(tmp_path))) == []


def readers_of(device: str) -> Dict[int, str]:
    """This test's own readers of the device: the state of each process by its number.

    Other tests and other programs may look at every loop device, so these do not count.
    """
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as handle:
                    state, parent = handle.read().rpartition(")")[2].split()[:2]
                with open("/proc/%s/cmdline" % entry, "rb") as handle:
                    reads_it = device.encode() in handle.read().split(b"\0")
            except OSError:
                continue
            if reads_it and int(parent) == os.getpid():
                found[int(entry)] = state
    return found


@pytest.mark.parametrize("hangs_from", [0, 128 * 1024], ids=["at once", "after its marks"])
def test_a_device_that_hangs_stops_nothing(images: Dict[str, str], hangs_from: int) -> None:
    need("losetup")
    with HangingDisk(images["azure"], hangs_from) as hanging, loop(
        images["udf"], "--read-only"
    ) as good:
        search = MediaSearch(
            System("/"),
            NAMES,
            lambda data: data == DOCUMENT,
            look_limit_s=30.0,
            find=lambda: [Candidate(hanging, True), Candidate(good, False)],
        )
        search.start()
        medium = search.result(DEADLINE_S)
        search.stop()
        assert medium is not None and medium.device == good
        alone = MediaSearch(System("/"), NAMES, lambda data: True, hanging, look_limit_s=0.5)
        alone.start()
        while not alone.tried:
            assert alone.result(0.05) is None
        looks = len(readers_of(hanging))
        assert alone.result(3.0) is None, "it is not tried again"
        alone.stop()
        assert len(readers_of(hanging)) <= looks
        assert [why[:26] for _, why in alone.tried] == ["it did not answer within 0"]
    assert wait_until_gone(hanging), "once the device answers, with an error, nothing is left"


def test_a_reader_beyond_the_reach_of_signals_is_left_behind(images: Dict[str, str]) -> None:
    need("losetup")
    mounter = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        "import sys; sys.path.insert(0, %r); "
        "from lightinit.host.media.reading import mounting; mounting.mount(sys.argv[2], 'ext4')"
        % HERE,
    ]
    with HangingDisk(images["azure"], 0) as hanging:
        for look_limit_s in (1.0, 5.0, 25.0):
            search = MediaSearch(
                System("/"),
                NAMES,
                lambda data: True,
                hanging,
                look_limit_s=look_limit_s,
                command=mounter,
            )
            search.start()
            while not search.tried:
                assert search.result(0.05) is None
            search.stop()
            if readers_of(hanging):
                break
            # On a busy machine the reader was killed before it came to the device.
        assert list(readers_of(hanging).values()) == ["D"], "or nothing was tested"
        assert search.tried[0][1].endswith("and the process that asked it does not end")
    assert wait_until_gone(hanging)


def test_files_of_a_volume_that_the_kernel_mounts(tmp_path: Path) -> None:
    """And a device that hangs loses only itself."""
    need("mkfs.ext4", "losetup")
    tree, images = tmp_path / "tree", [str(tmp_path / name) for name in ("one", "two")]
    (tree / "openstack/latest").mkdir(parents=True)
    (tree / "openstack/latest/meta_data.json").write_text("{}")
    (tree / "USER-DATA").write_text("#!/bin/sh")
    (tree / "link").symlink_to("openstack/latest/../../USER-DATA")
    (tree / "evil").symlink_to("/etc/hostname")
    for image in images:
        argv = ["mkfs.ext4", "-q", "-L", "cidata-9", "-d", str(tree), image, "4M"]
        subprocess.run(argv, check=True)
    with contextlib.ExitStack() as stack:
        hanging = stack.enter_context(HangingDisk(images[0], 0))
        device = stack.enter_context(loop(images[0], "--read-only"))
        busy = stack.enter_context(loop(images[1]))
        seen = inside("files_of", device, busy, hanging)
    wanted = {"user-data": "#!/bin/sh", "openstack/latest/meta_data.json": "{}"}
    assert seen["read"] == [["mounted as ext4", dict(wanted, link="#!/bin/sh")]] * 2
    assert "name=evil, why=it leads to /etc/hostname" in seen["refused"]
    assert seen["listed"] == [[device, "cidata-9", "ext4"]]
    assert seen["hung"].startswith("volume does not answer")


def wait_until_gone(device: str) -> bool:
    for _ in range(600):
        if not [state for state in readers_of(device).values() if state != "Z"]:
            return True
        time.sleep(0.1)
    return False
