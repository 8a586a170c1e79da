"""The ``runcmd`` of cloud-configs: one script, among the last ones, once per instance."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import List

from lightinit.pipeline import StepResult
from lightinit.stages.config import run_module
from lightinit.stages.selection.given import find_cloud_config
from tests.lib.custom_data import b64
from tests.lib.mime_document import multipart
from tests.lib.module_context import context_of
from tests.lib.needs_yaml import needs_yaml

pytestmark = needs_yaml


def ran(root: Path) -> List[str]:
    path = root / "ran"
    return path.read_text().splitlines() if path.exists() else []


def test_it_runs_after_the_scripts_and_once(tmp_path: Path) -> None:
    document = "runcmd:\n- [sh, -c, 'echo \"$1\" >>%s/ran', sh, 'a b']\n- echo c >>%s/ran\n"
    data = multipart(
        "cloud-config " + document % (tmp_path, tmp_path),
        "x-shellscript #!/bin/sh\necho script >>%s/ran\n" % tmp_path,
    )
    context = context_of(tmp_path, "i-1", base64.b64encode(data).decode())
    step = run_module(context, "scripts")
    assert step.message == "2 of 2 scripts of the custom data executed"
    assert ran(tmp_path) == ["script", "a b", "c"] and step.warnings == []
    # By hand, with the mark of the module taken away as well: forced means once more.
    again = context_of(tmp_path, "i-1", base64.b64encode(data).decode())
    assert run_module(again, "scripts").result is StepResult.ALREADY
    assert run_module(again, "scripts", force=True).result is StepResult.OK
    assert ran(tmp_path) == ["script", "a b", "c"] * 2


def test_several_documents_are_merged_as_they_say(tmp_path: Path) -> None:
    line = "runcmd: ['echo %%s >>%s/ran']\n" % tmp_path
    data = multipart(
        "cloud-config " + line % "first",
        "cloud-config merge_how: 'list(append)+dict(recurse_list)'\n" + line % "second",
    )
    context = context_of(tmp_path, "i-1", base64.b64encode(data).decode())
    assert run_module(context, "scripts").result is StepResult.OK
    assert ran(tmp_path) == ["first", "second"]


def test_one_that_fails_is_not_run_again(tmp_path: Path) -> None:
    text = b64("#cloud-config\nruncmd: ['echo x >>%s/ran', 'exit 5']\n" % tmp_path)
    step = run_module(context_of(tmp_path, "i-1", text), "scripts")
    assert step.error is not None and step.error.reason == "custom data script failed"
    assert step.error.details["which"] == "runcmd" and step.error.details["status"] == "5"
    later = run_module(context_of(tmp_path, "i-1", text), "scripts")
    assert later.result is StepResult.OK and ran(tmp_path) == ["x"]
    assert "runcmd script began at" in later.warnings[0]


def test_what_the_platform_gives_later_counts(tmp_path: Path) -> None:
    """As when the platform answers only to the second attempt of one boot."""
    context = context_of(tmp_path, "i-1", "")
    instance, context.instance = context.instance, None
    assert instance is not None and find_cloud_config(context) is None
    context.instance = instance
    assert find_cloud_config(context) is None
    text = b64("#cloud-config\nhostname: x\n")
    context.instance = instance._replace(custom_data=text)
    given = find_cloud_config(context)
    assert given is not None and given.values == {"hostname": "x"}
    assert find_cloud_config(context) is given, "it is read once"
    assert "hostname" not in repr(given), "it may have secrets"
