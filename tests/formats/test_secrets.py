"""The one list of secret words decides for each document that is kept or shown."""

from __future__ import annotations

import copy
import json

import pytest

from lightinit.formats import secrets
from lightinit.formats.azure import imds_instance, ovf_redaction
from lightinit.formats.records import to_data
from lightinit.formats.secrets import REDACTED, redact
from tests.lib.imds_document import DOCUMENT, changed

VALUE = "hunter2-hunter2"


@pytest.mark.parametrize("word", secrets.SECRET_WORDS)
def test_each_secret_word_strikes_out_in_json_and_in_xml(word: str) -> None:
    assert VALUE not in str(secrets.redact({"A-" + word: VALUE}))
    document = "<Environment><A-%s>%s</A-%s></Environment>" % (word, VALUE, word)
    redacted = ovf_redaction.redact(document.encode())
    assert VALUE.encode() not in redacted
    assert redacted != ovf_redaction.STUB  # the rest is still there


def test_a_name_that_is_no_secret_stays() -> None:
    assert secrets.redact({"hostName": VALUE}) == {"hostName": VALUE}
    document = b"<Environment><HostName>%s</HostName></Environment>" % VALUE.encode()
    assert ovf_redaction.redact(document) == document


def test_the_list_stands_in_one_place() -> None:
    """A second list could drift, and leak."""
    assert not hasattr(ovf_redaction, "SECRET_WORDS")


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
    instance = imds_instance.instance_from_document(document, "the-id")
    shown = redact(to_data(instance))
    assert "b3BlbnNzaC1rZXk" not in json.dumps(shown)
    assert shown["admin"]["ssh_keys"] == [
        {"text": REDACTED, "path": "/home/azureuser/.ssh/authorized_keys", "fingerprint": ""}
    ]
    assert shown["raw"]["imds"]["compute"]["something"] == {
        "lines": [REDACTED, "fine"],
        "deep": [[{"x": REDACTED}]],
    }
    assert redact(PRIVATE) == REDACTED


def test_a_url_with_a_password_is_struck_out_and_others_are_not() -> None:
    for text in ("http://me:pw@host/x", "see https://a/ and ftp://u:@h", "x://:p@h"):
        assert redact({"seedfrom": [text]}) == {"seedfrom": [REDACTED]}, text
    for text in ("http://host:80/x@y:z", "me:pw@host", "http://me@host/", "ssh-rsa A a:b@c"):
        assert redact({"seedfrom": text}) == {"seedfrom": text}, text


def test_a_secret_inside_a_tag_that_is_no_text_is_struck_out() -> None:
    document = changed("compute.tagsList.0.value", {"nested": [{"password": "s3cret"}]})
    shown = redact(to_data(imds_instance.instance_from_document(document, "the-id")))
    assert "s3cret" not in json.dumps(shown)
    assert shown["tags"]["owner"] == REDACTED
