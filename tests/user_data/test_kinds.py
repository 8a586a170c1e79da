"""The kinds of user data: how each is told, and what is said of those that have no effect."""

from __future__ import annotations

import os
from typing import Optional

import pytest

from lightinit import user_data
from lightinit.errors import ProvisioningError
from lightinit.user_data.script import Interpreter, read_interpreter

FOR_ALL = {"__init__", "checking", "kept", "kind", "overview", "parts", "pieces", "variables"}


@pytest.mark.parametrize(
    "data, kind",
    [
        (b"#!/bin/sh\n", "script"),
        (b"#!", "script"),
        (b"#cloud-config\nusers: []\n", "#cloud-config"),
        (b"\r\n#Cloud-Config\r\n", "#cloud-config"),
        (b"\xef\xbb\xbf#cloud-config\n", "#cloud-config"),
        (b"#cloud-config-archive\n", "#cloud-config-archive"),
        (b"#cloud-boothook\n#!/bin/sh\n", "#cloud-boothook"),
        (b"## template: jinja\n#cloud-config\n", "## template: jinja"),
        (b"#include\nhttp://x\n", "#include"),
        (b"#include-once\n", "#include-once"),
        (b"#part-handler\n", "#part-handler"),
        (b"#upstart-job\n", "#upstart-job"),
        (b"#cloud-config-jsonp\n", "#cloud-config-jsonp"),
        (b"Content-Type: multipart/mixed; boundary=x\n", "MIME"),
        (b"\nMIME-Version: 1.0\n", "MIME"),
        (b"", "other"),
        (b"\n #!/bin/sh\n", "script"),
        (b"\xef\xbb\xbf#!/bin/sh\r\n", "script"),
        (b'{"ignition": {"version": "3.0.0"}}', "Ignition"),
        (b'{"ignition": {"versi', "Ignition"),
        (b"From nobody Thu\nTo: x\nMIME-Version: 1.0\n\n", "MIME"),
        (b"To: x\n\nMIME-Version: 1.0\n", "other"),
        (b"{}", "other"),
        (b'{"a": "\\"ignition\\""}', "other"),
        (b"\x89PNG\r\n", "other"),
        (b"# cloud config\n", "other"),
    ],
)
def test_formats(data: bytes, kind: str) -> None:
    assert user_data.find_kind(data)[1] == kind


@pytest.mark.parametrize(
    "content_type, data, name",
    [
        ("text/cloud-config", b"a: 1\n", "#cloud-config"),
        ("text/plain", b"#!/bin/sh\n", "script"),
        ("text/x-shellscript", b"#cloud-config\n", "#cloud-config"),
        ("text/x-shellscript", b"echo\n", "script"),
        ("text/x-shellscript-per-boot", b"#!/bin/sh\n", "script"),
        ("text/cloud-boothook", b"#!/bin/sh\n", "#cloud-boothook"),
        ("text/x-include-once-url", b"http://x\n", "#include-once"),
        ("text/part-handler", b"", "#part-handler"),
        ("text/html", b"#!/bin/sh\n", "text/html"),
        ("application/vnd.coreos.ignition+json", b"", "Ignition"),
    ],
)
def test_a_declared_type_counts(content_type: str, data: bytes, name: str) -> None:
    """But for text/plain and text/x-shellscript, as in cloud-init: people declare anything so."""
    assert user_data.find_kind(data, content_type)[1] == name


@pytest.mark.parametrize("data", [b"echo\n", b""])
def test_what_is_no_script_is_refused_with_why(data: bytes) -> None:
    for kind in (user_data.find_kind(data)[0], user_data.find_kind(b"#!")[0]):
        with pytest.raises(ProvisioningError, match="custom data is not a script") as raised:
            kind.check("custom data", "script", data)
        assert raised.value.details["why"] == "it does not begin with #!"


@pytest.mark.parametrize("data", [b"#part-handler\n", b'{"ignition": {}}'])
def test_what_only_cloud_init_understands_is_refused_by_its_name(data: bytes) -> None:
    kind, name = user_data.find_kind(data)
    assert not kind.has_effect and kind.warns
    with pytest.raises(ProvisioningError, match="format that is not supported") as raised:
        kind.check("user data", name, data)
    assert raised.value.details["format"] == name


def test_each_file_of_a_kind_is_in_the_table() -> None:
    """A new kind is one file and one line in the table. Some files are for all kinds."""
    folder = os.path.dirname(str(user_data.__file__))
    files = set()
    for below in (folder, os.path.join(folder, "containers")):
        files |= {name[:-3] for name in os.listdir(below) if name.endswith(".py")}
    listed = {type(kind).__module__.rpartition(".")[2] for kind in user_data.KINDS}
    assert files - FOR_ALL == listed
    assert len(user_data.KINDS) == len(listed)


@pytest.mark.parametrize(
    "script, found",
    [
        (b"#!/bin/sh\necho\n", Interpreter("/bin/sh")),
        (b"#! /bin/sh -e \n", Interpreter("/bin/sh", "-e")),
        (b"#!\t/usr/bin/env\tpython3 -I\n", Interpreter("/usr/bin/env", "python3 -I")),
        (b"#!/bin/sh", Interpreter("/bin/sh")),
        (b"#!\n/bin/sh\n", None),
        (b"#!", None),
    ],
)
def test_the_first_line_is_read_as_the_kernel_reads_it(
    script: bytes, found: Optional[Interpreter]
) -> None:
    assert read_interpreter(script) == found
