"""A script is executed at most once, whatever ends it. The module scripts executes it here."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any, List

import pytest

from lightinit.cloud_config.choice import BOTH
from lightinit.errors import ProvisioningError
from lightinit.host import log
from lightinit.model import Instance, Outcome
from lightinit.modules import scripts
from lightinit.pipeline import StepResult, Stopped
from lightinit.stages.config import run_module
from tests.lib.custom_data import FOLDER, apply, b64, refused
from tests.lib.module_context import context_of
from tests.lib.scratch import HERE
from tests.lib.scripts import ReachedClock
from tests.lib.stand_in import LiveRoot


def counting(tmp_path: Path, name: str, more: str = "") -> str:
    return b64("#!/bin/sh\necho x >>%s/%s\n%s\n" % (tmp_path, name, more))


def count(tmp_path: Path, name: str) -> int:
    return (tmp_path / name).read_text().count("x") if (tmp_path / name).exists() else 0


def again(outcome: str, which: str = "custom data") -> str:
    return r"%s script began at \d{4}-\d\d-\d\dT[\d:]{8}Z, %s: not executed again\Z" % (
        which,
        re.escape(outcome),
    )


@pytest.mark.parametrize(
    "more, reason, outcome",
    [
        ("exit 7", "custom data script failed", "failed with status 7"),
        (
            ">@/up; sleep 1000",
            "custom data script took too long",
            "was killed at the limit of 60 s",
        ),
    ],
)
def test_a_script_that_failed_is_not_executed_again(
    tmp_path: Path, more: str, reason: str, outcome: str
) -> None:
    system = LiveRoot(tmp_path, ReachedClock(tmp_path / "up"))
    text = counting(tmp_path, "ran", more.replace("@", str(tmp_path)))
    error = refused(system, text, execute="custom_data")
    assert error.reason == reason and "lightinit module scripts --force" in error.details["hint"]
    for _ in range(2):
        found = apply(system, text, execute="custom_data")
        assert found.message == "custom data kept; custom data not executed"
        assert [bool(re.match(again(outcome), each)) for each in found.warnings] == [True], (
            found.warnings
        )
    assert count(tmp_path, "ran") == 1


def test_one_that_has_succeeded_is_not_executed_again_either(tmp_path: Path) -> None:
    """As when the power is cut after its end, before the module's own mark is written."""
    system, text = LiveRoot(tmp_path), counting(tmp_path, "ran")
    assert apply(system, text, execute="both") == Outcome("custom data kept; custom data executed")
    assert apply(system, text, execute="both") == Outcome(
        "custom data kept; custom data executed before"
    )
    assert count(tmp_path, "ran") == 1


def stop(*_: Any) -> None:
    raise Stopped(143)


def test_one_that_restarts_the_machine_is_not_executed_again(tmp_path: Path) -> None:
    """systemd sends lightinit SIGTERM then. The next boot goes on with what has not begun."""
    system = LiveRoot(tmp_path)
    first, second = (
        counting(tmp_path, "first", "kill -TERM %d; sleep 1000" % os.getpid()),
        counting(tmp_path, "second"),
    )
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            apply(system, first, second, "both")
        assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 0)
        found = apply(system, first, second, "both")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (
        found.message
        == "custom data kept, user data kept; custom data not executed, user data executed"
    )
    assert len(found.warnings) == 1 and re.match(again("did not end"), found.warnings[0])
    assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 1)


class StoppedAtTheStart(LiveRoot):
    """A signal comes when a script is about to start."""

    def exists(self, name: str) -> bool:
        if name == "/run/systemd/system":
            os.kill(os.getpid(), signal.SIGTERM)
        return super().exists(name)


def test_one_that_a_signal_kept_from_starting_has_not_begun(tmp_path: Path) -> None:
    """The machine goes down just then: the next boot executes it."""
    text = counting(tmp_path, "ran")
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            apply(StoppedAtTheStart(tmp_path), text, execute="both")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert count(tmp_path, "ran") == 0 and not os.listdir(str(tmp_path / FOLDER / "sem"))
    apply(LiveRoot(tmp_path), text, execute="both")
    assert count(tmp_path, "ran") == 1


def test_when_the_first_has_failed_the_second_is_never_executed(tmp_path: Path) -> None:
    system, first, second = (
        LiveRoot(tmp_path),
        counting(tmp_path, "first", "exit 3"),
        counting(tmp_path, "second"),
    )
    assert refused(system, first, second, execute="both").details["which"] == "custom data"
    found = apply(system, first, second, "both")
    assert (
        found.message.endswith("; custom data not executed, user data not executed")
        and len(found.warnings) == 2
    )
    assert found.warnings[1] == "user data not executed, because custom data failed"
    assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 0)


def test_when_the_second_has_failed_neither_is_executed_again(tmp_path: Path) -> None:
    system, first, second = (
        LiveRoot(tmp_path),
        counting(tmp_path, "first"),
        counting(tmp_path, "second", "exit 3"),
    )
    assert refused(system, first, second, execute="both").details["which"] == "user data"
    found = apply(system, first, second, "both")
    assert found.message.endswith("; custom data executed before, user data not executed")
    assert len(found.warnings) == 1 and re.match(
        again("failed with status 3", "user data"), found.warnings[0]
    )
    assert (count(tmp_path, "first"), count(tmp_path, "second")) == (1, 1)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", '{"began": 1}', "\x00" * 99])
def test_a_damaged_mark_says_that_it_has_begun(tmp_path: Path, content: str) -> None:
    system, text = LiveRoot(tmp_path), counting(tmp_path, "ran")
    (tmp_path / FOLDER / "sem").mkdir(parents=True)
    (tmp_path / FOLDER / "sem/module.scripts+custom-data").write_text(content)
    found = apply(system, text, execute="both")
    assert found.warnings == (
        "custom data script began at an unknown time, did not end: not executed again",
    )
    assert count(tmp_path, "ran") == 0


def test_one_that_cannot_be_marked_is_not_executed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "sem").write_text("in the way")
    assert (
        refused(LiveRoot(tmp_path), counting(tmp_path, "ran"), execute="both").reason
        == "file cannot be written"
    )
    assert count(tmp_path, "ran") == 0


def test_one_that_could_not_be_started_has_not_begun(tmp_path: Path) -> None:
    """The kernel takes no variable of this length."""
    system, text = LiveRoot(tmp_path), counting(tmp_path, "ran")
    with pytest.raises(ProvisioningError, match="command cannot be started"):
        scripts.apply(
            Instance("x" * 200000, custom_data=text), system, {"documents": BOTH, "timeout_s": 60.0}
        )
    assert not os.listdir(str(tmp_path / FOLDER / "sem"))
    assert (
        apply(system, text, execute="both").message == "custom data kept; custom data executed"
        and count(tmp_path, "ran") == 1
    )


@pytest.mark.parametrize("status", [0, 7])
def test_how_it_ended_counts_even_if_it_cannot_be_kept(
    tmp_path: Path, caplog: Any, status: int
) -> None:
    sem = tmp_path / FOLDER / "sem"
    text = counting(tmp_path, "ran", "rm -r %s && echo >%s; exit %d" % (sem, sem, status))
    if status:
        assert refused(LiveRoot(tmp_path), text, execute="both").details["status"] == "7"
    else:
        assert (
            apply(LiveRoot(tmp_path), text, execute="both").message
            == "custom data kept; custom data executed"
        )
    assert (
        "custom data: the result of its script cannot be saved: file cannot be written"
        in caplog.text
    )


class PowerCut(BaseException):
    """Nothing catches this."""


class Failing(LiveRoot):
    """Its power is cut at its Nth change, before it or right after."""

    def __init__(self, root: Any, cut_at: int, after: bool) -> None:
        super().__init__(root)
        self.changes: List[str] = []
        self._cut_at = cut_at
        self._after = after

    def write(self, name: str, *arguments: Any, **more: Any) -> None:
        self.changes.append(name)
        if len(self.changes) == self._cut_at and not self._after:
            raise PowerCut(name)
        super().write(name, *arguments, **more)
        if len(self.changes) == self._cut_at:
            raise PowerCut(name)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whenever_the_power_is_cut_it_is_executed_at_most_once(tmp_path: Path, after: bool) -> None:
    """Only a cut between the mark and the script's start loses it."""
    whole = Failing(tmp_path / "whole", 0, after)
    apply(whole, counting(tmp_path, "ran"), execute="both")
    lost = []
    for cut_at, name in enumerate(whole.changes, 1):
        (tmp_path / "ran").write_text("")
        root = tmp_path / str(cut_at)
        with pytest.raises(PowerCut):
            apply(Failing(root, cut_at, after), counting(tmp_path, "ran"), execute="both")
        apply(LiveRoot(root), counting(tmp_path, "ran"), execute="both")
        assert count(tmp_path, "ran") <= 1, name
        lost += [name] if not count(tmp_path, "ran") else []
    mark = "/" + FOLDER + "sem/module.scripts+custom-data"
    assert whole.changes.count(mark) == 2, "when it begins and when it has ended"
    assert lost == ([mark] if after else [])


def test_that_is_once_in_each_boot_where_the_module_runs_in_each(tmp_path: Path) -> None:
    system, instance = (
        LiveRoot(tmp_path),
        Instance("the-id", custom_data=counting(tmp_path, "ran", "exit 1")),
    )
    each_boot = {"documents": BOTH, "timeout_s": 60.0, "frequency": "boot"}
    for boot_id in ("one", "two"):
        system.write("/proc/sys/kernel/random/boot_id", boot_id.encode() + b"\n")
        with pytest.raises(ProvisioningError):
            scripts.apply(instance, system, each_boot)
        assert len(scripts.apply(instance, system, each_boot).warnings) == 1
    assert count(tmp_path, "ran") == 2


def test_a_failure_is_the_first_boots_alone(tmp_path: Path) -> None:
    """The module is done at the next one. By force, and on a new instance, it is executed again."""
    text = counting(tmp_path, "ran", "exit 7")
    steps = [run_module(context_of(tmp_path, "a", text), "scripts") for _ in range(3)]
    assert [step.result.value for step in steps] == ["failed", "ok", "already"] and count(
        tmp_path, "ran"
    ) == 1
    assert all(re.match(again("failed with status 7"), step.warnings[0]) for step in steps[1:])
    assert (
        run_module(context_of(tmp_path, "a", text), "scripts", force=True).result
        is StepResult.FAILED
    )
    assert count(tmp_path, "ran") == 2
    assert run_module(context_of(tmp_path, "a", text), "scripts").result is StepResult.OK
    assert run_module(context_of(tmp_path, "b", text), "scripts").result is StepResult.FAILED
    assert count(tmp_path, "ran") == 3


@pytest.mark.parametrize("outcome", ["", "done", "failed with status 7"])
def test_a_mark_of_an_earlier_version_counts(tmp_path: Path, outcome: str) -> None:
    """There the module custom_data executed scripts. One of them may have upgraded lightinit, and
    restarted the machine before Ready.
    """
    text = counting(tmp_path, "ran")
    run_module(context_of(tmp_path, "a", text), "scripts")
    marks = tmp_path / "var/lib/lightinit/instances/a/sem"
    (own,) = marks.glob("module.scripts+*")
    mark = dict(json.loads(own.read_text()), outcome=outcome)
    own.unlink()
    (marks / "module.scripts").unlink()
    own = marks / own.name.replace("scripts", "custom_data")
    own.write_text(json.dumps(mark))
    kept = marks / "module.custom_data+include.x"
    kept.write_text("what an include got")
    step = run_module(context_of(tmp_path, "a", text), "scripts")
    assert step.result is StepResult.OK and count(tmp_path, "ran") == 1
    assert len(step.warnings) == (outcome != "done")
    step = run_module(context_of(tmp_path, "a", text), "scripts", force=True)
    assert step.result is StepResult.OK and count(tmp_path, "ran") == 2
    assert not own.exists() and kept.exists()


def test_the_module_learns_how_often_it_runs(tmp_path: Path) -> None:
    text = counting(tmp_path, "ran", "exit 7")
    for boot_id in ("one", "two"):
        LiveRoot(tmp_path).write("/proc/sys/kernel/random/boot_id", boot_id.encode() + b"\n")
        step = run_module(context_of(tmp_path, "a", text, "frequency = boot\n"), "scripts")
        assert step.result is StepResult.FAILED and count(tmp_path, "ran") == (
            1 if boot_id == "one" else 2
        )


@pytest.mark.parametrize("level", ["info", "warning"])
def test_what_a_script_prints_is_in_the_log_and_on_the_console(tmp_path: Path, level: str) -> None:
    """As docs/modules.md says of its output. What it is, is in neither."""
    system = LiveRoot(tmp_path)
    text = b64("#!/bin/sh\necho one # source\necho two >&2\nprintf '%05000d\\n' 0\n")
    with (tmp_path / "console").open("w") as stream:
        log.start(system, level, "/var/log/lightinit.log", stream)
        try:
            apply(system, text, execute="both")
        finally:
            log.stop()
    said = "custom data: %s"
    for path in ("console", "var/log/lightinit.log"):
        found = (tmp_path / path).read_text()
        for line in ("begins\n", "one\n", "two\n", "ended after "):
            assert (said % line in found) is (level == "info"), (path, line)
        assert ("custom data: " + "0" * 2000 in found) is (level == "info")
        assert "0" * 2049 not in found and "source" not in found
    page = Path(HERE, "docs/modules.md").read_text(encoding="utf-8")
    assert "**Output** goes to the log line by line, so it is also on the console" in page
