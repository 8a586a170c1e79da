"""The module bootcmd: boothooks and ``bootcmd`` at each boot, once in a boot."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import List

from lightinit.pipeline import StepResult
from lightinit.stages.config import run_module
from lightinit.stages.selection.module_list import listed, pending
from tests.lib.custom_data import b64
from tests.lib.mime_document import multipart
from tests.lib.module_context import context_of
from tests.lib.needs_yaml import needs_yaml

BOOT_ID = "proc/sys/kernel/random/boot_id"


def ran(root: Path) -> List[str]:
    path = root / "ran"
    return path.read_text().splitlines() if path.exists() else []


def begin_boot(root: Path, boot_id: str) -> None:
    (root / BOOT_ID).parent.mkdir(parents=True, exist_ok=True)
    (root / BOOT_ID).write_text(boot_id + "\n")


@needs_yaml
def test_it_runs_at_each_boot_and_once_in_a_boot(tmp_path: Path) -> None:
    line = "bootcmd: ['echo $INSTANCE_ID >>%s/ran', [sh, -c, 'echo \"$1\" >>%s/ran', sh, 'a b']]\n"
    data = multipart(
        "cloud-config " + line % (tmp_path, tmp_path),
        "cloud-boothook:d #!/bin/sh\necho hook >>%s/ran\n" % tmp_path,
        "x-shellscript #!/bin/sh\necho late >>%s/ran\n" % tmp_path,
    )
    text = base64.b64encode(data).decode()
    for number, boot_id in enumerate(("one", "two"), 1):
        begin_boot(tmp_path, boot_id)
        for _ in range(2):  # lightinit was killed, and is started again
            context = context_of(tmp_path, "i-1", text)
            assert listed(context)[:2] == ["entropy", "bootcmd"]
            step = run_module(context, "bootcmd")
            assert step.result in (StepResult.OK, StepResult.ALREADY), step.error
        assert ran(tmp_path) == ["hook", "i-1", "a b"] * number
        assert "bootcmd" not in pending(context)


@needs_yaml
def test_a_failure_is_a_warning_and_stops_nothing(tmp_path: Path) -> None:
    text = b64("#cloud-config\nbootcmd: ['echo x >>%s/ran', 'exit 5']\n" % tmp_path)
    begin_boot(tmp_path, "one")
    step = run_module(context_of(tmp_path, "i-1", text), "bootcmd")
    assert step.error is not None and step.error.details["which"] == "bootcmd"
    assert not step.required and ran(tmp_path) == ["x"]
    again = run_module(context_of(tmp_path, "i-1", text), "bootcmd")
    assert again.result is StepResult.OK and ran(tmp_path) == ["x"]
    begin_boot(tmp_path, "two")
    run_module(context_of(tmp_path, "i-1", text), "bootcmd")
    assert ran(tmp_path) == ["x", "x"]


def test_one_that_nobody_asks_for_is_not_listed(tmp_path: Path) -> None:
    begin_boot(tmp_path, "one")
    context = context_of(tmp_path, "i-1", b64("#!/bin/sh\n"))
    assert "bootcmd" not in listed(context)
