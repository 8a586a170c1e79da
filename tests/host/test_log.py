"""The log: readable on a console, with priorities in the journal, never in the way, never driven by
what it tells.
"""

from __future__ import annotations

import io
import logging
import os
import pty
import subprocess
import sys
from typing import Any, Iterator

import pytest

from lightinit.errors import RefusedError
from lightinit.host import log
from lightinit.host.files.lock import Lock
from lightinit.host.system import System
from lightinit.state import StatusFile
from tests.lib.scratch import HERE

SAY = (
    "import sys; sys.path.insert(0, %r)\n"
    "import logging\nfrom lightinit.host import log\nfrom lightinit.host.system import System\n"
    "log.start(System(sys.argv[1]), 'info', '')\n"
    "logging.getLogger('lightinit.x').info('fine')\nlogging.getLogger('lightinit.x').error('bad')\n"
    % HERE
)


@pytest.fixture(autouse=True)
def stopped() -> Iterator[None]:
    yield
    log.stop()


def say(level: int, text: str) -> None:
    logging.getLogger("lightinit.test").log(level, text)


def test_console_and_file(tmp_path: Any) -> None:
    console = io.StringIO()
    log.start(System(str(tmp_path)), "info", "/var/log/x.log", console)
    say(logging.DEBUG, "too much")
    say(logging.INFO, "as it should be")
    say(logging.ERROR, "not as it should be")
    log.stop()
    lines = console.getvalue().splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "as it should be",
        "error: not as it should be",
    ]
    with open(str(tmp_path) + "/var/log/x.log", encoding="utf-8") as handle:
        written = handle.read().splitlines()
    assert len(written) == 2
    assert written[1].endswith(" ERROR lightinit.test: not as it should be")
    assert os.stat(str(tmp_path) + "/var/log/x.log").st_mode & 0o777 == 0o640


def test_a_thread_that_logs_on_writes_into_no_other_file(tmp_path: Any) -> None:
    """A request that was given up may log after the log was closed, whose number is reused."""
    handler = log.LogFile(os.open(str(tmp_path / "log"), os.O_WRONLY | os.O_CREAT))
    handler.close()
    other = os.open(str(tmp_path / "other"), os.O_WRONLY | os.O_CREAT)
    handler.handle(logging.makeLogRecord({"msg": "late"}))
    handler.close()
    os.close(other)
    assert (tmp_path / "log").read_bytes() == (tmp_path / "other").read_bytes() == b""


def test_what_came_from_outside_cannot_drive_the_terminal(tmp_path: Any) -> None:
    console = io.StringIO()
    log.start(System(str(tmp_path)), "info", "", console)
    say(logging.INFO, "a\x1b[31mb\nlightinit [0.0] forged\r\u202e\udc80")
    (line,) = console.getvalue().splitlines()
    assert line.endswith("a\\x1b[31mb\\nlightinit [0.0] forged\\r\\u202e\\udc80")


def test_a_console_that_only_knows_ascii(tmp_path: Any) -> None:
    raw = io.BytesIO()
    log.start(
        System(str(tmp_path)),
        "info",
        "",
        io.TextIOWrapper(raw, encoding="ascii", write_through=True),
    )
    say(logging.INFO, "caf\u00e9")
    say(logging.INFO, "after")
    assert b"after" in raw.getvalue()
    assert b"caf" in raw.getvalue()


@pytest.mark.parametrize("place", ["/dir", "/fifo", "/link"])
def test_a_log_file_that_cannot_be_is_told_and_left(tmp_path: Any, place: str) -> None:
    os.mkdir(str(tmp_path) + "/dir")
    os.mkfifo(str(tmp_path) + "/fifo")
    os.symlink("/nowhere/at/all", str(tmp_path) + "/link")
    os.mkdir(str(tmp_path) + "/nowhere")
    with open(str(tmp_path) + "/nowhere/at", "w", encoding="utf-8"):
        pass
    console = io.StringIO()
    log.start(System(str(tmp_path)), "info", place, console)
    say(logging.INFO, "still here")
    assert "no log file" in console.getvalue() and "still here" in console.getvalue()


def test_a_console_that_is_gone_is_no_reason_to_stop(tmp_path: Any) -> None:
    console = io.StringIO()
    log.start(System(str(tmp_path)), "info", "/x.log", console)
    console.close()
    say(logging.INFO, "to the file alone")
    with open(str(tmp_path) + "/x.log", encoding="utf-8") as handle:
        assert "to the file alone" in handle.read()


@pytest.mark.parametrize("what", ["link", "link to a link", "hard link", "fifo", "device"])
def test_the_log_opens_nothing_but_a_file_of_its_own(tmp_path: Any, what: str) -> None:
    """Whoever may write to the log's folder chooses no file for root to write to."""
    other = tmp_path / "other"
    other.write_text("theirs\n")
    place = tmp_path / "x.log"
    if what == "link":
        place.symlink_to("other")
    elif what == "link to a link":
        (tmp_path / "between").symlink_to("nowhere")
        place.symlink_to("between")
    elif what == "hard link":
        os.link(str(other), str(place))
    elif what == "fifo":
        os.mkfifo(str(place))
    else:
        os.symlink("/dev/null", str(place))
    console = io.StringIO()
    log.start(System(str(tmp_path)), "info", "/x.log", console)
    say(logging.INFO, "to the console alone")
    log.stop()
    assert "no log file: /x.log: " in console.getvalue()
    assert other.read_text() == "theirs\n" and not (tmp_path / "nowhere").exists()
    assert "to the console alone" in console.getvalue()


@pytest.mark.parametrize("name", ["/run/lightinit/status.json", "/run/lightinit/lock"])
def test_nor_do_its_other_files(tmp_path: Any, name: str) -> None:
    """A link in the place of one of lightinit's own files is replaced or refused."""
    other = tmp_path / "other"
    other.write_text("theirs\n")
    place = tmp_path / name[1:]
    place.parent.mkdir(parents=True)
    place.symlink_to("/other")
    system = System(str(tmp_path))
    if name.endswith("lock"):
        try:
            Lock(system, name).take("test")
        except RefusedError:
            pass
    else:
        StatusFile(system, {}).update(status="running")
        assert not place.is_symlink() and "running" in place.read_text()
    assert other.read_text() == "theirs\n"


def test_colour_on_a_terminal_and_nowhere_else(tmp_path: Any) -> None:
    ours, theirs = pty.openpty()
    env = dict(os.environ, TERM="xterm")
    env.pop("NO_COLOR", None)
    env.pop("JOURNAL_STREAM", None)
    subprocess.run([sys.executable, "-c", SAY, str(tmp_path)], stderr=theirs, check=True, env=env)
    os.close(theirs)
    text = os.read(ours, 4096)
    os.close(ours)
    assert b"\x1b[31merror: bad\x1b[0m" in text
    assert b"fine" in text and text.count(b"\x1b") == 2
    piped = subprocess.run(
        [sys.executable, "-c", SAY, str(tmp_path)], stderr=subprocess.PIPE, check=True, env=env
    )
    assert b"\x1b" not in piped.stderr and b"error: bad" in piped.stderr


def test_priorities_in_the_journal(tmp_path: Any) -> None:
    reading, writing = os.pipe()
    found = os.fstat(writing)
    env = dict(os.environ, JOURNAL_STREAM="%d:%d" % (found.st_dev, found.st_ino))
    subprocess.run([sys.executable, "-c", SAY, str(tmp_path)], stderr=writing, check=True, env=env)
    os.close(writing)
    assert os.read(reading, 4096) == b"<6>fine\n<3>bad\n"
    os.close(reading)
