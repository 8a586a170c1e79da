"""The kinds of user data: how each is told, and what is said of those that have no effect."""

from __future__ import annotations

import os
from typing import Optional

import pytest

from lightinit import user_data
from lightinit.errors import ProvisioningError
from lightinit.user_data.script import Interpreter, read_interpreter


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
        (b" #!/bin/sh\n", "other"),
        (b"{}", "other"),
        (b"\x89PNG\r\n", "other"),
        (b"# cloud config\n", "other"),
    ],
)
def test_formats(data: bytes, kind: str) -> None:
    assert user_data.find_kind(data)[1] == kind


@pytest.mark.parametrize(
    "data, why",
    [
        (b"\xef\xbb\xbf#!/bin/sh\n", "a byte-order mark or white space is before its #!"),
        (b"\n#!/bin/sh\n", "a byte-order mark or white space is before its #!"),
        (b"echo\n", "it does not begin with #!"),
    ],
)
def test_what_is_no_script_is_refused_with_why(data: bytes, why: str) -> None:
    kind, name = user_data.find_kind(data)
    with pytest.raises(ProvisioningError, match="custom data is not a script") as raised:
        kind.check("custom data", name, data)
    assert raised.value.details["why"] == why


@pytest.mark.parametrize("data", [b"#cloud-config\n", b"#include\n", b"MIME-Version: 1.0\n"])
def test_what_only_cloud_init_understands_is_refused_by_its_name(data: bytes) -> None:
    kind, name = user_data.find_kind(data)
    assert not kind.has_effect and kind.warns
    with pytest.raises(ProvisioningError, match="format that is not supported") as raised:
        kind.check("user data", name, data)
    assert raised.value.details["format"] == name


def test_each_file_of_a_kind_is_in_the_table() -> None:
    """A new kind is one file and one line in the table. Two files are for all kinds."""
    folder = os.path.dirname(str(user_data.__file__))
    files = {name[:-3] for name in os.listdir(folder) if name.endswith(".py")}
    listed = {type(kind).__module__.rpartition(".")[2] for kind in user_data.KINDS}
    assert files - {"__init__", "kind", "kept", "execution"} == listed
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
