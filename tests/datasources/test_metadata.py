"""The client of metadata services: what is asked again, what is an answer, and what errors say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Type

import pytest

from lightinit.datasources.metadata import (
    DeniedError,
    MetadataClient,
    NotFoundError,
    show_service,
)
from lightinit.errors import MalformedError, ProvisioningError, TransientError
from lightinit.host.network.http import Response
from lightinit.host.system import System
from tests.lib.http_server import OK, Server, says
from tests.lib.scratch import ScriptedClock
from tests.lib.transport import FakeTransport, Step, ok, status

PAGE = Response(200, {"content-type": "text/html"}, b"\n<!DOCTYPE html><title>Log in</title>")


def a_client(root: Path, *steps: Step) -> Any:
    transport: Any = FakeTransport(*steps)
    system = System(str(root), clock=ScriptedClock())
    return MetadataClient(system, "169.254.169.254", transport=transport)


def test_a_service_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    busy: List[Step] = [
        status(503),
        status(429, 3.0),
        TransientError("request timed out"),
        TransientError("connection refused"),
        MalformedError("answer is not http"),
    ]
    client = a_client(tmp_path, *busy, ok(b"i-1"))
    assert client.get("/latest/meta-data/instance-id", {"A": "b"}) == b"i-1"
    sent = client.transport.sent
    assert len(sent) == 6 and {each.method for each in sent} == {"GET"}
    assert sent[-1].url == "http://169.254.169.254/latest/meta-data/instance-id"
    assert sent[-1].headers == {"A": "b"} and sent[-1].body is None
    assert a_client(tmp_path, ok(b"t")).put("/latest/api/token") == b"t"


@pytest.mark.parametrize(
    "answer, kind, reason",
    [
        (status(404), NotFoundError, "metadata service has no such value"),
        (status(401), DeniedError, "metadata service denies access .*status=401"),
        (status(403), DeniedError, "metadata service denies access .*status=403"),
        (status(400), ProvisioningError, "metadata service refused the request .*status=400"),
        (status(206), ProvisioningError, "metadata service refused the request .*status=206"),
        (PAGE, ProvisioningError, "metadata answer is a web page"),
    ],
)
def test_an_answer_that_says_no_is_not_asked_for_again(
    tmp_path: Path, answer: Response, kind: Type[ProvisioningError], reason: str
) -> None:
    client = a_client(tmp_path, answer)
    with pytest.raises(kind, match=reason) as caught:
        client.get("/x")
    assert caught.value.details["url"] == "http://169.254.169.254/x"
    assert "check" in caught.value.details["hint"] or "curl" in caught.value.details["hint"]
    assert len(client.transport.sent) == 1


def test_a_service_that_stays_silent_ends_at_the_deadline_with_what_to_check(
    tmp_path: Path,
) -> None:
    client = a_client(tmp_path, TransientError("request timed out", url="http://x/"))
    with pytest.raises(ProvisioningError, match="request timed out .*firewall.*ip route") as caught:
        client.get("/x", deadline_s=20.0)
    assert 15.0 < float(caught.value.details["elapsed_s"]) <= 20.0
    client = a_client(tmp_path, MalformedError("answer is a redirect", target="http://login/"))
    with pytest.raises(ProvisioningError, match="answer is a redirect .*http://login/"):
        client.get("/x")
    assert len(client.transport.sent) < 10


def test_values_that_old_services_call_html_are_values(tmp_path: Path) -> None:
    plain = Response(200, {"content-type": "text/html; charset=UTF-8"}, b"i-00000001")
    assert a_client(tmp_path, plain).get("/x") == b"i-00000001"


def test_over_a_real_connection(tmp_path: Path) -> None:
    server = Server(says(OK))
    told: List[str] = []
    try:
        client = MetadataClient(
            System(str(tmp_path)),
            server.url[len("http://") : -2],
            on_request=lambda method, url, how, *rest: told.append("%s %s" % (method, how)),
            timeout_s=20.0,
        )
        assert client.put("/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    finally:
        server.close()
    request = server.requests[0].lower()
    assert request.startswith(b"put /latest/api/token http/1.1\r\n")
    assert b"\r\ncontent-length: 0\r\n" in request and b"metadata-token-ttl-seconds: 60" in request
    assert told == ["PUT 200"]


def test_a_service_is_shown_without_the_usual_port() -> None:
    for endpoint, shown in (("192.0.2.1:80", "192.0.2.1"), ("192.0.2.1:8080", "192.0.2.1:8080")):
        assert show_service(endpoint) == "http://" + shown
