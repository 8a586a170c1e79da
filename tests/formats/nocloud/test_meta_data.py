"""A seed's meta-data, with PyYAML and without."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Dict

import pytest

from lightinit.errors import MalformedError
from lightinit.formats.instance_id import is_usable_id
from lightinit.formats.nocloud import plain
from lightinit.formats.nocloud.meta_data import read, read_keys, settle_id, text_of
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import HERE

SIMPLE = b"""---
# who it is
instance-id: iid-local01
local-hostname: "desk"   # quoted
note: it's 'plain'
empty:
nothing: null
"""


def test_plain_lines_need_no_library() -> None:
    assert plain.read_lines(SIMPLE.decode()) == {
        "instance-id": "iid-local01",
        "local-hostname": "desk",
        "note": "it's 'plain'",
        "empty": "",
        "nothing": "",
    }


@pytest.mark.parametrize(
    "text, line",
    [
        ("a: b\nkeys:\n- x", 3),
        ("keys:\n  - x", 2),
        ("a: [1]", 1),
        ("a: {b: c}", 1),
        ("a: |\n  b", 1),
        ("a: &x b", 1),
        ("a: 'b''c'", 1),
        ('a: "b\\n"', 1),
        ('a: "b" c', 1),
        ("a: b: c", 1),
        ("a: b\na: c", 2),
        ("a:b", 1),
        ("just text", 1),
        (": x", 1),
        ("? x", 1),
        ("a: ~", 1),
        ("a: b\n---\na: c", 2),
        ("\ta: b", 1),
    ],
)
def test_what_needs_a_library_is_told(text: str, line: int) -> None:
    with pytest.raises(MalformedError) as caught:
        plain.read_lines(text)
    assert caught.value.reason == "meta-data need python3-yaml"
    assert caught.value.details["line"] == str(line)


@needs_yaml
def test_both_readers_agree() -> None:
    yaml = read(SIMPLE)
    lines = plain.read_lines(SIMPLE.decode())
    assert {key: value or "" for key, value in yaml.values.items()} == lines


@pytest.mark.parametrize(
    "data, instance_id, name",
    [
        (b"", "", ""),
        (b"\xef\xbb\xbfinstance-id: a\r\nlocal-hostname: h\r\n", "a", "h"),
        (b"instance-id: 007\nlocal-hostname: 1e3\n", "007", "1e3"),
        (b"instance-id: yes\n", "yes", ""),
        (b"instance-id: null\nlocal-hostname: Null\n", "", ""),
        (b"instance-id: a\n\0\0", "a", ""),
        (b"instance-id:\nlocal-hostname: ''\n", "", ""),
        (b'{"instance-id": "j-1", "local-hostname": "h"}', "j-1", "h"),
        (b'{"instance-id": 12}', "12", ""),
        (b'{"instance-id": ["x"]}', "", ""),
        (b"instance-id:\ti-1\t\nlocal-hostname:\th\n", "i-1", "h"),
        pytest.param(b"{instance-id: f-1}", "f-1", "", marks=needs_yaml),
        pytest.param(b"{local-hostname: h,\ninstance-id: 7}", "7", "h", marks=needs_yaml),
        pytest.param(
            b"instance-id:\n  i-1\nlocal-hostname:\n\n  h\n", "i-1", "h", marks=needs_yaml
        ),
        pytest.param(
            b"instance-id: a\nk:\n- b\nlocal-hostname: 0x1\n", "a", "0x1", marks=needs_yaml
        ),
        pytest.param(b"instance-id: !!binary YWI=\n", "ab", "", marks=needs_yaml),
        pytest.param(b"a: b\nk: [c]\ninstance-id: d\n\0", "d", "", marks=needs_yaml),
    ],
)
def test_ids_and_names(data: bytes, instance_id: str, name: str) -> None:
    found = read(data)
    assert (text_of(found, "instance-id"), text_of(found, "local-hostname")) == (instance_id, name)


@needs_yaml
@pytest.mark.parametrize(
    "data",
    [
        b'{"big": 1e999, "half": "\\ud800", "long": %s}' % (b"9" * 5000),
        b'big: .inf\nhalf: "\\uD800"\nlong: 1\n',
    ],
)
def test_what_cannot_be_written_again_is_replaced(data: bytes) -> None:
    values = read(data).values
    assert values["big"] is None and values["half"] in ("?", "\ufffd")
    json.dumps(values, allow_nan=False).encode("utf-8")


@needs_yaml
@pytest.mark.parametrize(
    "data, why",
    [
        (b"<html><body>login</body></html>", "HTML"),
        (b"a: \xff", "not UTF-8"),
        (b"- a\n- b\n", "another shape"),
        (b"a: [1\n", "not valid yaml"),
        (b"a: b\n c\n  : d:", "not valid yaml"),
        (b"[" * 100000, "too large"),
        (b'{"a":' * 100000, "too large"),
    ],
)
def test_what_cannot_be_used_is_told(data: bytes, why: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(data)
    assert caught.value.reason == "meta-data are not usable" and why in str(caught.value)
    assert "cloud-config" not in str(caught.value)


@needs_yaml
def test_an_id_that_is_no_text_is_told() -> None:
    for data in (b"instance-id: [a, b]\n", b'{"instance-id": {"a": "b"}}'):
        found = read(data)
        assert text_of(found, "instance-id") == ""
        assert found.warnings == ("meta-data: instance-id is not used: it is no text",)


def test_an_id_can_name_a_folder_and_stays_the_same() -> None:
    assert settle_id("iid-1", "", b"", b"") == ("iid-1", "")
    made, warning = settle_id("", "", b"m", b"u")
    assert made == settle_id("", "", b"m", b"u")[0] and "no instance-id" in warning
    assert len({made, settle_id("", "", b"m", b"v")[0], settle_id("", "", b"mu", b"")[0]}) == 3
    assert made != settle_id("", "5c9fd3a1", b"m", b"u")[0], "a copy of the disk is another machine"
    bad = [
        "../../etc",
        "a b",
        "a_b c",
        "-",
        "\u00e4",
        "x" * 200,
        "x" * 201,
        "a/b",
        "a\\b",
        "\udcff",
    ]
    ids = [settle_id(each, "", b"", b"") for each in bad]
    assert len({each for each, _ in ids}) == len(bad)
    assert all(is_usable_id(each) and "cannot name a folder" in told for each, told in ids)


@pytest.mark.parametrize(
    "value, keys",
    [
        (None, ()),
        ("ssh-rsa A\n# no\nssh-rsa B\n", ("ssh-rsa A", "ssh-rsa B")),
        (["ssh-rsa A", "ssh-rsa A"], ("ssh-rsa A",)),
        ({"mine": "ssh-rsa A", "hers": ["ssh-rsa B"]}, ("ssh-rsa A", "ssh-rsa B")),
        ({"0": {"openssh-key": "ssh-rsa A"}}, ("ssh-rsa A",)),
    ],
)
def test_public_keys(value: Any, keys: Any) -> None:
    assert read_keys(value) == (keys, ())


@needs_yaml
def test_keys_with_numbers_as_names_are_usual() -> None:
    found = read(b"instance-id: a\npublic-keys:\n  0: {openssh-key: ssh-rsa A}\nother: {1: x}\n")
    assert read_keys(found.values["public-keys"]) == (("ssh-rsa A",), ())
    assert ["other" in text for text in found.warnings] == [True]


def test_keys_that_are_no_text_are_told() -> None:
    deep: Dict[str, Any] = {"a": {"b": {"c": {"d": "ssh-rsa A"}}}}
    for value in (1, [2], deep, True):
        keys, warnings = read_keys(value)
        assert keys == () and len(warnings) == 1


def test_a_python_without_yaml_reads_plain_lines_and_says_what_it_lacks() -> None:
    program = (
        "import sys\nsys.modules['yaml'] = None\n"
        "from lightinit.formats.nocloud.meta_data import read\n"
        "print(read(b'instance-id: 007\\n').values)\n"
        "read(b'instance-id: a\\nkeys:\\n- b\\n')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        check=False,
    )
    assert ended.stdout == "{'instance-id': '007'}\n"
    assert "meta-data need python3-yaml (line=3" in ended.stderr
