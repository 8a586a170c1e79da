"""User data that cannot be used, in whole boots: a clear word, the rest done, and Ready."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from lightinit.emulator import Platform
from lightinit.emulator.documents.ovf import make_ovf
from lightinit.formats.cloud_config.keys import KEYS
from tests.lib.needs_yaml import needs_yaml
from tests.lib.scratch import Machine

pytestmark = needs_yaml
HOME = "/var/lib/lightinit/instance"
MIME = b"MIME-Version: 1.0\nContent-Type: "


def nested(levels: int) -> bytes:
    data = b"#!/bin/sh\n:\n"
    for at in range(levels):
        head = b"Content-Type: multipart/mixed; boundary=x%d\n\n--x%d\n" % (at, at)
        data = head + data + b"\n--x%d--\n" % at
    return data


def aliases() -> bytes:
    lines = [b"a0: &a0 [%s]" % b", ".join([b"x"] * 10)]
    for at in range(9):
        lines.append(b"a%d: &a%d [%s]" % (at + 1, at + 1, b", ".join([b"*a%d" % at] * 10)))
    return b"#cloud-config\n" + b"\n".join(lines)


def boot(folder: Path, data: bytes) -> Tuple[Machine, List[str]]:
    """A whole boot with custom data. It must end in Ready, with the admin there."""
    machine = Machine(folder)
    with Platform(instance={"compute": {"userData": ""}}) as platform:
        media = make_ovf("azureuser", "web-1", custom_data=data)
        machine.put("/media/ovf-env.xml", media.decode())
        machine.lead_to(platform, "[azure]\nmedia = /media\nmedia_only_s = 0.2\n")
        ended = machine.run("boot")
        assert (ended.returncode, platform.ready_count) == (0, 1), ended.stderr
    assert "Traceback" not in ended.stderr + machine.read("/var/log/lightinit.log"), ended.stderr
    assert "azureuser" in machine.read("/etc/passwd")
    warnings: List[str] = machine.json(HOME + "/result.json")["warnings"]
    assert not re.search(r"[A-Z][a-z]+(?:Error|Exception)\b", " ".join(warnings)), warnings
    return machine, warnings


@pytest.mark.parametrize(
    "data, word",
    [
        (aliases(), "cloud-config is too large"),
        (gzip.compress(b"#cloud-config\na: " + b"x" * 100_000_000), "unpack to too much"),
        (gzip.compress(b"#!/bin/sh\n" + b"#" * 100_000_000), "unpack to too much"),
        (b"#cloud-config\n\x00\xff\xfe\x01", "has no effect"),
        (b"#cloud-config\nhostname: a\nhostname: b\n", "there already"),
        (MIME + b"multipart/mixed\n\n--x\n\n#!/bin/sh\n--x--\n", "boundary"),
        (MIME + b"multipart/mixed; boundary=y\n\n--x\n\n#!/bin/sh\n--x--\n", "boundary"),
        (nested(50), "nested"),
        (MIME + b'text/cloud-config; charset="utf-99"\n\n#cloud-config\nfqdn: x\n', "charset"),
        (MIME + b'text/cloud-config; charset="utf-16"\n\n#cloud-config\nfqdn: x\n\xff', "utf-16"),
        (b"#include\nfile:///etc/shadow\n", "https"),
        (b'{"ignition": {"version": "3.0.0"}}', "Ignition"),
        (b"#part-handler\ndef x(): pass\n", "part-handler"),
        (b"#cloud-config\nwrite_files: [{path: /etc/shadow, content: x}]\n", "/etc/shadow"),
        (b"#cloud-config\nwrite_files: [{path: /etc, content: x}]\n", "/etc"),
    ],
)
def test_a_word_and_ready(tmp_path: Path, data: bytes, word: str) -> None:
    _, warnings = boot(tmp_path, data)
    assert any(word in each for each in warnings), warnings


@pytest.mark.long
@pytest.mark.parametrize(
    "value",
    [
        "null",
        "{}",
        "[]",
        "0",
        "''",
        "true",
        "[[[[]]]]",
        "[null]",
        "[{}]",
        "{'': ''}",
        "x" * 70000,
        '"\\u4e2d\\U0001F600"',
        '"a\\nb:c\\x85"',
        '"a\\0b"',
        '"\\uE000"',
        "-1",
        "1.5",
        ".nan",
        "1" + "0" * 30,
        "{1: 2, null: 3}",
        "[1, true, '', null, {}, []]",
        "{list: [null], filename: [], config: [], servers: 3, users: 3, enabled: x, mode: reboot}",
    ],
)
def test_each_key_with_a_value_of_another_type(tmp_path: Path, value: str) -> None:
    """All keys at once."""
    document = "".join("%s: %s\n" % (key, value) for key in KEYS)
    boot(tmp_path, b"#cloud-config\n" + document.encode("utf-8"))


def test_a_second_document_in_one_is_left_out(tmp_path: Any) -> None:
    machine, _ = boot(tmp_path, b"#cloud-config\nhostname: a\n---\nhostname: b\n")
    assert machine.read("/etc/hostname") == "a\n"
