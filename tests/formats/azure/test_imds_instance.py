"""The Instance that the document of IMDS describes: whole, incomplete, of wrong types."""

from __future__ import annotations

import json
import random
from typing import Any, List

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.azure import imds, imds_instance
from lightinit.model import SshKey, User
from tests.lib.imds_document import DOCUMENT, changed


def test_a_whole_document() -> None:
    data = json.dumps(DOCUMENT).encode()
    for dressed in (data, b"\xef\xbb\xbf" + data, data.replace(b", ", b",\r\n")):
        assert imds.parse(dressed) == DOCUMENT
    instance = imds_instance.instance_from_document(DOCUMENT, "the-id")
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
    assert imds_instance.missing_parts(DOCUMENT) == ()


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
    assert imds_instance.instance_from_document(document, "").hostnames == hostnames


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
    admin = imds_instance.instance_from_document(
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
    admin = imds_instance.instance_from_document(document, "").admin
    assert (admin.name if admin else None) == name
    assert admin is None or (admin.password_login is None and len(admin.ssh_keys) == 1)


def test_adminUsername_wins_over_the_path() -> None:
    document = changed("compute.publicKeys.0.path", "/home/other/.ssh/authorized_keys")
    admin = imds_instance.instance_from_document(document, "").admin
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
        without = imds_instance.instance_from_document(changed(path, ...), "")
        null = imds_instance.instance_from_document(changed(path, None), "")
        assert without.raw != null.raw
        assert without._replace(raw={}) == null._replace(raw={})


def test_empty_keys_and_nameless_tags_are_passed_over() -> None:
    document = changed(
        "compute.publicKeys", [None, {"keyData": "\r\n"}, {}, {"keyData": "ssh-rsa B"}]
    )
    document["compute"]["tagsList"] = [None, {"value": "x"}, {"name": "n"}]
    instance = imds_instance.instance_from_document(document, "")
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
        imds_instance.instance_from_document(changed(path, value), "")
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
    instance = imds_instance.instance_from_document(document, "", warnings)
    assert getattr(instance, field) == taken
    assert len(warnings) == 1 and warnings[0].startswith("imds field %s has the wrong type" % path)
    assert "s3cret" not in warnings[0]
    assert imds_instance.missing_parts(document) == ()


def test_a_whole_document_has_no_warnings() -> None:
    warnings: List[str] = []
    imds_instance.instance_from_document(
        imds.parse(json.dumps(DOCUMENT).encode(), warnings=warnings), "", warnings
    )
    assert warnings == []


def test_a_number_that_is_none_stands_in_for_no_name() -> None:
    data = (
        json.dumps(changed("compute.osProfile.adminUsername", "NAME"))
        .replace('"NAME"', "NaN")
        .encode()
    )
    assert imds_instance.missing_parts(imds.parse(data)) == ("adminUsername",)


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
    assert imds_instance.missing_parts(changed(path, value)) == missing


def test_no_keys_are_no_lack_when_password_login_is_on() -> None:
    document = changed("compute.publicKeys", [])
    for value in ("false", False, ""):
        document["compute"]["osProfile"]["disablePasswordAuthentication"] = value
        assert imds_instance.missing_parts(document) == ()


def test_an_old_api_version_has_no_osProfile_to_wait_for() -> None:
    document = changed("compute.osProfile", ...)
    assert imds_instance.missing_parts(document, os_profile=False) == ()
    document["compute"]["publicKeys"] = []
    assert imds_instance.missing_parts(document, os_profile=False) == ("adminUsername",)


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
            imds_instance.missing_parts(document)
            survived += 1
        except MalformedError as error:
            assert error.reason == "imds field has the wrong type"
    assert 300 < survived < 1900
