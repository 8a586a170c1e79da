"""The scripts in init/ as every init system runs them: how often, in which state, in which order.

tests/packages/test_real_init.py has the same under real init systems.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Tuple

import pytest

from tests.lib.scratch import HERE

# What Slackware's rc.M has where its network starts.
RC_M = """#!/bin/sh
if [ -x /etc/rc.d/rc.inet1 ]; then
  /etc/rc.d/rc.inet1
fi

# Start networking daemons:
if [ -x /etc/rc.d/rc.inet2 ]; then
  /etc/rc.d/rc.inet2
fi
"""


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The scripts below a prefix, with a check and a Python that write down that they ran and end
    as the files `checked` and `booted` say.
    """
    prefix = tmp_path / "usr"
    for name, answer in (("lib/lightinit/check", "checked"), ("bin/python3", "booted")):
        script = '#!/bin/sh\necho %s >>%s/ran\nexit "$(cat %s/%s)"\n'
        put(prefix / name, script % (answer, tmp_path, tmp_path, answer))
        (tmp_path / answer).write_text("0\n", encoding="utf-8")
    put(prefix / "lib/lightinit/lightinit/__main__.py", "")
    for source, place in (
        ("start", "lib/lightinit/start"),
        ("sysvinit/lightinit", "sysvinit"),
        ("bsd/rc.lightinit", "bsd"),
    ):
        text = Path(HERE, "init", source).read_text(encoding="utf-8")
        put(prefix / place, text.replace("/usr/", str(prefix) + "/"))
    return tmp_path


def start(machine: Path, script: str = "lib/lightinit/start", *words: str) -> Tuple[int, str]:
    """Run a script. Returns its exit status, and what ran of check and lightinit."""
    ran = machine / "ran"
    ran.write_text("", encoding="utf-8")
    ended = subprocess.run([str(machine / "usr" / script)] + list(words), check=False)
    return ended.returncode, ran.read_text(encoding="utf-8").replace("\n", " ").strip()


@pytest.mark.parametrize(
    "checked, booted, status, ran",
    [
        (0, 0, 0, "checked booted"),
        (1, 0, 0, "checked"),  # nothing to do: a later boot
        (0, 1, 1, "checked booted"),
        (0, 75, 0, "checked booted"),  # started by hand while the boot's own is at work
        (2, 0, 0, "checked booted"),  # the check is broken: Python finds out
        (127, 0, 0, "checked booted"),
    ],
)
def test_start(machine: Path, checked: int, booted: int, status: int, ran: str) -> None:
    (machine / "checked").write_text("%d\n" % checked, encoding="utf-8")
    (machine / "booted").write_text("%d\n" % booted, encoding="utf-8")
    assert start(machine) == (status, ran)


def test_a_missing_check_loses_no_first_boot(machine: Path) -> None:
    (machine / "usr/lib/lightinit/check").unlink()
    assert start(machine) == (0, "booted")


@pytest.mark.parametrize("script", ["sysvinit", "bsd"])
def test_scripts_by_hand(machine: Path, script: str) -> None:
    assert start(machine, script, "start") == (0, "checked booted")
    for word in ("stop", "restart"):
        assert start(machine, script, word) == (0, "")
    assert start(machine, script, "nonsense")[0] == 2
    # The package was removed, and its configuration stayed.
    os.remove(str(machine / "usr/lib/lightinit/start"))
    assert start(machine, script, "start") == (0, "")


def test_slackware_calls_it_before_sshd(tmp_path: Path) -> None:
    """The command in the first lines of rc.lightinit, run twice."""
    text = Path(HERE, "init/bsd/rc.lightinit").read_text(encoding="utf-8")
    lines = [line[6:] for line in text.splitlines() if line.startswith("#     ")]
    rc_m = tmp_path / "rc.M"
    put(rc_m, RC_M)
    for _ in range(2):
        # rc.M has its place in commands and in the line that is put in; only the former is moved.
        command = "\n".join(lines).replace("/etc/rc.d/rc.M", str(rc_m))
        subprocess.run(["sh", "-c", command], check=True)
    changed = rc_m.read_text(encoding="utf-8")
    call = "[ ! -x /etc/rc.d/rc.lightinit ] || /etc/rc.d/rc.lightinit start\n"
    assert changed.count(call) == 1 and changed.replace(call, "") == RC_M
    assert changed.index("rc.inet1") < changed.index(call) < changed.index("rc.inet2")


def test_descriptions_that_no_tool_here_reads() -> None:
    """dinit and s6-rc: without a limit of time, and an SSH server that comes up in any case."""
    dinit = dict(
        line.split(" = ")
        for line in Path(HERE, "init/dinit/lightinit").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert dinit == {
        "type": "scripted",
        "command": "/usr/lib/lightinit/start",
        "restart": "false",
        "start-timeout": "0",
    }
    definition = Path(HERE, "init/s6-rc/lightinit")
    assert sorted(path.name for path in definition.iterdir()) == ["type", "up"]
    assert (definition / "type").read_text(encoding="utf-8") == "oneshot\n"
    up = (definition / "up").read_text(encoding="utf-8").splitlines()[-1]
    assert up == "foreground { /usr/lib/lightinit/start } true"
    openrc = Path(HERE, "init/openrc/lightinit").read_text(encoding="utf-8")
    assert "keyword -timeout " in openrc and "\tbefore sshd ssh dropbear\n" in openrc
