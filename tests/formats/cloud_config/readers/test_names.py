"""``hostname``, ``fqdn`` and what belongs to them."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from lightinit.formats.cloud_config.readers.names import GivenNames, read_names


def told(values: Dict[str, Any]) -> str:
    return "; ".join(str(each) for each in read_names(values)[1])


@pytest.mark.parametrize(
    "values, expected",
    [
        ({}, GivenNames()),
        ({"hostname": "web1"}, GivenNames("web1")),
        ({"hostname": "web1.example.org"}, GivenNames("web1", "web1.example.org")),
        ({"fqdn": "web1.example.org"}, GivenNames("web1", "web1.example.org")),
        ({"hostname": "a", "fqdn": "b.example.org"}, GivenNames("a", "b.example.org")),
        ({"hostname": 12345}, GivenNames("12345")),
        ({"preserve_hostname": True}, GivenNames(preserve=True)),
        ({"manage_etc_hosts": True}, GivenNames(etc_hosts="template")),
        ({"manage_etc_hosts": False}, GivenNames(etc_hosts="no")),
        ({"manage_etc_hosts": "localhost"}, GivenNames(etc_hosts="localhost")),
    ],
)
def test_names(values: Dict[str, Any], expected: GivenNames) -> None:
    assert read_names(values) == (expected, [])


def test_the_name_to_set() -> None:
    both = {"hostname": "a", "fqdn": "b.example.org"}
    assert read_names(both)[0].name == "a"
    assert read_names(dict(both, prefer_fqdn_over_hostname=True))[0].name == "b.example.org"
    assert read_names({"prefer_fqdn_over_hostname": True, "hostname": "a"})[0].name == "a"


@pytest.mark.parametrize(
    "values, says",
    [
        ({"hostname": "a_b"}, "hostname: no host can have this name; only letters"),
        ({"hostname": "localhost"}, "hostname: no host can have this name; every machine"),
        ({"hostname": True}, "hostname: it is a boolean, and must be text; put it in quotes"),
        ({"hostname": ["a"]}, "hostname: it is a list"),
        ({"hostname": "a\nb"}, "hostname: it has several lines"),
        ({"fqdn": "a.b.", "hostname": "a"}, "fqdn: the name is corrected: dots at the end"),
        ({"manage_etc_hosts": "template"}, "`template` is deprecated; write true"),
        ({"manage_etc_hosts": "maybe"}, "manage_etc_hosts: it is text, and must be true or false"),
        ({"preserve_hostname": True, "hostname": "a"}, "a name is given, and shall not be set"),
        ({"preserve_hostname": "yes"}, "it is text; taken as a boolean; write true or false"),
    ],
)
def test_mistakes(values: Dict[str, Any], says: str) -> None:
    assert says in told(values)
