"""The datasource ec2 against the emulator: sessions, old services, faults, signs."""

from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any, Dict, List

import pytest

from lightinit.datasources.ec2.datasource import Ec2Datasource
from lightinit.datasources.ec2.sign import find_sign
from lightinit.datasources.signs import Evidence
from lightinit.emulator.ec2.platform import Ec2
from lightinit.emulator.ec2.tree import KEY, META_DATA
from lightinit.errors import ProvisioningError
from lightinit.host.identity import Dmi
from lightinit.host.system import System
from tests.lib.http_server import Server
from tests.lib.tiny_platform import OwnClock

PAGE = {"body": "<!doctype html>", "headers": {"Content-Type": "text/html"}}
HANGS = {"hang_s": 30, "repeat": "forever"}


def a_source(root: Path, platform: Ec2, **options: Any) -> Ec2Datasource:
    # Answers are waited for as long as a busy machine takes; the pauses between are none.
    options = dict({"endpoint": platform.endpoint, "request_timeout_s": 60.0}, **options)
    return Ec2Datasource(System(str(root), clock=OwnClock()), options)


def paths(platform: Ec2) -> List[str]:
    return ["%s %s" % (each["method"], each["path"]) for each in platform.requests]


def test_all_values_come_with_one_token(tmp_path: Path) -> None:
    given = {"meta-data": {"tags": {"instance": {"Name": "web"}}}, "user-data": b"#!/bin/sh\n\xff"}
    with Ec2(given) as platform:
        made, warnings = a_source(tmp_path, platform).fetch("id-1")
    assert (made.id, made.platform, made.vm_id) == ("id-1", "ec2", META_DATA["instance-id"])
    assert [key.text for key in made.public_keys] == [KEY] and made.admin is None
    assert made.hostnames[1:] == (META_DATA["local-hostname"],) and made.tags == {"Name": "web"}
    assert base64.b64decode(made.user_data) == b"#!/bin/sh\n\xff" and warnings == ()
    found = made.raw["meta_data"]
    assert found["block-device-mapping"]["ebs2"] == "sdb" and found["public-keys"]["my-key"] == KEY
    assert found["network"]["interfaces"]["macs"][META_DATA["mac"]]["device-number"] == "0"
    assert "security-credentials" not in str(found) and "emulated" not in str(made.raw)
    asked = paths(platform)
    assert asked[0] == "PUT /latest/api/token" and asked.count(asked[0]) == 1
    # The keys come right after the id.
    assert asked.index("GET /2021-03-23/meta-data/public-keys/0/openssh-key") == 5
    assert not [each for each in asked if "credentials" in each]
    assert {each["status"] for each in platform.requests} == {200}


def test_a_token_that_expires_is_renewed(tmp_path: Path) -> None:
    with Ec2({"user-data": "x"}, expire_after=3) as platform:
        made, warnings = a_source(tmp_path, platform).fetch("id-1")
    statuses = [each["status"] for each in platform.requests]
    assert made.public_keys and made.user_data and warnings == ()
    assert statuses.count(401) == paths(platform).count("PUT /latest/api/token") - 1 > 3
    refused = {"meta-data": [{"status": 401, "repeat": "forever"}]}
    with Ec2(faults=refused) as platform:
        with pytest.raises(ProvisioningError, match="metadata service denies access .*status=401"):
            a_source(tmp_path, platform).fetch("id-1")
    assert len(platform.requests) == 4  # once with a new token, and no more


def test_an_old_service_is_asked_only_if_the_settings_allow_it(tmp_path: Path) -> None:
    for faults in ({}, {"token": [{"status": 501, "repeat": "forever"}]}):
        with Ec2(tokens="none", faults=faults) as platform:
            with pytest.raises(ProvisioningError, match="gives no tokens .*set imdsv1 = yes"):
                a_source(tmp_path, platform).fetch("id-1")
            made, warnings = a_source(tmp_path, platform, imdsv1=True).fetch("id-1")
        assert made.public_keys and "asked without one, as imdsv1 = yes" in warnings[0]
        assert len(warnings) == 1
    # One that wants tokens after all gets its token, also with that setting.
    with Ec2(faults={"token": [{"status": 404}]}) as platform:
        made, _ = a_source(tmp_path, platform, imdsv1=True).fetch("id-1")
    assert made.public_keys and paths(platform).count("PUT /latest/api/token") == 2


@pytest.mark.parametrize(
    "tokens, faults, limits, said",
    [
        ("off", {}, {}, "denies access .*method=PUT, status=403.*options"),
        ("required", {"token": [PAGE]}, {}, "metadata answer is a web page .*captive portal"),
        ("required", {"token": [{"body": "two words"}]}, {}, "metadata token is not usable"),
        (
            "required",
            {"token": [HANGS]},
            {"request_timeout_s": 0.5, "fetch_timeout_s": 10.0},
            "request timed out .*api/token.*hop limit",
        ),
        (
            "required",
            {"meta-data": [{"redirect": "http://login.example/", "repeat": "forever"}]},
            {},
            "answer is a redirect .*target=http://login.example/",
        ),
        (
            "required",
            {"meta-data": [{"status": 404, "repeat": "forever"}]},
            {},
            "metadata service has no such value .*instance-id",
        ),
        (
            "required",
            {"meta-data": [dict(PAGE, repeat="forever")]},
            {},
            "metadata answer is a web page .*/2021-03-23/",
        ),
        (
            "required",
            {"meta-data": [{"body": " ", "repeat": "forever"}]},
            {},
            "instance id is unknown .*empty instance-id",
        ),
        (
            "required",
            {"meta-data": [{"body_base64": "/w==", "repeat": "forever"}]},
            {},
            "metadata value is not text .*instance-id",
        ),
        (
            "required",
            {"meta-data": [{"body": "i-1"}, {"status": 404}, {"body_base64": "/w=="}]},
            {},
            "metadata value is not text",
        ),
    ],
)
def test_what_is_no_metadata_is_told(
    tmp_path: Path, tokens: str, faults: Dict[str, Any], limits: Dict[str, float], said: str
) -> None:
    with Ec2(tokens=tokens, faults=faults) as platform:
        with pytest.raises(ProvisioningError, match=said):
            a_source(tmp_path, platform, **limits).fetch("id-1")


def test_what_only_helps_costs_nobody_the_login(tmp_path: Path) -> None:
    bad = {"status": 403, "repeat": "forever"}
    with Ec2({"user-data": "x"}, faults={"user-data": [bad]}) as platform:
        made, warnings = a_source(tmp_path, platform).fetch("id-1")
    assert made.public_keys and not made.user_data
    assert "user data could not be fetched" in warnings[0]
    # instance-id, the list, instance-id, the keys' list, the key; then nothing.
    good = [{"delay_s": 0}] * 5
    with Ec2(faults={"meta-data": good + [bad]}) as platform:
        made, warnings = a_source(tmp_path, platform).fetch("id-1")
    assert made.public_keys and "metadata are cut at local-hostname" in warnings[0]
    endless = {str(number): {"x": "y"} for number in range(450)}
    with Ec2({"meta-data": {"tags": {"instance": endless}}}) as platform:
        made, warnings = a_source(tmp_path, platform).fetch("id-1")
    assert made.public_keys and "there are too many" in warnings[0]
    assert len(platform.requests) < 420


def test_older_versions_and_the_instance_id(tmp_path: Path) -> None:
    with Ec2(faults={"meta-data": [{"status": 404}]}) as platform:
        source = a_source(tmp_path, platform)
        assert source.ask_instance_id() == (META_DATA["instance-id"], ())
        made, _ = source.fetch(META_DATA["instance-id"])
        assert "region" not in made.raw["meta_data"]["placement"]
        assert made.location == "eu-central-1"
        asked = paths(platform)
        assert asked.count("GET /2009-04-04/meta-data/instance-id") == 2  # itself, and the tree's
        made, warnings = a_source(tmp_path, platform).fetch("i-0123456789abcdef0")
    assert "may be that of another VM" in warnings[0]


def test_a_service_that_fails_at_a_version_it_does_not_know_is_asked_in_others(
    tmp_path: Path,
) -> None:
    def answer(connection: socket.socket) -> None:
        path = server.requests[-1].split(b" ")[1]
        values = {b"instance-id": b"i-1", b"public-keys/0/openssh-key": KEY.encode()}
        known = path.startswith(b"/latest/api") or path.startswith(b"/latest/meta-data/")
        status = b"200 OK" if known else b"503 Busy"
        body = values.get(path[len(b"/latest/meta-data/") :], b"0=key")
        connection.sendall(
            b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
        )

    server = Server(answer)
    try:
        options = {"endpoint": server.url[len("http://") : -2], "request_timeout_s": 60.0}
        source = Ec2Datasource(System(str(tmp_path), clock=OwnClock()), options)
        assert source.ask_instance_id() == ("i-1", ())
        assert [key.text for key in source.fetch("i-1")[0].public_keys] == [KEY]
    finally:
        server.close()


NITRO = Dmi(
    None, "ec2e1916-9099-7caf-fd21-012345abcdef", "Amazon EC2", board_asset_tag="i-0123abcd"
)


@pytest.mark.parametrize(
    "dmi, hypervisor, why",
    [
        (NITRO, "", "vendor is Amazon EC2"),
        (
            Dmi(
                None,
                "EC2C3DEA-666A-3C8F-70B5-93C35396773E",
                "Xen",
                product_serial="ec2c3dea-666a-3c8f-70b5-93c35396773e",
            ),
            "",
            "product_uuid and serial number begin with ec2",
        ),
        (
            Dmi(
                None,
                "45e12aec-dcd1-b213-94ed-012345abcdef",
                "Xen",
                product_serial="ec2ae145-d1dc-13b2-94ed-012345abcdef",
            ),
            "",
            "product_uuid and serial number begin with ec2",
        ),
        (Dmi(sys_vendor="Xen"), "ec2f1a2b-0000-0000-0000-000000000000\n", "Xen's uuid"),
        (Dmi(product_serial="srv-1.gb1.brightbox.com"), "", "Brightbox"),
        (Dmi(chassis_asset_tag="8a.zstack.io"), "", "ZStack"),
        (Dmi(sys_vendor="e24cloud"), "", "e24cloud"),
        (Dmi(sys_vendor="3DS Outscale", product_name="3DS Outscale VM"), "", "Outscale"),
        # A laptop, whose random UUID may begin so.
        (
            Dmi(None, "ec2e1916-9099-4caf-8d21-012345abcdef", "Dell Inc.", product_serial="7X"),
            "",
            "",
        ),
        (Dmi(sys_vendor="QEMU", product_name="3DS Outscale VM"), "", ""),
        (Dmi(), "0f0f", ""),
    ],
)
def test_signs(tmp_path: Path, dmi: Dmi, hypervisor: str, why: str) -> None:
    folder = tmp_path / "sys/class/dmi/id"
    folder.mkdir(parents=True)
    for name, value in dmi._asdict().items():
        if isinstance(value, str):
            (folder / name).write_text(value + "\n")
    (tmp_path / "sys/hypervisor").mkdir()
    (tmp_path / "sys/hypervisor/uuid").write_text(hypervisor)
    sign = find_sign(Evidence(System(str(tmp_path))), {})
    assert sign.found is bool(why) and why in sign.why
    told = Ec2Datasource(System(str(tmp_path)), {}).instance_id(dmi)
    assert told == ("i-0123abcd" if dmi is NITRO else "")
