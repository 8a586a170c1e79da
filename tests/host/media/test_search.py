"""The search for provisioning media, without devices: which are looked at, when, and what is made
of the answers.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, List

import pytest

from lightinit.host.media import devices
from lightinit.host.media import look as media_look
from lightinit.host.media import reader as media_reader
from lightinit.host.media import search as media
from lightinit.host.media.devices import Candidate
from lightinit.host.media.look import Look
from lightinit.host.media.search import MediaSearch, Medium, eject
from lightinit.host.system import System
from tests.lib.scratch import HERE, ScriptedClock

DEADLINE_S = 60.0
# Readers that stand for ours: argv[1:] are as for it.
SAYS = "import sys; sys.stdout.write(%r)"
HANGS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"


def reader(program: str) -> List[str]:
    return [sys.executable, "-I", "-S", "-c", program]


class Accepting:
    """Takes every document, and notes each that it was asked about."""

    def __init__(self, asked: List[bytes]) -> None:
        self.asked = asked

    def __call__(self, data: bytes) -> bool:
        self.asked.append(data)
        return True


def everything(_data: bytes) -> bool:
    return True


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "ovf-env.xml").write_bytes(b"<document/>")
    return tmp_path


# -- which devices
# --------------------------------------------------------------------------------------------------


class Sysfs:
    """Block devices as /sys shows them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/class/block").mkdir(parents=True)

    def add(
        self, name: str, size: int, ro: int = 0, virtual: bool = False, kind: str = "0"
    ) -> None:
        folder = self.root / ("sys/devices/%s/block/%s" % ("virtual" if virtual else "pci0", name))
        (folder / "device").mkdir(parents=True)
        for file, value in (("dev", "8:0"), ("size", size), ("ro", ro), ("device/type", kind)):
            (folder / file).write_text("%s\n" % value)
        (self.root / "sys/class/block" / name).symlink_to(
            "../../" + str(folder.relative_to(self.root / "sys"))
        )


def test_drives_first_then_what_is_small_or_read_only_and_loop_devices_last(tmp_path: Path) -> None:
    sysfs = Sysfs(tmp_path)
    small, large = 2048, 64 * 1024 * 1024
    for name, size, more in (
        ("sda", large, {}),
        ("sda15", small, {}),
        ("sdb", large, {"ro": 1}),
        ("sdc", 0, {}),
        ("sr10", 4, {}),
        ("sr2", 0, {}),
        ("loop0", small, {"virtual": True}),
        ("loop1", 0, {"virtual": True}),
        ("loop2", large, {"virtual": True}),
        ("loop10", large, {"virtual": True, "ro": 1}),
        ("zram0", small, {"virtual": True}),
        ("dm-0", small, {"virtual": True}),
        ("vdb", devices.SMALL_BYTES // 512, {}),
        ("vdc", devices.SMALL_BYTES // 512 + 1, {}),
        ("xvdd", large, {"kind": "5"}),
        ("cciss!c0d1", small, {}),
        ("sdd", 0, {"ro": 1}),
    ):
        sysfs.add(name, size, **more)
    found = devices.candidates(System(str(tmp_path)))
    assert [each.path for each in found if each.first] == ["/dev/sr2", "/dev/sr10", "/dev/xvdd"]
    assert [each.path for each in found if not each.first] == [
        "/dev/cciss/c0d1",
        "/dev/sda15",
        "/dev/sdb",
        "/dev/vdb",
        "/dev/loop0",
        "/dev/loop10",
    ]
    assert [each.first for each in found] == sorted((each.first for each in found), reverse=True)


def test_no_sysfs_no_devices(tmp_path: Path) -> None:
    assert devices.candidates(System(str(tmp_path))) == []


# -- the search
# --------------------------------------------------------------------------------------------------


def test_a_directory_below_the_root(root: Path) -> None:
    search = MediaSearch(System(str(root)), everything, "/media")
    search.start()
    medium = search.result(DEADLINE_S)
    search.stop()
    assert medium == Medium("/media", b"<document/>", "from the directory")
    assert search.tried == []


def test_a_document_never_shows_in_a_repr(root: Path) -> None:
    assert "document" not in repr(Medium("/dev/sr0", b"<document/>", "x"))


def test_media_that_come_late(root: Path) -> None:
    search = MediaSearch(System(str(root)), everything, "/late")
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    assert search.tried == [("/late", "No such file or directory")]
    (root / "media").rename(root / "late")
    medium = search.result(DEADLINE_S)
    assert medium is not None and medium.data == b"<document/>"
    assert search.tried == []
    search.stop()


def test_what_is_not_accepted_is_passed_over(root: Path) -> None:
    (root / "other").mkdir()
    (root / "other" / "OVF-ENV.XML;1").write_bytes(b"<mine/>")
    asked = []

    def accept(data: bytes) -> bool:
        asked.append(data)
        return data == b"<mine/>"

    search = MediaSearch(
        System(str(root)),
        accept,
        find=lambda: [Candidate("/media", False), Candidate("/other", False)],
    )
    search.start()
    medium = search.result(DEADLINE_S)
    search.stop()
    assert medium is not None and medium.device == "/other"
    assert asked.count(b"<document/>") <= 1
    assert search.tried in ([], [("/media", "its document is not one of this platform's")])


def test_what_was_passed_over_is_looked_at_again_when_it_holds_something_else(root: Path) -> None:
    held = [Candidate("/media", False, "1")]
    asked: List[bytes] = []

    def accept(data: bytes) -> bool:
        asked.append(data)
        return len(asked) == 2

    search = MediaSearch(System(str(root)), accept, find=lambda: held)
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    assert search.result(1.0) is None and len(asked) == 1
    held[0] = Candidate("/media", False, "2")
    assert search.result(DEADLINE_S) is not None
    search.stop()


def test_of_two_that_answer_together_one_is_taken(root: Path) -> None:
    for _ in range(5):
        asked: List[bytes] = []
        search = MediaSearch(
            System(str(root)),
            Accepting(asked),
            command=reader(SAYS % "found\t1\t0\tby test\nx"),
            find=lambda: [Candidate("/dev/sr0", True), Candidate("/dev/sr1", True)],
        )
        search.start()
        assert search.result(DEADLINE_S) is not None
        search.stop()
        assert asked == [b"x"]


def test_a_drive_goes_before_a_disk_that_answers_sooner(root: Path) -> None:
    slow = (
        "import sys, time, os; time.sleep(0.7 if sys.argv[2].endswith('sr0') else 0); "
        "sys.stdout.write('found\\t1\\t0\\tby test\\n' + sys.argv[2][-1])"
    )
    search = MediaSearch(
        System(str(root)),
        everything,
        command=reader(slow),
        find=lambda: [Candidate("/dev/sr0", True), Candidate("/dev/vdb", False)],
    )
    search.start()
    medium = search.result(DEADLINE_S)
    search.stop()
    assert medium == Medium("/dev/sr0", b"0", "by test")


@pytest.mark.parametrize(
    "program, why",
    [
        ("", "the reader ended without an answer (status 0)"),
        ("raise SystemExit(3)", "the reader ended without an answer (status 3)"),
        (SAYS % "found\t100\t0\tby test\nshort", "the reader ended without an answer (status 0)"),
        (SAYS % "found\tmany\t0\tby test\n", "the reader ended without an answer (status 0)"),
        (SAYS % "rubbish", "the reader ended without an answer (status 0)"),
        (SAYS % "rubbish\n\n\n", "the reader ended without an answer (status 0)"),
        (SAYS % "nothing\t0\t1\tfor a reason\n", "for a reason"),
    ],
)
def test_an_answer_is_whole_or_none(root: Path, program: str, why: str) -> None:
    search = MediaSearch(System(str(root)), everything, "/dev/sr0", command=reader(program))
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    search.stop()
    assert search.tried == [("/dev/sr0", why)]


def test_a_reader_that_never_stops_talking_is_ended(root: Path) -> None:
    look = Look("look", "/", 1000, DEADLINE_S, False, reader("while True: print('x' * 1000)"))
    while not media_look.wait_for({"/": look}, 1.0):
        pass
    answer = look.end()
    assert not answer.found and not answer.hung


def test_a_device_that_hangs_is_given_up_and_not_tried_again(root: Path) -> None:
    note = root / "started"
    program = "open(%r, 'a').write('x'); %s" % (str(note), HANGS)
    search = MediaSearch(
        System(str(root)), everything, "/dev/sr0", look_limit_s=0.5, command=reader(program)
    )
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    assert search.tried == [("/dev/sr0", "it did not answer within 0.5 s")]
    assert search.result(3.0) is None
    search.stop()
    assert note.read_text() == "x"


def test_a_device_that_hung_is_not_tried_again_when_its_size_changes_either(root: Path) -> None:
    note = root / "started"
    held = [Candidate("/dev/sr0", True, "1")]
    search = MediaSearch(
        System(str(root)),
        everything,
        look_limit_s=0.5,
        find=lambda: held,
        command=reader("open(%r, 'a').write('x'); %s" % (str(note), HANGS)),
    )
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    held[0] = Candidate("/dev/sr0", True, "2")
    assert search.result(1.5) is None
    search.stop()
    assert note.read_text() == "x"


def test_a_device_that_has_not_answered_when_nobody_waits_any_more_is_told(root: Path) -> None:
    search = MediaSearch(System(str(root)), everything, "/dev/sr0", command=reader(HANGS))
    search.start()
    assert search.result(media.SLOW_S + 0.5) is None and search.troubles == []
    search.stop()
    ((device, why),) = search.troubles
    assert device == "/dev/sr0" and re.fullmatch(r"it did not answer within [12]\.\d s", why)


def test_a_device_that_has_just_come_is_not_told_of(root: Path) -> None:
    search = MediaSearch(System(str(root)), everything, "/dev/sr0", command=reader(HANGS))
    search.start()
    assert search.result(0.1) is None
    search.stop()
    assert search.troubles == []


def test_stopping_ends_what_is_under_way(root: Path) -> None:
    note = root / "pid"
    program = "import os; open(%r, 'w').write(str(os.getpid())); %s" % (str(note), HANGS)
    search = MediaSearch(
        System(str(root)), everything, "/dev/sr0", look_limit_s=3600, command=reader(program)
    )
    search.start()
    while not (note.exists() and note.read_text()):
        assert search.result(0.01) is None
    search.stop()
    search.stop()
    assert search.result(DEADLINE_S) is None, "it is over, so nobody waits"
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert "lightinit-media" not in [thread.name for thread in threading.enumerate()]


def test_without_a_reader(root: Path) -> None:
    search = MediaSearch(System(str(root)), everything, "/media", command=["/nonexistent/python"])
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    search.stop()
    assert "it cannot be looked at" in search.tried[0][1]


def test_a_path_that_leads_nowhere_is_no_end(root: Path) -> None:
    (root / "around").symlink_to("around")
    search = MediaSearch(System(str(root)), everything, "/around/x")
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    search.stop()
    assert "too many symbolic links" in search.tried[0][1]


def test_never_started_and_stopped_before_it_began(root: Path) -> None:
    search = MediaSearch(System(str(root)), everything, "/media")
    assert search.result(DEADLINE_S) is None and search.tried == []
    search.stop()
    search.start()
    assert search.result(DEADLINE_S) is None


def test_a_scratch_root_has_no_devices(tmp_path: Path) -> None:
    Sysfs(tmp_path).add("sr0", 100)
    system = System(str(tmp_path))
    search = MediaSearch(system, everything)
    search.start()
    assert search.result(DEADLINE_S) is None
    search.stop()
    assert system.skipped == ["looking for provisioning media on this machine's devices"]


def test_a_scripted_clock_moves_only_while_nothing_is_looked_at(root: Path) -> None:
    clock = ScriptedClock()
    search = MediaSearch(System(str(root), clock), everything, "/media")
    search.start()
    assert search.result(0.1) is not None
    search.stop()
    empty = MediaSearch(System(str(root), clock), everything, "/nothing")
    empty.start()
    began_s = clock.monotonic()
    assert empty.result(5.0) is None
    assert clock.monotonic() - began_s == pytest.approx(5.0)
    empty.stop()


# -- ejecting
# --------------------------------------------------------------------------------------------------


def test_only_a_drive_is_ejected(root: Path) -> None:
    system = System(str(root))
    assert eject(system, Medium("/media", b"", "")) == "/media is not an optical drive"
    assert eject(system, Medium("/dev/sr0", b"", "", optical=True)) == ""
    assert system.skipped == ["ejecting the provisioning media"]


def test_what_is_no_drive_says_so(root: Path) -> None:
    medium = Medium(str(root / "media" / "ovf-env.xml"), b"", "", optical=True)
    assert eject(System("/"), medium) == "not an optical drive"


# -- the reader
# --------------------------------------------------------------------------------------------------


def look(path: Any, limit_bytes: int = 1000) -> Any:
    try:
        return media_reader.look(str(path), limit_bytes, False)[0]
    except (media_reader.Nothing, OSError) as error:
        return str(error)


def test_names_in_a_directory(tmp_path: Path) -> None:
    assert look(tmp_path) == "it has no ovf-env.xml"
    (tmp_path / "xovf-env.xml").write_bytes(b"no")
    (tmp_path / "ovf-env.xml.bak").write_bytes(b"no")
    assert look(tmp_path) == "it has no ovf-env.xml"
    for name in ("OVF_ENV.XML;1", "OVF-ENV.XML", "Ovf-Env.xml", "ovf-env.xml"):
        (tmp_path / name).write_bytes(name.encode())
    assert look(tmp_path) == b"OVF-ENV.XML"
    (tmp_path / "OVF-ENV.XML").unlink()
    assert look(tmp_path) == b"ovf-env.xml"
    (tmp_path / "ovf-env.xml").unlink()
    assert look(tmp_path) in (b"OVF_ENV.XML;1", b"Ovf-Env.xml")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"not on the medium")
    document = tmp_path / "ovf-env.xml"
    document.symlink_to("secret")
    assert "symbolic links" in look(tmp_path)
    document.unlink()
    os.mkfifo(str(document))
    assert look(tmp_path) == "its ovf-env.xml is no regular file"
    document.unlink()
    document.mkdir()
    assert look(tmp_path) == "its ovf-env.xml is no regular file"
    os.mkfifo(str(tmp_path / "fifo"))
    assert look(tmp_path / "fifo") == "neither a block device, an image nor a directory"


def test_the_limit_is_exact(tmp_path: Path) -> None:
    (tmp_path / "ovf-env.xml").write_bytes(b"x" * 1000)
    assert look(tmp_path, 1000) == b"x" * 1000
    assert look(tmp_path, 999) == "its ovf-env.xml is larger than 999 bytes"


@pytest.mark.parametrize(
    "marks, kinds",
    [
        ([], []),
        ([b"CD001"], ["iso9660"]),
        ([b"BEA01", b"NSR02", b"TEA01"], ["udf"]),
        ([b"BEA01", b"NSR03"], ["udf"]),
        ([b"CD001", b"CD001", b"BEA01", b"NSR02"], ["udf", "iso9660"]),
        ([b"NSR09"], []),
        ([b""] * 63 + [b"NSR02"], ["udf"]),
        ([b""] * 64 + [b"NSR02"], []),
    ],
)
def test_marks_of_file_systems(tmp_path: Path, marks: List[bytes], kinds: List[str]) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(32768) + b"".join((b"\0" + mark).ljust(2048, b"\0") for mark in marks))
    assert media_reader.file_systems(str(image)) == kinds


def test_a_short_image_has_no_marks(tmp_path: Path) -> None:
    for length in (0, 100, 32768, 32770):
        (tmp_path / "image").write_bytes(bytes(length))
        assert look(tmp_path / "image") == "neither UDF nor ISO 9660 is on it"


def test_the_reader_has_an_end_of_its_own() -> None:
    """Should whoever started it be gone."""
    program = (
        "import sys, time; sys.path.insert(0, %r); from lightinit.host.media import reader; "
        "reader.main(['look', '/', '1', '0', '0']); time.sleep(3600)" % HERE
    )
    ended = subprocess.run(reader(program), stdout=subprocess.DEVNULL, timeout=DEADLINE_S)
    assert ended.returncode == -signal.SIGALRM
