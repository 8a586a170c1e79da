"""``lightinit schema FILE``: what is printed, and the exit codes."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from lightinit import cli
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.state import State
from tests.lib.needs_yaml import needs_yaml


def schema(path: Path, capsys: Any) -> Tuple[int, List[str]]:
    code = cli.main(["schema", str(path)])
    return code, capsys.readouterr().out.replace(str(path), "FILE").splitlines()


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "web.yaml"
    path.write_bytes(data)
    return path


@needs_yaml
def test_each_mistake_is_a_line(tmp_path: Path, capsys: Any) -> None:
    path = write(tmp_path, b"#cloud-config\nhostnam: x\nmerge_how: list()\n")
    code, lines = schema(path, capsys)
    assert code == 1
    assert lines == [
        "FILE:2: hostnam: the key is unknown, and has no effect; did you mean `hostname`?",
        "FILE:3: merge_how: without dict() nothing would be merged; taken as dict();"
        " write it as list(append)+dict(recurse_list)+str()",
        "FILE: 1 without effect, and all else is valid",
    ]


@needs_yaml
def test_a_valid_document(tmp_path: Path, capsys: Any) -> None:
    text = b"#cloud-config\nmerge_how: dict(replace)+list()\n"
    assert schema(write(tmp_path, text), capsys) == (0, ["FILE: valid"])
    packed = gzip.compress(text)
    twice = base64.b64encode(base64.encodebytes(gzip.compress(packed)))
    wide, old = text.decode().encode("utf-16"), text.replace(b"\n", b"\r")
    for data in (packed, twice, wide, old, text.replace(b"g\n", b"g: mine\n", 1)):
        assert schema(write(tmp_path, data), capsys) == (0, ["FILE: valid"])


@needs_yaml
def test_a_note_is_no_mistake(tmp_path: Path, capsys: Any) -> None:
    code, lines = schema(write(tmp_path, b"#cloud-config\nmerge_how: list()\n"), capsys)
    assert code == 0 and len(lines) == 2


@needs_yaml
@pytest.mark.parametrize(
    "data, says",
    [
        (b"hostname: x\n", "FILE:1: the first line is not #cloud-config"),
        (b"## template: basic\n", "FILE:1: it is a template, and no cloud-config"),
        (b"#cloud-config\na:\n\tb: 1\n", "FILE:3: cloud-config is not valid yaml: the line is ind"),
        (b"#cloud-config\n- a\n", "FILE:2: cloud-config has another shape, found=a list; begin"),
        (b"#cloud-config\n" + b"#" * 3000000, "FILE:1: cloud-config is too large, bytes=2097152"),
        (b"\x1f\x8bxx", "FILE:1: "),
    ],
)
def test_what_is_no_cloud_config(data: bytes, says: str, tmp_path: Path, capsys: Any) -> None:
    code, lines = schema(write(tmp_path, data), capsys)
    assert code == 1 and lines[0].startswith(says), lines


MIME = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="B"

--B
Content-Type: text/cloud-config
Content-Disposition: attachment; filename="web.yaml"
Merge-Type: list(append

#cloud-config
hostnam: x
ssh_authorized_keys: [no key]
--B
Content-Type: text/x-shellscript

echo
--B
Content-Type: text/x-shellscript

#!/bin/sh
--B
Content-Type: image/png

x
--B
Content-Type: text/x-include-url

https://127.0.0.1:1/x
--B--
"""
ARCHIVE = """#cloud-config-archive
- "#!/bin/sh"
- {type: text/cloud-config, content: "a:\\n\\tb: 1"}
- "#include\\nhttp://127.0.0.1:1/x"
"""


@needs_yaml
@pytest.mark.parametrize(
    "text, lines",
    [
        (
            MIME,
            [
                "FILE, part 4 is left out: custom data has a format that is not supported",
                "FILE, part 1 (web.yaml): Merge-Type: a part of it is not NAME(OPTIONS)",
                "FILE, part 1 (web.yaml):2: hostnam: the key is unknown, and has no effect;",
                "FILE, part 1 (web.yaml):3: ssh_authorized_keys[0]: not an ssh public key",
                "FILE, part 2 has no effect: custom data is not a script (which=FILE, part 2,",
                "FILE, part 5: what is at its URLs (#include) is not checked",
                "FILE: 4 without effect",
            ],
        ),
        (
            ARCHIVE,
            [
                "FILE, part 2 has no effect: cloud-config is not valid yaml (line=2,",
                "FILE, part 3: what is at its URLs (#include) is not checked",
                "FILE: 1 without effect",
            ],
        ),
        (ARCHIVE.split("- {")[0], ["FILE: valid"]),
    ],
    ids=["MIME", "archive", "valid"],
)
def test_each_part_is_checked(text: str, lines: List[str], tmp_path: Path, capsys: Any) -> None:
    for data in (text.encode(), gzip.compress(text.encode())):
        code, found = schema(write(tmp_path, data), capsys)
        assert len(found) == len(lines) and code == (lines != ["FILE: valid"]), found
        assert all(each.startswith(line) for each, line in zip(found, lines)), found


SCRIPT = "FILE: a script; nothing more is checked in it"
HOOK = "FILE: a script (#cloud-boothook); nothing more is checked in it"
URLS = "FILE: what is at its URLs (#include) is not checked"
REFUSED = "FILE has no effect: custom data has a format that is not supported (which=FILE, format="
CANNOT = "FILE is left out: template cannot be rendered (why="
WITHOUT = "FILE: 1 without effect, and all else is valid"


@pytest.mark.parametrize(
    "text, lines",
    [
        ("#!/bin/sh\nif\n", [SCRIPT, "FILE: valid"]),
        ("#!\n", ["FILE has no effect: interpreter of the custom data is missing", WITHOUT]),
        ("#cloud-boothook\n#!/bin/sh\n", [HOOK, "FILE: valid"]),
        ("#cloud-boothook\necho\n", ["FILE has no effect: custom data is not a", WITHOUT]),
        ("#include\nhttps://127.0.0.1:1/x\n", [URLS, "FILE: valid"]),
        (
            "#include\nhttp://x/\nfile:///etc/motd\n",
            ["FILE: URL 2 is left out: url is not usable (url=file:///etc", URLS, WITHOUT],
        ),
        (
            "#include\n" + "http://x/\n" * 66,
            ["FILE: the last 2 URLs are left out", URLS, WITHOUT],
        ),
        ("#include\n# http://x/\n", ["FILE names no URL", WITHOUT]),
        ("#part-handler\n", [REFUSED + "#part-handler", WITHOUT]),
        ('{"ignition": {}}\n', [REFUSED + "Ignition", WITHOUT]),
        ("#cloud-config-jsonp\n[]\n", [REFUSED + "#cloud-config-jsonp", WITHOUT]),
    ],
)
def test_other_kinds_are_named(text: str, lines: List[str], tmp_path: Path, capsys: Any) -> None:
    """What a boot would execute ends with 0, what it would refuse with 1."""
    code, found = schema(write(tmp_path, text.encode()), capsys)
    assert len(found) == len(lines) and code == (lines[-1] != "FILE: valid"), found
    assert all(each.startswith(line) for each, line in zip(found, lines)), found


SAMPLE = "FILE: a template; rendered with sample data"
LACKING = "; an instance may have what sample data lack"


@needs_yaml
@pytest.mark.parametrize(
    "text, lines",
    [
        ("#!/bin/sh\n", [SAMPLE, SCRIPT.replace(":", " (rendered):", 1), "FILE: valid"]),
        (
            "#cloud-config\n{% if 1 %}\nhostnam: {{ region }}\n{% endif %}\n",
            [SAMPLE, "FILE (rendered):2: hostnam: the key is unknown", WITHOUT],
        ),
        (
            "#cloud-config\nfinal_message: '{{ ds.meta_data.mine }}'\n",
            [SAMPLE, "FILE: variables are missing: mine", "FILE: valid"],
        ),
        ("#!/bin/sh\n{{ a.b }}\n", [CANNOT + "UndefinedError", "FILE: valid"]),
        ("#!/bin/sh\n{% if %}\n", [CANNOT + "TemplateSyntaxError", WITHOUT]),
        ("some words\n", ["FILE is left out: custom data has a format", WITHOUT]),
    ],
)
def test_a_template_is_rendered(text: str, lines: List[str], tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("jinja2", reason="not installed here: jinja2")
    data = b"## template: jinja\n" + text.encode()
    code, found = schema(write(tmp_path, data), capsys)
    assert len(found) == len(lines) and code == (lines[-1] != "FILE: valid"), found
    assert all(each.startswith(line) for each, line in zip(found, lines)), found
    assert all(each.endswith(LACKING) for each in found if "mine" in each or "Undefined" in each)


@needs_yaml
def test_a_template_gets_this_machines_data(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("jinja2", reason="not installed here: jinja2")
    state = State(System(str(tmp_path)), "the-id")
    state.make_current()
    state.save_instance(Instance("the-id", "ec2", location="eu-west-9"), lambda data: data)
    text = b"## template: jinja\n#cloud-config\n{{ region }}: {{ nothing }}\n"
    path = write(tmp_path, text)
    code = cli.main(["--root", str(tmp_path), "schema", str(path)])
    found = capsys.readouterr().out.replace(str(path), "FILE").splitlines()
    assert code == 1 and found[0] == SAMPLE.replace("sample", "this machine's"), found
    assert found[1] == "FILE: variables are missing: nothing; see: lightinit query", found
    assert found[2].startswith("FILE (rendered):2: eu-west-9: the key is unknown"), found


def test_a_file_that_is_not_there(tmp_path: Path, capsys: Any) -> None:
    assert cli.main(["schema", str(tmp_path / "gone")]) == 66
    assert "document cannot be read (file=" in capsys.readouterr().err
    assert cli.main(["schema", str(tmp_path)]) == 66
