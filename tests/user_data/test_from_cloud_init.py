"""What documents expect of cloud-init besides its keys: folders whose scripts it executes, its
program ``cloud-init-per``, and scripts that run at each boot.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, List, Optional

import pytest

from lightinit.stages.config import run_module
from lightinit.stages.selection.module_list import pending_after_ready
from lightinit.user_data.scripts import per
from tests.lib.custom_data import b64
from tests.lib.mime_document import multipart
from tests.lib.module_context import context_of
from tests.lib.needs_yaml import needs_yaml
from tests.lib.stand_in import LiveRoot

pytestmark = needs_yaml
BOOTS = (("a", "1"), ("a", "2"), ("b", "3"))


class WithoutCloudInit(LiveRoot):
    """A machine without cloud-init's programs, whatever the host of the tests has."""

    def tool(self, name: str) -> Optional[str]:
        return None if name == per.NAME else super().tool(name)


def boot(root: Path, instance: str, boot_id: str, data: bytes) -> List[str]:
    """The words that the scripts of one boot have left in the file ``ran``."""
    (root / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (root / "proc/sys/kernel/random/boot_id").write_text(boot_id + "\n")
    for module in ("bootcmd", "scripts"):
        context = context_of(root, instance, b64(data), system=WithoutCloudInit(root))
        if module in pending_after_ready(context) or module == "bootcmd":
            assert not run_module(context, module).failed
    ran = root / "ran"
    text = ran.read_text() if ran.exists() else ""
    ran.write_text("")
    return text.split()


def written(root: Path) -> bytes:
    text = "#cloud-config\nwrite_files:\n"
    for place, name, mode in (
        ("per-boot", "b", "0755"),
        ("per-once", "o", "0700"),
        ("per-instance", "i", "0744"),
        ("per-boot", "not-executable", "0644"),
        ("per-boot/sub", "deeper", "0755"),
        ("per-week", "unknown", "0755"),
    ):
        text += "- path: /var/lib/cloud/scripts/%s/%s\n  permissions: '%s'\n" % (place, name, mode)
        text += "  content: |\n    #!/bin/sh\n    echo %s >>%s/ran\n" % (name, root)
    return (text + "runcmd: [echo runcmd >>%s/ran]\n" % root).encode()


def always(root: Path) -> bytes:
    """As Amazon's documentation has it."""
    line = "echo %%s >>%s/ran" % root
    return multipart(
        "cloud-config cloud_final_modules:\n- [scripts-user, always]\nruncmd: ['%s']"
        % line
        % "runcmd",
        "x-shellscript #!/bin/sh\n" + line % "script",
        "x-shellscript-per-instance #!/bin/sh\n" + line % "instance",
    )


def called(root: Path) -> bytes:
    text = "#cloud-config\nbootcmd:\n"
    for when in ("once", "instance", "always"):
        text += "- [cloud-init-per, %s, x-y, sh, -c, 'echo %s >>%s/ran']\n" % (when, when, root)
    text += "runcmd: ['cloud-init-per instance r false || echo $? >>%s/ran']\n" % root
    return text.encode()


@pytest.mark.parametrize(
    "make, ran",
    [
        (written, [["o", "b", "i", "runcmd"], ["b"], ["b", "i", "runcmd"]]),
        (always, [["instance", "script", "runcmd"], ["script", "runcmd"]] * 2),
        (
            called,
            [["once", "instance", "always", "1"], ["always"], ["instance", "always", "1"]],
        ),
    ],
    ids=["written", "always", "called"],
)
def test_each_as_often_as_with_cloud_init(tmp_path: Path, make: Any, ran: List[List[str]]) -> None:
    for (instance, boot_id), words in zip(BOOTS, ran):
        found = boot(tmp_path, instance, boot_id, make(tmp_path))
        assert sorted(found) == sorted(words), (instance, boot_id)


def test_what_cannot_be_called(tmp_path: Path) -> None:
    system = WithoutCloudInit(tmp_path)
    assert per.find_path(system, b"#!/bin/sh\necho\n") == ""
    assert per.find_path(system, b"cloud-init-per").startswith(str(tmp_path))
    program = str(tmp_path) + per.FOLDER + "/" + per.NAME
    for words in ([], ["once", "x"], ["daily", "x", "true"], ["once", "a/b", "true"]):
        ended = subprocess.run([program, *words], stderr=subprocess.PIPE, check=False)
        assert ended.returncode == 1 and b"NAME" in ended.stderr
