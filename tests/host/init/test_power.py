"""The commands that restart a machine or switch it off, for each init system, and what is tried
when one of them is refused. With a real busybox in a namespace: real_tools/test_power_real.py.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, List, Sequence

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.init import power
from lightinit.host.init.power import PowerWish
from lightinit.host.system import System
from tests.lib.stand_in import StandIn

SYSTEMD = ("shutdown", "systemctl", "systemd-run", "reboot", "halt", "poweroff")
BUSYBOX = ("reboot", "halt", "poweroff")
WAITS = '/bin/sh -c sleep "$0" && exec "$@" 300 /sbin/halt'


def machine(root: Path, tools: Sequence[str]) -> StandIn:
    if "systemctl" in tools:
        (root / "run/systemd/system").mkdir(parents=True)
    return StandIn(root, tools)


@pytest.mark.parametrize(
    "tools, wish, commands",
    [
        (
            SYSTEMD,
            PowerWish("reboot", "x"),
            ["/sbin/shutdown -r -- now", "/sbin/systemctl --no-block reboot"],
        ),
        (
            SYSTEMD[1:],
            PowerWish("poweroff", "x", delay_minutes=5),
            [
                "/sbin/systemd-run --quiet --collect --on-active=300"
                " --timer-property=AccuracySec=1s"
                " --description=The poweroff that user data asked for --"
                " /sbin/systemctl --no-block poweroff"
            ],
        ),
        (SYSTEMD[1:2], PowerWish("poweroff", "x", delay_minutes=5), []),
        (
            ("shutdown", "halt"),
            PowerWish("halt", "x", delay_minutes=5, message="-c\0\x1b[2Jbye\n"),
            ["/sbin/shutdown -h -H -- +5 -c  [2Jbye", WAITS],
        ),
        (BUSYBOX, PowerWish("poweroff", "x", message="bye"), ["/sbin/poweroff"]),
        (BUSYBOX, PowerWish("halt", "x", delay_minutes=5), [WAITS]),
        (
            ("openrc-shutdown",),
            PowerWish("poweroff", "x"),
            ["/sbin/openrc-shutdown --poweroff now"],
        ),
        ((), PowerWish("reboot", "x"), []),
    ],
)
def test_each_machine_has_its_commands(
    tmp_path: Path, tools: Sequence[str], wish: PowerWish, commands: List[str]
) -> None:
    found = power.list_commands(machine(tmp_path, tools), wish)
    assert [" ".join(argv) for argv in found] == commands


def test_a_refused_command_is_followed_by_the_next(tmp_path: Path) -> None:
    """Void's shutdown has no -H, for example."""
    tried = []

    def start(argv: Sequence[str]) -> str:
        tried.append(argv[0])
        return "'-H' is not implemented" if argv[0].endswith("shutdown") else ""

    system = machine(tmp_path, ("shutdown", "halt"))
    assert power.act(system, PowerWish("halt", "x"), start) == "/sbin/halt"
    assert tried == ["/sbin/shutdown", "/sbin/halt"]


def test_if_all_are_refused_the_error_has_what_they_said(tmp_path: Path) -> None:
    system = machine(tmp_path, ("shutdown", "reboot"))
    with pytest.raises(ProvisioningError) as failure:
        power.act(system, PowerWish("reboot", "x"), lambda argv: "no init")
    assert failure.value.details["said"] == "/sbin/shutdown: no init; /sbin/reboot: no init"
    with pytest.raises(ProvisioningError, match="no tool for it is installed"):
        power.act(machine(tmp_path, ()), PowerWish("reboot", "x"))


class Scripts(StandIn):
    """A machine whose tools are scripts."""

    def tool(self, name: str) -> Any:
        path = Path(self.root) / name
        return str(path) if path.exists() else None

    def put(self, name: str, text: str) -> None:
        path = Path(self.root) / name
        path.write_text("#!%s\n%s" % (sys.executable, text))
        path.chmod(0o755)


def test_real_programs_are_started(tmp_path: Path) -> None:
    system = Scripts(tmp_path)
    system.put("shutdown", "import sys; sys.exit('Failed to talk to init daemon.')")
    system.put("reboot", "open(%r, 'w').write('going down')" % str(tmp_path / "done"))
    assert power.act(system, PowerWish("reboot", "x")) == str(tmp_path / "reboot")
    assert (tmp_path / "done").read_text() == "going down"
    (tmp_path / "reboot").unlink()
    with pytest.raises(ProvisioningError, match="Failed to talk to init daemon"):
        power.act(system, PowerWish("reboot", "x"))


def test_a_program_that_waits_for_its_time_goes_on(tmp_path: Path) -> None:
    """As shutdown of sysvinit does."""
    system = Scripts(tmp_path)
    fifo = tmp_path / "fifo"
    os.mkfifo(str(fifo))
    system.put("shutdown", "open(%r).read()" % str(fifo))
    power.act(system, PowerWish("reboot", "x", delay_minutes=5))
    with open(str(fifo), "w") as waiter:  # it waits still: nobody else opens this
        waiter.write("go")


def test_without_a_place_for_its_words_a_program_is_started_all_the_same() -> None:
    with power.file_for_errors(["/no/such/folder"]) as said:
        assert said.write(b"said") == 4 and said.name == os.devnull
    with power.file_for_errors(["/no/such/folder", None]) as said:
        assert said.write(b"said") == 4 and said.name != os.devnull


def test_a_scratch_root_stays(tmp_path: Path) -> None:
    system = System(str(tmp_path))
    power.ask(system, PowerWish("reboot", "x"))
    assert power.find_wish(system) is None
    assert system.skipped == ["reboot"]
