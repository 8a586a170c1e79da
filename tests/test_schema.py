"""``lightinit schema FILE``: what is printed, and the exit codes."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from lightinit import cli
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
    assert schema(write(tmp_path, gzip.compress(text)), capsys) == (0, ["FILE: valid"])


@needs_yaml
def test_a_note_is_no_mistake(tmp_path: Path, capsys: Any) -> None:
    code, lines = schema(write(tmp_path, b"#cloud-config\nmerge_how: list()\n"), capsys)
    assert code == 0 and len(lines) == 2


@needs_yaml
@pytest.mark.parametrize(
    "data, says",
    [
        (b"hostname: x\n", "FILE:1: the first line is not #cloud-config"),
        (b"#!/bin/sh\n", "FILE:1: it is a script, and no cloud-config"),
        (b"#cloud-config\na:\n\tb: 1\n", "FILE:3: cloud-config is not valid yaml: the line is ind"),
        (b"#cloud-config\n- a\n", "FILE:2: cloud-config has another shape, found=a list; begin"),
        (b"#cloud-config\n" + b"#" * 3000000, "FILE:1: cloud-config is too large, bytes=2097152"),
        (b"\x1f\x8bxx", "FILE:1: "),
    ],
)
def test_what_is_no_cloud_config(data: bytes, says: str, tmp_path: Path, capsys: Any) -> None:
    code, lines = schema(write(tmp_path, data), capsys)
    assert code == 1 and lines[0].startswith(says), lines


def test_a_file_that_is_not_there(tmp_path: Path, capsys: Any) -> None:
    assert cli.main(["schema", str(tmp_path / "gone")]) == 66
    assert "document cannot be read (file=" in capsys.readouterr().err
    assert cli.main(["schema", str(tmp_path)]) == 66
