"""The module phone_home: what it posts, how often, and what it tells of a failure."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple
from urllib.parse import parse_qs

import pytest

from lightinit.errors import LightinitError, MalformedError, ProvisioningError, TransientError
from lightinit.host.system import System
from lightinit.model import Instance, Outcome
from lightinit.modules import phone_home
from tests.lib.http_server import Server, says
from tests.lib.scratch import ScriptedClock
from tests.lib.stand_in import LiveRoot
from tests.lib.transport import middle

INSTANCE = Instance("the-id", "azure", ("web-1",))
TAKEN = says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", then_close=True)
REFUSED = says(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", then_close=True)


@pytest.fixture
def serve() -> Iterator[Any]:
    servers: List[Server] = []

    def make(*conversations: Any) -> Server:
        servers.append(Server(*conversations))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def call(system: System, **given: Any) -> Outcome:
    settings = phone_home.from_cloud_config({"phone_home": given})
    return phone_home.apply(INSTANCE, system, settings)


def form_of(server: Server) -> Dict[str, List[str]]:
    return parse_qs(server.requests[0].partition(b"\r\n\r\n")[2].decode("ascii"))


def test_all_is_posted(tmp_path: Any, serve: Any) -> None:
    system, server = LiveRoot(tmp_path), serve(TAKEN)
    system.write("/etc/ssh/ssh_host_ed25519_key.pub", b"ssh-ed25519 AAAA+/= root@web-1\n")
    system.write("/etc/hosts", b"127.0.0.1 localhost\n10.0.0.4 web-1.example.org web-1 # x\n")
    outcome = call(system, url=server.url + "/$INSTANCE_ID/${INSTANCE_ID}?$x", tries=3)
    assert server.requests[0].startswith(b"POST /x/the-id/the-id?$x HTTP/1.1\r\n")
    assert form_of(server) == {
        "pub_key_dsa": ["N/A"],
        "pub_key_rsa": ["N/A"],
        "pub_key_ecdsa": ["N/A"],
        "pub_key_ed25519": ["ssh-ed25519 AAAA+/= root@web-1\n"],
        "instance_id": ["the-id"],
        "hostname": ["web-1"],
        "fqdn": ["web-1.example.org"],
    }
    assert outcome == Outcome("taken at attempt 1")


def test_the_document_knows_its_domain(tmp_path: Any, serve: Any) -> None:
    """/etc/hosts has it only if lightinit may write there."""
    for fqdn, posted in (
        ("web-1.example.net", "web-1.example.net"),
        ("other.example.net", "web-1"),
    ):
        system, server = LiveRoot(tmp_path), serve(TAKEN)
        values = {"phone_home": {"url": server.url, "post": ["fqdn"]}, "fqdn": fqdn}
        phone_home.apply(INSTANCE, system, phone_home.from_cloud_config(values))
        assert form_of(server) == {"fqdn": [posted]}


def test_only_what_is_named_is_posted(tmp_path: Any, serve: Any) -> None:
    server = serve(TAKEN)
    outcome = call(LiveRoot(tmp_path), url=server.url, post=["fqdn", "instance_id", "secrets"])
    assert form_of(server) == {"fqdn": ["web-1"], "instance_id": ["the-id"]}
    assert outcome == Outcome("taken at attempt 1")


def test_what_is_named_and_not_known_is_told(tmp_path: Any, serve: Any) -> None:
    server = serve(TAKEN)
    outcome = call(LiveRoot(tmp_path), url=server.url, post=["pub_key_rsa", "fqdn"])
    assert form_of(server) == {"pub_key_rsa": ["N/A"], "fqdn": ["web-1"]}
    assert outcome.warnings == ("not known, so N/A is sent: pub_key_rsa",)


def test_a_failure_is_a_warning_without_the_url(tmp_path: Any, serve: Any, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    outcome = call(LiveRoot(tmp_path), url=serve(REFUSED).url + "/SECRET?SECRET", post=["fqdn"])
    assert outcome.message == "not taken"
    assert outcome.warnings[0].startswith("nobody was told: post failed (url=http://127.0.0.1:")
    assert "SECRET" not in "".join(outcome.warnings) + caplog.text


@pytest.mark.parametrize("url", ["file:///etc/shadow", "", "ftp://x/", "$x"])
def test_a_url_that_is_none(tmp_path: Any, url: str) -> None:
    assert call(LiveRoot(tmp_path), url=url).skipped


def test_a_scratch_root_is_left_out(tmp_path: Any, serve: Any) -> None:
    server, system = serve(TAKEN), System(tmp_path)
    assert call(system, url=server.url).skipped
    assert not server.requests and system.skipped == ["phone_home"]


# -- attempts
# --------------------------------------------------------------------------------------------------


def post(*steps: Any, tries: int = 10) -> Tuple[Any, List[float], ScriptedClock]:
    """(how it went, the limits in seconds, the clock)"""
    clock, todo, limits = ScriptedClock(), list(steps), []  # type: Any, List[Any], List[float]

    def send(url: str, form: bytes, timeout_s: float) -> None:
        limits.append(timeout_s)
        step = todo.pop(0) if len(todo) > 1 else todo[0]
        if isinstance(step, float):
            clock.now_s += step
            raise TransientError("request timed out")
        if isinstance(step, LightinitError):
            raise step

    found = phone_home.post_often(send, "http://x/", b"", tries, clock, middle)
    return found, limits, clock


BUSY, GARBLED = TransientError("post failed", status=503), MalformedError("answer is not http")


def test_it_is_tried_again_with_pauses() -> None:
    found, limits, clock = post(BUSY, GARBLED, BUSY, None)
    assert found == phone_home.Attempts(4)
    assert clock.sleeps == [3.0, 4.5, 6.75]
    assert limits == [30.0] * 4


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_not_more_often_than_asked(tries: int) -> None:
    assert post(BUSY, BUSY, BUSY, None, tries=tries)[0] == phone_home.Attempts(tries, BUSY)


def test_a_refusal_is_not_repeated() -> None:
    with pytest.raises(ProvisioningError) as failure:
        post(ProvisioningError("server's certificate is not trusted"), None)
    assert "attempts" not in failure.value.details


def test_a_server_that_hangs_does_not_hold_the_boot_up_for_ever() -> None:
    with pytest.raises(ProvisioningError) as failure:
        post(30.0, tries=100)
    assert float(failure.value.details["elapsed_s"]) <= 330.0
    assert failure.value.reason == "request timed out"
