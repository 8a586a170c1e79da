"""The transport of the standard library alone keeps the promises of the one over requests: each
conversation ends as it does there.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import subprocess
import sys
import threading
from typing import Any, Callable, List, Type

import pytest

from lightinit.emulator import Platform
from lightinit.errors import LightinitError, TransientError
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport
from lightinit.host.network.plain_http import PlainTransport
from tests.lib.http_server import (
    LIMIT_S,
    OK,
    PATIENT_S,
    Server,
    drips,
    floods,
    hangs,
    resets,
    says,
)
from tests.lib.scratch import HERE

HEAD = b"HTTP/1.1 200 OK\r\n"
CONVERSATIONS = {
    "a body": says(OK),
    "until it closes": says(HEAD + b"\r\nhello", True),
    "chunked": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    "chunks cut off": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhello", True),
    "cut off": says(HEAD + b"Content-Length: 9\r\n\r\nhello", True),
    "no number": says(HEAD + b"Content-Length: x\r\n\r\nhello", True),
    "too large": says(HEAD + b"Content-Length: 99999999\r\n\r\nhello"),
    "endless": floods(HEAD + b"\r\n", b"a" * 65536),
    "compressed": says(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello"), True),
    "redirect": says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
    "no content": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "interim": says(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK),
    "busy": says(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy"),
    "busy without end": floods(b"HTTP/1.1 503 Busy\r\n\r\n", b"a" * 65536),
    "busy and slow": drips(b"HTTP/1.1 503 Busy\r\nContent-Length: 400\r\n\r\n", b"b"),
    "not http": says(b"SSH-2.0-OpenSSH_9.2\r\n", True),
    "too many headers": says(HEAD + b"X-A: b\r\n" * 500 + b"\r\n"),
    "silence": hangs,
    "slow headers": drips(HEAD, b"X-A: b\r\n"),
    "slow body": drips(HEAD + b"Content-Length: 5000\r\n\r\n", b"b"),
    "continue": drips(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "reset": resets,
}


def outcome(kind: Type[HttpTransport], server: Server, timeout_s: float) -> List[Any]:
    """What a request ends in: an answer, or an error."""
    try:
        answer = kind(Clock()).request("GET", server.url, timeout_s=timeout_s)
    except LightinitError as error:
        return [type(error), error.reason, getattr(error, "was_sent", None)]
    return [answer.status, answer.body, answer.retry_after_s]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_it_ends_as_over_requests(serve: Callable[..., Server], name: str) -> None:
    never_ends = "slow" in name or name in ("silence", "continue")
    for limit_s in (LIMIT_S, 4.0, 20.0) if never_ends else (PATIENT_S,):  # more if it is busy here
        ends, requests = [], 0
        for kind in (HttpTransport, PlainTransport):
            server = serve(CONVERSATIONS[name])
            ends.append(outcome(kind, server, limit_s))
            requests += len(server.requests)
        if (ends[0], requests) == (ends[1], 2):
            break
    assert (ends[0], requests) == (ends[1], 2)


def test_what_is_sent(serve: Callable[..., Server]) -> None:
    server = serve(says(OK))
    transport = PlainTransport(Clock())
    for _ in range(2):
        url = server.url.replace("/x", "/a%2Db/c%5F1?comp=x&d=%2d")
        transport.request("POST", url, {"Content-Type": "text/xml"}, b"<a/>", want_body=False)
    head, _, body = server.requests[1].decode().partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "POST /a%2Db/c%5F1?comp=x&d=%2d HTTP/1.1" and body == "<a/>"
    assert {"Content-Type: text/xml", "Content-Length: 4", "Connection: close"} <= set(lines)


class Late:
    """An adapter whose thread stands still, from its second request on, until it may begin."""

    def __init__(self, adapter: Any, may_begin: threading.Event) -> None:
        self._adapter, self._may_begin, self._requests = adapter, may_begin, 0

    def send(self, *arguments: Any, **named: Any) -> Any:
        self._requests += 1
        if self._requests > 1:
            assert self._may_begin.wait(60)
        return self._adapter.send(*arguments, **named)


@pytest.mark.parametrize("kind", [HttpTransport, PlainTransport])
def test_a_request_that_begins_after_it_was_given_up_is_not_sent(
    serve: Callable[..., Server], kind: Type[HttpTransport]
) -> None:
    """On a busy machine a thread may lag by seconds. Then the result may be reported already, and
    what was true before it must not come after it.
    """
    may_begin, before = threading.Event(), set(threading.enumerate())

    class Lagging(kind):  # type: ignore[misc, valid-type]
        def new_adapter(self, wire: Any) -> Any:
            return Late(super().new_adapter(wire), may_begin)

    server, transport = serve(says(OK)), Lagging(Clock())
    for limit_s, body in ((PATIENT_S, b"first"), (0.05, b"late")):
        with contextlib.suppress(TransientError):
            transport.request("POST", server.url, {}, body, timeout_s=limit_s)
    late = [each for each in threading.enumerate() if each not in before]
    may_begin.set()
    for thread in late:
        if thread.name == "lightinit-request":
            thread.join(60)
    transport.request("POST", server.url, {}, b"third", timeout_s=PATIENT_S)
    assert [each.rpartition(b"\n")[2] for each in server.requests] == [b"first", b"third"]


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "file:///etc/passwd", "http://", "nonsense", "http://a/\r\nX: y"],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(LightinitError, match="url is not usable"):
        PlainTransport(Clock()).request("GET", url, timeout_s=PATIENT_S)


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        # Bound but not listening: nobody else gets the port, and it refuses.
        probe.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d/" % probe.getsockname()[1]
        with pytest.raises(TransientError, match="connection refused") as caught:
            PlainTransport(Clock()).request("POST", url, {}, b"x", timeout_s=PATIENT_S)
        assert not caught.value.was_sent


def test_it_imports_nothing_but_pythons_own() -> None:
    """N3: a whole request, and neither requests nor anything of it is loaded."""
    script = (
        "import sys; sys.path.insert(0, %r)\n"
        "from lightinit.host.clock import Clock\n"
        "from lightinit.host.network.plain_http import PlainTransport\n"
        "url = 'http://' + sys.argv[1] + '/machine?comp=goalstate'\n"
        "found = PlainTransport(Clock()).request('GET', url, {'x-ms-version': '2012-11-30'})\n"
        "assert b'<GoalState' in found.body, found\n"
        "print([name for name in ('requests', 'urllib3', 'idna') if name in sys.modules])\n" % HERE
    )
    with Platform() as platform:
        said = subprocess.run(
            [sys.executable, "-I", "-c", script, platform.wireserver],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
    assert said == b"[]\n"
