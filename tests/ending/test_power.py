"""The restart at the end of a run: after everything else, once, and never in a loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional

import pytest

from lightinit import cli
from lightinit.ending import power
from lightinit.host.init.power import KEY, PowerWish, ask
from lightinit.model import Frequency, Outcome
from lightinit.pipeline import Context
from tests.lib.context import make_context
from tests.lib.scratch import UUID, Machine
from tests.lib.stand_in import StandIn

WISH = PowerWish("reboot", "packages", "a new kernel is installed")


class Host(StandIn):
    """A machine whose only way to restart is a script, which it may lack."""

    is_able = True

    def tool(self, name: str) -> Optional[str]:
        return self.root + "/reboot" if name == "reboot" and self.is_able else None


def run_with(root: Any, ready: bool = True, marked: bool = True, wish: PowerWish = WISH) -> Context:
    """A run that has come to its end, on a machine with a script for a reboot."""
    Machine(root)
    system = Host(root)
    context = make_context(system)
    context.use_instance(UUID)
    assert context.marks is not None
    context.in_memory = ()
    for name, is_there in (("stage.final", ready), ("module.packages", marked)):
        if is_there:
            context.marks.write(name, Frequency.INSTANCE, 0.0, Outcome(), 0.0)
    script = Path(str(root)) / "reboot"
    script.write_text("#!/bin/sh\necho down >>%s/down\n" % root)
    script.chmod(0o755)
    ask(system, wish)
    return context


def downs(root: Path) -> int:
    found = root / "down"
    return len(found.read_text().split()) if found.exists() else 0


def warnings(context: Context) -> List[str]:
    return [text for step in context.steps for text in step.warnings]


def test_what_a_module_has_asked_for_is_done(tmp_path: Path) -> None:
    context = run_with(tmp_path)
    power.run(context)
    assert downs(tmp_path) == 1
    assert context.is_going_down and not warnings(context)
    cli._stop(context, 15)  # the init system ends us: that is no reason to complain
    assert not context.stopped_by


def test_nothing_happens_unasked(tmp_path: Path) -> None:
    context = run_with(tmp_path)
    del context.system.remembered[cli.POWER]
    power.run(context)
    assert downs(tmp_path) == 0
    assert cli.POWER == KEY


def in_memory(context: Context) -> None:
    context.in_memory = ("/var/lib/lightinit",)


def each_boot(context: Context) -> None:
    context.settings.values["module.packages"] = {"frequency": "boot"}  # type: ignore[index]
    assert context.marks is not None
    context.marks.write("module.packages", Frequency.BOOT, 0.0, Outcome(), 0.0)


def without_tool(context: Context) -> None:
    assert isinstance(context.system, Host)
    context.system.is_able = False


@pytest.mark.parametrize(
    "why, ready, marked, change",
    [
        ("the VM is not ready", False, True, None),
        ("has not left its mark", True, False, None),
        ("is in memory", True, True, in_memory),
        ("runs at each boot", True, True, each_boot),
        ("no tool for it is installed", True, True, without_tool),
    ],
)
def test_what_could_happen_again_and_again_is_refused(
    tmp_path: Path, why: str, ready: bool, marked: bool, change: Any
) -> None:
    context = run_with(tmp_path, ready, marked)
    if change is not None:
        change(context)
    power.run(context)
    assert downs(tmp_path) == 0
    assert not context.is_going_down
    assert [why in text for text in warnings(context)] == [True]
    assert context.state is not None
    recorded = context.state.load("result") or {}
    assert [why in text for text in recorded["warnings"]] == [True]
