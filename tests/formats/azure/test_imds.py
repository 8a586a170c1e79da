"""The metadata document: whole, incomplete, of wrong types, broken."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from typing import Any, Dict, List

import pytest

from lightinit.errors import LightinitError, MalformedError
from lightinit.formats.azure import imds
from lightinit.formats.secrets import REDACTED, redact
from lightinit.model import SshKey, User

DOCUMENT: Dict[str, Any] = {
    "compute": {
        "name": "vm-resource",
        "vmId": "13f56399-bd52-4150-9748-7190aae1ff21",
        "location": "westeurope",
        "vmSize": "Standard_B1s",
        "resourceGroupName": "group",
        "subscriptionId": "sub",
        "vmScaleSetName": "",
        "zone": "2",
        "tags": "owner:me;db_password:hunter2",
        "tagsList": [{"name": "owner", "value": "me"}, {"name": "db_password", "value": "hunter2"}],
        "userData": "c2VjcmV0",
        "publicKeys": [
            {"keyData": "ssh-rsa AAAA\r\n me", "path": "/home/azureuser/.ssh/authorized_keys"}
        ],
        "osProfile": {
            "adminUsername": "azureuser",
            "computerName": "host-1",
            "disablePasswordAuthentication": "true",
        },
        "something": {"new": [1, 2.5, None, True]},
    },
    "network": {"interface": [{"macAddress": "000D3AF806EC"}]},
}


def changed(path: str, value: Any) -> Dict[str, Any]:
    """The document with another value at a dotted path, or without it when the value is ``...``."""
    document = copy.deepcopy(DOCUMENT)
    *steps, last = path.split(".")
    here: Any = document
    for step in steps:
        here = here[int(step)] if isinstance(here, list) else here[step]
    if value is ...:
        del here[last]
    else:
        here[int(last) if isinstance(here, list) else last] = value
    return document


def test_a_whole_document() -> None:
    data = json.dumps(DOCUMENT).encode()
    for dressed in (data, b"\xef\xbb\xbf" + data, data.replace(b", ", b",\r\n")):
        assert imds.parse(dressed) == DOCUMENT
    instance = imds.instance_from_document(DOCUMENT, "the-id")
    assert instance.id == "the-id"
    assert instance.platform == "azure"
    assert instance.hostnames == ("host-1", "vm-resource")
    assert instance.admin == User(
        "azureuser",
        (SshKey("ssh-rsa AAAA\r\n me", "/home/azureuser/.ssh/authorized_keys"),),
        password_login=False,
    )
    assert (
        instance.vm_id,
        instance.location,
        instance.vm_size,
        instance.resource_group,
        instance.subscription_id,
        instance.scale_set,
        instance.zone,
    ) == (
        "13f56399-bd52-4150-9748-7190aae1ff21",
        "westeurope",
        "Standard_B1s",
        "group",
        "sub",
        "",
        "2",
    )
    assert instance.tags == {"owner": "me", "db_password": "hunter2"}
    assert instance.user_data == "c2VjcmV0"
    assert instance.raw == {"imds": DOCUMENT}
    assert imds.missing_parts(DOCUMENT) == ()


@pytest.mark.parametrize(
    "computer_name, name, hostnames",
    [
        ("a", "b", ("a", "b")),
        ("a", "a", ("a",)),
        ("", "b", ("b",)),
        (None, "b", ("b",)),
        ("a", None, ("a",)),
        (" ", "", ()),
    ],
)
def test_host_names(computer_name: Any, name: Any, hostnames: Any) -> None:
    document = changed("compute.osProfile.computerName", computer_name)
    document["compute"]["name"] = name
    assert imds.instance_from_document(document, "").hostnames == hostnames


@pytest.mark.parametrize(
    "value, login",
    [
        (True, False),
        ("true", False),
        ("True", False),
        (False, True),
        ("false", True),
        ("", None),
        (None, None),
        (..., None),
    ],
)
def test_booleans_come_in_several_forms(value: Any, login: Any) -> None:
    admin = imds.instance_from_document(
        changed("compute.osProfile.disablePasswordAuthentication", value), ""
    ).admin
    assert admin is not None
    assert admin.password_login is login


@pytest.mark.parametrize(
    "path, name",
    [
        ("/home/azureuser/.ssh/authorized_keys", "azureuser"),
        ("/home/x/.ssh/other", None),
        ("/root/.ssh/authorized_keys", None),
        ("/home//.ssh/authorized_keys", None),
        ("home/x/.ssh/authorized_keys", None),
        ("", None),
        (None, None),
    ],
)
def test_the_admins_name_from_a_keys_path(path: Any, name: Any) -> None:
    document = changed("compute.publicKeys.0.path", path)
    del document["compute"]["osProfile"]
    admin = imds.instance_from_document(document, "").admin
    assert (admin.name if admin else None) == name
    assert admin is None or (admin.password_login is None and len(admin.ssh_keys) == 1)


def test_adminUsername_wins_over_the_path() -> None:
    document = changed("compute.publicKeys.0.path", "/home/other/.ssh/authorized_keys")
    admin = imds.instance_from_document(document, "").admin
    assert admin is not None and admin.name == "azureuser"


def test_null_and_absent_are_the_same() -> None:
    for path in (
        "compute",
        "compute.osProfile",
        "compute.publicKeys",
        "compute.tagsList",
        "compute.vmId",
        "compute.userData",
        "compute.zone",
        "compute.publicKeys.0.keyData",
        "compute.tagsList.0.name",
    ):
        without = imds.instance_from_document(changed(path, ...), "")
        null = imds.instance_from_document(changed(path, None), "")
        assert without.raw != null.raw
        assert dataclasses.replace(without, raw={}) == dataclasses.replace(null, raw={})


def test_empty_keys_and_nameless_tags_are_passed_over() -> None:
    document = changed(
        "compute.publicKeys", [None, {"keyData": "\r\n"}, {}, {"keyData": "ssh-rsa B"}]
    )
    document["compute"]["tagsList"] = [None, {"value": "x"}, {"name": "n"}]
    instance = imds.instance_from_document(document, "")
    assert instance.admin is not None and instance.admin.ssh_keys == (SshKey("ssh-rsa B"),)
    assert instance.tags == {"n": ""}


@pytest.mark.parametrize(
    "path, value, expected, found",
    [
        ("compute", "x", "object", "string"),
        ("compute", [], "object", "array"),
        ("compute.name", 7, "string", "number"),
        ("compute.name", True, "string", "boolean"),
        ("compute.vmId", {}, "string", "object"),
        ("compute.osProfile.computerName", 5, "string", "number"),
        ("compute.osProfile", "", "object", "string"),
        ("compute.osProfile.adminUsername", ["root"], "string", "array"),
        ("compute.osProfile.disablePasswordAuthentication", "maybe", "boolean", "string"),
        ("compute.osProfile.disablePasswordAuthentication", 1, "boolean", "number"),
        ("compute.publicKeys", {}, "array", "object"),
        ("compute.publicKeys", "ssh-rsa", "array", "string"),
        ("compute.publicKeys.0", "ssh-rsa", "object", "string"),
        ("compute.publicKeys.0.keyData", 5, "string", "number"),
    ],
)
def test_a_wrong_type_is_named_and_its_value_is_not(
    path: str, value: Any, expected: str, found: str
) -> None:
    with pytest.raises(MalformedError) as caught:
        imds.instance_from_document(changed(path, value), "")
    assert caught.value.reason == "imds field has the wrong type"
    assert caught.value.details == {"path": path, "expected": expected, "found": found}


@pytest.mark.parametrize(
    "path, value, field, taken",
    [
        ("compute.zone", 1, "zone", "1"),
        ("compute.zone", 1.5, "zone", "1.5"),
        ("compute.zone", True, "zone", ""),
        ("compute.zone", ["2"], "zone", ""),
        ("compute.location", {}, "location", ""),
        ("compute.vmSize", 7, "vm_size", "7"),
        ("compute.resourceGroupName", [], "resource_group", ""),
        ("compute.subscriptionId", 12, "subscription_id", "12"),
        ("compute.vmScaleSetName", False, "scale_set", ""),
        ("compute.userData", {"secret": "s3cret"}, "user_data", ""),
        ("compute.tagsList", False, "tags", {}),
        ("compute.tagsList", {"owner": "s3cret"}, "tags", {}),
        ("compute.tagsList.1", "s3cret", "tags", {"owner": "me"}),
        ("compute.tagsList.1.name", ["s3cret"], "tags", {"owner": "me"}),
        ("compute.tagsList.1.name", 5, "tags", {"owner": "me", "5": "hunter2"}),
        ("compute.tagsList.1.value", 5, "tags", {"owner": "me", "db_password": "5"}),
        ("compute.tagsList.1.value", False, "tags", {"owner": "me", "db_password": "false"}),
        (
            "compute.tagsList.1.value",
            {"a": ["é"]},
            "tags",
            {"owner": "me", "db_password": '{"a": ["é"]}'},
        ),
        ("compute.publicKeys.0.path", 5, "zone", "2"),
    ],
)
def test_a_wrong_type_that_nobody_needs_is_a_warning(
    path: str, value: Any, field: str, taken: Any
) -> None:
    warnings: List[str] = []
    document = changed(path, value)
    instance = imds.instance_from_document(document, "", warnings)
    assert getattr(instance, field) == taken
    assert len(warnings) == 1 and warnings[0].startswith("imds field %s has the wrong type" % path)
    assert "s3cret" not in warnings[0]
    assert imds.missing_parts(document) == ()


def test_a_whole_document_has_no_warnings() -> None:
    warnings: List[str] = []
    imds.instance_from_document(
        imds.parse(json.dumps(DOCUMENT).encode(), warnings=warnings), "", warnings
    )
    assert warnings == []


@pytest.mark.parametrize(
    "text, taken, path",
    [
        ('{"a": NaN}', {"a": None}, "a"),
        ('{"a": [1, {"b": -Infinity}]}', {"a": [1, {"b": None}]}, "a.1.b"),
        ('{"a": 1e999}', {"a": None}, "a"),
        ('{"a": ' + "9" * 500000 + "}", {"a": None}, "a"),
        ('{"a": "x\\ud800y"}', {"a": "x?y"}, "a"),
        ('{"b": {"\\udfff": 1}}', {"b": {"?": 1}}, "b"),
        ('{"\\udfff": [NaN]}', {"?": [None]}, "?.0"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_cannot_be_written_down_again_is_replaced(text: str, taken: Any, path: str) -> None:
    warnings: List[str] = []
    document = imds.parse(text.encode(), warnings=warnings)
    assert document == taken
    assert any(warning.startswith("imds field %s has " % path) for warning in warnings)
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    assert imds.parse(b'{"a": 1, "a": {"b": 2}}') == {"a": {"b": 2}}


def test_a_number_that_is_none_stands_in_for_no_name() -> None:
    data = (
        json.dumps(changed("compute.osProfile.adminUsername", "NAME"))
        .replace('"NAME"', "NaN")
        .encode()
    )
    assert imds.missing_parts(imds.parse(data)) == ("adminUsername",)


def test_a_thousand_odd_values_are_not_a_thousand_warnings() -> None:
    warnings: List[str] = []
    imds.parse(b'{"%s": [%s]}' % (b"k\\u001b" * 9000, b"NaN," * 90000 + b"1"), warnings=warnings)
    assert 20 <= len(warnings) <= 21 and all(
        len(warning) < 200 and warning.isprintable() for warning in warnings
    )


@pytest.mark.parametrize(
    "path, value, missing",
    [
        ("compute.osProfile", ..., ("osProfile",)),
        ("compute.osProfile", {}, ("osProfile",)),
        ("compute.osProfile.adminUsername", "", ("adminUsername",)),
        ("compute.osProfile.computerName", ..., ()),
        ("compute.publicKeys", [], ("ssh keys while password login is off",)),
        ("compute", None, ("host name", "osProfile")),
    ],
)
def test_what_is_missing(path: str, value: Any, missing: Any) -> None:
    assert imds.missing_parts(changed(path, value)) == missing


def test_no_keys_are_no_lack_when_password_login_is_on() -> None:
    document = changed("compute.publicKeys", [])
    for value in ("false", False, ""):
        document["compute"]["osProfile"]["disablePasswordAuthentication"] = value
        assert imds.missing_parts(document) == ()


def test_an_old_api_version_has_no_osProfile_to_wait_for() -> None:
    document = changed("compute.osProfile", ...)
    assert imds.missing_parts(document, os_profile=False) == ()
    document["compute"]["publicKeys"] = []
    assert imds.missing_parts(document, os_profile=False) == ("adminUsername",)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "imds document is not json"),
        (b"<html><body>portal</body></html>", "imds document is not json"),
        (b"[]", "imds document is not an object"),
        (b"null", "imds document is not an object"),
        (b'"text"', "imds document is not an object"),
        (b"\xff{}", "imds document is not utf-8"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "imds document is too deep"),
        (b'{"a":' + b"[" * 200000, "imds document is too deep"),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "imds document is too deep"),
        (b" " * (1024 * 1024 + 1), "imds document is too large"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedError) as caught:
        imds.parse(data)
    assert caught.value.reason == reason


def test_every_prefix_is_refused() -> None:
    data = json.dumps(DOCUMENT).encode()
    for length in range(len(data)):
        with pytest.raises(MalformedError):
            imds.parse(data[:length])


def test_changed_and_random_bytes_give_nothing_but_our_errors() -> None:
    dice = random.Random(169)
    whole = json.dumps(DOCUMENT).encode()
    survived = 0
    for turn in range(3000):
        data = (
            bytearray(whole)
            if turn % 3
            else bytearray(dice.randrange(256) for _ in range(turn // 20))
        )
        for _ in range(dice.randint(1, 6)):
            if data:
                value = dice.choice(b'{}[]",:0n\\\x00\xff') if turn % 2 else dice.randrange(256)
                data[dice.randrange(len(data))] = value
        try:
            document = imds.parse(bytes(data))
            imds.missing_parts(document)
        except LightinitError:
            continue
        json.dumps(redact(document), ensure_ascii=False).encode("utf-8")
        survived += 1
    assert survived > 100


def test_random_values_give_nothing_but_our_errors() -> None:
    dice = random.Random(254)
    values: List[Any] = [
        None,
        True,
        False,
        0,
        1.5,
        "",
        "true",
        "x",
        [],
        {},
        [None],
        [{}],
        {"name": 1},
        ["x"],
    ]
    paths = ["compute." + name for name in DOCUMENT["compute"]]
    paths += ["compute.osProfile." + name for name in DOCUMENT["compute"]["osProfile"]]
    survived = 0
    for _ in range(2000):
        try:
            document = changed(dice.choice(paths), dice.choice(values))
            imds.missing_parts(document)
            survived += 1
        except MalformedError as error:
            assert error.reason == "imds field has the wrong type"
    assert 300 < survived < 1900


@pytest.mark.parametrize(
    "body, versions",
    [
        (
            (
                b'{"error": "Bad request", "newest-versions": ["2018-02-01", "2021-12-13",'
                b' "2020-10-01"]}'
            ),
            ("2021-12-13", "2020-10-01", "2018-02-01"),
        ),
        (
            (
                b'{"newest-versions": ["2021-12-13", 7, null, "2021-12-13", "../../x",'
                b' "2021-12-13&x", "20-10-2001"]}'
            ),
            ("2021-12-13",),
        ),
        (b'{"newest-versions": "2021-12-13"}', ()),
        (b"{}", ()),
        (b"<html>", ()),
        (b"", ()),
        (b"[1]", ()),
    ],
)
def test_newest_versions(body: bytes, versions: Any) -> None:
    assert imds.newest_versions(body) == versions


@pytest.mark.parametrize(
    "data, text", [(b"vm-1", "vm-1"), (b"\xef\xbb\xbfvm-1\r\n", "vm-1"), (b"", "")]
)
def test_a_single_value(data: bytes, text: str) -> None:
    assert imds.parse_text(data) == text


@pytest.mark.parametrize(
    "data", [b"<html></html>", b'{"error": "x"}', b"a\nb", b"a\x00b", b"x" * 300, b"\xff"]
)
def test_what_is_no_single_value(data: bytes) -> None:
    with pytest.raises(MalformedError):
        imds.parse_text(data)


def test_redaction_keeps_the_shape_and_drops_the_secrets() -> None:
    document = changed(
        "compute.something",
        {
            "adminPassword": "hunter2",
            "nested": [{"customData": "aHVudGVyMg==", "ACCESS_TOKEN": ["hunter2"]}],
            "private_key": {"pem": "hunter2"},
            "Client-Secret": 7,
            "emptyPassword": "",
            "noToken": None,
        },
    )
    before = copy.deepcopy(document)
    shown = redact(document)
    assert document == before
    assert "hunter2" not in json.dumps(shown) and "aHVudGVyMg==" not in json.dumps(shown)
    assert shown["compute"]["userData"] == REDACTED == "redacted for non-root user"
    assert shown["compute"]["something"] == {
        "adminPassword": REDACTED,
        "nested": [{"customData": REDACTED, "ACCESS_TOKEN": REDACTED}],
        "private_key": REDACTED,
        "Client-Secret": REDACTED,
        "emptyPassword": "",
        "noToken": None,
    }
    assert shown["compute"]["tagsList"] == [
        {"name": "owner", "value": "me"},
        {"name": "db_password", "value": REDACTED},
    ]
    assert shown["compute"]["tags"] == REDACTED
    for kept in ("name", "osProfile", "publicKeys", "vmId"):
        assert shown["compute"][kept] == DOCUMENT["compute"][kept]


PRIVATE = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----\n"
)


def test_a_private_key_is_struck_out_whatever_it_is_called() -> None:
    document = changed("compute.publicKeys.0.keyData", PRIVATE)
    document["compute"]["something"] = {
        "lines": [PRIVATE, "fine"],
        "deep": [[{"x": " begin rsa private key "}]],
    }
    document["compute"]["tagsList"].append({"name": "note", "value": PRIVATE})
    instance = imds.instance_from_document(document, "the-id")
    shown = redact(dataclasses.asdict(instance))
    assert "b3BlbnNzaC1rZXk" not in json.dumps(shown)
    assert shown["admin"]["ssh_keys"] == [
        {"text": REDACTED, "path": "/home/azureuser/.ssh/authorized_keys", "fingerprint": ""}
    ]
    assert shown["raw"]["imds"]["compute"]["something"] == {
        "lines": [REDACTED, "fine"],
        "deep": [[{"x": REDACTED}]],
    }
    assert redact(PRIVATE) == REDACTED


def test_a_secret_inside_a_tag_that_is_no_text_is_struck_out() -> None:
    document = changed("compute.tagsList.0.value", {"nested": [{"password": "s3cret"}]})
    shown = redact(dataclasses.asdict(imds.instance_from_document(document, "the-id")))
    assert "s3cret" not in json.dumps(shown)
    assert shown["tags"]["owner"] == REDACTED
