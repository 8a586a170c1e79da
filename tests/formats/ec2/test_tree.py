"""Listings and values of EC2's metadata, and the Instance that they make."""

from __future__ import annotations

from typing import Any

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.ec2.instance import instance_from_tree
from lightinit.formats.ec2.tree import ListedName, find_keys, find_text, parse_listing, parse_value


def test_listings() -> None:
    top = b"ami-id\nplacement/\npublic-keys\nidentity-credentials/\n..\na b\nx/y\n\nami-id"
    assert parse_listing(top, "") == [
        ListedName("ami-id", "ami-id"),
        ListedName("placement", "placement", True),
        ListedName("public-keys", "public-keys", True, may_be_value=True),
    ]
    keys = b"0=my key/with anything\r\n1=\nx=no number\n2\n3/\n4=same\n5=same\n1234567=x\n6x"
    assert parse_listing(keys, "public-keys") == [
        ListedName("my key/with anything", "0/openssh-key"),
        ListedName("1", "1/openssh-key"),
        ListedName("2", "2/openssh-key"),
        ListedName("3", "3/openssh-key"),
        ListedName("same", "4/openssh-key"),
        ListedName("5 same", "5/openssh-key"),
    ]
    given = b"ssh-ed25519 AAAAC3 ada\r\n# a comment\necdsa-sha2-nistp256\tAAAAE2 b\xe9\n0=name"
    assert find_keys(given) == ["ssh-ed25519 AAAAC3 ada", "ecdsa-sha2-nistp256\tAAAAE2 b\ufffd"]
    assert find_keys(b"<html>ssh-rsa AAAA") == find_keys(keys) == find_keys(b"") == []
    for body, reason in (
        (b"\xff", "metadata value is not text"),
        (b"a\0b", "metadata value is not text"),
        (b"\n".join(b"%d" % number for number in range(501)), "metadata listing is too long"),
    ):
        with pytest.raises(MalformedError, match=reason):
            parse_listing(body, "tags/instance")


def test_values() -> None:
    assert parse_value(b"i-1\n", "x") == "i-1"
    assert parse_value(b"a\r\nb", "x") == ["a", "b"]
    assert parse_value(b"", "x") == ""
    tree = {"a": {"b": ["first", "second"]}, "c": "text"}
    assert find_text(tree, "a", "b") == "first"
    assert find_text(tree, "c", "d") == find_text(tree, "a") == find_text(tree, "e") == ""


def test_an_instance() -> None:
    tree: Any = {
        "instance-id": "i-1",
        "local-hostname": "ip-1.example.org other.example.org",
        "hostname": "ip-1.example.org",
        "instance-type": "t3.micro",
        "placement": {"availability-zone": "eu-central-1a"},
        "public-keys": {"one": "ssh-rsa A", "two": ["ssh-rsa B", "ssh-rsa C"], "none": ""},
        "tags": {"instance": {"Name": "web", "odd": {"folder": "x"}}},
    }
    made = instance_from_tree(tree, "id", b"\xff", "metadata (http://x)")
    assert made.hostnames == ("ip-1", "ip-1.example.org")
    assert (made.location, made.zone, made.vm_size) == (
        "eu-central-1",
        "eu-central-1a",
        "t3.micro",
    )
    assert [key.text for key in made.public_keys] == ["ssh-rsa A", "ssh-rsa B\nssh-rsa C"]
    assert made.tags == {"Name": "web", "odd": ""} and made.user_data == "/w=="
    assert made.admin is None and made.raw["meta_data"] is tree
    tree["placement"] = {"availability-zone": "us-west-2-lax-1a"}
    tree["public-keys"] = tree["tags"] = "not a folder"
    made = instance_from_tree(tree, "id")
    assert (made.location, made.public_keys, made.tags, made.user_data) == ("", (), {}, "")
