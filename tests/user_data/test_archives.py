"""``#cloud-config-archive``: what its entries become."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightinit.host.system import System
from lightinit.user_data import parts

WHOLE = b"""#cloud-config-archive
- "#!/bin/sh\\n"
- |
  hostname: web
- type: text/x-shellscript-per-boot
  filename: each.sh
  content: |
    #!/bin/sh
    echo x
- type: text/cloud-config
  merge-type: list(append)
  content: "a: 1"
- content: !!binary |
    IyEvYmluL3NoCg==
- 12
- content: [1]
- type: text/html
  content: <html>
- |
  #cloud-config-archive
  - "#!/bin/in\\n"
"""


def take(tmp_path: Path, data: bytes) -> parts.Collected:
    return parts.collect(System(str(tmp_path)), "custom data", data, lambda *_: b"", dict)


@pytest.fixture
def needs_yaml() -> None:
    pytest.importorskip("yaml", reason="not installed here: yaml")


@pytest.mark.usefixtures("needs_yaml")
def test_the_entries_of_an_archive(tmp_path: Path) -> None:
    found = take(tmp_path, WHOLE)
    name = "custom data, part "
    assert [part[:5] for part in found.parts] == [
        (name + "1", "script", b"#!/bin/sh\n", "", ""),
        (name + "2", "#cloud-config", b"hostname: web\n", "", ""),
        (name + "3 (each.sh)", "script", b"#!/bin/sh\necho x\n", "", "per-boot"),
        (name + "4", "#cloud-config", b"a: 1", "list(append)", ""),
        (name + "5", "script", b"#!/bin/sh\n", "", ""),
        (name + "9.1", "script", b"#!/bin/in\n", "", ""),
    ]
    told = [warning.partition(" is left out: ") for warning in found.warnings]
    assert [each[0] for each in told] == [name + "6", name + "7", name + "8"]
    assert "neither a text nor a table" in told[0][2] and "format=text/html" in told[2][2]


@pytest.mark.usefixtures("needs_yaml")
@pytest.mark.parametrize(
    "data, why",
    [(b"a: 1\n", "cloud-config has another shape"), (b"- [\n", "line"), (b"\t- a\n", "line")],
)
def test_what_is_no_archive_is_a_warning(tmp_path: Path, data: bytes, why: str) -> None:
    found = take(tmp_path, b"#cloud-config-archive\n" + data)
    assert not found.parts and why in found.warnings[0]


@pytest.mark.usefixtures("needs_yaml")
def test_an_empty_archive_has_no_parts(tmp_path: Path) -> None:
    assert not take(tmp_path, b"#cloud-config-archive\n").parts
