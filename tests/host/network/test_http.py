"""The transport against a server that misbehaves, byte by byte, on the loopback interface."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Callable, List, Set
from urllib.parse import urlsplit

import pytest

from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError
from lightinit.host.clock import Clock
from lightinit.host.network.http import HttpTransport, Response
from lightinit.host.network.http_errors import RedirectError
from tests.lib.http_server import (
    DRIPS_S,
    LIMIT_S,
    OK,
    PATIENT_S,
    Conversation,
    Server,
    drips,
    floods,
    hangs,
    resets,
    says,
    with_time,
)
from tests.lib.netns import wait_until


class PatientTransport(HttpTransport):
    """Waits for what answers, however busy the machine is."""

    def request(self, *arguments: Any, **named: Any) -> Response:
        return super().request(*arguments, **{"timeout_s": PATIENT_S, **named})


def get(server: Server, **options: Any) -> Response:
    return PatientTransport(Clock()).request("GET", server.url, **options)


def test_a_plain_answer(serve: Callable[..., Server]) -> None:
    server = serve(
        says(b"HTTP/1.1 200 OK\r\nX-One: a\r\nx-one: b\r\nContent-Length: 5\r\n\r\nhello")
    )
    answer = get(server, headers={"Metadata": "true"})
    assert (answer.status, answer.body, answer.headers["x-one"]) == (200, b"hello", "a, b")
    assert answer.retry_after_s is None
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "GET /x HTTP/1.1"
    assert "Metadata: true" in lines and "Accept-Encoding: identity" in lines
    assert [line for line in lines if line.startswith("User-Agent: lightinit/")]
    names = {line.split(":")[0].lower() for line in lines[1:] if line}
    assert names == {"host", "user-agent", "accept-encoding", "metadata"}


@pytest.mark.parametrize("path", ["/a%2Db/c%5F1?comp=x&d=%2d#f", "/a_b/~c", "/%zz", "/a?b%20c"])
def test_the_url_is_sent_as_it_was_given(serve: Callable[..., Server], path: str) -> None:
    server = serve(says(OK))
    PatientTransport(Clock()).request(
        "GET", "http://127.0.0.1:%d%s" % (urlsplit(server.url).port or 80, path)
    )
    sent = server.requests[0].decode().split(" ")[1]
    # Of its escapes, only the case of hex digits is some libraries' own choice.
    assert sent.upper().replace("%25ZZ", "%ZZ") == path.partition("#")[0].upper()


def test_a_post(serve: Callable[..., Server]) -> None:
    server = serve(says(OK))
    PatientTransport(Clock()).request(
        "POST", server.url, {"Content-Type": "text/xml"}, b"<a/>", want_body=False
    )
    assert server.requests[0].startswith(b"POST /x ") and server.requests[0].endswith(
        b"\r\n\r\n<a/>"
    )


def test_the_connection_is_kept(serve: Callable[..., Server]) -> None:
    server = serve(says(OK))
    transport = PatientTransport(Clock())
    for want_body in (True, False, True):
        assert transport.request("GET", server.url, want_body=want_body).body == b"hello"
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_connection_is_opened_ahead_of_the_next_request(serve: Callable[..., Server]) -> None:
    closing = says(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), then_close=True)
    server = serve(closing)
    transport = PatientTransport(Clock())
    transport.connect_ahead(5.0)  # whereto?
    assert server.connections == 0
    for number in (1, 2):
        assert transport.request("GET", server.url).body == b"hello"
        transport.connect_ahead(5.0)
        transport.connect_ahead(5.0)  # one is enough
        wait_until(lambda: server.connections > number, 60, "no connection")  # noqa: B023
        assert server.connections == number + 1


def test_a_connection_that_cannot_be_opened_ahead_is_the_next_requests_trouble() -> None:
    listener = socket.socket()
    # No other test listens at this address, so nobody gets the port once it is closed.
    listener.bind(("127.0.0.2", 0))
    listener.listen(1)
    url = "http://127.0.0.2:%d/x" % listener.getsockname()[1]

    def answer_once() -> None:
        connection, _ = listener.accept()
        listener.close()
        connection.recv(65536)
        connection.sendall(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        connection.close()

    thread = threading.Thread(target=answer_once)
    thread.start()
    transport = PatientTransport(Clock())
    assert transport.request("GET", url).body == b"hello"
    thread.join()
    transport.connect_ahead(5.0)
    with pytest.raises(TransientError, match="connection refused"):
        transport.request("GET", url)


def test_a_kept_connection_is_not_opened_again(serve: Callable[..., Server]) -> None:
    server = serve(says(OK))
    transport = PatientTransport(Clock())
    for _ in range(2):
        assert transport.request("GET", server.url).body == b"hello"
        transport.connect_ahead(5.0)
    assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: identity\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    ],
    ids=["until it closes", "http 1.0", "chunked", "identity", "length said twice"],
)
def test_ways_to_say_hello(serve: Callable[..., Server], data: bytes) -> None:
    assert get(serve(says(data, then_close=True))).body == b"hello"


@pytest.mark.parametrize(
    "talk, kind, reason",
    [
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", True),
            TransientError,
            "answer was cut off",
        ),
        (
            says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", True),
            TransientError,
            "answer was cut off",
        ),
        (
            says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", True),
            TransientError,
            "answer was cut off",
        ),
        (says(b"", True), TransientError, "connection closed without an answer"),
        (resets, TransientError, "connection reset"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n", True), MalformedError, "answer is not http"),
        (
            says(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 300 + b"\r\n", True),
            MalformedError,
            "answer is not http",
        ),
        (floods(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 1000), MalformedError, "answer is not http"),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
            MalformedError,
            "answer is too large",
        ),
        (floods(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65536), MalformedError, "answer is too large"),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello", True),
            MalformedError,
            "answer .*(content-length|http)",
        ),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", True),
            MalformedError,
            "answer .*(content-length|http)",
        ),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", True),
            MalformedError,
            "bad content-length",
        ),
        (
            says(
                b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"
            ),
            RedirectError,
            r"answer is a redirect .*target=http://evil\.example/",
        ),
        (says(b"HTTP/1.1 304 Not Modified\r\n\r\n"), RedirectError, "answer is a redirect"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_an_error(
    serve: Callable[..., Server], talk: Conversation, kind: Any, reason: str
) -> None:
    server = serve(talk)
    with pytest.raises(kind, match=reason) as caught:
        get(server)
    assert caught.value.details["url"] == server.url
    assert "object at 0x" not in str(caught.value) and "Pool" not in str(caught.value)


def test_a_redirect_is_not_followed_nor_its_body_read(serve: Callable[..., Server]) -> None:
    other = serve(says(OK))
    server = serve(
        floods(b"HTTP/1.1 307 Moved\r\nLocation: " + other.url.encode() + b"\r\n\r\n", b"a" * 65536)
    )
    with pytest.raises(RedirectError, match="answer is a redirect"):
        get(server)
    assert other.connections == 0


def test_a_gzip_bomb_is_not_unpacked(serve: Callable[..., Server]) -> None:
    bomb = gzip.compress(b"\0" * 20000000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with pytest.raises(MalformedError, match="answer is compressed .*encoding=gzip"):
        get(serve(says(head + bomb)))


def test_a_limit_of_ones_own(serve: Callable[..., Server]) -> None:
    server = serve(says(OK))
    assert get(server, limit_bytes=5).body == b"hello"
    with pytest.raises(MalformedError, match="answer is too large"):
        get(server, limit_bytes=4)


@pytest.mark.parametrize(
    "talk",
    [
        hangs,
        drips(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nX-A: ", b"b"),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"b"),
        drips(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nb\r\n"),
    ],
    ids=["silence", "header lines", "one header", "body", "continue", "chunks"],
)
def test_the_time_limit_is_hard(serve: Callable[..., Server], talk: Conversation) -> None:
    for limit_s in (LIMIT_S, 4.0, 20.0):
        server = serve(talk, says(OK))
        transport = PatientTransport(Clock())
        started_s = time.monotonic()
        with pytest.raises(TransientError, match="request timed out .*after_s=%g" % limit_s):
            transport.request("GET", server.url, timeout_s=limit_s)
        assert limit_s * 0.9 < time.monotonic() - started_s < DRIPS_S
        if server.connections:  # else this machine was too busy even for that
            break
    assert transport.request("GET", server.url, timeout_s=PATIENT_S).body == b"hello"


@pytest.mark.parametrize(
    "talk",
    [
        floods(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        drips(b"HTTP/1.1 503 Busy\r\nContent-Length: 5000\r\n\r\n", b"b"),
    ],
    ids=["continue", "header lines", "an error's body"],
)
def test_a_request_that_was_given_up_leaves_no_thread_behind(
    serve: Callable[..., Server], talk: Conversation
) -> None:
    before = set(threading.enumerate())
    with contextlib.suppress(TransientError):
        get(serve(talk), timeout_s=LIMIT_S)
    wait_until(lambda: left_behind(before) == [], 60.0, "a thread is left behind")


def left_behind(before: Set[threading.Thread]) -> List[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread.name == "lightinit-request" and thread not in before
    ]


@pytest.mark.parametrize("code", [101, 102, 103])
def test_an_interim_answer_is_told_and_the_real_one_is_nobody_elses(
    serve: Callable[..., Server], code: int
) -> None:
    def late(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 %d Early\r\nLink: x\r\n\r\n" % code)
        time.sleep(0.1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")

    server = serve(late, says(OK))
    transport = PatientTransport(Clock())
    first = transport.request("POST", server.url, body=b"x", want_body=False)
    assert (first.status, first.body) == (code, b"")
    assert transport.request("GET", server.url).body == b"hello"
    assert server.connections == 2


def test_nobody_listens() -> None:
    probe = socket.socket()
    # Bound but not listening: nobody else gets the port, and it refuses.
    probe.bind(("127.0.0.1", 0))
    url = "http://127.0.0.1:%d/" % probe.getsockname()[1]
    with pytest.raises(TransientError) as caught:
        PatientTransport(Clock()).request("GET", url)
    assert (caught.value.reason, caught.value.details) == ("connection refused", {"url": url})
    probe.close()


def test_connecting_has_a_shorter_limit_than_the_answer() -> None:
    """P4: an answer may take a minute; whoever is there accepts a connection at once."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(4):  # more than the queue holds: the kernel drops what comes after
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(full.getsockname())
        waiting.append(client)
    transport = PatientTransport(Clock(), connect_timeout_s=0.3)
    with pytest.raises(TransientError, match="request timed out .*after_s=0.3") as caught:
        transport.request("GET", "http://127.0.0.1:%d/" % full.getsockname()[1], timeout_s=600.0)
    assert not caught.value.was_sent
    for each in [full, *waiting]:
        each.close()


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "file:///etc/passwd", "http://", "nonsense"])
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ProvisioningError, match="url is not usable"):
        PatientTransport(Clock()).request("GET", url, timeout_s=2.0)


@pytest.mark.parametrize(
    "talk, body",
    [
        (says(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"), b"busy"),
        (says(b"HTTP/1.1 503 Busy\r\nContent-Length: 400\r\n\r\nbusy", True), None),
        (floods(b"HTTP/1.1 503 Busy\r\n\r\n", b"a" * 65536), b"a" * 65536),
        (says(b"HTTP/1.1 503 Busy\r\nContent-Length: x\r\n\r\nbusy", True), b"busy"),
        (drips(b"HTTP/1.1 503 Busy\r\nContent-Length: 400\r\n\r\n", b"b"), b""),
    ],
    ids=["whole", "cut off", "endless", "bad length", "slow"],
)
def test_an_errors_status_counts_whatever_its_body_does(
    serve: Callable[..., Server], talk: Conversation, body: Any
) -> None:
    answer = with_time(lambda limit_s: get(serve(talk), timeout_s=limit_s))
    assert answer.status == 503
    assert body is None or answer.body == body


def test_a_status_that_says_all_needs_no_body(serve: Callable[..., Server]) -> None:
    server = serve(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n", b"b"))
    assert get(server, want_body=False).status == 200
    server = serve(says(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert get(server).body == b""


def closes(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def second(talk: Conversation) -> Conversation:
    """Answers the first request on a connection, and does with the second what it is told."""
    talks = [says(OK), talk]

    def converse(connection: socket.socket) -> None:
        talks.pop(0)(connection)

    return converse


@pytest.mark.parametrize("talk", [hangs, resets, closes, drips(b"HTTP/1.1 200", b" ")])
@pytest.mark.parametrize("kept", [False, True], ids=["new connection", "kept connection"])
@pytest.mark.parametrize("body", [None, b"<Health/>"])
def test_a_request_whose_answer_is_lost_was_sent(
    serve: Callable[..., Server], talk: Conversation, kept: bool, body: Any
) -> None:

    def ask(limit_s: float) -> Server:
        server, transport = serve(second(talk) if kept else talk), PatientTransport(Clock())
        if kept:
            transport.request("GET", server.url, timeout_s=PATIENT_S)
        with pytest.raises(TransientError) as caught:
            transport.request("POST", server.url, {}, body, timeout_s=limit_s)
        if not caught.value.was_sent:
            raise caught.value
        wait_until(lambda: server.connections, 60, "it has not heard of it")
        return server

    assert with_time(ask).connections == 1


def test_a_request_that_could_not_go_out_was_not_sent(serve: Callable[..., Server]) -> None:
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d/x" % listener.getsockname()[1]
        transport = PatientTransport(Clock())
        transport.request("GET", serve(says(OK)).url)
        with pytest.raises(TransientError, match="connection refused") as caught:
            transport.request("POST", url, {}, b"<Health/>")
        assert not caught.value.was_sent, "the one before was"
        listener.listen(1)  # whoever connects can send what the kernel buffers, and nobody reads
        with pytest.raises(TransientError) as caught:
            transport.request("POST", url, {}, b"x" * (64 << 20), timeout_s=LIMIT_S)
        assert not caught.value.was_sent, "only a part of it was"

        def ask(limit_s: float) -> None:
            with pytest.raises(TransientError) as caught:
                transport.request("POST", url, {}, b"<Health/>", timeout_s=limit_s)
            if not caught.value.was_sent:
                raise caught.value

        with_time(ask)


def test_random_answers_give_nothing_but_our_errors(serve: Callable[..., Server]) -> None:
    dice = random.Random(80)
    whole = (
        b"HTTP/1.1 200 OK\r\nRetry-After: 5\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )

    def garbage(connection: socket.socket) -> None:
        data = bytearray(whole if dice.random() < 0.5 else OK)
        for _ in range(dice.randint(1, 5)):
            data[dice.randrange(len(data))] = (
                dice.choice(b"\r\n\0:; 0-9aZ\xff") if dice.random() < 0.7 else 49
            )
        connection.sendall(bytes(data[: dice.randint(0, len(data) * 2)]))
        connection.shutdown(socket.SHUT_RDWR)

    server = serve(garbage)
    answered = 0
    for _ in range(250):
        try:
            answered += get(server, timeout_s=1.0).status > 0
        except LightinitError:
            continue
    assert answered > 10


def test_the_time_line(serve: Callable[..., Server]) -> None:
    told: List[Any] = []
    transport = PatientTransport(Clock(), lambda *event: told.append(event))
    server = serve(says(OK), resets)
    transport.request("GET", server.url)
    transport.request("GET", server.url)
    server = serve(resets)
    with pytest.raises(TransientError):
        transport.request("POST", server.url, body=b"x")
    (method, url, outcome, started_s, duration_s, size), _, failed = told
    assert (method, outcome, size) == ("GET", "200", 5)
    assert (
        url.endswith("/x")
        and time.monotonic() - 60 < started_s <= time.monotonic()
        and 0 <= duration_s < 60
    )
    assert failed[:3] == ("POST", server.url, "connection reset") and failed[5] == 0


def test_retry_after_is_in_the_answer(serve: Callable[..., Server]) -> None:
    answer = get(
        serve(says(b"HTTP/1.1 429 Slow down\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"))
    )
    assert (answer.status, answer.retry_after_s) == (429, 7.0)


def test_proxies_and_netrc_of_the_environment_are_ignored(
    serve: Callable[..., Server], tmp_path: Any
) -> None:
    proxy, server = (
        serve(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")),
        serve(says(OK)),
    )
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    at = proxy.url[:-2]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "http_proxy": at,
        "HTTP_PROXY": at,
        "ALL_PROXY": at,
        "all_proxy": at,
        "no_proxy": "",
    }
    code = (
        "import sys; from lightinit.host.clock import Clock;"
        " from lightinit.host.network.http import HttpTransport; "
        "print(HttpTransport(Clock()).request('GET', sys.argv[1]).body.decode())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, server.url],
        env=environment,
        stdout=subprocess.PIPE,
        cwd=os.path.dirname(
            os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        ),
        check=True,
    )
    assert said.stdout == b"hello\n"
    assert proxy.connections == 0
    assert b"authorization" not in server.requests[0].lower()


def test_cookies_are_not_sent_back(serve: Callable[..., Server]) -> None:
    server = serve(
        says(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 5\r\n\r\nhello")
    )
    transport = PatientTransport(Clock())
    transport.request("GET", server.url)
    transport.request("GET", server.url)
    assert b"cookie" not in server.requests[1].lower()
