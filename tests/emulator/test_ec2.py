"""The emulated metadata service of EC2 is as strict as the documentation."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.emulator.ec2.platform import Ec2
from lightinit.emulator.ec2.service import MetadataService
from lightinit.emulator.errors import EmulatorError
from lightinit.emulator.wire.messages import Request
from tests.emulator.wire import ask

PUT = {"X-aws-ec2-metadata-token-ttl-seconds": "21600", "Content-Length": "0"}
TOKEN = "X-aws-ec2-metadata-token"
PLACE = "/latest/api/token"


def test_tokens(tmp_path: Any) -> None:
    with Ec2() as platform:
        to = platform.endpoint
        for text in ("0", "21601", "-1", "x", "", "1.5"):
            assert ask(to, "PUT", PLACE, dict(PUT, **{list(PUT)[0]: text})).status == 400, text
        assert ask(to, "PUT", PLACE, {"Content-Length": "0"}).status == 400
        assert ask(to, "PUT", PLACE, dict(PUT, **{"X-Forwarded-For": "10.0.0.1"})).status == 403
        assert ask(to, "GET", PLACE, {}).status == 405
        token = ask(to, "PUT", PLACE, PUT).body.decode()
        value = "/latest/meta-data/instance-id"
        assert ask(to, "GET", value, {}).status == 401
        assert ask(to, "GET", value, {TOKEN: "wrong"}).status == 401
        assert ask(to, "PUT", value, dict(PUT, **{TOKEN: token})).status == 405
        assert ask(to, "GET", value, {TOKEN: token}).body == b"i-0598c7d356eba48d7"
    for kind, status in (("optional", 200), ("none", 200), ("off", 403)):
        with Ec2(tokens=kind) as platform:
            assert ask(platform.endpoint, "GET", value, {}).status == status
            assert ask(platform.endpoint, "GET", value, {TOKEN: "x"}).status == (
                401 if kind == "optional" else status
            )
            got = ask(platform.endpoint, "PUT", PLACE, PUT).status
            assert got == {"optional": 200, "none": 405, "off": 403}[kind]


def test_a_token_ends_with_its_lifetime_or_its_number_of_requests() -> None:
    now_s = [0.0]
    service = MetadataService({}, expire_after=2, clock=lambda: now_s[0])

    def get(method: str, path: str, headers: Dict[str, str]) -> Any:
        named = {name.lower(): value for name, value in headers.items()}
        return service.answer(Request(method, path, path, (), named, b"", True, "", "", 0, 0))

    for pause_s, statuses in ((0.0, [200, 200, 401]), (59.0, [200]), (60.0, [401])):
        token = get("PUT", PLACE, dict(PUT, **{list(PUT)[0]: "60"})).body.joined().decode()
        now_s[0] += pause_s
        for status in statuses:
            assert get("GET", "/latest/meta-data/", {TOKEN: token}).status == status


def test_the_tree() -> None:
    given = {"meta-data": {"mac": None, "tags": {"instance": {"Name": "web"}}}, "user-data": "hi"}
    with Ec2(given, tokens="none") as platform:

        def body(path: str) -> str:
            reply = ask(platform.endpoint, "GET", path, {})
            return reply.body.decode() if reply.status == 200 else str(reply.status)

        assert body("/").split()[-1] == "latest" and body("/2009-04-04/user-data") == "hi"
        assert body("/latest/") == "dynamic/\nmeta-data/\nuser-data"
        top = body("/latest/meta-data/").split()
        assert "placement/" in top and "tags/" in top and "mac" not in top
        assert body("/latest/meta-data/public-keys/") == "0=my-key"
        assert body("/latest/meta-data/public-keys/0/") == "openssh-key"
        assert body("/latest/meta-data/public-keys/0/openssh-key").startswith("ssh-ed25519 ")
        assert '"region": "eu-central-1"' in body("/latest/dynamic/instance-identity/document")
        for path in (
            "/2009-04-04/meta-data/tags/instance/Name",
            "/2009-04-04/meta-data/placement/region",
            "/2031-01-01/meta-data/",
            "/latest/meta-data/public-keys/1/openssh-key",
            "/latest/meta-data/instance-id/",
            "/latest/meta-data/nothing",
            "/latest/meta-data/public-keys/x",
        ):
            assert body(path) == "404", path
        platform.become({})
        assert body("/latest/user-data") == "404"


def test_faults_and_what_is_not_valid() -> None:
    with Ec2(faults={"user-data": [{"status": 500}]}, tokens="none") as platform:
        assert ask(platform.endpoint, "GET", "/latest/user-data", {}).status == 500
        assert ask(platform.endpoint, "GET", "/latest/user-data", {}).status == 404
        assert [each["verdict"] for each in platform.requests] == ["faulted", "refused"]
    for options, said in (
        ({"faults": {"imds": []}}, "no endpoint 'imds'"),
        ({"tokens": "maybe"}, "no kind of tokens 'maybe'"),
        ({"instance": {"userdata": ""}}, "'userdata' is something else"),
    ):
        arguments: Any = options
        with pytest.raises(EmulatorError, match=said):
            Ec2(**arguments)
