"""The admin's account has gone when the platform is to be told: something has removed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Tuple

import pytest

from lightinit.emulator import Platform
from tests.lib.scratch import Machine

SETTINGS = "[lightinit]\nmodules = users ssh_authorized_keys tests.lib.removes_admin\n"
ROOT = "root:x:0:0:root:/root:/bin/sh\n"
HASH = "$6$salt$" + "x" * 86
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEjYgnKZG2uJTdsHHCdwBBGKVtdGxs2dXQ7vtLFoJ5tQ x\n"
NOLOGIN = "daemon:x:1:1::/srv:/usr/sbin/nologin\n"


def boot(folder: Path, files: Any, settings: str = "") -> Tuple[str, Any]:
    machine = Machine(folder)
    machine.put("/etc/passwd", ROOT + files.pop("passwd", ""))
    machine.put("/etc/shadow", "root:*:1::::::\n" + files.pop("shadow", ""))
    machine.put("/etc/group", "root:x:0:\n")
    for path, text in files.items():
        machine.put(path, text)
    with Platform() as platform:
        machine.lead_to(platform, SETTINGS + settings)
        ended = machine.run("boot")
        return ended.stderr, [report["state"] for report in platform.final_reports]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"passwd": NOLOGIN, "shadow": "daemon:%s:1::::::\n" % HASH},
        {"/root/.ssh/authorized_keys": "# none\n"},
        {"passwd": "damaged\n:x:1:1::/:/bin/sh\n"},
    ],
)
def test_nobody_else_could_log_in(tmp_path: Path, files: Any) -> None:
    said, reports = boot(tmp_path, files)
    assert reports == ["NotReady"], said
    assert "nobody could log in" in said and "there is no such account" in said


@pytest.mark.parametrize(
    "files",
    [
        {"passwd": "eve:x:1001:1001::/home/eve:/bin/sh\n", "shadow": "eve:%s:1::::::\n" % HASH},
        {"passwd": "eve:x:1001:1001::/home/eve:/bin/sh\n", "/home/eve/.ssh/authorized_keys": KEY},
        {"/root/.ssh/authorized_keys": KEY},
    ],
)
def test_somebody_else_could(tmp_path: Path, files: Any) -> None:
    said, reports = boot(tmp_path, files)
    assert reports == ["Ready"], said
    assert said.count("the account azureuser does not exist") == 1


@pytest.mark.parametrize("wish", ["warn", "no"])
def test_the_settings_want_no_refusal(tmp_path: Path, wish: str) -> None:
    said, reports = boot(tmp_path, {}, "login_check = %s\n" % wish)
    assert reports == ["Ready"], said
    assert ("nobody could log in" in said) is (wish == "warn")
