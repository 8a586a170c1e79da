"""Downloads of #include, from a real server that misbehaves."""

from __future__ import annotations

import gzip
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError
from lightinit.host.network.download import Downloader, show_url
from tests.lib.http_server import (
    OK,
    PATIENT_S,
    Conversation,
    Server,
    drips,
    floods,
    hangs,
    resets,
    says,
)


@pytest.fixture
def serve() -> Iterator[Any]:
    servers: List[Server] = []

    def make(*conversations: Conversation) -> Server:
        servers.append(Server(*conversations))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def moved(target: str, status: int = 302) -> Conversation:
    head = "HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, target)
    return says(head.encode(), then_close=True)


def fails(url: str, timeout_s: float = PATIENT_S, tls: Any = None) -> LightinitError:
    with pytest.raises(LightinitError) as raised:
        Downloader(tls).get(url, timeout_s, 1000)
    assert "SECRET" not in str(raised.value)
    return raised.value


def test_a_body_and_the_query_that_is_asked_for(serve: Any) -> None:
    server = serve(says(OK))
    assert Downloader().get(server.url + "?sig=a%2Fb", PATIENT_S, 5) == b"hello"
    assert server.requests[0].startswith(b"GET /x?sig=a%2Fb HTTP/1.1\r\n")


def packed(data: bytes, encoding: str = "gzip") -> Conversation:
    head = "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    return says((head % (encoding, len(data))).encode() + data)


def test_a_login_in_the_url_and_an_answer_that_is_packed_all_the_same(serve: Any) -> None:
    server = serve(packed(gzip.compress(b"hel") + gzip.compress(b"lo")))  # RFC 1952: members
    url = server.url.replace("://", "://me:p%40ss@")
    assert Downloader().get(url, PATIENT_S, 1000) == b"hello"
    assert b"\r\nAuthorization: Basic bWU6cEBzcw==" in server.requests[0]  # me:p@ss
    last = serve(says(OK))
    Downloader().get(serve(moved(last.url)).url.replace("://", "://me:p@"), PATIENT_S, 1000)
    assert b"Authorization" not in last.requests[0], "another server gets no password"
    assert show_url("http://me:p@[::1]:8/x?y") == "http://[::1]:8/x"


def test_redirects_are_followed(serve: Any) -> None:
    last = serve(says(OK))
    first = serve(moved("/other", 301), moved(last.url, 307))
    assert Downloader().get(first.url, PATIENT_S, 1000) == b"hello"
    assert [request.split()[1] for request in first.requests] == [b"/x", b"/other"]


def test_redirects_without_end(serve: Any) -> None:
    server = serve(moved("/x"))
    assert fails(server.url).reason == "download was redirected too often"
    assert len(server.requests) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://[", "ftp://x/", "http://a b/"])
def test_a_redirect_to_what_is_no_web_page(serve: Any, target: str) -> None:
    assert fails(serve(moved(target)).url).reason == "url is not usable"


@pytest.mark.parametrize(
    "talk, kind, reason",
    [
        (
            says(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
            ProvisioningError,
            "download failed",
        ),
        (says(b"HTTP/1.1 204 No\r\n\r\n"), ProvisioningError, "download failed"),
        (says(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), TransientError, "download failed"),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", True),
            TransientError,
            "cut off",
        ),
        (says(b"hello\r\n\r\n", True), MalformedError, "answer is not http"),
        (floods(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 999), MalformedError, "answer is too large"),
        (packed(b"hello"), MalformedError, "answer is compressed"),
        (packed(b"hello", "br"), MalformedError, "answer is compressed"),
        (packed(gzip.compress(b"x" * 2000)), MalformedError, "answer is too large"),
        (packed(gzip.compress(b"hello")[:-9]), TransientError, "cut off"),
        (resets, TransientError, "connection reset"),
        (hangs, TransientError, "request timed out"),
        (drips(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), TransientError, "request timed out"),
        (drips(b"HTTP/1.1 200 OK\r\nA: ", b"x"), TransientError, "request timed out"),
        (drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), TransientError, "request timed out"),
    ],
)
def test_what_goes_wrong(serve: Any, talk: Conversation, kind: type, reason: str) -> None:
    """Its kind says whether trying again may help."""
    limit_s = 1.0 if "timed out" in reason else PATIENT_S
    error = fails(serve(talk).url + "?sig=SECRET", limit_s)
    assert type(error) is kind and reason in error.reason


@pytest.mark.parametrize(
    "url", ["file:///etc/shadow", "/x", "http://", "http://x y/", "https://a:x/", "http://é/", ""]
)
def test_urls_that_are_not_usable(url: str) -> None:
    assert fails(url).reason == "url is not usable"


def test_user_and_password_are_not_told() -> None:
    assert "127.0.0.1:9/p" in str(fails("http://me:SECRET@127.0.0.1:9/p?SECRET#SECRET"))


class TlsServer(Server):
    """The same over TLS."""

    def __init__(self, tls: ssl.SSLContext, *conversations: Conversation) -> None:
        self._tls = tls
        super().__init__(*conversations)
        self.url = self.url.replace("http:", "https:")

    def _talk(self, connection: Any, talk: Conversation) -> None:
        try:
            super()._talk(self._tls.wrap_socket(connection, server_side=True), talk)
        except OSError:  # the client does not trust it
            connection.close()


def make_certificate(tmp_path: Path) -> ssl.SSLContext:
    if shutil.which("openssl") is None:
        pytest.skip("not installed here: openssl")
    certificate, key = str(tmp_path / "certificate"), str(tmp_path / "key")
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", key, "-out", certificate]
    subprocess.run([*request.split(), *names, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls


def test_https_is_checked(tmp_path: Path, serve: Any) -> None:
    tls, plain = make_certificate(tmp_path), serve(says(OK))
    server = TlsServer(tls, says(OK, then_close=True))
    leading_away = TlsServer(tls, moved(plain.url))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate"))
    try:
        assert Downloader(trusting).get(server.url, PATIENT_S, 1000) == b"hello"
        assert fails(server.url).reason == "server's certificate is not trusted"
        reason = fails(leading_away.url, tls=trusting).reason
        assert reason == "download was redirected away from https"
    finally:
        server.close()
        leading_away.close()
    assert not plain.requests


# -- posts
# --------------------------------------------------------------------------------------------------


def answers(status: int, headers: str = "") -> Conversation:
    head = "HTTP/1.1 %d X\r\n%sContent-Length: 0\r\n\r\n" % (status, headers)
    return says(head.encode(), then_close=True)


def post_fails(url: str, timeout_s: float = PATIENT_S, tls: Any = None) -> LightinitError:
    with pytest.raises(LightinitError) as raised:
        Downloader(tls).post(url, b"a=b", timeout_s)
    assert "SECRET" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("status", [200, 202, 204, 303])
def test_a_form_is_posted(serve: Any, status: int) -> None:
    server = serve(answers(status, "Location: /elsewhere\r\n"))
    url = server.url.replace("://", "://me:p%40ss@") + "?token=SECRET"
    Downloader().post(url, b"a=b+c&d=%0A", PATIENT_S)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /x?token=SECRET HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in head + b"\r\n"
    assert b"\r\nAuthorization: Basic bWU6cEBzcw==" in head  # me:p@ss
    assert (body, len(server.requests)) == (b"a=b+c&d=%0A", 1)


def test_a_redirect_that_keeps_the_form_is_followed(serve: Any) -> None:
    last = serve(answers(200))
    Downloader().post(serve(moved(last.url, 308)).url, b"a=b", PATIENT_S)
    assert last.requests[0].endswith(b"\r\n\r\na=b")
    assert b"Authorization" not in last.requests[0]


@pytest.mark.parametrize("status", [301, 302])
def test_a_redirect_that_loses_the_form_is_told(serve: Any, status: int) -> None:
    last = serve(answers(200))
    error = post_fails(serve(moved(last.url + "/SECRET", status)).url)
    assert error.reason == "post was redirected without its form"
    assert error.details["to"] == last.url[:-1] + "..."
    assert not last.requests


@pytest.mark.parametrize(
    "talk, kind, reason",
    [
        (answers(404), TransientError, "post failed"),
        (answers(503), TransientError, "post failed"),
        (answers(401), ProvisioningError, "post failed"),
        (answers(405), ProvisioningError, "post failed"),
        (moved("file:///SECRET", 307), ProvisioningError, "url is not usable"),
        (says(b"SSH-2.0-x\r\n", True), MalformedError, "not http"),
        (resets, TransientError, "connection reset"),
    ],
)
def test_a_post_that_fails(serve: Any, talk: Any, kind: Any, reason: str) -> None:
    error = post_fails(serve(talk).url + "/SECRET")
    assert isinstance(error, kind) and reason in error.reason


def test_a_busy_server_says_when_to_try_again(serve: Any) -> None:
    error = post_fails(serve(answers(503, "Retry-After: 7\r\n")).url)
    assert isinstance(error, TransientError) and error.retry_after_s == 7.0


def test_a_post_that_hangs_is_given_up(serve: Any) -> None:
    error = post_fails(serve(hangs).url + "/SECRET", 0.5)
    assert isinstance(error, TransientError) and error.reason == "request timed out"


@pytest.mark.parametrize(
    "url", ["file:///SECRET", "http://", "http://a b/SECRET", "http://x:SECRET/"]
)
def test_what_nobody_can_be_posted_to(url: str) -> None:
    assert post_fails(url).reason == "url is not usable"


def test_a_post_over_https_is_checked(tmp_path: Path) -> None:
    server = TlsServer(make_certificate(tmp_path), answers(200))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate"))
    try:
        Downloader(trusting).post(server.url, b"a=b", PATIENT_S)
        assert post_fails(server.url + "/SECRET").reason == "server's certificate is not trusted"
    finally:
        server.close()
    assert len(server.requests) == 1
