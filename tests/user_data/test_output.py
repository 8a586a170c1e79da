"""The ``output`` of a cloud-config: what scripts print is copied into files."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import List, Tuple

from lightinit.stages.config import run_module
from tests.lib.mime_document import multipart
from tests.lib.module_context import context_of
from tests.lib.needs_yaml import needs_yaml

pytestmark = needs_yaml

LONG = 3000000  # more than the log takes


def run(root: Path, output: str) -> Tuple[str, List[str]]:
    """Run a script and a runcmd; gives the message of the module, and its warnings."""
    document = "output: {all: '%s'}\nruncmd: ['echo second; echo third >&2']\n" % output
    script = "#!/bin/sh\necho first\nhead -c %d /dev/zero | tr '\\0' x\n" % LONG
    data = multipart("cloud-config " + document, "x-shellscript " + script)
    step = run_module(context_of(root, "i-1", base64.b64encode(data).decode()), "scripts")
    return step.message, step.warnings


def test_all_of_it_is_there_in_order(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old\n")
    message, warnings = run(tmp_path, "| tee /out /other")
    assert (message, warnings) == ("2 of 2 scripts of the custom data executed", [])
    for name in ("out", "other"):
        text = (tmp_path / name).read_text()
        assert text == "first\n" + "x" * LONG + "second\nthird\n", text[:99]


def test_what_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    message, warnings = run(tmp_path, ">> /nowhere/out")
    assert message == "2 of 2 scripts of the custom data executed"
    assert warnings == ["output is not copied to /nowhere/out: its folder is not there"]


def test_what_runs_early_has_its_own(tmp_path: Path) -> None:
    text = "#cloud-config\noutput: {init: '> /early', all: '> /late'}\nbootcmd: [echo early]\n"
    context = context_of(tmp_path, "i-1", base64.b64encode(text.encode()).decode())
    assert run_module(context, "bootcmd").warnings == []
    assert (tmp_path / "early").read_text() == "early\n" and not (tmp_path / "late").exists()
