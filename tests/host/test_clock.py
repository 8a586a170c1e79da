"""What is done beside other work is done all the same where no further thread can be had."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any, List

import pytest

from lightinit.datasources.azure.documents import WholeDocumentQuestion
from lightinit.datasources.azure.imds_client import Fetched
from lightinit.datasources.azure.reports import GoalStateReading
from lightinit.host.clock import run_within
from tests.lib.http_server import OK, Server, drips, says
from tests.lib.scratch import HERE

# Bytes that come too slowly for any timeout of a socket, with a length and without one.
SLOW = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


def test_requests_without_a_thread_end_in_time(tmp_path: Any) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "ovf-env.xml").write_bytes(b"<document/>")
    servers = [Server(drips(SLOW, b"x")), Server(drips(ENDLESS, b"x")), Server(says(OK))]
    try:
        ended = subprocess.run(
            [sys.executable, HERE + "/tests/lib/without_threads.py", str(tmp_path)]
            + [each.url for each in servers],
            stdout=subprocess.PIPE,
            check=True,
        )
    finally:
        for each in servers:
            each.close()
    told = json.loads(ended.stdout)
    media, command = told.pop("media"), told.pop("command")
    if told.pop("how") == "RLIMIT_NPROC":  # there can be no further process, too
        assert media == "it cannot be looked at: [Errno 11] Resource temporarily unavailable"
        assert command == "command cannot be startedno further process"
    else:
        assert media == "/media"
    assert told == {
        "http slow": "request timed out",
        "download slow": "request timed out",
        "http endless": "request timed out",
        "download endless": "request timed out",
        "http good": "b'hello'",
        "download good": "b'hello'",
    }


def test_outside_the_main_thread_there_is_no_alarm() -> None:
    done: List[int] = []
    thread = threading.Thread(target=lambda: run_within(0.0, lambda: done.append(1), done.clear))
    thread.start()
    thread.join(20.0)
    assert done == [1]


class Answers:
    """A client of IMDS and the WireServer whose answers are there at once."""

    def __init__(self) -> None:
        self.asked: List[str] = []

    def fetch_document(self) -> Fetched:
        """A whole document."""
        self.asked.append("document")
        return Fetched({"compute": {}}, "2021-02-01")

    def fetch_goal_state(self, check: Any, _idle: Any) -> str:
        """Anything."""
        check()
        self.asked.append("goal state")
        return "goal state"


def test_an_errand_without_a_thread_is_done_once_when_it_is_wanted() -> None:
    answers: Any = Answers()
    question = WholeDocumentQuestion(answers)  # as if begin() had found no thread
    assert not question.is_answered and question.wait(0.0) and question.wait(0.0)
    reading = GoalStateReading(answers, 0, 60.0)
    assert reading.result_of_fetch(0.0) is None and answers.asked == ["document"]
    assert str(reading.result_of_fetch()) == str(reading.result_of_fetch()) == "goal state"
    assert answers.asked == ["document", "goal state"]
    assert reading.finish()


@pytest.mark.parametrize("has_asked", [False, True])
def test_no_report_waits_for_a_thread_that_never_was(has_asked: bool) -> None:
    answers: Any = Answers()
    reading = GoalStateReading(answers, None, 600.0)
    if has_asked:
        reading.result_of_fetch()
    assert reading.finish()
