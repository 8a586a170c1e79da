"""IMDS refuses what the platform refuses, and each api-version has the fields of its time."""

from __future__ import annotations

import json
from typing import Any, Iterator

import pytest

from lightinit.emulator import Platform
from tests.emulator.wire import INSTANCE, METADATA, ask, get_instance


@pytest.fixture(name="platform")
def make_platform() -> Iterator[Platform]:
    """Run a platform without faults."""
    with Platform() as platform:
        yield platform


def read(platform: Platform, version: str, rest: str = "") -> Any:
    """Return an api-version's document."""
    return json.loads(
        get_instance(platform, "/metadata/instance?api-version=%s%s" % (version, rest)).body
    )


def test_the_document_is_whole(platform: Platform) -> None:
    document = read(platform, "2023-11-15")
    compute = document["compute"]
    assert set(compute["osProfile"]) == {
        "adminUsername",
        "computerName",
        "disablePasswordAuthentication",
    }
    assert compute["publicKeys"][0]["keyData"].startswith("ssh-rsa ")
    assert {"vmId", "name", "location", "tagsList", "userData", "zone", "vmScaleSetName"} <= set(
        compute
    )
    interface = document["network"]["interface"][0]
    assert interface["ipv4"]["ipAddress"][0]["privateIpAddress"] == "10.0.0.4"
    assert {"macAddress", "ipv6"} <= set(interface)
    assert "extended" not in document


@pytest.mark.parametrize(
    "field, since, before",
    [
        ("osProfile", "2020-07-15", "2020-06-01"),
        ("userData", "2021-01-01", "2020-12-01"),
        ("tagsList", "2019-06-04", "2019-06-01"),
        ("publicKeys", "2018-04-02", "2018-02-01"),
        ("zone", "2017-12-01", "2017-10-01"),
        ("physicalZone", "2023-11-15", "2023-07-01"),
    ],
)
def test_fields_have_a_birthday(platform: Platform, field: str, since: str, before: str) -> None:
    assert field in read(platform, since)["compute"]
    assert field not in read(platform, before)["compute"]


def test_nested_fields_have_a_birthday(platform: Platform) -> None:
    assert set(read(platform, "2020-09-01")["compute"]["osProfile"]) == {
        "adminUsername",
        "computerName",
    }
    disks = [
        read(platform, version)["compute"]["storageProfile"]["dataDisks"][0]
        for version in ("2021-03-01", "2021-05-01")
    ]
    assert ["isUltraDisk" in disk for disk in disks] == [False, True]


@pytest.mark.parametrize(
    "target, headers, status, reason",
    [
        (INSTANCE, {}, 400, "metadata header"),
        (INSTANCE, {"Metadata": "yes"}, 400, "metadata header"),
        (INSTANCE, dict(METADATA, **{"X-Forwarded-For": "10.0.0.4"}), 400, "X-Forwarded-For"),
        (INSTANCE, dict(METADATA, Host="metadata.example"), 400, "Host is"),
        ("http://169.254.169.254" + INSTANCE, METADATA, 400, "proxy"),
        ("/metadata/other?api-version=2021-08-01", METADATA, 404, "nothing at /metadata/other"),
        ("/metadata/instance/compute/none?api-version=2021-08-01", METADATA, 404, "compute/none"),
        (
            "/metadata/instance/network/interface/7?api-version=2021-08-01",
            METADATA,
            404,
            "interface/7",
        ),
        (INSTANCE + "&api-version=2021-08-01", METADATA, 400, "more than once"),
        (INSTANCE + "&format=yaml", METADATA, 400, "json or text"),
        ("/metadata/instance/compute/name?api-version=2021-08-01", METADATA, 400, "format=text"),
    ],
)
def test_refuses_requests(
    platform: Platform, target: str, headers: dict, status: int, reason: str
) -> None:
    reply = ask(platform.imds, "GET", target, headers)
    assert reply.status == status
    assert reason in json.loads(reply.body)["error"]
    assert (platform.requests[-1]["verdict"], platform.requests[-1]["status"]) == (
        "refused",
        status,
    )


@pytest.mark.parametrize(
    "target", ["/metadata/instance", "/metadata/instance?api-version=2019-01-01"]
)
def test_names_the_newest_versions(platform: Platform, target: str) -> None:
    reply = get_instance(platform, target)
    assert reply.status == 400
    answer = json.loads(reply.body)
    assert "api-version" in answer["error"]
    assert answer["newest-versions"] == ["2025-04-07", "2024-07-17", "2024-03-15"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_takes_get_only(platform: Platform, method: str) -> None:
    reply = ask(platform.imds, method, INSTANCE, METADATA, b"")
    assert (reply.status, reply.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "path, text",
    [
        ("compute/name", "lightinit-vm"),
        ("network/interface/0/macAddress", "000D3A2B7C51"),
        ("compute/osProfile", "adminUsername\ncomputerName\ndisablePasswordAuthentication"),
        ("compute/publicKeys", "0/"),
    ],
)
def test_text_format(platform: Platform, path: str, text: str) -> None:
    reply = get_instance(
        platform, "/metadata/instance/%s?api-version=2021-08-01&format=text" % path
    )
    assert (reply.status, reply.body.decode()) == (200, text)
    assert reply.headers["content-type"].startswith("text/plain")


def test_name_at_the_oldest_wanted_version(platform: Platform) -> None:
    reply = get_instance(
        platform, "/metadata/instance/compute/name?api-version=2019-06-01&format=text"
    )
    assert reply.body == b"lightinit-vm"


def test_part_of_the_document(platform: Platform) -> None:
    reply = get_instance(platform, "/metadata/instance/network/interface/0?api-version=2021-08-01")
    assert json.loads(reply.body)["macAddress"] == "000D3A2B7C51"


def test_versions_are_listed(platform: Platform) -> None:
    versions = json.loads(get_instance(platform, "/metadata/versions").body)["apiVersions"]
    assert versions == sorted(versions)
    assert {"2019-06-01", "2021-08-01", "2023-11-15"} <= set(versions)


def test_extended_part_comes_on_request(platform: Platform) -> None:
    assert (
        read(platform, "2021-08-01", "&extended=true")["extended"]["compute"]["ppsType"] == "None"
    )
    assert "extended" not in read(platform, "2019-06-01", "&extended=true")


def test_extended_fails_rather_than_being_partial() -> None:
    scenario = {
        "name": "x",
        "description": "x",
        "imds": [{"omit": ["compute.osProfile"], "repeat": 2}],
    }
    with Platform(scenario) as platform:
        assert get_instance(platform, INSTANCE + "&extended=true").status == 500
        assert "osProfile" not in read(platform, "2021-08-01")["compute"]
        assert "osProfile" in read(platform, "2021-08-01", "&extended=true")["compute"]


def test_the_extended_document_may_have_faults_of_its_own() -> None:
    steps = {"imds": [{"omit": ["compute.osProfile"], "repeat": "forever"}]}
    faults = dict(steps, name="x", description="x", extended=[{"status": 503}])
    with Platform(faults) as platform:
        assert "osProfile" not in read(platform, "2021-08-01")["compute"]
        assert get_instance(platform, INSTANCE + "&extended=true").status == 503
        assert "osProfile" in read(platform, "2021-08-01", "&extended=true")["compute"]
        assert "osProfile" not in read(platform, "2021-08-01")["compute"]


def test_overrides_are_merged_deeply() -> None:
    changes = {"compute": {"vmId": "abc", "osProfile": {"adminUsername": "me"}, "new": {"a": [1]}}}
    with Platform(instance=changes) as platform:
        compute = read(platform, "2021-08-01")["compute"]
        assert (compute["vmId"], compute["new"]) == ("abc", {"a": [1]})
        assert compute["osProfile"] == {
            "adminUsername": "me",
            "computerName": "lightinit-vm",
            "disablePasswordAuthentication": "true",
        }


def test_known_versions_can_be_narrowed() -> None:
    with Platform("imds-only-2019") as platform:
        reply = get_instance(platform)
        assert reply.status == 400
        assert json.loads(reply.body)["newest-versions"] == [
            "2019-06-01",
            "2018-10-01",
            "2017-08-01",
        ]
        assert "osProfile" not in read(platform, "2019-06-01")["compute"]
