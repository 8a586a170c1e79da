"""Templates: their variables, what goes wrong in them, and what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lightinit.host.scripts import template
from lightinit.host.system import System
from lightinit.model import Instance, SshKey, User
from lightinit.user_data import parts, variables

INSTANCE = Instance(
    "the-id",
    "azure",
    ("web-1",),
    User("alice", (SshKey("ssh-ed25519 AAAA"),), password="SECRET"),
    location="westeurope",
    user_data="SECRET",
    raw={
        "imds": {
            "compute": {"platformFaultDomain": "1", "userData": "SECRET", "tags": "a:b"},
            "network": {"interface": [{"mac-address": "0A"}]},
        }
    },
)


def take(tmp_path: Path, text: str) -> parts.Collected:
    (tmp_path / "etc").mkdir(exist_ok=True)
    (tmp_path / "etc/os-release").write_text('ID=ubuntu\nVERSION_ID="24.04"\n')
    system = System(str(tmp_path))
    make = lambda: variables.make(system, INSTANCE)  # noqa: E731
    data = b"## template: jinja\r\n" + text.encode()
    return parts.collect(system, "custom data", data, lambda *_: b"", make)


def test_the_variables_have_cloud_inits_names(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID=sles\nVERSION_ID="15.6"\n')
    found = variables.make(system, INSTANCE)
    v1 = found["v1"]
    for name, value in (
        ("cloud_name", "azure"),
        ("instance_id", "the-id"),
        ("local_hostname", "web-1"),
        ("region", "westeurope"),
        ("availability_zone", "1"),
        ("distro", "sles"),
        ("variant", "suse"),
        ("public_ssh_keys", ["ssh-ed25519 AAAA"]),
    ):
        assert v1[name] == found[name] == value
    assert v1["local-hostname"] == "web-1"
    assert found["ds"]["meta_data"]["local_hostname"] == "web-1"
    imds = found["ds"]["meta_data"]["imds"]
    assert imds["network"]["interface"][0]["mac_address"] == "0A"
    assert "SECRET" not in json.dumps(found)
    bare = variables.make(System(str(tmp_path / "bare")), Instance("x"))
    assert bare["v1"]["distro"] == "unknown" and bare["region"] == ""


def test_without_jinja2_a_warning_names_the_package(tmp_path: Path) -> None:
    """A stand-in for a machine without it: a Python that finds no libraries."""
    given = {"path": [], "text": "x", "variables": {}}
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-B", template.RENDERER],
        input=json.dumps(given).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(ended.stdout.decode()) == {"lacks": "jinja2"}
    found = parts.collect(
        System(str(tmp_path)), "user data", b"## template: jinja\nx", lambda *_: b"", dict
    )
    assert not found.parts and len(found.warnings) == 1


def test_a_template_that_is_not_text(tmp_path: Path) -> None:
    found = parts.collect(
        System(str(tmp_path)), "user data", b"## template: jinja\n\xff\xfe", lambda *_: b"", dict
    )
    assert "template is not text" in found.warnings[0]


@pytest.fixture
def needs_jinja2() -> None:
    pytest.importorskip("jinja2", reason="not installed here: jinja2")


@pytest.mark.usefixtures("needs_jinja2")
def test_the_last_line_keeps_its_end(tmp_path: Path) -> None:
    """A block trims the line end after it; cloud-init puts the document's last one back."""
    for text, rendered in (
        ("{% raw %}{{ a }}{% endraw %}\n", b"{{ a }}\n"),
        ("{% if 1 %}\na\n{% endif %}\n", b"a\n\n"),
        ("a\n", b"a\n"),
        ("{{ 1 }}", b"1"),
    ):
        assert take(tmp_path, "#!/bin/sh\n" + text).parts[0].data == b"#!/bin/sh\n" + rendered


@pytest.mark.usefixtures("needs_jinja2")
def test_a_script_is_rendered_and_keeps_its_identity(tmp_path: Path) -> None:
    text = "#!/bin/sh\r\necho {{ v1.region }} {{ ds.meta_data.imds.compute.tags }}{{ nothing }}\n"
    found = take(tmp_path, text)
    expected = b"#!/bin/sh\necho westeurope a:bCI_MISSING_JINJA_VAR/nothing\n"
    assert [(part.kind, part.data) for part in found.parts] == [("script", expected)]
    assert "variables are missing: nothing" in found.warnings[0]
    other = take(tmp_path, text.replace("echo", "cat"))
    assert other.parts[0].identity != found.parts[0].identity


@pytest.mark.usefixtures("needs_jinja2")
@pytest.mark.parametrize(
    "text, why",
    [
        ("#!/bin/sh\n{% if %}", "end of statement block', line=3)"),
        ("{{ nothing.more }}", "UndefinedError"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ 'x' * 10**10 }}", "too much memory"),
        ("{{ 'x' * 10**7 }}", "more than 2097152 characters"),
        ("{% include '/etc/passwd' %}", "TypeError"),
        ("some words", "format that is not supported"),
    ],
)
def test_what_goes_wrong_in_a_template(tmp_path: Path, text: str, why: Any) -> None:
    found = take(tmp_path, text)
    assert not found.parts and len(found.warnings) == 1
    assert why in found.warnings[0]


@pytest.mark.long
@pytest.mark.usefixtures("needs_jinja2")
def test_a_template_without_end(tmp_path: Path) -> None:
    loop = "{% for a in range(99999) %}"
    found = take(tmp_path, loop + loop + "{% endfor %}{% endfor %}")
    assert "template" in found.warnings[0] and not found.parts
