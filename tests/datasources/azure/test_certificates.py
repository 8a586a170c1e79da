"""Fetching certificates: what is asked, what is asked again, and what ends it. The bundles are made
by the real openssl.
"""

from __future__ import annotations

import base64
from typing import Any, List

import pytest

from lightinit.datasources.azure.certificates import fetch_certificates
from lightinit.errors import MalformedError, ProvisioningError, TransientError
from lightinit.formats.certificates.transport_pair import TransportPair
from lightinit.host.network.http import Response
from lightinit.model import GoalState
from tests.lib.bundles import Desk, needs_openssl
from tests.lib.transport import GOAL_STATE, Sent, ok, status
from tests.lib.wireserver import HEADERS, make

URL = "http://10.1.2.3:80/machine/c%2D1/role%5F0?comp=certificates&incarnation=1"
GOAL = GoalState("1", "container-1", "role-1", certificates_url=URL)
FILE = (
    b"<CertificateFile><Version/><Incarnation>1</Incarnation>"
    b"<Format>%s</Format><Data>%s</Data></CertificateFile>"
)
NO_CERTIFICATES = ok(FILE % (b"Other", b""))
NEW_GOAL = (GOAL_STATE % 2).replace(
    b"</InstanceId>",
    b"</InstanceId><Configuration><Certificates>%s</Certificates></Configuration>"
    % URL.replace("incarnation=1", "incarnation=2").replace("&", "&amp;").encode(),
)


def asked(transport: Any) -> List[str]:
    return [
        sent.headers.get("x-ms-cipher-name", sent.url.partition("?")[2]) for sent in transport.sent
    ]


class Platform:
    """Encrypts to the certificate that a request brings, as the WireServer does."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        desk.make_pair("one")

    def bundle(self, sent: Sent, *options: str) -> bytes:
        recipient = TransportPair(
            base64.b64decode(sent.headers["x-ms-guest-agent-public-x509-cert"]), b"", b"", b"", None
        )
        return self.desk.encrypt(self.desk.pkcs12("one"), recipient, *options)

    def gives(self, sent: Sent) -> Response:
        cipher = {"AES128_CBC": "-aes128", "DES_EDE3_CBC": "-des3"}[
            sent.headers["x-ms-cipher-name"]
        ]
        return ok(
            FILE
            % (b"Pkcs7BlobWithPfxContents", base64.encodebytes(self.bundle(sent, cipher, "-keyid")))
        )

    def garbles(self, sent: Sent) -> Response:
        return ok(FILE % (b"", base64.b64encode(self.bundle(sent)[:-1])))


@pytest.fixture
def platform(tmp_path: Any) -> Platform:
    return Platform(Desk(tmp_path))


@needs_openssl
def test_what_is_asked_and_what_comes_of_it(platform: Platform) -> None:
    client, transport, clock = make(platform.gives)
    assert fetch_certificates(client, GOAL, clock.time()) == (platform.desk.expected("one"),)
    assert [(sent.method, sent.url, sent.body) for sent in transport.sent] == [("GET", URL, None)]
    headers = dict(transport.sent[0].headers)
    header = headers.pop("x-ms-guest-agent-public-x509-cert")
    assert (
        headers == dict(HEADERS, **{"x-ms-cipher-name": "AES128_CBC"})
        and header.isprintable()
        and " " not in header
    )
    assert clock.sleeps == []


@needs_openssl
@pytest.mark.parametrize("code", [400, 406, 415, 500, 501])
def test_the_other_cipher_where_one_is_refused(platform: Platform, code: int) -> None:
    client, transport, clock = make(status(code), platform.gives)
    assert fetch_certificates(client, GOAL, 0.0) == (platform.desk.expected("one"),)
    assert (asked(transport), clock.sleeps) == (["AES128_CBC", "DES_EDE3_CBC"], [])


@needs_openssl
def test_the_other_cipher_where_one_cannot_be_opened(platform: Platform) -> None:
    client, transport, clock = make(platform.garbles, platform.gives)
    assert fetch_certificates(client, GOAL, 0.0) == (platform.desk.expected("one"),)
    assert (asked(transport), clock.sleeps) == (["AES128_CBC", "DES_EDE3_CBC"], [])
    assert len({sent.headers["x-ms-guest-agent-public-x509-cert"] for sent in transport.sent}) == 1


@needs_openssl
def test_neither_can_be_opened(platform: Platform) -> None:
    client, transport, clock = make(platform.garbles)
    with pytest.raises(
        ProvisioningError, match="certificate data are damaged .*why=ends too early"
    ):
        fetch_certificates(client, GOAL, 0.0)
    assert asked(transport) == ["AES128_CBC", "DES_EDE3_CBC"]


@needs_openssl
@pytest.mark.parametrize(
    "passing",
    [
        status(403),
        status(404),
        status(410),
        TransientError("request timed out"),
        ok(b"<html>"),
        MalformedError("answer is a redirect"),
        ok(FILE % (b"", b"???")),
    ],
    ids=str,
)
def test_what_passes_is_asked_again_with_a_new_goal_state(platform: Platform, passing: Any) -> None:
    client, transport, clock = make(passing, ok(NEW_GOAL), platform.gives)
    assert fetch_certificates(client, GOAL, 0.0) == (platform.desk.expected("one"),)
    assert (asked(transport), clock.sleeps) == (
        ["AES128_CBC", "comp=goalstate", "AES128_CBC"],
        [1.0],
    )
    assert [sent.url for sent in transport.sent][2] == URL.replace("incarnation=1", "incarnation=2")


@needs_openssl
@pytest.mark.parametrize("busy, pause_s", [(429, 10.0), (503, 1.5)])
def test_after_a_throttled_attempt_the_goal_state_is_not_asked_for_again(
    platform: Platform, busy: int, pause_s: float
) -> None:
    """P11: of a server that takes one request a second, the goal state would use up each one."""
    client, transport, clock = make(status(busy), platform.gives)
    assert fetch_certificates(client, GOAL, 0.0) == (platform.desk.expected("one"),)
    assert (asked(transport), clock.sleeps) == (["AES128_CBC", "AES128_CBC"], [pause_s])


@needs_openssl
def test_after_a_throttled_second_cipher_the_next_attempt_begins_with_it(
    platform: Platform,
) -> None:
    """P11: the refusal of the first cipher would use up each second of such a server."""
    client, transport, clock = make(status(400), status(429), platform.gives)
    assert fetch_certificates(client, GOAL, 0.0) == (platform.desk.expected("one"),)
    assert asked(transport) == ["AES128_CBC", "DES_EDE3_CBC", "DES_EDE3_CBC"]


def make_quietly(*steps: Any) -> Any:
    pytest.importorskip("cryptography")
    return make(*steps)


def test_a_server_that_refuses_for_good() -> None:
    client, transport, clock = make_quietly(status(400))
    with pytest.raises(ProvisioningError, match="wireserver refused the request .*status=400"):
        fetch_certificates(client, GOAL, 0.0)
    assert (asked(transport), clock.sleeps) == (["AES128_CBC", "DES_EDE3_CBC"], [])
    client, transport, clock = make_quietly(status(401))
    with pytest.raises(ProvisioningError, match="wireserver refused the request .*status=401"):
        fetch_certificates(client, GOAL, 0.0)
    assert asked(transport) == ["AES128_CBC"]


def test_a_server_that_is_never_ready() -> None:
    client, transport, clock = make_quietly(
        lambda sent: ok(NEW_GOAL) if "goalstate" in sent.url else status(503)
    )
    with pytest.raises(ProvisioningError, match="wireserver is not ready .*status=503"):
        fetch_certificates(client, GOAL, 0.0)
    assert 90.0 < sum(clock.sleeps) <= 100.0


def test_none_to_be_had() -> None:
    client, transport, clock = make_quietly(NO_CERTIFICATES)
    assert fetch_certificates(client, GOAL, 0.0) == ()
    assert asked(transport) == ["AES128_CBC"]
    client, transport, clock = make_quietly(status(410), ok(GOAL_STATE % 2))
    assert fetch_certificates(client, GOAL, 0.0) == ()
    assert asked(transport) == ["AES128_CBC", "comp=goalstate"]
    client, transport, clock = make_quietly(NO_CERTIFICATES)
    assert fetch_certificates(client, GoalState("1", "c", "r"), 0.0) == ()
    assert transport.sent == []


@pytest.mark.parametrize(
    "url",
    ["http://10.1.2.4/machine", "https://10.1.2.3/machine", "http://10.1.2.3:81/", "file:///etc"],
)
def test_no_other_server_is_asked(url: str) -> None:
    client, transport, clock = make_quietly(NO_CERTIFICATES)
    with pytest.raises(ProvisioningError, match="certificates url is not the wireserver's"):
        fetch_certificates(client, GoalState("1", "c", "r", certificates_url=url), 0.0)
    assert transport.sent == [] and clock.sleeps == []
