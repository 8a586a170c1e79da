"""The search for provisioning media, without devices: when it looks, and what answers mean."""

from __future__ import annotations

import re
import sys
import threading
import time
from pathlib import Path
from typing import List

import pytest

from lightinit.host.media import search as media
from lightinit.host.media.devices import Candidate
from lightinit.host.media.search import MediaSearch, Medium, eject
from lightinit.host.system import System
from tests.lib.netns import wait_until
from tests.lib.scratch import ScriptedClock
from tests.lib.scripts import is_alive
from tests.lib.sysfs import Sysfs

DEADLINE_S = 60.0
NAMES = ("ovf-env.xml",)
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


# -- the search
# --------------------------------------------------------------------------------------------------


def test_a_directory_below_the_root(root: Path) -> None:
    search = MediaSearch(System(str(root)), NAMES, everything, "/media")
    search.start()
    medium = search.result(DEADLINE_S)
    search.stop()
    assert medium == Medium("/media", b"<document/>", "from the directory")
    assert search.tried == []


def test_a_document_never_shows_in_a_repr(root: Path) -> None:
    assert "document" not in repr(Medium("/dev/sr0", b"<document/>", "x"))


def test_media_that_come_late(root: Path) -> None:
    search = MediaSearch(System(str(root)), NAMES, everything, "/late")
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
        NAMES,
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

    search = MediaSearch(System(str(root)), NAMES, accept, find=lambda: held)
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
            NAMES,
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
    for _ in range(5):  # on a busy machine, the drive's head start may be over too soon
        search = MediaSearch(
            System(str(root)),
            NAMES,
            everything,
            command=reader(slow),
            find=lambda: [Candidate("/dev/sr0", True), Candidate("/dev/vdb", False)],
        )
        search.start()
        medium = search.result(DEADLINE_S)
        search.stop()
        if medium == Medium("/dev/sr0", b"0", "by test"):
            return
    raise AssertionError("the drive never goes first")


@pytest.mark.parametrize(
    "program, why",
    [
        ("", "the reader ended without an answer (status 0)"),
        ("raise SystemExit(3)", "the reader ended without an answer (status 3)"),
        (SAYS % "found\t100\t0\tby test\nshort", "the reader ended without an answer (status 0)"),
        (SAYS % "found\tmany\t0\tby test\n", "the reader ended without an answer (status 0)"),
        (SAYS % "rubbish", "the reader ended without an answer (status 0)"),
        (SAYS % "rubbish\n\n\n", "the reader ended without an answer (status 0)"),
        (SAYS % "nothing\t0\t1\t0\tfor a reason\n", "for a reason"),
    ],
)
def test_an_answer_is_whole_or_none(root: Path, program: str, why: str) -> None:
    search = MediaSearch(System(str(root)), NAMES, everything, "/dev/sr0", command=reader(program))
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    search.stop()
    assert search.tried == [("/dev/sr0", why)]


def test_a_device_that_hangs_is_given_up_and_not_tried_again(root: Path) -> None:
    note = root / "started"
    program = "open(%r, 'a').write('x'); %s" % (str(note), HANGS)
    for limit_s in (2, 20):  # if the reader did not even start in time
        search = MediaSearch(
            System(str(root)),
            NAMES,
            everything,
            "/dev/sr0",
            look_limit_s=limit_s,
            command=reader(program),
        )
        search.start()
        while not search.tried:
            assert search.result(0.01) is None
        assert search.tried == [("/dev/sr0", "it did not answer within %d s" % limit_s)]
        if note.exists():
            break
    assert search.result(3.0) is None
    search.stop()
    assert len(note.read_text()) == 1


def test_a_device_that_hung_is_not_tried_again_when_its_size_changes_either(root: Path) -> None:
    note = root / "started"
    for limit_s in (2, 20):
        held = [Candidate("/dev/sr0", True, "1")]
        search = MediaSearch(
            System(str(root)),
            NAMES,
            everything,
            look_limit_s=limit_s,
            find=lambda: held,  # noqa: B023
            command=reader("open(%r, 'a').write('x'); %s" % (str(note), HANGS)),
        )
        search.start()
        while not search.tried:
            assert search.result(0.01) is None
        if note.exists():
            break
    held[0] = Candidate("/dev/sr0", True, "2")
    assert search.result(1.5) is None
    search.stop()
    assert note.read_text() == "x"


def test_a_device_that_has_not_answered_when_nobody_waits_any_more_is_told(root: Path) -> None:
    note = root / "begun"
    hangs = reader("open(%r, 'w'); %s" % (str(note), HANGS))
    search = MediaSearch(System(str(root)), NAMES, everything, "/dev/sr0", command=hangs)
    search.start()
    while not note.exists():  # its time counts from then on at the latest
        assert search.result(0.01) is None
    assert search.result(media.SLOW_S) is None and search.troubles == []
    search.stop()
    assert search.result(DEADLINE_S) is None  # once its thread has ended, however late
    ((device, why),) = search.troubles
    assert device == "/dev/sr0" and re.fullmatch(r"it did not answer within \d+\.\d s", why)


def test_a_device_that_has_just_come_is_not_told_of(root: Path) -> None:
    for _ in range(20):
        came_s = time.monotonic()
        search = MediaSearch(
            System(str(root)), NAMES, everything, "/dev/sr0", command=reader(HANGS)
        )
        search.start()
        assert search.result(0.1) is None
        search.stop()
        if time.monotonic() < came_s + media.SLOW_S:  # and this machine was not too busy
            break
    assert search.troubles == []


def test_stopping_ends_what_is_under_way(root: Path) -> None:
    note = root / "pid"
    program = "import os; open(%r, 'w').write(str(os.getpid())); %s" % (str(note), HANGS)
    search = MediaSearch(
        System(str(root)), NAMES, everything, "/dev/sr0", look_limit_s=3600, command=reader(program)
    )
    search.start()
    while not (note.exists() and note.read_text()):
        assert search.result(0.01) is None
    search.stop()
    search.stop()
    assert search.result(DEADLINE_S) is None, "it is over, so nobody waits"
    wait_until(lambda: not is_alive(int(note.read_text())), 60, "its reader goes on")
    wait_until(
        lambda: "lightinit-media" not in [thread.name for thread in threading.enumerate()],
        60,
        "its thread goes on",
    )


def test_without_a_reader(root: Path) -> None:
    search = MediaSearch(
        System(str(root)), NAMES, everything, "/media", command=["/nonexistent/python"]
    )
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    search.stop()
    assert "it cannot be looked at" in search.tried[0][1]


def test_a_path_that_leads_nowhere_is_no_end(root: Path) -> None:
    (root / "around").symlink_to("around")
    search = MediaSearch(System(str(root)), NAMES, everything, "/around/x")
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    search.stop()
    assert "too many symbolic links" in search.tried[0][1]


def test_never_started_and_stopped_before_it_began(root: Path) -> None:
    search = MediaSearch(System(str(root)), NAMES, everything, "/media")
    assert search.result(DEADLINE_S) is None and search.tried == []
    search.stop()
    search.start()
    assert search.result(DEADLINE_S) is None


def test_a_scratch_root_has_no_devices(tmp_path: Path) -> None:
    Sysfs(tmp_path).add("sr0", 100)
    system = System(str(tmp_path))
    search = MediaSearch(system, NAMES, everything)
    search.start()
    assert search.result(DEADLINE_S) is None
    search.stop()
    assert system.skipped == ["looking for provisioning media on this machine's devices"]


def test_a_scripted_clock_moves_only_while_nothing_is_looked_at(root: Path) -> None:
    clock = ScriptedClock()
    search = MediaSearch(System(str(root), clock), NAMES, everything, "/media")
    search.start()
    assert search.result(0.1) is not None
    search.stop()
    empty = MediaSearch(System(str(root), clock), NAMES, everything, "/nothing")
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


def test_only_what_may_be_the_media_is_told(root: Path) -> None:
    program = (
        "import sys; name = sys.argv[2][-1]; "
        "sys.stdout.write('nothing\\t0\\t0\\t%d\\tNo medium found\\n' % (name == 'a'))"
    )
    search = MediaSearch(
        System(str(root)),
        NAMES,
        everything,
        command=reader(program),
        find=lambda: [Candidate("/dev/sda", False), Candidate("/dev/sdb", False)],
    )
    search.start()
    while len(search.tried) < 2:
        assert search.result(0.01) is None
    search.stop()
    assert search.troubles == [("/dev/sdb", "No medium found")], "the words do not decide"


def test_a_document_that_is_not_accepted_is_harmless(root: Path) -> None:
    search = MediaSearch(System(str(root)), NAMES, lambda data: False, "/media")
    search.start()
    while not search.tried:
        assert search.result(0.01) is None
    search.stop()
    assert search.troubles == []
